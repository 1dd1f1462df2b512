import { createHash } from 'node:crypto';
import { printCounted } from '../../model/counted.ts';
import { PORT_PROTOCOLS, PROTOCOL, type Side, STATES } from './condition.ts';
import { type Conjunction, FIELD_PROTOCOLS, type InterfaceTest, type MemberTest, onlyProtocol, type PortTest } from './conjunction.ts';
import type { FlatAction } from './flatten.ts';
import { MAX_EXPRESSION, MAX_INLINE } from './limits.ts';
import { type AddressSet, printAddresses, printCidrs, printRanges, type Ranges } from './ranges.ts';

/** The fields of a policy rule that say what it matches, in the order of the file. Absent is any. */
export interface MatchFields {
  readonly protocol?: string;
  readonly source_cidrs?: readonly string[];
  readonly source_ports?: readonly string[];
  readonly destination_cidrs?: readonly string[];
  readonly destination_ports?: readonly string[];
  readonly in_interface?: readonly string[];
  readonly out_interface?: readonly string[];
  readonly state?: readonly string[];
  readonly expression?: string;
}

/** Lists of the policy file that take the place of long sets in expressions, by name. */
export type Lists = Map<string, readonly string[]>;

/**
 * What a conjunction is in a policy file. With `family` the rule says itself that it is of one family only, where its addresses do not. Undefined: the expression would be longer
 * than the filter language allows.
 */
export function matchFields(c: Conjunction, withFamily: boolean, lists: Lists): MatchFields | undefined {
  const texts: string[] = [];
  const source = addressField('source', c.source, texts);
  const destination = addressField('destination', c.destination, texts);
  const sayFamily = withFamily && c.family !== undefined && c.source === undefined && c.destination === undefined;
  const ports = portFields(c, texts);
  const protocol = protocolField(c, ports.protocol, texts);
  const interfaces = { in: interfaceField('in', c.interfaces, texts), out: interfaceField('out', c.interfaces, texts) };
  const state = stateField(c, texts);
  for (const set of c.notSource) texts.push(`not ${addressText('source', set, lists)}`);
  for (const set of c.notDestination) texts.push(`not ${addressText('destination', set, lists)}`);
  for (const member of c.members) texts.push(memberText(member));
  texts.push(...c.texts);
  const expression = texts.join(' and ');
  if (expression.length > MAX_EXPRESSION) return undefined;
  return {
    ...(protocol ? { protocol } : {}),
    ...(sayFamily ? { source_cidrs: [c.family === 6 ? '::/0' : '0.0.0.0/0'] } : source ? { source_cidrs: source } : {}),
    ...(ports.source ? { source_ports: ports.source } : {}),
    ...(destination ? { destination_cidrs: destination } : {}),
    ...(ports.destination ? { destination_ports: ports.destination } : {}),
    ...(interfaces.in ? { in_interface: interfaces.in } : {}),
    ...(interfaces.out ? { out_interface: interfaces.out } : {}),
    ...(state ? { state } : {}),
    ...(expression === '' ? {} : { expression }),
  };
}

/** As CIDRs, where they are not many more than the ranges; otherwise as text. */
function addressField(side: Side, set: AddressSet | undefined, texts: string[]): readonly string[] | undefined {
  if (!set) return undefined;
  const cidrs = printCidrs(set);
  const ranges = set.v4.length + set.v6.length;
  if (ranges > MAX_INLINE || cidrs.length <= 8 * ranges) return cidrs;
  texts.push(`${addressOperand(side)} in {${printAddresses(set).join(' ')}}`);
  return undefined;
}

function addressOperand(side: Side): string {
  return side === 'source' ? 'ip.src' : 'ip.dst';
}

function addressText(side: Side, set: AddressSet, lists: Lists): string {
  const values = printAddresses(set);
  if (values.length <= MAX_INLINE) return `${addressOperand(side)} in {${values.join(' ')}}`;
  const cidrs = printCidrs(set);
  const name = `import_${hash(cidrs.join(' '))}`;
  lists.set(name, cidrs);
  return `${addressOperand(side)} in $${name}`;
}

function memberText({ side, set, negated }: MemberTest): string {
  return `${negated ? 'not ' : ''}${addressOperand(side)} in $${set}`;
}

interface PortFields {
  readonly source: readonly string[] | undefined;
  readonly destination: readonly string[] | undefined;
  /** What `protocol` must be for the fields to mean the ports; undefined when there are none. */
  readonly protocol: string | undefined;
}

function portFields(c: Conjunction, texts: string[]): PortFields {
  const protocol = portProtocol(c);
  const fields: { source: readonly string[] | undefined; destination: readonly string[] | undefined } = {
    source: undefined,
    destination: undefined,
  };
  for (const test of c.ports) {
    const known = test.protocols.every((p) => PORT_PROTOCOLS.has(p));
    if (protocol !== undefined && known && fields[test.side] === undefined) {
      fields[test.side] = test.ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
    } else texts.push(portText(test, c.protocols));
  }
  const some = fields.source !== undefined || fields.destination !== undefined;
  return { ...fields, protocol: some ? protocol : undefined };
}

/** `tcp` for one protocol, `any` for all that have ports. Undefined: the YAML fields cannot say it. */
function portProtocol(c: Conjunction): string | undefined {
  const one = onlyProtocol(c);
  if (one !== undefined) return PORT_PROTOCOLS.get(one);
  return c.protocols?.size === PORT_PROTOCOLS.size && [...c.protocols].every((p) => PORT_PROTOCOLS.has(p)) ? 'any' : undefined;
}

