import { buildPacket } from '@weir/filter/packet';
import { type Ip, ip4, parseIp } from '@weir/wire/inet';
import fc from 'fast-check';

/**
 * Random rulesets of iptables as data, the text of them, and what the kernel does with a packet, told again from the manual alone: the measure that imports are held to.
 */
export type ModelCondition =
  | { readonly kind: 'source' | 'destination'; readonly cidr: string; readonly not: boolean }
  | {
      readonly kind: 'range';
      readonly side: 'source' | 'destination';
      readonly first: string;
      readonly last: string;
      readonly not: boolean;
    }
  | { readonly kind: 'in' | 'out'; readonly name: string; readonly not: boolean }
  | { readonly kind: 'protocol'; readonly protocol: ModelProtocol; readonly not: boolean }
  | {
      readonly kind: 'ports';
      readonly protocol: 'tcp' | 'udp';
      readonly side: 's' | 'd' | 'either';
      readonly ranges: readonly (readonly [number, number])[];
      readonly not: boolean;
    }
  | { readonly kind: 'flags'; readonly mask: number; readonly value: number; readonly not: boolean }
  | { readonly kind: 'icmp'; readonly type: number; readonly not: boolean }
  | { readonly kind: 'state'; readonly states: readonly ModelState[]; readonly not: boolean }
  | { readonly kind: 'mark'; readonly value: number; readonly mask: number; readonly not: boolean }
  | { readonly kind: 'ttl'; readonly op: 'eq' | 'lt' | 'gt'; readonly value: number };

export type ModelProtocol = 'tcp' | 'udp' | 'icmp' | 'gre';
export type ModelState = 'new' | 'established' | 'invalid';

export type ModelAction =
  | { readonly kind: 'ACCEPT' | 'DROP' | 'REJECT' | 'RETURN' | 'LOG' | 'none' }
  | { readonly kind: 'MARK'; readonly mark: number }
  | { readonly kind: 'jump' | 'goto'; readonly chain: number };

export interface ModelRule {
  readonly conditions: readonly ModelCondition[];
  readonly action: ModelAction;
}

export interface ModelRuleset {
  readonly policy: 'ACCEPT' | 'DROP';
  readonly base: readonly ModelRule[];
  /** A chain calls only those after it. */
  readonly chains: readonly (readonly ModelRule[])[];
}

export interface ModelPacket {
  readonly source: string;
  readonly destination: string;
  readonly protocol: ModelProtocol;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: number;
  readonly icmpType: number;
  readonly ttl: number;
  readonly iif: string;
  readonly state: ModelState;
  readonly mark: number;
}

const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [1, 'FIN'],
  [2, 'SYN'],
  [4, 'RST'],
  [8, 'PSH'],
  [16, 'ACK'],
  [32, 'URG'],
];
const PORTS = [0, 1, 22, 53, 79, 80, 81, 443, 1024, 65_535];
const ADDRESSES = ['192.0.2.1', '192.0.2.7', '192.0.2.130', '198.51.100.1', '198.51.100.255', '203.0.113.9'];
const CIDRS = [
  '192.0.2.0/24',
  '192.0.2.0/25',
  '192.0.2.7',
  '192.0.2.7/32',
  '198.51.100.0/24',
  '198.51.100.1/255.255.255.0',
  '203.0.113.8/29',
  '0.0.0.0/0',
];
const STATES: readonly ModelState[] = ['new', 'established', 'invalid'];
const MODEL_INTERFACES: readonly string[] = ['eth0', 'eth1', 'wg0'];

const not = fc.boolean();
const range = fc.tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);
// Not the empty mask: negated, iptables-nft and iptables-legacy make different things of it.
const mask = fc.constantFrom(0x01, 0x02, 0x12, 0x17, 0x3f, 0x29);

