// Flow rules as controllers announce them against attacks, as texts, as rules of iptables, and as packets that meet them.
import { type FlowAction, type FlowRule, flowOrderKey, flowTreatment, parseFlow, printFlow } from '@weir/bgp/flowspec';
import { ip4, printIp } from '@weir/wire/inet';
import type { ActiveFlow } from '../../apps/weir/src/model/flow.ts';
import type { Header } from '../../test/rules/five-tuples.ts';

/** `reflection`: one victim, UDP from one port. `mixed`: as many of these, of one TCP port of a victim, from a network to a network, and from one host to anywhere. */
export type FlowKind = 'reflection' | 'mixed';

const REFLECTORS = [19, 53, 123, 161, 389, 1900, 11_211];
const [TCP, UDP] = [6, 17];
const DISCARD: readonly FlowAction[] = [{ kind: 'rate-bytes', rate: 0, asn: 0 }];

export interface LoadFlow {
  readonly text: string;
  readonly iptables: string;
  /** A packet that meets it; `other` changes what it is asked for besides its destination. */
  header(other: boolean): Header;
}

export function loadFlow(kind: FlowKind, i: number): LoadFlow {
  const victim = 0x0a000000 + 4 * i;
  const attacker = 0x64000000 + 256 * i;
  const port = REFLECTORS[i % REFLECTORS.length] ?? 0;
  const address = printIp(ip4(victim));
  const packet = (source: number, protocol: number, sourcePort: number, destinationPort: number): Header => {
    return { source: source >>> 0, destination: victim >>> 0, protocol, sourcePort, destinationPort };
  };
  switch (kind === 'reflection' ? 0 : i % 4) {
    case 1:
      return {
        text: `flow4 { dst ${address}/32; proto 6; dport 80; }`,
        iptables: `-d ${address}/32 -p tcp -m tcp --dport 80`,
        header: (other) => packet(attacker, TCP, 40_000, other ? 443 : 80),
      };
    case 2: {
      const [to, from] = [ip4((victim & 0xffffff00) >>> 0), ip4(attacker)].map(printIp);
      return {
        text: `flow4 { dst ${to}/24; src ${from}/24; }`,
        iptables: `-d ${to}/24 -s ${from}/24`,
        header: (other) => packet(other ? 0xc6336401 : attacker, UDP, 40_000, 40_000),
      };
    }
    case 3:
      return {
        text: `flow4 { src ${printIp(ip4(attacker))}/32; }`,
        iptables: `-s ${printIp(ip4(attacker))}/32`,
        header: (other) => packet(other ? 0xc6336401 : attacker, UDP, 40_000, 40_000),
      };
    default:
      return {
        text: `flow4 { dst ${address}/32; proto 17; sport ${port}; }`,
        iptables: `-d ${address}/32 -p udp -m udp --sport ${port}`,
        header: (other) => packet(attacker, UDP, other ? 40_000 : port, 40_000),
      };
  }
}

export function loadFlows(kind: FlowKind, count: number): readonly LoadFlow[] {
  return Array.from({ length: count }, (_, i) => loadFlow(kind, i));
}

export function ruleOf(text: string): FlowRule {
  const parsed = parseFlow(text);
  if (!parsed.ok) throw new RangeError(`${text}: ${parsed.problem.message}`);
  return parsed.rule;
}

/** Flow rules that discard, in force. */
export function activeFlows(texts: readonly string[]): readonly ActiveFlow[] {
  const flows = texts.map((text): ActiveFlow => {
    const rule = ruleOf(text);
    const provenance = {
      kind: 'flow',
      peer: 'load',
      flow: printFlow(rule),
      pathId: undefined,
      asPath: [],
      since: 0,
      stale: false,
    } as const;
    return { rule, order: flowOrderKey(rule), treatment: flowTreatment(DISCARD, undefined), provenance };
  });
  return flows.sort((a, b) => (a.order < b.order ? -1 : 1));
}