function portText({ side, protocols, ranges }: PortTest, wanted: ReadonlySet<number> | undefined): string {
  const word = side === 'source' ? 'srcport' : 'dstport';
  const tests = protocols
    .filter((p) => wanted === undefined || wanted.has(p))
    .flatMap((p) => {
      const name = PORT_PROTOCOLS.get(p);
      return name === undefined ? [] : [intText(`${name}.${word}`, ranges)];
    });
  return tests.length === 1 ? (tests[0] ?? '') : `(${tests.join(' or ')})`;
}

/** `field == 80`, `field in {80 443..8443}`. */
export function intText(field: string, ranges: Ranges): string {
  const only = ranges.length === 1 ? ranges[0] : undefined;
  return only && only.first === only.last ? `${field} == ${only.first}` : `${field} in {${printRanges(ranges)}}`;
}

const PROTOCOL_WORDS: ReadonlyMap<number, string> = new Map([...FIELD_PROTOCOLS, [PROTOCOL.icmp, 'icmp'], [PROTOCOL.icmpv6, 'icmpv6']]);

function protocolField(c: Conjunction, ofPorts: string | undefined, texts: string[]): string | undefined {
  if (ofPorts === 'any') return undefined;
  if (!c.protocols) return undefined;
  const one = onlyProtocol(c);
  const word = one === undefined ? undefined : FIELD_PROTOCOLS.get(one);
  if (word !== undefined) return word;
  const numbers = [...c.protocols].sort((a, b) => a - b);
  if (numbers.join() === `${PROTOCOL.icmp},${PROTOCOL.icmpv6}`) return 'icmp';
  // The field means both protocols; a test of one of them says which.
  if (one === PROTOCOL.icmp && c.texts.some((t) => t.startsWith('icmp.'))) return 'icmp';
  if (one === PROTOCOL.icmpv6 && c.texts.some((t) => t.startsWith('icmpv6.'))) return 'icmp';
  if (c.ports.length > 0) return undefined;
  const words = numbers.map((n) => PROTOCOL_WORDS.get(n));
  if (words.every((w) => w !== undefined)) {
    texts.push(words.length === 1 ? `ip.proto == "${words[0]}"` : `ip.proto in {${words.map((w) => `"${w}"`).join(' ')}}`);
  } else texts.push(intText('ip.proto.num', unionOf(numbers)));
  return undefined;
}

function unionOf(sorted: readonly number[]): Ranges {
  const out: { first: bigint; last: bigint }[] = [];
  for (const n of sorted) {
    const before = out.at(-1);
    if (before && before.last + 1n === BigInt(n)) before.last = BigInt(n);
    else out.push({ first: BigInt(n), last: BigInt(n) });
  }
  return out;
}

function interfaceField(way: 'in' | 'out', tests: readonly InterfaceTest[], texts: string[]): readonly string[] | undefined {
  let field: readonly string[] | undefined;
  for (const test of tests) {
    if (test.way !== way) continue;
    if (!test.negated && field === undefined) field = test.names;
    else texts.push(interfaceText(test));
  }
  return field;
}

function interfaceText({ way, names, negated }: InterfaceTest): string {
  const field = way === 'in' ? 'iif.name' : 'oif.name';
  const exact = names.filter((n) => !n.endsWith('*'));
  const one =
    exact.length === 1 ? [`${field} == "${exact[0]}"`] : exact.length > 1 ? [`${field} in {${exact.map((n) => `"${n}"`).join(' ')}}`] : [];
  const tests = [...one, ...names.filter((n) => n.endsWith('*')).map((n) => `${field} strict wildcard "${n}"`)];
  if (negated && tests.length === 1 && exact.length === 1) return `${field} != "${exact[0]}"`;
  const text = tests.length === 1 ? (tests[0] ?? '') : `(${tests.join(' or ')})`;
  return negated ? `not ${text}` : text;
}

function stateField(c: Conjunction, texts: string[]): readonly string[] | undefined {
  const { states } = c;
  if (!states) return undefined;
  const tracked = STATES.filter((s) => s !== 'untracked');
  if (!states.has('untracked')) return tracked.filter((s) => states.has(s));
  const others = tracked.filter((s) => !states.has(s)).map((s) => `ct.${s}`);
  texts.push(others.length === 1 ? `not ${others[0]}` : `not (${others.join(' or ')})`);
  return undefined;
}

/** The fields of an action. A skip's target is put in when it is known. */
export function actionFields(action: FlatAction): Readonly<Record<string, string | number>> {
  switch (action.kind) {
    case 'allow':
    case 'deny':
    case 'log':
    case 'skip':
      return { action: action.kind };
    case 'reject':
      return { action: 'reject', reject_with: action.with };
    case 'mark':
      return { action: 'mark', mark: action.mark };
    case 'rate-limit': {
      const { unit, rate, burst } = action.limit;
      return {
        action: 'rate_limit',
        [unit === 'packets' ? 'rate_limit_pps' : 'rate_limit_bps']: rate,
        rate_limit_burst: burst,
        rate_limit_per: printCounted(action.limit),
      };
    }
  }
}

/** Eight hexadecimal digits that only the text decides. */
export function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}
