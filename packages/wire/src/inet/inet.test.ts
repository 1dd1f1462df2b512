import { BlockList } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Reader, Writer } from '../bytes/index.ts';
import {
  comparePrefix,
  covers,
  decodeIp,
  encodeIp,
  ip,
  ip4,
  ip6,
  lastIp,
  makePrefix,
  overlaps,
  PrefixTable,
  parseAsn,
  parseIp,
  parsePrefix,
  prefix,
  printIp,
  printPrefix,
} from './index.ts';

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const anyIp = fc.oneof(
  u32.map(ip4),
  fc.tuple(u32, u32, u32, u32).map(([a, b, c, d]) => ip6(a, b, c, d)),
);
const sparse6 = fc
  .array(fc.constantFrom(0, 0, 0xffff, 1, 0x10000), { minLength: 4, maxLength: 4 })
  .map(([a, b, c, d]) => ip6(a!, b!, c!, d!));

describe('addresses', () => {
  it.each([
    ['0.0.0.0', '0.0.0.0'],
    ['255.255.255.255', '255.255.255.255'],
    ['2001:DB8::1', '2001:db8::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s prints as %s', (text, want) => {
    expect(printIp(parseIp(text)!)).toBe(want);
  });

  it.each([
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '10.1',
    ':',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
    '1.2.3.4::',
    'fe80::1%eth0',
    '1:2:3:4:5:6:7::8:9',
    ':1:2:3:4:5:6:7',
  ])('%s is refused', (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  it('text that is known to be one throws where it is not', () => {
    expect(ip('192.0.2.1')).toEqual(parseIp('192.0.2.1'));
    expect(() => ip('192.0.2')).toThrow(new RangeError('not an address: 192.0.2'));
    expect(() => prefix('192.0.2')).toThrow(new RangeError('not an address or prefix: 192.0.2'));
  });

  it('text and bytes round-trip', () => {
    fc.assert(
      fc.property(fc.oneof(anyIp, sparse6), (ip) => {
        expect(parseIp(printIp(ip))).toEqual(ip);
        const w = new Writer();
        encodeIp(w, ip);
        expect(decodeIp(new Reader(w.finish()), ip.family)).toEqual(ip);
      }),
    );
  });

  it('asplain and asdot', () => {
    expect(parseAsn('4294967295')).toBe(4294967295);
    expect(parseAsn('64086.59905')).toBe(64086 * 65536 + 59905);
    for (const bad of ['', '-1', '4294967296', '1.65536', 'AS1', '1.2.3']) expect(parseAsn(bad)).toBeUndefined();
  });
});

describe('prefixes', () => {
  it('host bits are an error that carries the masked prefix', () => {
    const result = parsePrefix('192.0.2.1/24');
    expect(result.ok).toBe(false);
    if (!result.ok && result.error.kind === 'host-bits') expect(printPrefix(result.error.masked)).toBe('192.0.2.0/24');
    else throw new Error('wrong kind');
  });

  it.each(['192.0.2.0/33', '2001:db8::/129', '192.0.2.0/', '192.0.2.0/08', '192.0.2.0/ 8', '/8', 'x/8'])('%s is refused', (text) => {
    expect(parsePrefix(text).ok).toBe(false);
  });

  it('covers agrees with net.BlockList', () => {
    fc.assert(
      fc.property(anyIp, fc.nat(128), anyIp, fc.boolean(), (net, bits, other, near) => {
        const outer = makePrefix(net, Math.min(bits, net.family === 4 ? 32 : 128));
        const ip = near ? lastIp(outer) : other;
        const list = new BlockList();
        const type = (f: 4 | 6): 'ipv4' | 'ipv6' => (f === 4 ? 'ipv4' : 'ipv6');
        list.addSubnet(printIp(outer), outer.length, type(outer.family));
        const mapped = outer.family !== ip.family;
        expect(covers(outer, ip)).toBe(!mapped && list.check(printIp(ip), type(ip.family)));
      }),
    );
  });

  it('order puts a cover before what it covers, and overlap is covering one way', () => {
    const a = prefix('10.0.0.0/8');
    const b = prefix('10.0.0.0/16');
    expect(comparePrefix(a, b)).toBeLessThan(0);
    expect(overlaps(a, b) && overlaps(b, a)).toBe(true);
    expect(overlaps(b, prefix('10.1.0.0/16'))).toBe(false);
  });
});

describe('PrefixTable', () => {
  it('behaves as a map from text to id under intern, find and release', () => {
    const op = fc.record({
      release: fc.boolean(),
      ip: fc.oneof(
        fc.nat(40).map((n) => ip4(n << 3)),
        fc.nat(40).map((n) => ip6(n, 0, 0, n)),
      ),
      bits: fc.constantFrom(24, 29, 32),
    });
    fc.assert(
      fc.property(fc.array(op, { maxLength: 400 }), (ops) => {
        const tables = { 4: new PrefixTable(4, 4), 6: new PrefixTable(6, 4) };
        const model = new Map<string, number>();
        for (const { release, ip, bits } of ops) {
          const p = makePrefix(ip, bits);
          const table = tables[p.family];
          const known = model.get(printPrefix(p));
          expect(table.findPrefix(p)).toBe(known ?? -1);
          if (!release) {
            const id = table.internPrefix(p);
            if (known === undefined) model.set(printPrefix(p), id);
            else expect(id).toBe(known);
            expect(printPrefix(table.prefix(id))).toBe(printPrefix(p));
          } else if (known !== undefined) {
            table.release(known);
            model.delete(printPrefix(p));
          }
        }
        expect(tables[4].size + tables[6].size).toBe(model.size);
        for (const [text, id] of model) expect(tables[text.includes(':') ? 6 : 4].findPrefix(prefix(text))).toBe(id);
      }),
    );
  });

  it.each([4, 6] as const)('of IPv%s finds all that it has, and nothing else, at every moment of its growth', (family) => {
    const table = new PrefixTable(family, 4);
    const ids: (number | undefined)[] = [];
    const length = family === 4 ? 32 : 128;
    const find = (n: number): number => table.find(n, 0, 0, family === 4 ? 0 : n, length);
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 48_271) >>> 0) % 0x7fff_ffff;
      return seed % below;
    };
    let wrong = 0;
    for (let n = 0; n < 20_000; n++) {
      ids[n] = table.intern(n, 0, 0, family === 4 ? 0 : n, length);
      // Ids of these are given to others, whether or not they have moved.
      for (let i = 0; i < random(3); i++) {
        const other = random(n + 1);
        const id = ids[other];
        if (id !== undefined) table.release(id);
        ids[other] = undefined;
      }
      for (let i = 0; i < 4; i++) {
        const other = random(n + 10);
        if (find(other) !== (ids[other] ?? -1)) wrong++;
      }
    }
    for (let n = 0; n < 20_010; n++) if (find(n) !== (ids[n] ?? -1)) wrong++;
    expect(wrong).toBe(0);
    const held = ids.filter((id) => id !== undefined);
    expect([table.size, new Set(held).size]).toEqual([held.length, held.length]);
    expect(() => table.release(table.limit)).toThrow(RangeError);
  });
});
