import type { Family } from '@weir/wire/inet';
import { type Condition, PROTOCOL, type Side, STATES, type State } from './condition.ts';
import type { ImportHook } from './program.ts';
import {
  type AddressSet,
  complementAddresses,
  EVERY_ADDRESS,
  intersect,
  intersectAddresses,
  noAddress,
  onlyFamily,
  type Ranges,
  sameRanges,
  within,
} from './ranges.ts';

export interface PortTest {
  readonly side: Side;
  readonly protocols: readonly number[];
  readonly ranges: Ranges;
}

export interface InterfaceTest {
  readonly way: 'in' | 'out';
  readonly names: readonly string[];
  readonly negated: boolean;
}

export interface MemberTest {
  readonly side: Side;
  readonly set: string;
  readonly negated: boolean;
}

/** Conditions put together: what is known of one thing is one test. Everything must hold. */
export interface Conjunction {
  readonly family: Family | undefined;
  /** Undefined: any. */
  readonly source: AddressSet | undefined;
  readonly destination: AddressSet | undefined;
  /** Addresses that it must not have, as they were written. */
  readonly notSource: readonly AddressSet[];
  readonly notDestination: readonly AddressSet[];
  readonly members: readonly MemberTest[];
  /** Undefined: any. */
  readonly protocols: ReadonlySet<number> | undefined;
  readonly ports: readonly PortTest[];
  readonly interfaces: readonly InterfaceTest[];
  /** Undefined: any. */
  readonly states: ReadonlySet<State> | undefined;
  readonly texts: readonly string[];
}

interface Draft {
  family: Family | undefined;
  source: AddressSet | undefined;
  destination: AddressSet | undefined;
  notSource: AddressSet[];
  notDestination: AddressSet[];
  members: MemberTest[];
  protocols: Set<number> | undefined;
  ports: PortTest[];
  interfaces: InterfaceTest[];
  states: Set<State> | undefined;
  texts: string[];
}

/** Puts conditions together for packets at a hook. Undefined: they exclude each other, no packet matches. */
export function conjoin(conditions: readonly Condition[], hook: ImportHook): Conjunction | undefined {
  const draft: Draft = {
    family: undefined,
    source: undefined,
    destination: undefined,
    notSource: [],
    notDestination: [],
    members: [],
    protocols: undefined,
    ports: [],
    interfaces: [],
    states: undefined,
    texts: [],
  };
  for (const condition of conditions) if (!add(draft, condition, hook)) return undefined;
  return finish(draft);
}

/** Whether the condition can still hold. */
function add(draft: Draft, condition: Condition, hook: ImportHook): boolean {
  switch (condition.kind) {
    case 'family':
      if (draft.family !== undefined && draft.family !== condition.family) return false;
      draft.family = condition.family;
      return true;
    case 'address':
      return addAddress(draft, condition.side, condition.set, condition.negated);
    case 'member': {
      const { side, set, negated } = condition;
      const same = draft.members.find((m) => m.side === side && m.set === set);
      if (!same) draft.members.push({ side, set, negated });
      return same === undefined || same.negated === negated;
    }
    case 'protocol': {
      const wanted = new Set(condition.numbers);
      const holds = (n: number): boolean => wanted.has(n) !== condition.negated;
      const before = draft.protocols ?? new Set(Array.from({ length: 256 }, (_, n) => n));
      draft.protocols = new Set([...before].filter(holds));
      return draft.protocols.size > 0;
    }
    case 'port':
      return addPort(draft, condition);
    case 'interface':
      return addInterface(draft, condition, hook);
    case 'state': {
      const before = draft.states ?? new Set(STATES);
      draft.states = new Set(condition.states.filter((s) => before.has(s)));
      return draft.states.size > 0;
    }
    case 'text':
      if (condition.text !== '' && !draft.texts.includes(condition.text)) draft.texts.push(condition.text);
      return true;
  }
}

function addAddress(draft: Draft, side: Side, set: AddressSet, negated: boolean): boolean {
  if (negated) {
    if (!noAddress(set)) (side === 'source' ? draft.notSource : draft.notDestination).push(set);
    return true;
  }
  const before = draft[side] ?? EVERY_ADDRESS;
  const both = intersectAddresses(before, set);
  draft[side] = both;
  return !noAddress(both);
}

function addPort(draft: Draft, { side, protocols, ranges }: PortTest): boolean {
  if (ranges.length === 0) return false;
  const at = draft.ports.findIndex((p) => p.side === side && p.protocols.join() === protocols.join());
  const before = draft.ports[at];
  if (!before) draft.ports.push({ side, protocols, ranges });
  else {
    const both = intersect(before.ranges, ranges);
    draft.ports[at] = { side, protocols, ranges: both };
    if (both.length === 0) return false;
  }
  return add(draft, { kind: 'protocol', numbers: protocols, negated: false }, 'input');
}

function addInterface(draft: Draft, test: InterfaceTest, hook: ImportHook): boolean {
  const everything = test.names.includes('*');
  // Where a packet has no such interface yet (or any more), its name is empty.
  const none = test.way === 'in' ? hook === 'output' : hook === 'input' || hook === 'prerouting';
  if (none) return everything !== test.negated;
  if (everything) return !test.negated;
  for (const before of draft.interfaces) {
    if (before.way !== test.way) continue;
    if (before.negated === test.negated && before.names.join() === test.names.join()) return true;
    if (before.negated || test.negated) {
      const [positive, negative] = before.negated ? [test, before] : [before, test];
      if (!positive.negated && positive.names.every((name) => negative.names.some((n) => matchesPattern(n, name)))) return false;
    } else if (!before.names.some((a) => test.names.some((b) => overlap(a, b)))) return false;
  }
  draft.interfaces.push(test);
  return true;
}

