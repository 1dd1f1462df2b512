// Datagrams from the kernel, changed: every message decodes to a value or a DecodeError, and a rule or element that decodes is the same after it was encoded.
import { deepStrictEqual } from 'node:assert/strict';
import { decodeConntrackEntry } from '@weir/netlink/conntrack';
import {
  decodeDone,
  decodeErrorMessage,
  decodeMessages,
  decodeNetfilterHeader,
  NFNL_SUBSYS_CTNETLINK,
  NFNL_SUBSYS_NFTABLES,
  NLMSG_DONE,
  NLMSG_ERROR,
} from '@weir/netlink/message';
import {
  decodeElement,
  decodeNotification,
  decodeRule,
  defineSet,
  ElementCollector,
  type Expression,
  encodeElement,
  encodeRule,
  type NftFamily,
  NftTransaction,
  type Rule,
  type SetElement,
} from '@weir/netlink/nftables';
import { DecodeError, parseHex, Reader, Writer } from '@weir/wire/bytes';
import type { FuzzTarget } from './fuzz.ts';

const EXPRESSIONS: readonly Expression[] = [
  { kind: 'meta', key: 'iifname', dreg: 1 },
  { kind: 'cmp', sreg: 1, op: 'eq', data: Uint8Array.of(101, 116, 104, 48) },
  { kind: 'payload', base: 'network', offset: 16, length: 4, dreg: 1 },
  { kind: 'bitwise', op: 'mask-xor', sreg: 1, dreg: 1, length: 4, mask: Uint8Array.of(255, 255, 255, 0), xor: new Uint8Array(4) },
  { kind: 'range', sreg: 1, op: 'neq', from: Uint8Array.of(3, 232), to: Uint8Array.of(7, 208) },
  { kind: 'lookup', set: 'hosts', sreg: 1, dreg: 0, invert: true },
  { kind: 'ct', key: 'src-ip', dreg: 1, direction: 'reply' },
  { kind: 'limit', rate: 10n, unit: 1n, burst: 5, of: 'packets', over: true },
  { kind: 'log', prefix: 'drop: ', group: 2, snaplen: 64, queueThreshold: 3 },
  {
    kind: 'dynset',
    set: 'hosts',
    op: 'update',
    sregKey: 1,
    timeout: 60_000n,
    expressions: [
      { kind: 'counter', bytes: 1n, packets: 2n },
      { kind: 'connlimit', count: 3 },
    ],
  },
  { kind: 'unknown', name: 'synproxy', bytes: parseHex('0800010000000007') },
  { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'jump', chain: 'other' } } },
];

/** A TCP and an ICMPv4 entry of conntrack, and refusals with extended acknowledgements; each after its header. */
const OTHERS = [
  '88000000000100000000000000000000020000003c0001801400018008000100c000020208000200c63364022400028005000100010000000600040000070000050005000800000005000600000000000800030000000008080008000000000008000c000c02c79008000b0000000001080007000000003b30000480',
  '340000000200000302000000dc330000feffffff70000000060a010c02000000dc330000080002001c0000000c0001006e6f20676f6f6400',
  '140000000300020001000000dc330000fcffffff',
].map(parseHex);

