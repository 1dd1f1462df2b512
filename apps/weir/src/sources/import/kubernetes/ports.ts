import type { ConfigNode } from '../../yaml/tree.ts';
import { type Condition, PROTOCOL } from '../condition.ts';
import { UntranslatableError } from '../iptables/values.ts';
import { range } from '../ranges.ts';
import { at, otherKeys, textOf } from './view.ts';

const NUMBERS: Readonly<Record<string, readonly number[]>> = {
  TCP: [PROTOCOL.tcp],
  UDP: [PROTOCOL.udp],
  SCTP: [PROTOCOL.sctp],
  ANY: [PROTOCOL.tcp, PROTOCOL.udp, PROTOCOL.sctp],
};

/** `{ port, endPort, protocol }`. No port is every port of the protocol, and for Cilium (whose usual protocol is ANY) port 0 as well. */
export function readPort(node: ConfigNode, usual: 'TCP' | 'ANY'): readonly Condition[] {
  const other = otherKeys(node, ['port', 'endPort', 'protocol'])[0];
  if (node.kind !== 'map' || other !== undefined)
    throw new UntranslatableError(other === undefined ? 'a port is a map' : `${other} of a port is not known`);
  const word = (textOf(at(node, 'protocol')) ?? usual).toUpperCase();
  const protocols = Object.hasOwn(NUMBERS, word) ? NUMBERS[word] : undefined;
  if (!protocols) throw new UntranslatableError(`the protocol ${word} has no ports that a policy sees`);
  const written = textOf(at(node, 'port'));
  const first = written === undefined ? 0 : portNumber(written);
  const end = textOf(at(node, 'endPort'));
  const last = end === undefined ? first : portNumber(end);
  if (end !== undefined && written === undefined) throw new UntranslatableError('endPort without a port');
  if (first === 0 && written !== undefined && usual === 'TCP') throw new UntranslatableError('a port is a number from 1 to 65535');
  if (first === 0) return [{ kind: 'protocol', numbers: protocols, negated: false }];
  if (last !== 0 && last < first) throw new UntranslatableError(`endPort ${last} comes before port ${first}`);
  return [{ kind: 'port', side: 'destination', protocols, ranges: [range(first, Math.max(first, last))] }];
}

function portNumber(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new UntranslatableError(`port ${text} is a name, which only the pods know; write its number`);
}

/** `{ type, family }` of Cilium. */
export function readIcmp(node: ConfigNode): readonly Condition[] {
  const family = textOf(at(node, 'family')) ?? 'IPv4';
  const written = textOf(at(node, 'type')) ?? '';
  const names = family === 'IPv6' ? ICMPV6_NAMES : ICMP_NAMES;
  const type = Object.hasOwn(names, written)
    ? names[written]
    : /^\d{1,3}$/.test(written) && Number(written) <= 255
      ? Number(written)
      : undefined;
  if ((family !== 'IPv4' && family !== 'IPv6') || type === undefined)
    throw new UntranslatableError(`ICMP type ${written} of family ${family} is not known`);
  const v6 = family === 'IPv6';
  return [
    { kind: 'family', family: v6 ? 6 : 4 },
    { kind: 'protocol', numbers: [v6 ? PROTOCOL.icmpv6 : PROTOCOL.icmp], negated: false },
    { kind: 'text', text: `${v6 ? 'icmpv6' : 'icmp'}.type == ${type}` },
  ];
}

const ICMP_NAMES: Readonly<Record<string, number>> = {
  EchoReply: 0,
  DestinationUnreachable: 3,
  Redirect: 5,
  Echo: 8,
  EchoRequest: 8,
  RouterAdvertisement: 9,
  RouterSelection: 10,
  TimeExceeded: 11,
  ParameterProblem: 12,
  Timestamp: 13,
  TimestampReply: 14,
  Photuris: 40,
  ExtendedEchoRequest: 42,
  ExtendedEchoReply: 43,
};

const ICMPV6_NAMES: Readonly<Record<string, number>> = {
  DestinationUnreachable: 1,
  PacketTooBig: 2,
  TimeExceeded: 3,
  ParameterProblem: 4,
  EchoRequest: 128,
  EchoReply: 129,
  MulticastListenerQuery: 130,
  MulticastListenerReport: 131,
  MulticastListenerDone: 132,
  RouterSolicitation: 133,
  RouterAdvertisement: 134,
  NeighborSolicitation: 135,
  NeighborAdvertisement: 136,
  RedirectMessage: 137,
};