/** Whether every name that `inner` stands for is one that `pattern` stands for. */
function matchesPattern(pattern: string, inner: string): boolean {
  return pattern.endsWith('*') ? inner.startsWith(pattern.slice(0, -1)) : pattern === inner;
}

function overlap(a: string, b: string): boolean {
  return matchesPattern(a, b) || matchesPattern(b, a);
}

function finish(draft: Draft): Conjunction | undefined {
  if (draft.family !== undefined) {
    for (const side of ['source', 'destination'] as const) {
      const set = draft[side];
      if (set) draft[side] = onlyFamily(set, draft.family);
    }
  }
  for (const side of ['source', 'destination'] as const) {
    const set = draft[side];
    if (set && noAddress(set)) return undefined;
  }
  const family = draft.family ?? onlyOne(draft.source) ?? onlyOne(draft.destination);
  if (family !== undefined && draft.family === undefined) return finish({ ...draft, family });
  for (const side of ['source', 'destination'] as const) {
    const left = [draft[side] ?? EVERY_ADDRESS, ...(side === 'source' ? draft.notSource : draft.notDestination).map(complementAddresses)];
    const rest = left.reduce(intersectAddresses);
    if (noAddress(family === undefined ? rest : onlyFamily(rest, family))) return undefined;
  }
  const every = draft.protocols?.size === 256;
  const states = draft.states?.size === STATES.length ? undefined : draft.states;
  return {
    ...draft,
    states,
    protocols: every ? undefined : draft.protocols,
    notSource: relevant(draft.notSource, draft.source, family),
    notDestination: relevant(draft.notDestination, draft.destination, family),
  };
}

/** Exclusions that exclude something of what is asked for. */
function relevant(excluded: readonly AddressSet[], wanted: AddressSet | undefined, family: Family | undefined): readonly AddressSet[] {
  const scope = family === undefined ? (wanted ?? EVERY_ADDRESS) : onlyFamily(wanted ?? EVERY_ADDRESS, family);
  return excluded.filter((set) => !noAddress(intersectAddresses(set, scope)));
}

function onlyOne(set: AddressSet | undefined): Family | undefined {
  if (!set) return undefined;
  return set.v6.length === 0 ? 4 : set.v4.length === 0 ? 6 : undefined;
}

/** Whether it can be said that no packet matches both. */
export function disjoint(a: Conjunction, b: Conjunction): boolean {
  if (a.family !== undefined && b.family !== undefined && a.family !== b.family) return true;
  if (a.protocols && b.protocols && ![...a.protocols].some((p) => b.protocols?.has(p))) return true;
  if (a.states && b.states && ![...a.states].some((s) => b.states?.has(s))) return true;
  if (a.source && b.source && noAddress(intersectAddresses(a.source, b.source))) return true;
  if (a.destination && b.destination && noAddress(intersectAddresses(a.destination, b.destination))) return true;
  for (const p of a.ports)
    for (const q of b.ports)
      if (p.side === q.side && intersect(p.ranges, q.ranges).length === 0 && p.protocols.join() === q.protocols.join()) return true;
  for (const m of a.members) if (b.members.some((n) => n.side === m.side && n.set === m.set && n.negated !== m.negated)) return true;
  for (const x of a.interfaces)
    for (const y of b.interfaces)
      if (x.way === y.way && !x.negated && !y.negated && !x.names.some((n) => y.names.some((k) => overlap(n, k)))) return true;
  return false;
}

/** Whether it can be said that every packet that matches `inner` matches `outer`. */
export function covers(outer: Conjunction, inner: Conjunction): boolean {
  if (outer.family !== undefined && outer.family !== inner.family) return false;
  if (outer.protocols && !(inner.protocols && [...inner.protocols].every((p) => outer.protocols?.has(p)))) return false;
  if (outer.states && !(inner.states && [...inner.states].every((s) => outer.states?.has(s)))) return false;
  for (const side of ['source', 'destination'] as const) {
    const wide = outer[side];
    const narrow = inner[side];
    if (wide && !(narrow && within(narrow.v4, wide.v4) && within(narrow.v6, wide.v6))) return false;
  }
  const same = (a: AddressSet, b: AddressSet): boolean => sameRanges(a.v4, b.v4) && sameRanges(a.v6, b.v6);
  return (
    outer.notSource.every((a) => inner.notSource.some((b) => same(a, b))) &&
    outer.notDestination.every((a) => inner.notDestination.some((b) => same(a, b))) &&
    outer.members.every((a) => inner.members.some((b) => a.side === b.side && a.set === b.set && a.negated === b.negated)) &&
    outer.ports.every((a) =>
      inner.ports.some((b) => a.side === b.side && a.protocols.join() === b.protocols.join() && within(b.ranges, a.ranges)),
    ) &&
    outer.interfaces.every((a) =>
      inner.interfaces.some((b) => a.way === b.way && a.negated === b.negated && a.names.join() === b.names.join()),
    ) &&
    outer.texts.every((text) => inner.texts.includes(text))
  );
}

/** The protocol when there is just one. */
export function onlyProtocol(c: Conjunction): number | undefined {
  if (c.protocols?.size !== 1) return undefined;
  for (const number of c.protocols) return number;
  return undefined;
}

/** Protocols that YAML names and that mean just that one number. */
export const FIELD_PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [PROTOCOL.tcp, 'tcp'],
  [PROTOCOL.udp, 'udp'],
  [PROTOCOL.sctp, 'sctp'],
  [PROTOCOL.gre, 'gre'],
  [PROTOCOL.esp, 'esp'],
]);
