import { describe, expect, it } from 'vitest';
import { maximumPrefixes, type PrefixLevel, prefixLevel } from './prefix-limit.ts';

describe('prefixLevel', () => {
  const limit = { limit: 100, action: 'warn' } as const;
  const rows: { count: number; before: PrefixLevel; want: PrefixLevel }[] = [
    { count: 0, before: 'clear', want: 'clear' },
    { count: 74, before: 'clear', want: 'clear' },
    { count: 75, before: 'clear', want: 'warning' },
    { count: 71, before: 'warning', want: 'warning' },
    { count: 69, before: 'warning', want: 'clear' },
    { count: 100, before: 'warning', want: 'warning' },
    { count: 101, before: 'clear', want: 'exceeded' },
    { count: 96, before: 'exceeded', want: 'exceeded' },
    { count: 95, before: 'exceeded', want: 'warning' },
    { count: 0, before: 'exceeded', want: 'clear' },
  ];
  for (const { count, before, want } of rows)
    it(`${count} of 100 after ${before}`, () => expect(prefixLevel(limit, count, before)).toBe(want));
  it('warns where told to', () => expect(prefixLevel({ ...limit, warnAt: 50 }, 50, 'clear')).toBe('warning'));
});

it('says which limit was reached (RFC 4486 section 4)', () => {
  expect(maximumPrefixes({ afi: 2, safi: 1 }, 0x01020304)).toEqual({ code: 6, subcode: 1, data: Uint8Array.of(0, 2, 1, 1, 2, 3, 4) });
});
