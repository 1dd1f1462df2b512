import { type Expr, ipSetOfPrefixes, packetExpr, unionIpSets, unionSets } from '@weir/filter/ir';
import type { Prefix } from '@weir/wire/inet';
import type { PortRange } from '../../model/firewall.ts';
import type { UserProgram } from '../../model/match-program.ts';
import { userProgramTest } from '../../model/user-program.ts';
import type { Item } from '../yaml/shape.ts';
import type { Report } from '../yaml/tree.ts';
import { type List, type Lists, octets, portSet, printMember, printRange, printText } from './lists.ts';
import type { OrList, Protocol, RawRule } from './raw.ts';

/** Something that must hold for a rule to take a packet: in the typed form, and as text of the filter language that can stand in a conjunction. */
export interface Condition {
  readonly expr: Expr;
  readonly text: string;
}

/** The protocols that have ports. */
const PORTED = ['tcp', 'udp', 'sctp'] as const;
type Ported = (typeof PORTED)[number];

/** One condition for each field of a rule that is given, in the order of the packet's way. */
export function fieldConditions(r: RawRule, lists: Lists, report: Report): Condition[] {
  const out: Condition[] = [];
  const add = (condition: Condition | undefined): void => {
    if (condition) out.push(condition);
  };
  add(r.in_interface && onInterface('iif.name', 'in_interface', r.in_interface, lists, report));
  add(r.out_interface && onInterface('oif.name', 'out_interface', r.out_interface, lists, report));
  add(r.state && some([...new Set(r.state.map((item) => item.value))].map((state) => flag(`ct.${state}`))));
  add(r.source_cidrs && addresses('ip.src', 'source_cidrs', r.source_cidrs, lists, report));
  add(r.destination_cidrs && addresses('ip.dst', 'destination_cidrs', r.destination_cidrs, lists, report));
  add(protocolAndPorts(r, lists, report));
  return out;
}

/** What a program of the user's says. As text it is what the policy file says. */
export function programCondition(program: UserProgram): Condition {
  const text = program.kind === 'pinned' ? printText(program.path) : `${printText(program.file)} ${printText(program.program)}`;
  return { expr: packetExpr.test(userProgramTest(program)), text: `bpf ${text}` };
}

/** Whether a protocol has ports. */
export function hasPorts(protocol: Protocol): boolean {
  return protocol === 'any' || isPorted(protocol);
}

function isPorted(protocol: Protocol): protocol is Ported {
  return PORTED.some((p) => p === protocol);
}

/** All of them. What always holds needs no text but that of a comparison that always holds. */
export function all(conditions: readonly Condition[], report?: () => void): Condition {
  const expr = packetExpr.and(
    conditions.map((c) => c.expr),
    undefined,
    report,
  );
  return { expr, text: conditions.map((c) => c.text).join(' and ') || ALWAYS };
}

/** What a rule without any condition says: every packet has a length. */
const ALWAYS = 'meta.len >= 0';

/** One of them at least, in parentheses where they are several. */
function some(conditions: readonly Condition[]): Condition | undefined {
  const [only] = conditions;
  if (conditions.length <= 1) return only;
  return { expr: packetExpr.or(conditions.map((c) => c.expr)), text: `(${conditions.map((c) => c.text).join(' or ')})` };
}

function flag(field: string): Condition {
  return { expr: packetExpr.flag(field), text: field };
}

function inSet(field: string, name: string): Condition {
  return { expr: packetExpr.list(field, name), text: `${field} in $${name}` };
}

function addresses(
  field: string,
  key: string,
  items: readonly Item<OrList<Prefix>>[],
  lists: Lists,
  report: Report,
): Condition | undefined {
  const { values, constants, sets } = resolve(items, 'Ip', key, lists, report);
  const parts = sets.map((name) => inSet(field, name));
  if (values.length + constants.length > 0) {
    const sets = constants.flatMap((c) => (c.typed.type === 'Ip' ? [c.typed.set] : []));
    if (values.length > 0) sets.push(ipSetOfPrefixes(values));
    const text = members(values.map(printMember), constants);
    parts.unshift({
      expr: packetExpr.ip(field, sets.length === 1 && sets[0] ? sets[0] : unionIpSets(sets)),
      text: `${field} in {${text}}`,
    });
  }
  return some(parts);
}

function members(own: readonly string[], constants: readonly Constant[]): string {
  return [...own, ...constants.map((c) => c.text)].join(' ');
}

