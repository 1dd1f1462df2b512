import { parseHex, Reader, Writer } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Codec, expectOnlyDecodeErrors, expectRoundTrip, expectTruncationIsNoticed } from '../../codec-kit.ts';
import { decodeExpression, type Expression, encodeExpression } from './index.ts';

const codec: Codec<Expression> = { decode: decodeExpression, encode: encodeExpression };
const hex = parseHex;

/**
 * What Linux 6.18 gave for one step of each statement after nft 1.0.6 had installed it (queue: what nft 1.0.6 sent), and made-up ones for what is kept.
 */
const vectors: readonly { nft: string; hex: string; want: Expression }[] = [
  {
    nft: 'iifname "eth0"',
    hex: '090001006d657461000000001400020008000200000000060800010000000001',
    want: { kind: 'meta', key: 'iifname', dreg: 1 },
  },
  {
    nft: 'meta mark set 0x2a',
    hex: '090001006d657461000000001400020008000200000000030800030000000001',
    want: { kind: 'meta', key: 'mark', sreg: 1 },
  },
  {
    nft: 'ip saddr 192.0.2.0/24',
    hex: '0c0001007061796c6f6164002400020008000100000000010800020000000001080003000000000c0800040000000003',
    want: { kind: 'payload', dreg: 1, base: 'network', offset: 12, length: 3 },
  },
  {
    nft: 'ip ttl set 5',
    hex: '0c0001007061796c6f6164003c00020008000500000000010800020000000001080003000000000808000400000000020800060000000001080007000000000a0800080000000000',
    want: { kind: 'payload', sreg: 1, base: 'network', offset: 8, length: 2, checksum: 'inet', checksumOffset: 10 },
  },
  {
    nft: 'tcp dport >= 1024',
    hex: '08000100636d700020000200080001000000000108000200000000050c0003000600010004000000',
    want: { kind: 'cmp', sreg: 1, op: 'gte', data: hex('0400') },
  },
  {
    nft: 'ip daddr != @s4',
    hex: '0b0001006c6f6f6b757000001c000200070001007334000008000200000000010800050000000001',
    want: { kind: 'lookup', set: 's4', sreg: 1, invert: true },
  },
  {
    nft: 'ip daddr @s4',
    hex: '0b0001006c6f6f6b757000001c000200070001007334000008000200000000010800050000000000',
    want: { kind: 'lookup', set: 's4', sreg: 1 },
  },
  {
    nft: 'tcp dport vmap @vm',
    hex: '0b0001006c6f6f6b757000002400020007000100766d0000080002000000000108000300000000000800050000000000',
    want: { kind: 'lookup', set: 'vm', sreg: 1, dreg: 0 },
  },
  {
    nft: 'ip saddr 192.0.2.128/25',
    hex: '0c00010062697477697365003c00020008000100000000010800020000000001080003000000000408000600000000000c00040008000100ffffff800c0005000800010000000000',
    want: { kind: 'bitwise', sreg: 1, dreg: 1, length: 4, op: 'mask-xor', mask: hex('ffffff80'), xor: hex('00000000') },
  },
  {
    nft: 'meta mark set meta mark << 8',
    hex: '0c00010062697477697365003000020008000100000000010800020000000001080003000000000408000600000000010c0007000800010008000000',
    want: { kind: 'bitwise', sreg: 1, dreg: 1, length: 4, op: 'lshift', data: hex('08000000') },
  },
  {
    nft: 'tcp dport != 1000-2000',
    hex: '0a00010072616e67650000002c000200080001000000000108000200000000010c0003000600010003e800000c0004000600010007d00000',
    want: { kind: 'range', sreg: 1, op: 'neq', from: hex('03e8'), to: hex('07d0') },
  },
  {
    nft: 'ct state established,related',
    hex: '07000100637400001400020008000100000000010800020000000000',
    want: { kind: 'ct', dreg: 1, key: 'state' },
  },
  {
    nft: 'ct original ip saddr 192.0.2.1',
    hex: '07000100637400001c000200080001000000000108000200000000130500030000000000',
    want: { kind: 'ct', dreg: 1, key: 'src-ip', direction: 'original' },
  },
  {
    nft: 'drop',
    hex: '0e000100696d6d6564696174650000001c0002000800010000000000100002000c0002000800010000000000',
    want: { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'drop' } } },
  },
  {
    nft: 'jump other',
    hex: '0e000100696d6d6564696174650000002800020008000100000000001c0002001800020008000100fffffffd0a0002006f74686572000000',
    want: { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'jump', chain: 'other' } } },
  },
  {
    nft: 'counter packets 3 bytes 4',
    hex: '0c000100636f756e746572001c0002000c00010000000000000000040c0002000000000000000003',
    want: { kind: 'counter', bytes: 4n, packets: 3n },
  },
  {
    nft: 'limit rate over 5 mbytes/minute burst 9 kbytes',
    hex: '0a0001006c696d6974000000340002000c00010000000000005000000c000200000000000000003c080003000000240008000400000000010800050000000001',
    want: { kind: 'limit', rate: 5242880n, unit: 60n, burst: 9216, of: 'bytes', over: true },
  },
  {
    nft: 'limit rate 10/second',
    hex: '0a0001006c696d6974000000340002000c000100000000000000000a0c0002000000000000000001080003000000000508000400000000000800050000000000',
    want: { kind: 'limit', rate: 10n, unit: 1n, burst: 5, of: 'packets' },
  },
  {
    nft: 'log prefix "y" group 2 snaplen 64 queue-threshold 3',
    hex: '080001006c6f6700240002000600020079000000060001000002000008000300000000400600040000030000',
    want: { kind: 'log', prefix: 'y', group: 2, snaplen: 64, queueThreshold: 3 },
  },
  {
    nft: 'log prefix "x: " level info flags all',
    hex: '080001006c6f67001c00020008000200783a20000800050000000006080006000000002f',
    want: { kind: 'log', prefix: 'x: ', level: 'info', flags: 47 },
  },
  {
    nft: 'reject with icmpx admin-prohibited',
    hex: '0b00010072656a65637400001400020008000100000000020500020003000000',
    want: { kind: 'reject', with: 'icmpx', code: 3 },
  },
  {
    nft: 'ip protocol tcp reject with tcp reset',
    hex: '0b00010072656a65637400000c0002000800010000000001',
    want: { kind: 'reject', with: 'tcp-reset' },
  },
  {
    nft: 'notrack',
    hex: '0c0001006e6f747261636b00',
    want: { kind: 'notrack' },
  },
  {
    nft: 'ct bytes > 1000',
    hex: '0e000100627974656f726465720000002c00020008000100000000010800020000000001080003000000000108000400000000080800050000000008',
    want: { kind: 'byteorder', sreg: 1, dreg: 1, op: 'hton', length: 8, size: 8 },
  },
  {
    nft: 'exthdr frag exists',
    hex: '0b0001006578746864720000340002000800010000000001050002002c0000000800030000000000080004000000000108000500000000010800060000000000',
    want: { kind: 'exthdr', dreg: 1, type: 44, offset: 0, length: 1, present: true, of: 'ipv6' },
  },
  {
    nft: 'fib saddr . iif oif missing',
    hex: '08000100666962001c000200080001000000000108000200000000010800030000000029',
    want: { kind: 'fib', dreg: 1, result: 'oif', flags: 41 },
  },
  {
    nft: 'ct count over 4',
    hex: '0e000100636f6e6e6c696d69740000001400020008000100000000040800020000000001',
    want: { kind: 'connlimit', count: 4, over: true },
  },
  {
    nft: 'quota over 10 mbytes',
    hex: '0a00010071756f7461000000240002000c0001000000000000a000000c00040000000000000000000800020000000001',
    want: { kind: 'quota', bytes: 10485760n, flags: 1 },
  },
  {
    nft: 'masquerade random',
    hex: '090001006d617371000000000c0002000800010000000004',
    want: { kind: 'masq', flags: 4 },
  },
  {
    nft: 'ip protocol tcp dnat to 192.0.2.1:80 persistent',
    hex: '080001006e6174003c000200080001000000000108000200000000020800030000000001080004000000000108000500000000020800060000000002080007000000000b',
    want: { kind: 'nat', of: 'dnat', family: 2, addressMin: 1, addressMax: 1, portMin: 2, portMax: 2, flags: 11 },
  },
  {
    nft: 'ip protocol tcp redirect to :8080',
    hex: '0a00010072656469720000001c000200080001000000000108000200000000010800030000000002',
    want: { kind: 'redir', portMin: 1, portMax: 1, flags: 2 },
  },
  {
    nft: 'counter name "c1"',
    hex: '0b0001006f626a72656600001400020007000200633100000800010000000001',
    want: { kind: 'objref', name: 'c1', type: 1 },
  },
  {
    nft: 'socket transparent 1',
    hex: '0b000100736f636b657400001400020008000100000000000800020000000001',
    want: { kind: 'socket', key: 'transparent', dreg: 1 },
  },
  {
    nft: 'rt classid 1',
    hex: '07000100727400001400020008000200000000000800010000000001',
    want: { kind: 'rt', key: 'classid', dreg: 1 },
  },
  {
    nft: 'meta mark set numgen inc mod 4 offset 3',
    hex: '0b0001006e756d67656e0000240002000800010000000001080002000000000408000300000000000800040000000003',
    want: { kind: 'numgen', dreg: 1, modulus: 4, of: 'incremental', offset: 3 },
  },
  {
    nft: 'add @dyn { ip saddr limit rate 10/second }',
    hex: '0b00010064796e736574000074000200080004000000000108000300000000000800010064796e000c0006000000000000000000440007000a0001006c696d6974000000340002000c000100000000000000000a0c00020000000000000000010800030000000005080004000000000008000500000000000800090000000000',
    want: {
      kind: 'dynset',
      sregKey: 1,
      op: 'add',
      set: 'dyn',
      expressions: [{ kind: 'limit', rate: 10n, unit: 1n, burst: 5, of: 'packets' }],
    },
  },
  {
    nft: 'update @dyn { ip saddr timeout 1m counter limit rate 10/second }',
    hex: '0b00010064796e7365740000a4000200080004000000000108000300000000010800010064796e000c000600000000000000ea6074000a002c0001000c000100636f756e746572001c0002000c00010000000000000000000c0002000000000000000000440001000a0001006c696d6974000000340002000c000100000000000000000a0c00020000000000000000010800030000000005080004000000000008000500000000000800090000000000',
    want: {
      kind: 'dynset',
      sregKey: 1,
      op: 'update',
      set: 'dyn',
      timeout: 60000n,
      expressions: [
        { kind: 'counter', bytes: 0n, packets: 0n },
        { kind: 'limit', rate: 10n, unit: 1n, burst: 5, of: 'packets' },
      ],
    },
  },
  {
    nft: 'meta mark set jhash ip saddr mod 2',
    hex: '0900010068617368000000002c00020008000100000000020800020000000001080003000000000408000400000000020800070000000000',
    want: { kind: 'unknown', name: 'hash', bytes: hex('08000100000000020800020000000001080003000000000408000400000000020800070000000000') },
  },
  {
    nft: 'queue flags bypass to 3',
    hex: '0a00010071756575650000001c0002000600010000030000060002000001000006000300000100' + '00',
    want: { kind: 'queue', number: 3, total: 1, flags: 1 },
  },
  {
    nft: 'an attribute that is not known',
    hex: '0c000100636f756e746572000c0002000800090000000001',
    want: { kind: 'unknown', name: 'counter', bytes: hex('0800090000000001') },
  },
  {
    nft: 'a value that has no name',
    hex: '090001006d65746100000000140002000800020000000fff0800010000000001',
    want: { kind: 'unknown', name: 'meta', bytes: hex('0800020000000fff0800010000000001') },
  },
  {
    nft: 'a required attribute that is missing',
    hex: '08000100636d70000c0002000800010000000001',
    want: { kind: 'unknown', name: 'cmp', bytes: hex('0800010000000001') },
  },
  { nft: 'notrack without data', hex: '0c0001006e6f747261636b00', want: { kind: 'notrack' } },
];

