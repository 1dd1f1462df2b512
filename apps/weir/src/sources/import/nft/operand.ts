import type { Family } from '@weir/wire/inet';
import { type Condition, PROTOCOL, type Side } from '../condition.ts';
import { DSCP_CLASSES } from '../iptables/names.ts';
import { UntranslatableError } from '../iptables/values.ts';
import { PROTOCOL_NUMBERS } from '../protocol-numbers.ts';
import { get, getString, type Json } from './json.ts';
import { ICMP_TYPES, ICMPV6_TYPES } from './names.ts';

/** What an nf_tables match looks at, as far as a policy sees it. `implied` holds wherever the operand is there. */
export type Operand =
  | { readonly kind: 'address'; readonly side: Side; readonly family: Family; readonly implied: readonly Condition[] }
  | { readonly kind: 'port'; readonly side: Side; readonly protocols: readonly number[]; readonly implied: readonly Condition[] }
  | { readonly kind: 'protocol'; readonly implied: readonly Condition[] }
  | { readonly kind: 'interface'; readonly way: 'in' | 'out'; readonly implied: readonly Condition[] }
  | { readonly kind: 'state' | 'family' | 'mark' | 'flags' | 'fragment'; readonly implied: readonly Condition[] }
  | {
      readonly kind: 'int';
      readonly field: string;
      readonly bits: number;
      readonly names: Readonly<Record<string, number>>;
      /** The field is so much more than the operand. */
      readonly offset: number;
      readonly implied: readonly Condition[];
    };

const none: readonly Condition[] = [];
const v4: readonly Condition[] = [{ kind: 'family', family: 4 }];
const v6: readonly Condition[] = [{ kind: 'family', family: 6 }];
const of = (protocol: number): readonly Condition[] => [{ kind: 'protocol', numbers: [protocol], negated: false }];

function int(
  field: string,
  bits: number,
  implied: readonly Condition[],
  names: Readonly<Record<string, number>> = {},
  offset = 0,
): Operand {
  return { kind: 'int', field, bits, names, offset, implied };
}

function ports(name: string, protocols: readonly number[]): readonly [string, Operand][] {
  return [
    [`${name}.sport`, { kind: 'port', side: 'source', protocols, implied: none }],
    [`${name}.dport`, { kind: 'port', side: 'destination', protocols, implied: none }],
  ];
}

const PAYLOADS: ReadonlyMap<string, Operand> = new Map<string, Operand>([
  ['ip.saddr', { kind: 'address', side: 'source', family: 4, implied: v4 }],
  ['ip.daddr', { kind: 'address', side: 'destination', family: 4, implied: v4 }],
  ['ip6.saddr', { kind: 'address', side: 'source', family: 6, implied: v6 }],
  ['ip6.daddr', { kind: 'address', side: 'destination', family: 6, implied: v6 }],
  ['ip.protocol', { kind: 'protocol', implied: v4 }],
  ['ip.ttl', int('ip.ttl', 8, v4)],
  ['ip.length', int('ip.len', 16, v4)],
  ['ip.id', int('ip.id', 16, v4)],
  ['ip.hdrlength', int('ip.hdr_len', 4, v4)],
  ['ip.dscp', int('ip.dscp', 6, v4, DSCP_CLASSES)],
  ['ip.frag-off', { kind: 'fragment', implied: v4 }],
  ['ip6.hoplimit', int('ip.ttl', 8, v6)],
  ['ip6.length', int('ip.len', 16, v6, {}, 40)],
  ['ip6.dscp', int('ip.dscp', 6, v6, DSCP_CLASSES)],
  ['ip6.flowlabel', int('ip6.flow_label', 20, v6)],
  ['ip6.nexthdr', int('ip6.next_header', 8, v6, PROTOCOL_NUMBERS)],
  ...ports('tcp', [PROTOCOL.tcp]),
  ...ports('udp', [PROTOCOL.udp]),
  ...ports('sctp', [PROTOCOL.sctp]),
  ...ports('th', [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp]),
  ['tcp.flags', { kind: 'flags', implied: of(PROTOCOL.tcp) }],
  ['tcp.window', int('tcp.window', 16, of(PROTOCOL.tcp))],
  ['udp.length', int('udp.length', 16, of(PROTOCOL.udp))],
  ['icmp.type', int('icmp.type', 8, [...v4, ...of(PROTOCOL.icmp)], ICMP_TYPES)],
  ['icmp.code', int('icmp.code', 8, [...v4, ...of(PROTOCOL.icmp)])],
  ['icmpv6.type', int('icmpv6.type', 8, [...v6, ...of(PROTOCOL.icmpv6)], ICMPV6_TYPES)],
  ['icmpv6.code', int('icmpv6.code', 8, [...v6, ...of(PROTOCOL.icmpv6)])],
]);

const METAS: ReadonlyMap<string, Operand> = new Map<string, Operand>([
  ['iifname', { kind: 'interface', way: 'in', implied: none }],
  ['oifname', { kind: 'interface', way: 'out', implied: none }],
  ['iif', { kind: 'interface', way: 'in', implied: none }],
  ['oif', { kind: 'interface', way: 'out', implied: none }],
  ['l4proto', { kind: 'protocol', implied: none }],
  ['nfproto', { kind: 'family', implied: none }],
  ['protocol', { kind: 'family', implied: none }],
  ['mark', { kind: 'mark', implied: none }],
  ['length', int('meta.len', 32, none)],
  ['skuid', int('process.uid', 32, none)],
]);

/** The operand that an expression reads. UntranslatableError for what a policy does not see. */
export function readOperand(left: Json): Operand {
  const payload = get(left, 'payload');
  if (payload !== undefined) {
    const name = `${getString(payload, 'protocol') ?? '@'}.${getString(payload, 'field') ?? 'raw'}`;
    return PAYLOADS.get(name) ?? unseen(name === '@.raw' ? 'raw octets are' : `${name.replace('.', ' ')} is`);
  }
  const meta = getString(get(left, 'meta'), 'key');
  if (meta !== undefined) return METAS.get(meta) ?? unseen(`meta ${meta} is`);
  const ct = getString(get(left, 'ct'), 'key');
  if (ct === 'state') return { kind: 'state', implied: none };
  if (ct !== undefined) return unseen(`ct ${ct} is`);
  const kind = typeof left === 'object' && left !== null ? Object.keys(left)[0] : undefined;
  return unseen(kind === undefined ? 'this is' : `${kind} is`);
}

function unseen(what: string): never {
  throw new UntranslatableError(`${what} not seen by a policy`);
}
