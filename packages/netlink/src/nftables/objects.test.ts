import { parseHex, printHex, Reader, Writer } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Codec, encoded, expectOnlyDecodeErrors, expectRoundTrip, expectTruncationIsNoticed } from '../codec-kit.ts';
import type { Header } from '../message/index.ts';
import { decodeChain, encodeChain } from './chain.ts';
import { decodeElement, decodeElementList, encodeElement, encodeElements, type SetElement } from './element.ts';
import { decodeNotification, type Notification } from './notification.ts';
import { decodeRule, encodeRule } from './rule.ts';
import { decodeSet, defineSet, describeSet, encodeSet } from './set.ts';
import { decodeTable, encodeTable } from './table.ts';
import { decodeComment, decodeTlvs, encodeComment, encodeTlvs, textTlv } from './userdata.ts';

const hex = parseHex;

/** What Linux 6.18 told of the objects that nft 1.0.6 had made: attributes of notifications, after `struct nfgenmsg`. */
const vectors: readonly { name: string; message: number; family: number; hex: string; want: Notification }[] = [
  {
    name: 'table',
    message: 0,
    family: 1,
    hex: '060001007400000008000300000000070c00040000000000000000010800020000000000090006000003746300000000',
    want: { kind: 'new-table', table: { family: 'inet', name: 't', use: 7, handle: 1n, flags: {}, comment: 'tc' } },
  },
  {
    name: 'chain',
    message: 3,
    family: 1,
    hex: '060001007400000006000300630000000c00020000000000000000010800060000000001',
    want: { kind: 'new-chain', chain: { family: 'inet', table: 't', name: 'c', handle: 1n, use: 1 } },
  },
  {
    name: 'base chain',
    message: 3,
    family: 1,
    hex: '060001007400000006000300620000000c000200000000000000000214000400080001000000000308000200fffffffb08000500000000010b00070066696c746572000008000a0000000001080006000000000309000c000003636300000000',
    want: {
      kind: 'new-chain',
      chain: {
        family: 'inet',
        table: 't',
        name: 'b',
        handle: 2n,
        use: 3,
        comment: 'cc',
        base: { type: 'filter', hook: 'output', priority: -5, policy: 'accept' },
      },
    },
  },
  {
    name: 'object',
    message: 18,
    family: 1,
    hex: '0600010074000000060002006b00000008000300000000010c000600000000000000000308000500000000001c0004000c00010000000000000000000c0002000000000000000000',
    want: {
      kind: 'new-object',
      object: {
        family: 'inet',
        table: 't',
        name: 'k',
        type: 1,
        bytes: hex('0c00010000000000000000000c0002000000000000000000'),
        handle: 3n,
        use: 0,
      },
    },
  },
  {
    name: 'set with a size and a comment',
    message: 9,
    family: 1,
    hex: '060001007400000006000200730000000c0010000000000000000004080004000000000708000500000000040f000d000004020000000703736300000c00090008000100000000091700130030786666666666666666383235303764633000000800140000000001',
    want: {
      kind: 'new-set',
      set: {
        family: 'inet',
        table: 't',
        name: 's',
        flags: {},
        keyType: 7,
        keyLength: 4,
        handle: 4n,
        userdata: hex('0004020000000703736300'),
        size: 9,
        count: 1,
      },
    },
  },
  {
    name: 'element with a comment',
    message: 12,
    family: 1,
    hex: '06000100740000000600020073000000200003001c0001000c00010008000100c00002010a00060000046f6e65000000',
    want: { kind: 'new-elements', family: 'inet', table: 't', set: 's', elements: [{ key: hex('c0000201'), comment: 'one' }] },
  },
  {
    name: 'interval set with timeouts',
    message: 9,
    family: 1,
    hex: '060001007400000006000200720000000c001000000000000000000508000300000000140800040000000007080005000000000410000d00000402000000020401000000040009001700130030786666666666666666383235303830653000000800140000000002',
    want: {
      kind: 'new-set',
      set: {
        family: 'inet',
        table: 't',
        name: 'r',
        flags: { interval: true, timeout: true },
        keyType: 7,
        keyLength: 4,
        handle: 5n,
        userdata: hex('000402000000020401000000'),
        count: 2,
      },
    },
  },
  {
    name: "nft's mark at the lowest address",
    message: 12,
    family: 1,
    hex: '060001007400000006000200720000001c000300180001000c00010008000100000000000800030000000001',
    want: { kind: 'new-elements', family: 'inet', table: 't', set: 'r', elements: [{ key: hex('00000000'), intervalEnd: true }] },
  },
  {
    name: 'first key of a range',
    message: 12,
    family: 1,
    hex: '0600010074000000060002007200000014000300100001000c00010008000100c0000200',
    want: { kind: 'new-elements', family: 'inet', table: 't', set: 'r', elements: [{ key: hex('c0000200') }] },
  },
  {
    name: 'closing key of a range',
    message: 12,
    family: 1,
    hex: '060001007400000006000200720000001c000300180001000c00010008000100c00003000800030000000001',
    want: { kind: 'new-elements', family: 'inet', table: 't', set: 'r', elements: [{ key: hex('c0000300'), intervalEnd: true }] },
  },
  {
    name: 'range up to the highest address',
    message: 12,
    family: 1,
    hex: '0600010074000000060002007200000038000300340001000c00010008000100e00000000c000400000000000036ee800c000500000000000036ee800a0006000104010000000000',
    want: {
      kind: 'new-elements',
      family: 'inet',
      table: 't',
      set: 'r',
      elements: [{ key: hex('e0000000'), timeout: 3600000n, expiration: 3600000n, userdata: hex('010401000000') }],
    },
  },
  {
    name: 'concatenated interval set',
    message: 9,
    family: 1,
    hex: '060001007400000006000200780000000c0010000000000000000006080003000000008408000400000001cd080005000000000814000d00000400000000030800040d0000000100200009001c0002000c00010008000100000000040c00010008000100000000021700130030786666666666666666383235303831613000000800140000000001',
    want: {
      kind: 'new-set',
      set: {
        family: 'inet',
        table: 't',
        name: 'x',
        flags: { interval: true, concatenated: true },
        keyType: 461,
        keyLength: 8,
        handle: 6n,
        userdata: hex('000400000000030800040d0000000100'),
        fields: [4, 2],
        count: 1,
      },
    },
  },
  {
    name: 'concatenated range',
    message: 12,
    family: 1,
    hex: '060001007400000006000200780000002800030024000100100001000c000100c00002000050000010000a000c000100c00002ff00500000',
    want: {
      kind: 'new-elements',
      family: 'inet',
      table: 't',
      set: 'x',
      elements: [{ key: hex('c000020000500000'), keyEnd: hex('c00002ff00500000') }],
    },
  },
  {
    name: 'verdict map',
    message: 9,
    family: 1,
    hex: '060001007400000006000200760000000c00100000000000000000070800030000000008080004000000000d080005000000000208000600ffffff00080007000000001016000d000004020000000104000000000604000000000000040009001700130030786666666666666666383235303766343000000800140000000001',
    want: {
      kind: 'new-set',
      set: {
        family: 'inet',
        table: 't',
        name: 'v',
        flags: { map: true },
        keyType: 13,
        keyLength: 2,
        handle: 7n,
        dataType: 4294967040,
        dataLength: 16,
        userdata: hex('000402000000010400000000060400000000'),
        count: 1,
      },
    },
  },
  {
    name: 'entry of a verdict map',
    message: 12,
    family: 1,
    hex: '0600010074000000060002007600000024000300200001000c0001000600010000500000100002000c0002000800010000000001',
    want: {
      kind: 'new-elements',
      family: 'inet',
      table: 't',
      set: 'v',
      elements: [{ key: hex('0050'), data: { kind: 'verdict', verdict: { kind: 'accept' } } }],
    },
  },
  {
    name: 'catch-all entry',
    message: 12,
    family: 1,
    hex: '060001007400000006000200760000002800030024000100180002001400020008000100fffffffd06000200630000000800030000000002',
    want: {
      kind: 'new-elements',
      family: 'inet',
      table: 't',
      set: 'v',
      elements: [{ data: { kind: 'verdict', verdict: { kind: 'jump', chain: 'c' } }, catchall: true }],
    },
  },
  {
    name: 'rule',
    message: 6,
    family: 1,
    hex: '060001007400000006000200620000000c00030000000000000000080401040024000100090001006d6574610000000014000200080002000000001008000100000000012c00010008000100636d700020000200080001000000000108000200000000000c0003000500010011000000340001000c0001007061796c6f6164002400020008000100000000010800020000000002080003000000000208000400000000022c00010008000100636d700020000200080001000000000108000200000000000c00030006000100000900002c0001000e000100696d6d6564696174650000001800020008000100000000010c000200050001000100000024000100090001006d6574610000000014000200080002000000000c0800030000000001',
    want: {
      kind: 'new-rule',
      rule: {
        family: 'inet',
        table: 't',
        chain: 'b',
        expressions: [
          { kind: 'meta', key: 'l4proto', dreg: 1 },
          { kind: 'cmp', sreg: 1, op: 'eq', data: hex('11') },
          { kind: 'payload', dreg: 1, base: 'transport', offset: 2, length: 2 },
          { kind: 'cmp', sreg: 1, op: 'eq', data: hex('0009') },
          { kind: 'immediate', dreg: 1, data: { kind: 'value', bytes: hex('01') } },
          { kind: 'meta', key: 'nftrace', sreg: 1 },
        ],
        handle: 8n,
      },
    },
  },
  {
    name: 'rule with a comment',
    message: 6,
    family: 1,
    hex: '060001007400000006000200620000000c00030000000000000000090c00060000000000000000081001040024000100090001006d6574610000000014000200080002000000001008000100000000012c00010008000100636d700020000200080001000000000108000200000000000c0003000500010011000000340001000c0001007061796c6f6164002400020008000100000000010800020000000002080003000000000208000400000000022c00010008000100636d700020000200080001000000000108000200000000000c00030006000100000900002c0001000c000100636f756e746572001c0002000c00010000000000000000000c0002000000000000000000300001000e000100696d6d6564696174650000001c0002000800010000000000100002000c0002000800010000000000090007000003726300000000',
    want: {
      kind: 'new-rule',
      rule: {
        family: 'inet',
        table: 't',
        chain: 'b',
        expressions: [
          { kind: 'meta', key: 'l4proto', dreg: 1 },
          { kind: 'cmp', sreg: 1, op: 'eq', data: hex('11') },
          { kind: 'payload', dreg: 1, base: 'transport', offset: 2, length: 2 },
          { kind: 'cmp', sreg: 1, op: 'eq', data: hex('0009') },
          { kind: 'counter', bytes: 0n, packets: 0n },
          { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'drop' } } },
        ],
        handle: 9n,
        position: 8n,
        comment: 'rc',
      },
    },
  },
  {
    name: 'rule on connection state',
    message: 6,
    family: 1,
    hex: '060001007400000006000200620000000c000300000000000000000acc00040020000100070001006374000014000200080001000000000108000200000000004c0001000c00010062697477697365003c00020008000100000000010800020000000001080003000000000408000600000000000c00040008000100080000000c00050008000100000000002c00010008000100636d700020000200080001000000000108000200000000010c0003000800010000000000300001000e000100696d6d6564696174650000001c0002000800010000000000100002000c0002000800010000000001',
    want: {
      kind: 'new-rule',
      rule: {
        family: 'inet',
        table: 't',
        chain: 'b',
        expressions: [
          { kind: 'ct', dreg: 1, key: 'state' },
          { kind: 'bitwise', sreg: 1, dreg: 1, length: 4, op: 'mask-xor', mask: hex('08000000'), xor: hex('00000000') },
          { kind: 'cmp', sreg: 1, op: 'neq', data: hex('00000000') },
          { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'accept' } } },
        ],
        handle: 10n,
      },
    },
  },
  {
    name: 'netdev table',
    message: 0,
    family: 5,
    hex: '060001006e00000008000300000000010c00040000000000000000020800020000000000',
    want: { kind: 'new-table', table: { family: 'netdev', name: 'n', use: 1, handle: 2n, flags: {} } },
  },
  {
    name: 'ingress chain',
    message: 3,
    family: 5,
    hex: '060001006e00000006000300690000000c000200000000000000000128000400080001000000000008000200000000010c000400070001006c6f0000070003006c6f000008000500000000010b00070066696c746572000008000a00000000010800060000000000',
    want: {
      kind: 'new-chain',
      chain: {
        family: 'netdev',
        table: 'n',
        name: 'i',
        handle: 1n,
        use: 0,
        base: { type: 'filter', hook: 'ingress', priority: 1, policy: 'accept', devices: ['lo'] },
      },
    },
  },
  {
    name: 'generation',
    message: 15,
    family: 0,
    hex: '08000100000000020800020000000f46080003006e667400',
    want: { kind: 'generation', generation: { id: 2, processId: 3910, processName: 'nft' } },
  },
  {
    name: 'trace of a rule',
    message: 17,
    family: 1,
    hex: '08000f0000000002080004000000000308000600495193bb060002006200000006000100740000000c00030000000000000000080c00050008000100ffffffff08000c000000000106000d0003040000180008004500001eac844000401190487f0000017f0000010e00090099cb0009000afe1d780a00000800150000000008050013000000000008001200b463fd9d',
    want: {
      kind: 'trace',
      trace: {
        family: 'inet',
        id: 1230083003,
        type: 'rule',
        nfproto: 2,
        chain: 'b',
        table: 't',
        ruleHandle: 8n,
        verdict: { kind: 'continue' },
        oif: 1,
        networkHeader: hex('4500001eac844000401190487f0000017f000001'),
        transportHeader: hex('99cb0009000afe1d780a'),
      },
    },
  },
  {
    name: 'trace of a verdict',
    message: 17,
    family: 1,
    hex: '08000f0000000002080004000000000308000600495193bb060002006200000006000100740000000c00030000000000000000090c0005000800010000000000',
    want: {
      kind: 'trace',
      trace: {
        family: 'inet',
        id: 1230083003,
        type: 'rule',
        nfproto: 2,
        chain: 'b',
        table: 't',
        ruleHandle: 9n,
        verdict: { kind: 'drop' },
      },
    },
  },
];