function condition(states: readonly ModelState[]): fc.Arbitrary<ModelCondition> {
  // iptables-nft does not take what excludes everything: `! -i +`, `! -s 0.0.0.0/0`.
  return fc.oneof(
    fc
      .record({ kind: fc.constantFrom('source' as const, 'destination' as const), cidr: fc.constantFrom(...CIDRS), not })
      .map((c) => ({ ...c, not: c.not && c.cidr !== '0.0.0.0/0' })),
    fc.record({
      kind: fc.constant('range' as const),
      side: fc.constantFrom('source' as const, 'destination' as const),
      first: fc.constant('192.0.2.5'),
      last: fc.constantFrom('192.0.2.9', '198.51.100.3'),
      not,
    }),
    fc
      .record({ kind: fc.constant('in' as const), name: fc.constantFrom('eth0', 'eth1', 'eth+', 'wg+', '+'), not })
      .map((c) => ({ ...c, not: c.not && c.name !== '+' })),
    fc.record({ kind: fc.constant('protocol' as const), protocol: fc.constantFrom<ModelProtocol>('tcp', 'udp', 'icmp', 'gre'), not }),
    fc.record({
      kind: fc.constant('ports' as const),
      protocol: fc.constantFrom('tcp' as const, 'udp' as const),
      side: fc.constantFrom('s' as const, 'd' as const, 'either' as const),
      ranges: fc.array(range, { minLength: 1, maxLength: 3 }),
      not,
    }),
    fc
      .record({ kind: fc.constant('flags' as const), mask, value: fc.constantFrom(0, 0x02, 0x12, 0x17, 0x3f), not })
      .map((f) => ({ ...f, value: f.value & f.mask })),
    fc.record({ kind: fc.constant('icmp' as const), type: fc.constantFrom(0, 3, 8), not }),
    fc.record({
      kind: fc.constant('state' as const),
      states: fc.uniqueArray(fc.constantFrom(...states), { minLength: 1, maxLength: 2 }),
      not,
    }),
    fc.record({ kind: fc.constant('mark' as const), value: fc.constantFrom(0, 1, 5), mask: fc.constantFrom(0xffffffff, 5, 4), not }),
    fc.record({
      kind: fc.constant('ttl' as const),
      op: fc.constantFrom('eq' as const, 'lt' as const, 'gt' as const),
      value: fc.constantFrom(1, 32, 64),
    }),
  );
}

/** At most one condition of each kind that iptables takes once, and one protocol. */
function conditions(states: readonly ModelState[]): fc.Arbitrary<readonly ModelCondition[]> {
  return fc.array(condition(states), { maxLength: 3 }).map((all) => {
    const seen = new Set<string>();
    const protocol = all.map(needs).find((p) => p !== undefined);
    return all.filter((c) => {
      const key = c.kind === 'protocol' || needs(c) !== undefined ? 'protocol' : c.kind;
      if (seen.has(key) || (c.kind === 'protocol' && protocol !== undefined)) return false;
      seen.add(key);
      return true;
    });
  });
}

/** The protocol that a condition needs to be named with -p. */
function needs(c: ModelCondition): ModelProtocol | undefined {
  return c.kind === 'ports' ? c.protocol : c.kind === 'flags' ? 'tcp' : c.kind === 'icmp' ? 'icmp' : undefined;
}

function rules(from: number, chains: number, states: readonly ModelState[], maxLength: number): fc.Arbitrary<readonly ModelRule[]> {
  const simple = fc.constantFrom<ModelAction['kind'] & ('ACCEPT' | 'DROP' | 'REJECT' | 'RETURN' | 'LOG' | 'none')>(
    'ACCEPT',
    'DROP',
    'REJECT',
    'RETURN',
    'LOG',
    'none',
  );
  const actions: fc.Arbitrary<ModelAction>[] = [
    simple.map((kind) => ({ kind })),
    fc.constantFrom(1, 4, 5).map((mark) => ({ kind: 'MARK' as const, mark })),
  ];
  if (from < chains) {
    const target = fc.integer({ min: from, max: chains - 1 });
    actions.push(
      target.map((chain) => ({ kind: 'jump' as const, chain })),
      target.map((chain) => ({ kind: 'jump' as const, chain })),
      target.map((chain) => ({ kind: 'goto' as const, chain })),
    );
  }
  return fc.array(fc.record({ conditions: conditions(states), action: fc.oneof(...actions) }), { maxLength });
}