function protocolAndPorts(r: RawRule, lists: Lists, report: Report): Condition | undefined {
  const from = r.source_ports?.length ? resolve(r.source_ports, 'Int', 'source_ports', lists, report) : undefined;
  const to = r.destination_ports?.length ? resolve(r.destination_ports, 'Int', 'destination_ports', lists, report) : undefined;
  if ((!from && !to) || !hasPorts(r.protocol)) return r.protocol === 'any' ? undefined : ofProtocol(r.protocol);
  const protocols = isPorted(r.protocol) ? [r.protocol] : PORTED;
  return some(
    protocols.map((protocol) => {
      const parts = [from && onPorts(`${protocol}.srcport`, from), to && onPorts(`${protocol}.dstport`, to)].filter((c) => c !== undefined);
      const [only] = parts;
      if (only && parts.length === 1) return only;
      const both = all(parts);
      return isPorted(r.protocol) ? both : { ...both, text: `(${both.text})` };
    }),
  );
}

function ofProtocol(protocol: Exclude<Protocol, 'any'>): Condition {
  const names = protocol === 'icmp' ? ['icmp', 'icmpv6'] : [protocol];
  return oneOf('ip.proto', names);
}

/** Octets are one of these. */
function oneOf(field: string, texts: readonly string[]): Condition {
  const [only] = texts;
  const text = texts.length === 1 ? `${field} == ${printText(only ?? '')}` : `${field} in {${texts.map(printText).join(' ')}}`;
  return { expr: packetExpr.bytes(field, texts.map(octets)), text };
}

function onPorts(field: string, resolved: Resolved<PortRange>): Condition | undefined {
  const { values, constants, sets } = resolved;
  const parts = sets.map((name) => inSet(field, name));
  const [only] = values;
  if (only && values.length === 1 && constants.length === 0 && only.from === only.to)
    parts.unshift({ expr: packetExpr.int(field, portSet(values)), text: `${field} == ${only.from}` });
  else if (values.length + constants.length > 0) {
    const sets = constants.flatMap((c) => (c.typed.type === 'Int' ? [c.typed.set] : []));
    if (values.length > 0) sets.push(portSet(values));
    parts.unshift({ expr: packetExpr.int(field, unionSets(sets)), text: `${field} in {${members(values.map(printRange), constants)}}` });
  }
  return some(parts);
}

function onInterface(
  field: string,
  key: string,
  items: readonly Item<OrList<string>>[],
  lists: Lists,
  report: Report,
): Condition | undefined {
  const { values, constants, sets } = resolve(items, 'Bytes', key, lists, report);
  const names = [...values, ...constants.flatMap((c) => (c.values.type === 'Bytes' ? c.values.texts : []))];
  const plain = names.filter((name) => !name.endsWith('*'));
  const parts = names.filter((name) => name.endsWith('*')).map((name) => startsWith(field, name));
  if (plain.length > 0) parts.unshift(oneOf(field, plain));
  return some([...parts, ...sets.map((name) => inSet(field, name))]);
}

/** `wg*`, in which nothing but the last `*` is a sign. */
function startsWith(field: string, name: string): Condition {
  const pattern = `${name.slice(0, -1).replace(/[\\*]/g, '\\$&')}*`;
  const test = { kind: 'wildcard', operand: { kind: 'field', name: field }, pattern: octets(pattern), strict: true } as const;
  return { expr: packetExpr.test(test), text: `${field} strict wildcard ${printText(pattern)}` };
}

type Constant = Extract<List, { kind: 'constant' }>;

interface Resolved<T> {
  readonly values: readonly T[];
  readonly constants: readonly Constant[];
  /** Names of sets that something else fills. */
  readonly sets: readonly string[];
}

function resolve<T>(
  items: readonly Item<OrList<T>>[],
  type: 'Ip' | 'Int' | 'Bytes',
  key: string,
  lists: Lists,
  report: Report,
): Resolved<T> {
  const values: T[] = [];
  const constants: Constant[] = [];
  const sets: string[] = [];
  for (const { value, place } of items) {
    if (value.kind === 'value') values.push(value.value);
    else {
      const list = lists.use(value.name, type, key, place, report);
      if (list?.kind === 'constant') constants.push(list);
      else if (list) sets.push(value.name);
    }
  }
  return { values, constants, sets };
}