function notification(message: number, family: number): (r: Reader) => Notification | undefined {
  const header: Header = { length: 0, type: (10 << 8) | message, flags: 0, sequence: 0, portId: 0 };
  return (r) => decodeNotification(header, { family, version: 0, resource: 0 }, r);
}

/** The codec of what a notification is about, where it has one. */
function codecOf(n: Notification): { codec: Codec<unknown>; value: unknown } | undefined {
  const of = <T>(codec: Codec<T>, value: T) => ({ codec: codec as Codec<unknown>, value });
  switch (n.kind) {
    case 'new-table':
      return of({ decode: (r) => decodeTable(n.table.family, r), encode: encodeTable }, n.table);
    case 'new-chain':
      return of({ decode: (r) => decodeChain(n.chain.family, r), encode: encodeChain }, n.chain);
    case 'new-rule':
      return of({ decode: (r) => decodeRule(n.rule.family, r), encode: encodeRule }, n.rule);
    case 'new-set':
      return of({ decode: (r) => decodeSet(n.set.family, r), encode: encodeSet }, n.set);
    case 'new-elements':
      return of({ decode: decodeElement, encode: encodeElement }, n.elements[0] ?? {});
    default:
      return undefined;
  }
}

/** What the kernel adds by itself and does not take back. */
const KERNEL_ONLY = ['use', 'ownerPortId', 'count', 'handle', 'id'];

