import { evaluate, type Lists, type Subject, type Value } from '@weir/filter/eval';
import type { Expr, Operand } from '@weir/filter/ir';
import {
  buildPacket,
  describeTcpFlags,
  escapeText,
  icmpTypeName,
  Packet,
  type PacketContext,
  type PacketDescription,
  protocolName,
} from '@weir/filter/packet';
import { equalIp, type Ip, printIp } from '@weir/wire/inet';
import type { HookRules, Rule } from '../../model/rule.ts';
import { type Judgement, judge, type Limiter } from '../interpreter/judge.ts';
import { UnjudgeableError } from '../interpreter/unjudgeable.ts';
import { testsMark } from './mark.ts';
import { packetAt } from './point-packet.ts';
import { type Point, possible } from './possible.ts';
import type { Program } from './program.ts';
import { Remembered } from './remembered.ts';
import { testsOf, type Universe } from './universe.ts';

/** A packet that proves a finding. It has been built, read back and judged by the interpreter. */
export interface Witness {
  readonly packet: PacketDescription;
  readonly context: PacketContext;
  /** In one line: `tcp 198.51.100.7 -> 203.0.113.5:443`. */
  readonly text: string;
  /** What is taken to be so of named sets whose members are not known: `198.51.100.7 is in $admins`. */
  readonly assumes: readonly string[];
}

interface Membership {
  readonly list: string;
  readonly value: Value;
}

/** The packet at a point of a space, with the world in which it is judged. */
export interface Candidate {
  readonly witness: Witness;
  readonly packet: Packet;
  readonly subject: Subject;
  readonly lists: Lists;
  readonly limiter: Limiter;
}

const NEVER: Expr = { kind: 'constant', value: false };

