import { type Expression, setType } from '@weir/netlink/nftables';
import type { MapEntry, MapSpec } from '../../model/kernel-map.ts';
import {
  type ForeignChange,
  type MeterSpec,
  mapLayout,
  type Operation,
  type Refusal,
  type SetAddress,
  type SetSpec,
  type TableAddress,
  type TableFamily,
} from '../backend.ts';
import { columnsOfRanges, type FakeRange, rangesOfPrefixes } from './fake-ranges.ts';

export interface FakeElement extends FakeRange {
  /** Who added it. */
  readonly by: string;
}

export interface FakeSet extends SetSpec {
  readonly handle: number;
  /** By `first-last`. */
  readonly elements: Map<string, FakeElement>;
}

export interface FakeMap extends MapSpec {
  readonly handle: number;
  /** By `first-last` in hexadecimal digits. */
  readonly entries: Map<string, MapEntry>;
}

export interface FakeMeter extends MeterSpec {
  readonly handle: number;
}

export interface FakeRule {
  readonly handle: bigint;
  readonly name: string;
  readonly fingerprint: string;
  readonly expressions: readonly Expression[];
}

export interface FakeChain {
  readonly name: string;
  readonly hook: Extract<Operation, { kind: 'add-chain' }>['hook'];
  readonly priority: number;
  readonly rules: FakeRule[];
}

export interface FakeTable {
  readonly family: TableFamily;
  readonly name: string;
  readonly comment: string | undefined;
  readonly handle: number;
  readonly persist: boolean;
  /** The process that owns it. */
  owner: string | undefined;
  readonly sets: Map<string, FakeSet>;
  readonly maps: Map<string, FakeMap>;
  readonly meters: Map<string, FakeMeter>;
  readonly chains: Map<string, FakeChain>;
}

/** What an operation does not do: the errno, and which element it is about. */
class Refused extends Error {
  readonly code: string;
  readonly element: number | undefined;

  constructor(code: string, element?: number) {
    super(code);
    this.code = code;
    this.element = element;
  }
}

/**
 * The objects of nf_tables in one network namespace, with the kernel's own rules about what may be changed. Small: adding an element compares it
 * with every other.
 */
export class FakeRuleset {
  readonly tables: Map<string, FakeTable> = new Map();
  #handle = 0;

  clone(): FakeRuleset {
    const copy = new FakeRuleset();
    copy.#handle = this.#handle;
    for (const [key, table] of this.tables) {
      const sets = new Map([...table.sets].map(([name, set]) => [name, { ...set, elements: new Map(set.elements) }]));
      const chains = new Map([...table.chains].map(([name, chain]) => [name, { ...chain, rules: [...chain.rules] }]));
      const maps = new Map([...table.maps].map(([name, map]) => [name, { ...map, entries: new Map(map.entries) }]));
      copy.tables.set(key, { ...table, sets, chains, maps, meters: new Map(table.meters) });
    }
    return copy;
  }

  table(address: TableAddress): FakeTable | undefined {
    return this.tables.get(tableKey(address));
  }

  set(address: SetAddress): FakeSet | undefined {
    return this.table(address)?.sets.get(address.set);
  }