function corpus(): Uint8Array[] {
  const at = { family: 'inet' as NftFamily, table: 't' };
  const hosts = defineSet({ ...at, name: 'hosts', key: 'ipv4_addr', size: 9, timeout: 60_000n, comment: 'why' });
  const services = defineSet({ ...at, name: 'services', key: ['ipv6_addr', 'inet_service'], interval: true });
  const verdicts = defineSet({ ...at, name: 'verdicts', key: 'inet_service', value: 'verdict' });
  const out = OTHERS.slice();
  const parts: ((tx: NftTransaction) => NftTransaction)[] = [
    (tx) => tx.addTable({ family: 'inet', name: 't', comment: 'c', flags: { owner: true, persist: true } }),
    (tx) =>
      tx.addChain({
        ...at,
        name: 'c',
        base: { type: 'filter', hook: 'ingress', priority: -5, policy: 'drop', devices: ['eth0', 'eth1'] },
        counters: { packets: 1n, bytes: 2n },
      }),
    (tx) =>
      tx
        .addSet({ ...hosts, expressions: [{ kind: 'counter', bytes: 0n, packets: 0n }] })
        .addSet(services)
        .addSet(verdicts),
    (tx) => tx.addRule({ ...at, chain: 'c', expressions: EXPRESSIONS, comment: 'r', position: 3n }),
    ...EXPRESSIONS.map((expression) => (tx: NftTransaction) => tx.addRule({ ...at, chain: 'c', expressions: [expression] })),
    (tx) =>
      tx.addElements(hosts, [
        {
          key: Uint8Array.of(192, 0, 2, 1),
          comment: 'one',
          timeout: 5n,
          expiration: 4n,
          expressions: [{ kind: 'counter', bytes: 0n, packets: 0n }],
        },
      ]),
    (tx) =>
      tx.addElements(verdicts, [
        { key: Uint8Array.of(0, 80), data: { kind: 'verdict', verdict: { kind: 'accept' } } },
        { catchall: true, data: { kind: 'verdict', verdict: { kind: 'goto', chain: 'x' } } },
      ]),
    (tx) =>
      tx.addElementColumns({ ...hosts, name: 'nets' }, { shape: 'interval', keyLength: 4, words: Uint32Array.of(1, 2, 3, 0), count: 2 }),
    (tx) =>
      tx.addElementColumns(services, {
        shape: 'concatenated',
        keyLength: 20,
        words: Uint32Array.from({ length: 10 }, (_, i) => i << 16),
        count: 1,
      }),
  ];
  for (const part of parts) out.push(part(new NftTransaction()).seal(1, 2).slice());
  return out;
}

/** A value that decoded must encode to what decodes to it; a RangeError says that it cannot be encoded (a text that grew, for one). */
function expectFixpoint<T>(value: T, encode: (w: Writer, value: T) => void, decode: (r: Reader) => T): void {
  const w = new Writer();
  try {
    encode(w, value);
  } catch (error) {
    if (error instanceof RangeError) return;
    throw error;
  }
  deepStrictEqual(decode(new Reader(w.finish())), value);
}

export const target: FuzzTarget = {
  name: 'netlink',
  corpus,
  run(input) {
    try {
      decodeMessages(new Reader(input), (header, payload) => {
        if (header.type === NLMSG_ERROR) decodeErrorMessage(header, payload);
        else if (header.type === NLMSG_DONE) decodeDone(header, payload);
        else {
          const netfilter = decodeNetfilterHeader(payload);
          const { pos, end } = payload;
          if (header.type >> 8 === NFNL_SUBSYS_CTNETLINK) decodeConntrackEntry(netfilter.family, payload);
          if (header.type >> 8 !== NFNL_SUBSYS_NFTABLES) return true;
          const n = decodeNotification(header, netfilter, payload);
          if (n?.kind === 'new-rule') expectFixpoint<Rule>(n.rule, encodeRule, (r) => decodeRule(n.rule.family, r));
          if (n?.kind === 'new-elements') {
            for (const element of n.elements) expectFixpoint<SetElement>(element, encodeElement, decodeElement);
            collect(new Reader(input, pos, end), n.set);
          }
        }
        return true;
      });
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  },
};

function collect(r: Reader, set: string): void {
  for (const keyLength of [2, 4, 20]) {
    const collector = new ElementCollector(keyLength, 1_000);
    try {
      collector.add(new Reader(r.bytes, r.pos, r.end), set);
    } catch (error) {
      // RangeError: more than the limit.
      if (!(error instanceof DecodeError) && !(error instanceof RangeError)) throw error;
      continue;
    }
    const { count } = collector;
    for (const columns of [collector.singles(), collector.concatenated(), collector.intervals()]) {
      if (columns.count > count) throw new Error(`${columns.count} entries from ${count} elements`);
    }
  }
}