/** `states`: connection states that rules may ask for. */
export function anyRuleset(states: readonly ModelState[] = STATES): fc.Arbitrary<ModelRuleset> {
  const count = 3;
  return fc.record({
    policy: fc.constantFrom('ACCEPT' as const, 'DROP' as const),
    base: rules(0, count, states, 8),
    chains: fc.tuple(rules(1, count, states, 4), rules(2, count, states, 4), rules(3, count, states, 4)),
  });
}

export const anyPacket: fc.Arbitrary<ModelPacket> = fc.record({
  source: fc.constantFrom(...ADDRESSES),
  destination: fc.constantFrom(...ADDRESSES),
  protocol: fc.constantFrom<ModelProtocol>('tcp', 'tcp', 'udp', 'icmp', 'gre'),
  sourcePort: fc.constantFrom(...PORTS),
  destinationPort: fc.constantFrom(...PORTS),
  flags: fc.constantFrom(0, 0x02, 0x10, 0x12, 0x04, 0x29, 0x3f, 0xc2),
  icmpType: fc.constantFrom(0, 3, 8, 11),
  ttl: fc.constantFrom(1, 31, 32, 33, 64, 255),
  iif: fc.constantFrom(...MODEL_INTERFACES),
  state: fc.constantFrom(...STATES),
  mark: fc.constantFrom(0, 1, 4, 5, 7),
});

/** The text that iptables-restore takes. */
export function printRuleset(set: ModelRuleset, chain: 'INPUT' | 'FORWARD'): string {
  const line = (name: string, rule: ModelRule): string => `-A ${name}${printConditions(rule.conditions)}${printAction(rule.action)}`;
  return [
    '*filter',
    `:INPUT ${chain === 'INPUT' ? set.policy : 'ACCEPT'} [0:0]`,
    `:FORWARD ${chain === 'FORWARD' ? set.policy : 'ACCEPT'} [0:0]`,
    ':OUTPUT ACCEPT [0:0]',
    ...set.chains.map((_, i) => `:c${i} - [0:0]`),
    ...set.base.map((rule) => line(chain, rule)),
    ...set.chains.flatMap((list, i) => list.map((rule) => line(`c${i}`, rule))),
    'COMMIT',
    '',
  ].join('\n');
}

function printConditions(all: readonly ModelCondition[]): string {
  const protocol = all.map(needs).find((p) => p !== undefined);
  return `${protocol === undefined ? '' : ` -p ${protocol}`}${all.map(printCondition).join('')}`;
}

function printCondition(c: ModelCondition): string {
  const no = 'not' in c && c.not ? '! ' : '';
  switch (c.kind) {
    case 'source':
    case 'destination':
      return ` ${no}-${c.kind === 'source' ? 's' : 'd'} ${c.cidr}`;
    case 'range':
      return ` -m iprange ${no}--${c.side === 'source' ? 'src' : 'dst'}-range ${c.first}-${c.last}`;
    case 'in':
    case 'out':
      return ` ${no}-${c.kind === 'in' ? 'i' : 'o'} ${c.name}`;
    case 'protocol':
      return ` ${no}-p ${c.protocol}`;
    case 'ports': {
      const list = c.ranges.map(([a, b]) => (a === b ? `${a}` : `${a}:${b}`)).join(',');
      if (c.ranges.length === 1 && c.side !== 'either') return ` -m ${c.protocol} ${no}--${c.side}port ${list}`;
      return ` -m multiport ${no}--${c.side === 'either' ? 'ports' : `${c.side}ports`} ${list}`;
    }
    case 'flags': {
      const words = (mask: number): string =>
        FLAG_NAMES.filter(([bit]) => mask & bit)
          .map(([, name]) => name)
          .join(',') || 'NONE';
      return ` -m tcp ${no}--tcp-flags ${words(c.mask)} ${words(c.value)}`;
    }
    case 'icmp':
      return ` -m icmp ${no}--icmp-type ${c.type}`;
    case 'state':
      return ` -m conntrack ${no}--ctstate ${c.states.map((s) => s.toUpperCase()).join(',')}`;
    case 'mark':
      return ` -m mark ${no}--mark 0x${(c.value & c.mask).toString(16)}/0x${c.mask.toString(16)}`;
    case 'ttl':
      return ` -m ttl --ttl-${c.op} ${c.value}`;
  }
}