function given(value: unknown): unknown {
  const rest = Object.entries(value as object).filter(
    ([name, field]) => !KERNEL_ONLY.includes(name) && !(name === 'flags' && Object.keys(field as object).length === 0),
  );
  return Object.fromEntries(rest);
}

describe('objects', () => {
  it.each(vectors)('$name', ({ message, family, hex: text, want }) => {
    const bytes = parseHex(text);
    const decode = notification(message, family);
    expect(decode(new Reader(bytes))).toEqual(want);
    expectTruncationIsNoticed(decode, bytes);
    expectOnlyDecodeErrors(decode, bytes);
    const object = codecOf(want);
    if (!object) return;
    const { codec, value } = object;
    const again = codec.decode(new Reader(encoded(codec, value)));
    expect(given(again)).toEqual(given(value));
    expect(encoded(codec, again)).toEqual(encoded(codec, value));
  });

  it('messages of other subsystems are none of ours; unknown ones are kept', () => {
    const header = { length: 0, type: 0x0105, flags: 0, sequence: 0, portId: 0 };
    expect(decodeNotification(header, { family: 2, version: 0, resource: 0 }, new Reader(hex('')))).toBeUndefined();
    expect(notification(22, 1)(new Reader(hex('0102')))).toEqual({ kind: 'unknown', type: 0x0a16, family: 1, bytes: hex('0102') });
    expect(notification(0, 99)(new Reader(hex('')))).toMatchObject({ kind: 'unknown', family: 99 });
  });

  it('a hook that the family does not have cannot be written', () => {
    const base = { type: 'filter', hook: 'egress', priority: 0 } as const;
    expect(() => encodeChain(new Writer(), { family: 'inet', table: 't', name: 'c', base })).toThrow(RangeError);
  });

  it('several devices are a list, one stands alone', () => {
    const codec: Codec<ReturnType<typeof decodeChain>> = { decode: (r) => decodeChain('netdev', r), encode: encodeChain };
    for (const devices of [['eth0'], ['eth0', 'eth1', 'wg*']]) {
      expectRoundTrip(codec, {
        family: 'netdev',
        table: 't',
        name: 'c',
        base: { type: 'filter', hook: 'ingress', priority: -7, policy: 'drop', devices },
      });
    }
  });

  it('a rule keeps what iptables-nft wrote with it', () => {
    const codec: Codec<ReturnType<typeof decodeRule>> = { decode: (r) => decodeRule('ip', r), encode: encodeRule };
    const rule = { family: 'ip' as const, table: 'filter', chain: 'INPUT', expressions: [], compat: hex('0800010000000006') };
    expectRoundTrip(codec, { ...rule, handle: 5n, position: 3n, id: 9, userdata: hex('ff00ff') });
  });

  it('a set keeps its expressions, one or several', () => {
    const codec: Codec<ReturnType<typeof decodeSet>> = { decode: (r) => decodeSet('inet', r), encode: encodeSet };
    const counter = { kind: 'counter', bytes: 1n, packets: 2n } as const;
    const set = { ...defineSet({ family: 'inet', table: 't', name: 's', key: 'ipv4_addr' }), id: 1 };
    expectRoundTrip(codec, { ...set, expressions: [counter] });
    expectRoundTrip(codec, {
      ...set,
      expressions: [counter, { kind: 'connlimit', count: 3 }],
      policy: 'memory',
      gcInterval: 4,
      objectType: 1,
    });
  });

  it('defineSet refuses keys of no field or more than five', () => {
    expect(() => defineSet({ family: 'ip', table: 't', name: 's', key: [] })).toThrow(RangeError);
    expect(() => defineSet({ family: 'ip', table: 't', name: 's', key: new Array<'mark'>(6).fill('mark') })).toThrow(RangeError);
  });
});

