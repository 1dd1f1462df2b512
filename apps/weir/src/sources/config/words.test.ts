import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CommunityPattern, PatternField } from '../../model/named-set.ts';
import { MAX_DURATION, parseDuration, printDuration } from '../yaml/duration.ts';
import { editDistance, suggest } from '../yaml/suggest.ts';
import { parseCommunityPattern, WELL_KNOWN } from './community-pattern.ts';

describe('durations', () => {
  const rows = [
    { input: '500ms', want: 500 },
    { input: '90s', want: 90_000 },
    { input: '2m', want: 120_000 },
    { input: '1h30m', want: 5_400_000 },
    { input: '365d', want: MAX_DURATION },
    { input: '0', want: 0 },
    { input: '0s', want: 0 },
    { input: '366d', want: undefined },
    { input: '30', want: undefined },
    { input: '30m1h', want: undefined },
    { input: '1m1m', want: undefined },
    { input: '-1s', want: undefined },
    { input: '1.5s', want: undefined },
    { input: '2 m', want: undefined },
    { input: '', want: undefined },
    { input: 's', want: undefined },
  ];
  for (const { input, want } of rows) test(JSON.stringify(input), () => expect(parseDuration(input)).toBe(want));

  test('what is printed is read again', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_DURATION }), (ms) => {
        expect(parseDuration(printDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('community patterns', () => {
  const rows = [
    { input: '64512:80', want: { kind: 'standard', fields: [64512, 80] } },
    { input: '*:666', want: { kind: 'standard', fields: ['*', 666] } },
    { input: 'blackhole', want: { kind: 'standard', fields: [65535, 666] } },
    { input: '4200000000:1:*', want: { kind: 'large', fields: [4200000000, 1, '*'] } },
    { input: 'rt:64512:4294967295', want: { kind: 'extended', type: 'rt', fields: [64512, 4294967295] } },
    { input: 'ro:192.0.2.1:7', want: { kind: 'extended', type: 'ro', fields: [0xc0000201, 7] } },
    { input: 'rt:*:*', want: { kind: 'extended', type: 'rt', fields: ['*', '*'] } },
    { input: 'generic:0x80060000:*', want: { kind: 'extended-generic', high: 0x80060000, low: '*' } },
    { input: 'rt:4200000000:65536', want: undefined },
    { input: 'rt:192.0.2.1:65536', want: undefined },
    { input: '65536:1', want: undefined },
    { input: '1:2:3:4', want: undefined },
    { input: '064512:80', want: undefined },
    { input: '64512:', want: undefined },
    { input: '64512', want: undefined },
    { input: 'generic:0x:1', want: undefined },
    { input: 'constructor', want: undefined },
  ];
  for (const { input, want } of rows) {
    test(input, () => {
      const result = parseCommunityPattern(input);
      expect(result.ok ? result.pattern : undefined).toEqual(want);
    });
  }

  test('what is printed is read again', () => {
    const field16 = fc.oneof(fc.constant('*' as const), fc.integer({ min: 0, max: 0xffff }));
    const field32 = fc.oneof(fc.constant('*' as const), fc.integer({ min: 0, max: 0xffffffff }));
    const pattern = fc.oneof(
      fc.record({ kind: fc.constant('standard' as const), fields: fc.tuple(field16, field16) }),
      fc.record({ kind: fc.constant('large' as const), fields: fc.tuple(field32, field32, field32) }),
      fc.record({
        kind: fc.constant('extended' as const),
        type: fc.constantFrom('rt' as const, 'ro' as const),
        fields: fc.tuple(field16, field32),
      }),
      fc.record({ kind: fc.constant('extended-generic' as const), high: field32, low: field32 }),
    );
    fc.assert(
      fc.property(pattern, (p) => {
        expect(parseCommunityPattern(printCommunityPattern(p))).toEqual({ ok: true, pattern: p });
      }),
    );
    for (const name of WELL_KNOWN.keys()) expect(parseCommunityPattern(name).ok).toBe(true);
  });
});

describe('suggestions', () => {
  const keys = ['communities', 'guard', 'kind', 'on_session_loss'];
  const rows = [
    { input: 'comunities', want: 'communities' },
    { input: 'Guard', want: 'guard' },
    { input: 'gaurd', want: 'guard' },
    { input: 'on-session-loss', want: 'on_session_loss' },
    { input: 'colour', want: undefined },
    { input: 'x'.repeat(100), want: undefined },
  ];
  for (const { input, want } of rows) test(input, () => expect(suggest(input, keys)).toBe(want));

  test('distance: zero for equal words, one for one slip, symmetric', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
        expect(editDistance(a, a)).toBe(0);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, `${a}x`)).toBe(1);
      }),
    );
  });
});

/** The text of a pattern. */
function printCommunityPattern(pattern: CommunityPattern): string {
  switch (pattern.kind) {
    case 'standard':
    case 'large':
      return pattern.fields.join(':');
    case 'extended':
      return `${pattern.type}:${pattern.fields.join(':')}`;
    case 'extended-generic':
      return `generic:${hexWord(pattern.high)}:${hexWord(pattern.low)}`;
  }
}

function hexWord(value: PatternField): string {
  return value === '*' ? '*' : `0x${value.toString(16).padStart(8, '0')}`;
}
