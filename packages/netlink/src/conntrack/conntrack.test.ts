import { parseHex, printHex, Reader, Writer } from '@weir/wire/bytes';
import { prefix, printIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { expectOnlyDecodeErrors, expectTruncationIsNoticed } from '../codec-kit.ts';
import { decodeConntrackEntry, encodeConntrackKey } from './entry.ts';
import { TargetIndex } from './target-index.ts';

/** What Linux 6.18 listed of entries that conntrack 1.4.7 had made. */
const vectors = [
  {
    name: 'TCP',
    family: 2,
    hex: '340001801400018008000100c000020208000200c63364021c00028005000100060000000600020004d200000600030000500000340002801400018008000100c633640208000200c00002021c000280050001000600000006000200005000000600030004d200000800030000000008080008000000000008000c009488be8e08000b0000000001080007000000003b300004802c000180050001000300000005000200000000000500030000000000060004000a000000060005000a0000001c001880080001000000000008000200000000000800030000000000',
    want: {
      original: ['192.0.2.2', '198.51.100.2', 6, 1234, 80, undefined],
      reply: ['198.51.100.2', '192.0.2.2', 6, 80, 1234, undefined],
      rest: { status: 8, timeout: 59, mark: 0, tcpState: 3 },
      id: 0x9488be8e,
    },
  },
  {
    name: 'UDP over IPv6',
    family: 10,
    hex: '4c0001802c0001801400030020010db80000000000000000000000011400040020010db80000000000000000000000021c0002800500010011000000060002000005000006000300000600004c0002802c0001801400030020010db80000000000000000000000021400040020010db80000000000000000000000011c0002800500010011000000060002000006000006000300000500000800030000000008080008000000000008000c001eeb7b9f08000b0000000001080007000000003b1c001880080001000000000008000200000000000800030000000000',
    want: {
      original: ['2001:db8::1', '2001:db8::2', 17, 5, 6, undefined],
      reply: ['2001:db8::2', '2001:db8::1', 17, 6, 5, undefined],
      rest: { status: 8, timeout: 59, mark: 0 },
      id: 0x1eeb7b9f,
    },
  },
  {
    name: 'ICMP',
    family: 2,
    hex: '3c0001801400018008000100c000020208000200c63364022400028005000100010000000600040000070000050005000800000005000600000000003c0002801400018008000100c633640208000200c00002022400028005000100010000000600040000070000050005000000000005000600000000000800030000000008080008000000000008000c000c02c79008000b0000000001080007000000003b1c001880080001000000000008000200000000000800030000000000',
    want: {
      original: ['192.0.2.2', '198.51.100.2', 1, undefined, undefined, { type: 8, code: 0, id: 7 }],
      reply: ['198.51.100.2', '192.0.2.2', 1, undefined, undefined, { type: 0, code: 0, id: 7 }],
      rest: { status: 8, timeout: 59, mark: 0 },
      id: 0x0c02c790,
    },
  },
] as const;

describe('conntrack entries', () => {
  it.each(vectors)('$name', ({ family, hex, want }) => {
    const bytes = parseHex(hex);
    const decode = (r: Reader) => decodeConntrackEntry(family, r);
    const entry = decode(new Reader(bytes));
    if (!entry) throw new Error('no entry');
    const { original, reply, key, ...rest } = entry;
    const shown = (t: typeof original) => [printIp(t.source), printIp(t.destination), t.protocol, t.sourcePort, t.destinationPort, t.icmp];
    expect(shown(original)).toEqual(want.original);
    expect(shown(reply)).toEqual(want.reply);
    expect(rest).toEqual(want.rest);
    expect(key).toMatchObject({ family, id: want.id, zone: undefined });
    expectTruncationIsNoticed(decode, bytes);
    expectOnlyDecodeErrors(decode, bytes);
    const w = new Writer();
    encodeConntrackKey(w, { ...key, zone: 3 });
    const again = printHex(w.finish());
    expect(again.startsWith(hex.slice(0, 4 * 2))).toBe(true);
    expect(again.endsWith(`08000c00${want.id.toString(16).padStart(8, '0')}0600120000030000`)).toBe(true);
  });

  it('without addresses are none', () => {
    expect(decodeConntrackEntry(2, new Reader(parseHex('0800030000000008')))).toBeUndefined();
  });
});

describe('targets', () => {
  const at = (text: string) => prefix(text);
  const index = new TargetIndex([
    { prefix: at('192.0.2.0/24'), ports: [80, 443], protocols: [6] },
    { prefix: at('192.0.2.0/24'), ports: [53], protocols: [17] },
    { prefix: at('192.0.2.128/25') },
    { prefix: at('2001:db8::/32'), protocols: [6] },
  ]);
  const rows: { name: string; address: string; protocol: number; port: number | undefined; want: boolean }[] = [
    { name: 'port of the first', address: '192.0.2.1/32', protocol: 6, port: 443, want: true },
    { name: 'port of the second, protocol of the first', address: '192.0.2.1/32', protocol: 6, port: 53, want: false },
    { name: 'port of the second', address: '192.0.2.1/32', protocol: 17, port: 53, want: true },
    { name: 'longer prefix without conditions', address: '192.0.2.200/32', protocol: 1, port: undefined, want: true },
    { name: 'no port where one is asked for', address: '192.0.2.1/32', protocol: 6, port: undefined, want: false },
    { name: 'outside', address: '192.0.3.1/32', protocol: 6, port: 80, want: false },
    { name: 'IPv6', address: '2001:db8::1/128', protocol: 6, port: 1, want: true },
    { name: 'IPv6, another protocol', address: '2001:db8::1/128', protocol: 17, port: 1, want: false },
  ];
  it.each(rows)('$name', ({ address, protocol, port, want }) => {
    expect(index.matches(at(address), protocol, port)).toBe(want);
  });

  it('know the one family that they have', () => {
    expect(index.onlyFamily).toBeUndefined();
    expect(new TargetIndex([{ prefix: at('0.0.0.0/0') }]).onlyFamily).toBe(4);
    expect(new TargetIndex([]).onlyFamily).toBeUndefined();
  });

  it('agree with looking at each', () => {
    const target = fc.record({ word: fc.integer({ min: 0, max: 15 }), length: fc.integer({ min: 28, max: 32 }) });
    fc.assert(
      fc.property(fc.array(target, { maxLength: 8 }), fc.integer({ min: 0, max: 15 }), (list, word) => {
        const targets = list.map((t) => at(`192.0.2.${(t.word >> (32 - t.length)) << (32 - t.length)}/${t.length}`));
        const found = new TargetIndex(targets.map((one) => ({ prefix: one }))).matches(at(`192.0.2.${word}/32`), 6, 80);
        expect(found).toBe(list.some((t) => word >> (32 - t.length) === t.word >> (32 - t.length)));
      }),
    );
  });
});