describe('elements', () => {
  const element: fc.Arbitrary<SetElement> = fc
    .record(
      {
        key: fc.uint8Array({ minLength: 1, maxLength: 40 }),
        keyEnd: fc.uint8Array({ minLength: 1, maxLength: 40 }),
        intervalEnd: fc.constant(true),
        timeout: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        comment: fc.string({ maxLength: 20 }).filter((text) => !text.includes('\0')),
        object: fc.string({ maxLength: 20 }).filter((text) => !text.includes('\0')),
      },
      { requiredKeys: ['key'] },
    )
    .map((fields) => fields as SetElement);

  it('any come back', () => {
    fc.assert(fc.property(element, (value) => expectRoundTrip({ decode: decodeElement, encode: encodeElement }, value)));
  });

  it('fill a message up to 65,535 bytes, and no further', () => {
    const hosts = Array.from({ length: 9_000 }, (_, i): SetElement => ({ key: Uint8Array.of(10, i >> 16, i >> 8, i) }));
    const target = { table: 't', set: 's' };
    const seen: SetElement[] = [];
    const counts: number[] = [];
    for (let from = 0; from < hosts.length; ) {
      const w = new Writer();
      const next = encodeElements(w, target, hosts, from);
      counts.push(next - from);
      from = next;
      seen.push(...decodeElementList(new Reader(w.finish())).elements);
    }
    expect(counts).toEqual([4_095, 4_095, 810]);
    expect(seen).toEqual(hosts);
    expect(() => encodeElements(new Writer(), target, [{ key: hex('01'), userdata: new Uint8Array(65_530) }], 0)).toThrow(RangeError);
  });
});

