import { asn, ip4 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { communityName, parseCommunity, parseLargeCommunity, printCommunity, printLargeCommunity } from './community.ts';
import { decodeExtendedCommunity, parseExtendedCommunity, printExtendedCommunity } from './extended-community.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });

describe('communities as text', () => {
  it('print and parse are inverse', () => {
    fc.assert(
      fc.property(u32, u32, u32, (a, b, c) => {
        expect(parseCommunity(printCommunity(a))).toBe(a);
        const large = { global: a, local1: b, local2: c };
        expect(parseLargeCommunity(printLargeCommunity(large))).toEqual(large);
        const extended = { high: a, low: b };
        expect(parseExtendedCommunity(printExtendedCommunity(extended))).toEqual(extended);
      }),
    );
  });

  it('print and parse are inverse for every kind of target and origin', () => {
    const type = fc.constantFrom(0x0002, 0x0003, 0x0102, 0x0103, 0x0202, 0x0203, 0x8006, 0x8008, 0x4002);
    fc.assert(
      fc.property(type, fc.nat(0xffff), u32, (t, mid, low) => {
        const extended = { high: ((t << 16) | mid) >>> 0, low };
        expect(parseExtendedCommunity(printExtendedCommunity(extended))).toEqual(extended);
      }),
    );
  });

  it.each([
    { name: 'blackhole', input: 'blackhole', want: 0xffff029a },
    { name: 'no-export', input: 'no-export', want: 0xffffff01 },
    { name: 'graceful-shutdown', input: 'graceful-shutdown', want: 0xffff0000 },
    { name: 'numbers', input: '64512:80', want: 0xfc000050 },
    { name: 'too large', input: '65536:1', want: undefined },
    { name: 'leading zero', input: '064512:80', want: undefined },
    { name: 'sign', input: '-1:80', want: undefined },
    { name: 'white space', input: '64512: 80', want: undefined },
    { name: 'three parts', input: '1:2:3', want: undefined },
    { name: 'one part', input: '64512', want: undefined },
    { name: 'an inherited name', input: 'constructor', want: undefined },
    { name: 'nothing', input: '', want: undefined },
  ])('$name', ({ input, want }) => {
    expect(parseCommunity(input)).toBe(want);
  });

  it.each([
    { input: 'rt:64512:80', want: { high: 0x0002fc00, low: 80 } },
    { input: 'rt:64512:4000000000', want: { high: 0x0002fc00, low: 4000000000 } },
    { input: 'ro:192.0.2.1:80', want: { high: 0x0103c000, low: 0x02010050 } },
    { input: 'rt:4200000000:80', want: { high: 0x0202fa56, low: 0xea000050 } },
    { input: 'rt:0.64512:80', want: { high: 0x02020000, low: 0xfc000050 } },
    { input: 'generic:0x80060000:0x0', want: { high: 0x80060000, low: 0 } },
    { input: 'rt:192.0.2.1:65536', want: undefined },
    { input: 'rt:4200000000:65536', want: undefined },
    { input: 'rt:4294967296:1', want: undefined },
    { input: 'rt:1:4294967296', want: undefined },
    { input: 'rt:1.2.3:4', want: undefined },
    { input: 'rt:64512', want: undefined },
    { input: 'soo:64512:80', want: undefined },
    { input: 'generic:80060000:0', want: undefined },
    { input: 'generic:0x123456789:0x0', want: undefined },
  ])('$input', ({ input, want }) => {
    expect(parseExtendedCommunity(input)).toEqual(want);
  });

  it('a name for what has one', () => {
    expect(communityName(0xffff029a)).toBe('blackhole');
    expect(communityName(0xfc000050)).toBeUndefined();
  });
});

describe('the typed view of an extended community', () => {
  it.each([
    { high: 0x0002fc00, low: 80, want: { kind: 'route-target', administrator: { kind: 'as2', asn: asn(64512) }, local: 80 } },
    {
      high: 0x0103c000,
      low: 0x02010050,
      want: { kind: 'route-origin', administrator: { kind: 'ipv4', address: ip4(0xc0000201) }, local: 80 },
    },
    { high: 0x0202fa56, low: 0xea000050, want: { kind: 'route-target', administrator: { kind: 'as4', asn: asn(4200000000) }, local: 80 } },
    { high: 0x80060000, low: 0, want: { kind: 'traffic-rate-bytes', asn: 0, rate: 0 } },
    { high: 0x80060000, low: 0x3f000000, want: { kind: 'traffic-rate-bytes', asn: 0, rate: 0.5 } },
    { high: 0x800cfde9, low: 0x447a0000, want: { kind: 'traffic-rate-packets', asn: 65001, rate: 1000 } },
    { high: 0x80070000, low: 3, want: { kind: 'traffic-action', sample: true, terminal: false } },
    { high: 0x80070000, low: 0, want: { kind: 'traffic-action', sample: false, terminal: true } },
    { high: 0x8008fde9, low: 100, want: { kind: 'rt-redirect', administrator: { kind: 'as2', asn: asn(65001) }, local: 100 } },
    {
      high: 0x8108c000,
      low: 0x020a0064,
      want: { kind: 'rt-redirect', administrator: { kind: 'ipv4', address: ip4(0xc000020a) }, local: 100 },
    },
    { high: 0x8208ffff, low: 0xff000064, want: { kind: 'rt-redirect', administrator: { kind: 'as4', asn: asn(0xffffff00) }, local: 100 } },
    { high: 0x80090000, low: 0x2e, want: { kind: 'traffic-marking', dscp: 46 } },
    { high: 0x08000000, low: 1, want: { kind: 'redirect-to-ip', address: undefined, copy: true } },
    { high: 0x010cc000, low: 0x02630000, want: { kind: 'redirect-to-ip', address: ip4(0xc0000263), copy: false } },
    { high: 0x030b0000, low: 7, want: { kind: 'color', flags: 0, color: 7 } },
    { high: 0x030c0000, low: 8, want: { kind: 'opaque', transitive: true, subtype: 12, high: 0x030c0000, low: 8 } },
    { high: 0x4004fc00, low: 0x49742400, want: { kind: 'link-bandwidth', transitive: false, asn: 64512, rate: 1e6 } },
    { high: 0x06000000, low: 1, want: { kind: 'unknown', type: 6, subtype: 0, high: 0x06000000, low: 1 } },
  ])('$want.kind', ({ high, low, want }) => {
    expect(decodeExtendedCommunity({ high, low })).toEqual(want);
  });

  it('a rate that is no number stays one that is no number', () => {
    expect(decodeExtendedCommunity({ high: 0x80060000, low: 0x7fc00000 })).toEqual({
      kind: 'traffic-rate-bytes',
      asn: 0,
      rate: Number.NaN,
    });
  });
});