describe('expressions', () => {
  it.each(vectors)('$nft', ({ hex: text, want }) => {
    const bytes = parseHex(text);
    expect(decodeExpression(new Reader(bytes))).toEqual(want);
    expectRoundTrip(codec, want);
    expectTruncationIsNoticed(decodeExpression, bytes);
    expectOnlyDecodeErrors(decodeExpression, bytes);
  });

  it('cover every kind that has a codec but match, which no statement of nft makes', () => {
    const seen = new Set(vectors.map((vector) => vector.want.kind));
    const kinds: readonly Expression['kind'][] = [
      ...['bitwise', 'byteorder', 'cmp', 'connlimit', 'counter', 'ct', 'dynset', 'exthdr', 'fib', 'immediate', 'limit', 'log', 'lookup'],
      ...['masq', 'meta', 'nat', 'notrack', 'numgen', 'objref', 'payload', 'queue', 'quota', 'range', 'redir', 'reject', 'rt', 'socket'],
    ] as Expression['kind'][];
    expect(kinds.filter((kind) => !seen.has(kind))).toEqual([]);
    expectRoundTrip(codec, { kind: 'match', name: 'bpf', revision: 1, info: new Uint8Array(528).fill(7) });
  });

  it('nested without end are refused', () => {
    let inner: Expression = { kind: 'notrack' };
    const nest = (): void => {
      inner = { kind: 'dynset', set: 's', op: 'add', sregKey: 1, expressions: [inner] };
    };
    for (let i = 0; i < 3; i++) nest();
    expectRoundTrip(codec, inner);
    nest();
    const w = new Writer();
    encodeExpression(w, inner);
    expect(() => decodeExpression(new Reader(w.finish()))).toThrow(/nested deeper/);
  });

  it('with any field values come back', () => {
    const u32 = fc.integer({ min: 0, max: 0xffffffff });
    const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 });
    const name = fc.string({ maxLength: 20 }).filter((text) => !text.includes('\0') && !/\p{Surrogate}/u.test(text));
    const verdict = fc.oneof(
      fc.constantFrom('accept', 'drop', 'continue', 'return', 'break').map((kind) => ({ kind })),
      fc.tuple(fc.constantFrom('jump', 'goto'), name).map(([kind, chain]) => ({ kind, chain })),
    );
    const data = fc.oneof(
      bytes.map((value) => ({ kind: 'value', bytes: value })),
      verdict.map((value) => ({ kind: 'verdict', verdict: value })),
    );
    const leaf = fc.oneof(
      fc.record({ kind: fc.constant('cmp'), sreg: u32, op: fc.constantFrom('eq', 'neq', 'lt', 'lte', 'gt', 'gte'), data: bytes }),
      fc.record({ kind: fc.constant('immediate'), dreg: u32, data }),
      fc.record({ kind: fc.constant('counter'), bytes: u64, packets: u64 }),
      fc.record(
        { kind: fc.constant('lookup'), set: name, sreg: u32, dreg: u32, setId: u32, invert: fc.constant(true) },
        { requiredKeys: ['kind', 'set', 'sreg'] },
      ),
      fc.record(
        {
          kind: fc.constant('payload'),
          base: fc.constantFrom('link', 'network', 'transport', 'inner', 'tunnel'),
          offset: u32,
          length: u32,
          dreg: u32,
          sreg: u32,
        },
        { requiredKeys: ['kind', 'base', 'offset', 'length'] },
      ),
      fc.record(
        { kind: fc.constant('limit'), rate: u64, unit: u64, burst: u32, of: fc.constantFrom('packets', 'bytes'), over: fc.constant(true) },
        { requiredKeys: ['kind', 'rate', 'unit', 'of'] },
      ),
      fc.record({ kind: fc.constant('log'), prefix: name, group: fc.integer({ min: 0, max: 0xffff }) }, { requiredKeys: ['kind'] }),
      fc.record({ kind: fc.constant('unknown'), name: name.map((text) => `?${text}`), bytes: fc.uint8Array({ maxLength: 100 }) }),
    ) as fc.Arbitrary<Expression>;
    const any = fc.oneof(
      leaf,
      fc.record({
        kind: fc.constant('dynset'),
        set: name,
        op: fc.constantFrom('add', 'update', 'delete'),
        sregKey: u32,
        expressions: fc.array(leaf, { minLength: 1, maxLength: 3 }),
      }),
    ) as fc.Arbitrary<Expression>;
    fc.assert(fc.property(any, (value) => expectRoundTrip(codec, value)));
  });

  it('from any bytes are values or DecodeErrors', () => {
    const decode = (r: Reader): unknown => decodeExpression(r);
    fc.assert(
      fc.property(fc.constantFrom(...vectors), fc.nat(), fc.nat({ max: 255 }), fc.nat(), fc.nat({ max: 255 }), (vector, i, a, j, b) => {
        const bytes = parseHex(vector.hex);
        bytes[i % bytes.length] = a;
        bytes[j % bytes.length] = b;
        expectTruncationIsNoticed(decode, bytes);
      }),
    );
  });
});