function printAction(action: ModelAction): string {
  switch (action.kind) {
    case 'none':
      return '';
    case 'MARK':
      return ` -j MARK --set-mark ${action.mark}`;
    case 'jump':
      return ` -j c${action.chain}`;
    case 'goto':
      return ` -g c${action.chain}`;
    default:
      return ` -j ${action.kind}`;
  }
}

/** What becomes of a packet. */
export function judgeModel(set: ModelRuleset, packet: ModelPacket): 'accept' | 'drop' | 'reject' {
  let mark = packet.mark;
  const run = (list: readonly ModelRule[]): 'accept' | 'drop' | 'reject' | 'end' => {
    for (const { conditions: all, action } of list) {
      const here = { ...packet, mark };
      if (!all.every((c) => holds(c, here))) continue;
      switch (action.kind) {
        case 'ACCEPT':
          return 'accept';
        case 'DROP':
          return 'drop';
        case 'REJECT':
          return 'reject';
        case 'RETURN':
          return 'end';
        case 'MARK':
          mark = action.mark;
          break;
        case 'jump': {
          const verdict = run(set.chains[action.chain] ?? []);
          if (verdict !== 'end') return verdict;
          break;
        }
        case 'goto':
          return run(set.chains[action.chain] ?? []);
        default:
          break;
      }
    }
    return 'end';
  };
  const verdict = run(set.base);
  return verdict === 'end' ? (set.policy === 'ACCEPT' ? 'accept' : 'drop') : verdict;
}

function number(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function inCidr(address: string, cidr: string): boolean {
  const [base = '', tail = '32'] = cidr.split('/');
  const size = tail.includes('.') ? 2 ** 32 - number(tail) : 2 ** (32 - Number(tail));
  return Math.floor(number(address) / size) === Math.floor(number(base) / size);
}

function holds(c: ModelCondition, p: ModelPacket): boolean {
  switch (c.kind) {
    case 'source':
      return inCidr(p.source, c.cidr) !== c.not;
    case 'destination':
      return inCidr(p.destination, c.cidr) !== c.not;
    case 'range': {
      const value = number(c.side === 'source' ? p.source : p.destination);
      return (value >= number(c.first) && value <= number(c.last)) !== c.not;
    }
    case 'in':
      return (c.name.endsWith('+') ? p.iif.startsWith(c.name.slice(0, -1)) : p.iif === c.name) !== c.not;
    case 'out':
      return c.not;
    case 'protocol':
      return (p.protocol === c.protocol) !== c.not;
    case 'ports': {
      if (p.protocol !== c.protocol) return false;
      const inside = (port: number): boolean => c.ranges.some(([a, b]) => port >= a && port <= b);
      const found =
        c.side === 's'
          ? inside(p.sourcePort)
          : c.side === 'd'
            ? inside(p.destinationPort)
            : inside(p.sourcePort) || inside(p.destinationPort);
      return found !== c.not;
    }
    case 'flags':
      return p.protocol === 'tcp' && ((p.flags & c.mask) === c.value) !== c.not;
    case 'icmp':
      return p.protocol === 'icmp' && (p.icmpType === c.type) !== c.not;
    case 'state':
      return c.states.includes(p.state) !== c.not;
    case 'mark':
      return ((p.mark & c.mask) >>> 0 === (c.value & c.mask) >>> 0) !== c.not;
    case 'ttl':
      return c.op === 'eq' ? p.ttl === c.value : c.op === 'lt' ? p.ttl < c.value : p.ttl > c.value;
  }
}

/** The octets of a packet of the model. */
export function modelBytes(p: ModelPacket): Uint8Array {
  const ports = { sourcePort: p.sourcePort, destinationPort: p.destinationPort };
  const transport =
    p.protocol === 'tcp'
      ? ({ kind: 'tcp', ...ports, flags: p.flags } as const)
      : p.protocol === 'udp'
        ? ({ kind: 'udp', ...ports } as const)
        : p.protocol === 'icmp'
          ? ({ kind: 'icmp', type: p.icmpType, code: 0 } as const)
          : ({ kind: 'gre', protocol: 0x0800 } as const);
  const ip = (text: string): Ip => parseIp(text) ?? ip4(0);
  return buildPacket({ source: ip(p.source), destination: ip(p.destination), ttl: p.ttl, transport });
}