/** Undefined when no bytes are such a packet. */
function candidate(programs: readonly Program[], universe: Universe, point: Point): Candidate | undefined {
  const { description, context } = packetAt(universe, point);
  let packet: Packet;
  try {
    packet = Packet.fromNetwork(buildPacket(description), context);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const isTrue = (key: string): boolean => {
    const place = universe.index.get(key);
    return place !== undefined && point[place] === 2;
  };
  const members = membersOf(programs, packet, isTrue);
  return {
    packet,
    subject: new Remembered(packet),
    lists: { has: (list, value) => members.some((m) => m.list === list && sameValue(m.value, value)) },
    limiter: { take: (rule) => !rule.audit || isTrue(`under the rate of ${rule.ref}`) },
    witness: {
      packet: description,
      context,
      text: describe(universe, packet),
      assumes: [...new Set(members.map((m) => `${printValue(m.value)} is in $${m.list}`))],
    },
  };
}

/** What the interpreter says of a candidate. */
export function judgeCandidate(hook: HookRules, one: Candidate): Judgement {
  return judge(hook, one.subject, { lists: one.lists, limiter: one.limiter });
}

/** A point like the first, with as many usual values as `proves` allows; undefined when it does not allow the first. */
export function proved(
  programs: readonly Program[],
  universe: Universe,
  point: Point,
  proves: (one: Candidate) => boolean,
  polish: boolean,
): Witness | undefined {
  let best = candidate(programs, universe, point);
  if (!best || !holds(proves, best)) return undefined;
  if (!polish) return best.witness;
  let at = point;
  for (const usual of usualPoints(universe, point)) {
    const whole = usual(at);
    const changed = possible(
      universe,
      whole.map((segment) => [segment, segment]),
    );
    const one = changed && candidate(programs, universe, changed);
    if (!one || !holds(proves, one)) continue;
    at = changed;
    best = one;
  }
  return best.witness;
}

/** A packet that comes to a program of the user's proves nothing. */
function holds(proves: (one: Candidate) => boolean, one: Candidate): boolean {
  try {
    return proves(one);
  } catch (error) {
    if (error instanceof UnjudgeableError) return false;
    throw error;
  }
}

/** For each axis where there are more usual segments, a change of a point to them: a packet that is whole before one that ends early. */
function* usualPoints(universe: Universe, point: Point): Iterable<(at: Point) => Point> {
  const usual = possible(universe, universe.full);
  if (!usual) return;
  for (const [i, segment] of usual.entries()) {
    const axis = universe.axes[i];
    const others = point[i] === 0 && axis !== undefined ? [1, axis.starts.length] : [];
    for (const better of [...others, segment]) if (better !== point[i]) yield (at) => at.map((s, k) => (k === i ? better : s));
  }
}

/** Whether a rule matches the candidate with the mark that it has when it comes there. */
export function matchesCandidate(hook: HookRules, rule: Rule, one: Candidate): boolean {
  if (!testsMark(rule.expression)) return evaluate(rule.expression, one.subject, one.lists);
  const before = hook.rules
    .slice(0, hook.rules.indexOf(rule))
    .map((r) => (r.action.kind === 'mark' || r.action.kind === 'skip' ? r : { ...r, expression: NEVER }));
  const { mark } = judge({ ...hook, rules: before }, one.packet, { lists: one.lists });
  const context = mark === undefined ? one.packet.context : { ...one.packet.context, mark };
  return evaluate(rule.expression, Packet.fromNetwork(one.packet.bytes, context), one.lists);
}

function membersOf(programs: readonly Program[], packet: Packet, isTrue: (key: string) => boolean): readonly Membership[] {
  const members: Membership[] = [];
  for (const { list, operand } of programs.flatMap(listsOf)) {
    if (operand.kind !== 'field' || !isTrue(`${operand.name} in $${list}`)) continue;
    const value = packet.field(operand.name);
    if (value !== undefined) members.push({ list, value });
  }
  return members;
}

interface ListTest {
  readonly list: string;
  readonly operand: Operand;
}

const lists = new WeakMap<Program, readonly ListTest[]>();

function listsOf(program: Program): readonly ListTest[] {
  const found = lists.get(program);
  if (found) return found;
  const made = new Map<string, ListTest>();
  for (const rule of program.rules.rules) {
    for (const test of testsOf(rule.expression)) {
      if (test.kind !== 'list' || test.operand.kind !== 'field') continue;
      made.set(`${test.operand.name} ${test.list}`, { list: test.list, operand: test.operand });
    }
  }
  const all = [...made.values()];
  lists.set(program, all);
  return all;
}

function sameValue(a: Value, b: Value): boolean {
  if (isIp(a) && isIp(b)) return equalIp(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return a.length === b.length && a.every((octet, i) => octet === b[i]);
  return a === b;
}

function isIp(value: Value): value is Ip {
  return typeof value === 'object' && 'family' in value;
}

function printValue(value: Value): string {
  if (isIp(value)) return printIp(value);
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

const PORTS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp', 132: 'sctp' };

/** What is not said of a packet. */
const USUAL = { sourcePort: 40000, flags: 2, interface: 'eth0' } as const;
/** Fields that are said where rules ask for them, but for their usual values. */
const SAID: readonly (readonly [string, number | undefined])[] = [
  ['ip.ttl', 64],
  ['ip.tos', 0],
  ['ip.id', 0],
  ['ip.opt.type', undefined],
  ['ip.len', undefined],
  ['meta.len', undefined],
  ['tcp.window', 65535],
  ['udp.length', undefined],
  ['ip6.flow_label', 0],
];

/** A packet in one line, with no more of it than rules ask for: a new connection by eth0 that begins with SYN is not said to be. */
function describe(universe: Universe, packet: Packet): string {
  const number = (name: string): number | undefined => {
    const value = packet.field(name);
    return typeof value === 'number' ? value : undefined;
  };
  const asks = (key: string): boolean => universe.index.has(key);
  const protocol = number('ip.proto.num');
  const name = PORTS[protocol ?? -1];
  const words = [protocol === undefined ? `IPv${universe.family} with broken headers` : (protocolName(protocol) ?? `protocol ${protocol}`)];
  const end = (field: string, port: number | undefined): string => {
    const value = packet.field(field);
    const address = value !== undefined && isIp(value) ? printIp(value) : '?';
    return port === undefined ? address : universe.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
  };
  const from = name === undefined ? undefined : number(`${name}.srcport`);
  words.push(
    `${end('ip.src', asks('srcport') && from !== USUAL.sourcePort ? from : undefined)} -> ${end('ip.dst', name === undefined ? undefined : number(`${name}.dstport`))}`,
  );
  const icmp = universe.family === 4 ? 'icmp' : 'icmpv6';
  const type = number(`${icmp}.type`);
  if (type !== undefined) words.push(icmpTypeName(universe.family, type) ?? `type ${type}`);
  const code = number(`${icmp}.code`);
  if (code !== undefined && code !== 0) words.push(`code ${code}`);
  const flags = number('tcp.flags');
  if (flags !== undefined && asks('tcp.flags') && flags !== USUAL.flags) words.push(describeTcpFlags(flags));
  if (packet.field('ip.frag') === true)
    words.push(universe.family === 4 ? `fragment at ${(number('ip.frag_offset') ?? 0) * 8}` : 'fragment');
  else if (
    protocol !== undefined &&
    name !== undefined &&
    (number(`${name}.dstport`) === undefined || (protocol === 6 && flags === undefined))
  )
    words.push('header cut short');
  for (const [field, usual] of SAID) {
    const value = number(field);
    if (asks(field) && value !== undefined && value !== usual) words.push(`${field} ${value}`);
  }
  const { iif, oif, mark, state, uid } = packet.context;
  if (state !== undefined && state !== 'new') words.push(state);
  if (iif !== undefined && iif !== USUAL.interface) words.push(`in ${escapeText(iif)}`);
  if (oif !== undefined && oif !== USUAL.interface) words.push(`out ${escapeText(oif)}`);
  if (mark !== undefined && mark !== 0) words.push(`mark ${mark}`);
  if (uid !== undefined) words.push(`uid ${uid}`);
  return words.join(' ');
}