  /** Works through the operations as one transaction would: it goes on after a refusal, to tell of every one. The ruleset is of no use then. */
  apply(
    operations: readonly Operation[],
    process: string,
  ): { readonly refusals: readonly Refusal[]; readonly changes: readonly ForeignChange[] } {
    const refusals: Refusal[] = [];
    const changes: ForeignChange[] = [];
    operations.forEach((operation, index) => {
      try {
        changes.push(...this.#step(operation, process));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refusals.push({ operation: index, element: error.element, code: error.code, message: error.code });
      }
    });
    return { refusals, changes };
  }

  /** Deletes every table that others do not own, as `flush ruleset` does. */
  flush(process: string): ForeignChange[] {
    const own = [...this.tables.values()].filter((table) => table.owner === undefined || table.owner === process);
    return own.flatMap((table) => this.#deleteTable({ family: table.family, table: table.name }, process));
  }

  /** A process ends: what it owns belongs to nobody, or goes with it. */
  leave(process: string): void {
    for (const [key, table] of this.tables) {
      if (table.owner !== process) continue;
      if (table.persist) table.owner = undefined;
      else this.tables.delete(key);
    }
  }

  #step(operation: Operation, process: string): ForeignChange[] {
    const { address } = operation;
    const structure: ForeignChange = { kind: 'structure', address: { family: address.family, table: address.table } };
    switch (operation.kind) {
      case 'put-table':
        return this.#putTable(operation, process);
      case 'delete-table':
        return this.#deleteTable(address, process);
      case 'add-set':
        return this.#addSet(address, operation.set, process);
      case 'delete-set': {
        const table = this.#writable(address, process);
        const { set } = operation.address;
        const kind = [table.sets, table.maps, table.meters].find((objects) => objects.has(set));
        if (!kind) throw new Refused('ENOENT');
        if (uses(table, (e) => refersTo(e) === set)) throw new Refused('EBUSY');
        kind.delete(set);
        return [{ kind: 'set', present: false, address: operation.address }];
      }
      case 'add-chain': {
        const table = this.#writable(address, process);
        const known = table.chains.get(operation.name);
        const { name, hook, priority = 0 } = operation;
        if (known && (known.hook !== hook || known.priority !== priority)) throw new Refused('EEXIST');
        if (!known) table.chains.set(name, { name, hook, priority, rules: [] });
        return [structure];
      }
      case 'flush-chain': {
        const rules = this.#writable(address, process).chains.get(operation.name)?.rules;
        if (!rules) throw new Refused('ENOENT');
        rules.length = 0;
        return [structure];
      }
      case 'add-map': {
        const table = this.#writable(address, process);
        const { map } = operation;
        const there = table.maps.get(map.name);
        if (table.sets.has(map.name) || (there && (there.ranges !== map.ranges || there.keys.join() !== map.keys.join())))
          throw new Refused('EEXIST');
        if (!table.maps.has(map.name)) table.maps.set(map.name, { ...map, handle: ++this.#handle, entries: new Map() });
        return [structure];
      }
      case 'add-meter': {
        const table = this.#writable(address, process);
        const { meter } = operation;
        if (table.sets.has(meter.name) || table.maps.has(meter.name)) throw new Refused('EEXIST');
        if (!table.meters.has(meter.name)) table.meters.set(meter.name, { ...meter, handle: ++this.#handle });
        return [structure];
      }
      case 'add-entries':
      case 'delete-entries':
        this.#entries(operation, process);
        return [structure];
      case 'delete-chain': {
        const table = this.#writable(address, process);
        if (!table.chains.has(operation.name)) throw new Refused('ENOENT');
        const { name } = operation;
        const others = [...table.chains.values()].filter((chain) => chain.name !== name);
        if (others.some((chain) => chain.rules.some((rule) => rule.expressions.some((e) => jumpsTo(e) === name))))
          throw new Refused('EBUSY');
        if ([...table.maps.values()].some((map) => [...map.entries.values()].some((e) => e.verdict.chain === name)))
          throw new Refused('EBUSY');
        table.chains.delete(operation.name);
        return [structure];
      }
      case 'add-rule':
        this.#addRule(operation, process);
        return [structure];
      case 'delete-rule': {
        const rules = this.#writable(address, process).chains.get(operation.chain)?.rules;
        const at = rules?.findIndex((rule) => rule.handle === operation.handle) ?? -1;
        if (!rules || at < 0) throw new Refused('ENOENT');
        rules.splice(at, 1);
        return [structure];
      }
      case 'add-elements':
      case 'delete-elements':
        return this.#elements(operation, process);
    }
  }

  /** The table, where this process may change it. */
  #writable(address: TableAddress, process: string): FakeTable {
    const table = this.table(address);
    if (!table) throw new Refused('ENOENT');
    if (table.owner !== undefined && table.owner !== process) throw new Refused('EPERM');
    return table;
  }

  #putTable({ address, comment, owned }: Extract<Operation, { kind: 'put-table' }>, process: string): ForeignChange[] {
    const there = this.table(address);
    if (!there) {
      this.tables.set(tableKey(address), {
        family: address.family,
        name: address.table,
        comment,
        handle: ++this.#handle,
        persist: owned,
        owner: owned ? process : undefined,
        sets: new Map(),
        maps: new Map(),
        meters: new Map(),
        chains: new Map(),
      });
    } else {
      this.#writable(address, process);
      if (owned && !there.persist) throw new Refused('EOPNOTSUPP');
      if (owned) there.owner = process;
    }
    return [{ kind: 'table', present: true, address }];
  }

  #deleteTable(address: TableAddress, process: string): ForeignChange[] {
    const table = this.#writable(address, process);
    this.tables.delete(tableKey(address));
    const sets = [...table.sets.keys()].map((set): ForeignChange => ({ kind: 'set', present: false, address: { ...address, set } }));
    return [...sets, { kind: 'table', present: false, address }];
  }

  #addSet(address: TableAddress, spec: SetSpec, process: string): ForeignChange[] {
    const table = this.#writable(address, process);
    const there = table.sets.get(spec.name);
    if (there && (there.family !== spec.family || there.interval !== spec.interval)) throw new Refused('EEXIST');
    if (!there) table.sets.set(spec.name, { ...spec, handle: ++this.#handle, elements: new Map() });
    return [{ kind: 'set', present: true, address: { ...address, set: spec.name } }];
  }

  #addRule({ address, chain, rule, before }: Extract<Operation, { kind: 'add-rule' }>, process: string): void {
    const table = this.#writable(address, process);
    const rules = table.chains.get(chain)?.rules;
    if (!rules) throw new Refused('ENOENT');
    for (const expression of rule.expressions) {
      const jump = jumpsTo(expression);
      if (jump !== undefined && !table.chains.has(jump)) throw new Refused('ENOENT');
      const set = refersTo(expression);
      if (set !== undefined && !table.sets.has(set) && !table.maps.has(set) && !table.meters.has(set)) throw new Refused('ENOENT');
    }
    const at = before === undefined ? rules.length : rules.findIndex((r) => r.handle === before);
    if (at < 0) throw new Refused('ENOENT');
    const { name, fingerprint, expressions } = rule;
    rules.splice(at, 0, { handle: BigInt(++this.#handle), name, fingerprint, expressions });
  }

  #entries({ kind, address, layout, entries }: Extract<Operation, { kind: 'add-entries' | 'delete-entries' }>, process: string): void {
    const table = this.#writable(address, process);
    const map = table.maps.get(address.set);
    if (!map) throw new Refused('ENOENT');
    if (layout !== mapLayout(map)) throw new Refused('EINVAL', 0);
    const parts = partsOf(map);
    entries.forEach((entry, i) => {
      if (entry.first.length !== parts.at(-1)?.end) throw new Refused('EINVAL', i);
      const key = `${hex(entry.first)}-${hex(entry.last)}`;
      if (kind === 'delete-entries') {
        if (!map.entries.delete(key)) throw new Refused('ENOENT', i);
        return;
      }
      if (!table.chains.has(entry.verdict.chain)) throw new Refused('ENOENT', i);
      for (const other of map.entries.values()) {
        if (parts.every(({ start, end }) => meet(entry, other, start, end))) throw new Refused('EEXIST', i);
      }
      map.entries.set(key, entry);
    });
  }

  #elements(operation: Extract<Operation, { kind: 'add-elements' | 'delete-elements' }>, process: string): ForeignChange[] {
    const { address, elements } = operation;
    const set = this.#writable(address, process).sets.get(address.set);
    if (!set) throw new Refused('ENOENT');
    if (set.family !== elements.family || set.interval !== operation.interval) throw new Refused('EINVAL', 0);
    const ranges = rangesOfPrefixes(elements);
    const adding = operation.kind === 'add-elements';
    ranges.forEach((range, i) => {
      const key = elementKey(range);
      if (!adding) {
        if (!set.elements.delete(key)) throw new Refused('ENOENT', i);
        return;
      }
      if (set.interval) for (const other of set.elements.values()) if (overlap(range, other)) throw new Refused('EEXIST', i);
      if (set.elements.has(key)) throw new Refused('EEXIST', i);
      if (set.size !== undefined && set.elements.size >= set.size) throw new Refused('ENFILE', i);
      set.elements.set(key, { ...range, by: process });
    });
    return [{ kind: 'elements', present: adding, address, ranges: columnsOfRanges(set.family, ranges) }];
  }
}

export function elementKey({ first, last }: FakeRange): string {
  return `${first}-${last}`;
}

export function overlap(a: FakeRange, b: FakeRange): boolean {
  return a.first <= b.last && b.first <= a.last;
}

function tableKey({ family, table }: TableAddress): string {
  return `${family} ${table}`;
}

function jumpsTo(expression: Expression): string | undefined {
  if (expression.kind !== 'immediate' || expression.data.kind !== 'verdict') return undefined;
  const { verdict } = expression.data;
  return verdict.kind === 'jump' || verdict.kind === 'goto' ? verdict.chain : undefined;
}

/** The named set, map or meter that an expression is about. */
function refersTo(expression: Expression): string | undefined {
  if (expression.kind === 'dynset') return expression.set;
  return expression.kind === 'lookup' && expression.setId === undefined ? expression.set : undefined;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Where the parts of a map's keys are. */
function partsOf({ keys }: MapSpec): readonly { readonly start: number; readonly end: number }[] {
  const [only] = keys;
  if (only && keys.length === 1) return [{ start: 0, end: setType(only).length }];
  let start = 0;
  return keys.map((key) => {
    const end = start + ((setType(key).length + 3) & ~3);
    const part = { start, end };
    start = end;
    return part;
  });
}

/** Whether two entries share a value of the part of their keys from `start` to `end`. */
function meet(a: MapEntry, b: MapEntry, start: number, end: number): boolean {
  const part = (bytes: Uint8Array): string => hex(bytes.subarray(start, end));
  return part(a.first) <= part(b.last) && part(b.first) <= part(a.last);
}

function uses(table: FakeTable, test: (expression: Expression) => boolean): boolean {
  return [...table.chains.values()].some((chain) => chain.rules.some((rule) => rule.expressions.some(test)));
}