describe('user data', () => {
  it('that is one comment is a comment; all else is kept, with the comment in it', () => {
    expect(decodeComment(hex('00036f6b00'))).toEqual({ comment: 'ok' });
    expect(decodeComment(hex('010401000000'))).toEqual({ userdata: hex('010401000000') });
    expect(decodeComment(hex('00036f6b00010401000000'))).toEqual({ comment: 'ok', userdata: hex('00036f6b00010401000000') });
    expect(decodeComment(hex('00026f6b'))).toEqual({ comment: 'ok', userdata: hex('00026f6b') });
    expect(decodeComment(hex('0005'))).toEqual({ userdata: hex('0005') });
  });

  it('comes back whatever it is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const decoded = decodeComment(bytes);
        expect(encodeComment(decoded)).toEqual(bytes);
        const tlvs = decodeTlvs(bytes);
        if (tlvs) expect(encodeTlvs(tlvs)).toEqual(bytes);
      }),
    );
  });

  it('of a set says what nft recorded', () => {
    expect(describeSet({ userdata: hex('0004020000000204010000000703736300') })).toEqual({
      keyByteOrder: 'big',
      mergeElements: true,
      comment: 'sc',
    });
    expect(describeSet({ userdata: hex('ff') })).toEqual({});
    expect(describeSet({})).toEqual({});
  });

  it('is bounded', () => {
    expect(printHex(encodeTlvs([textTlv(0, 'é')]))).toBe('0003c3a900');
    expect(() => textTlv(0, 'x'.repeat(128))).toThrow(RangeError);
    expect(() => encodeTlvs([{ type: 1, bytes: new Uint8Array(256) }])).toThrow(RangeError);
  });
});
