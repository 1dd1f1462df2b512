import { compileRule, ruleFingerprint } from '../compile/nft/expressions.ts';
import { type ChainImage, type LookupImage, type MapImage, type RuleImage, TABLE_COMMENT, type TableImage } from '../compile/nft/image.ts';
import { mapEntries, mapSpec, meterSpec } from '../compile/nft/map-entries.ts';
import {
  type ChainInfo,
  mapLayout,
  type Operation,
  type ProgramBindings,
  type RuleInfo,
  type RuleSpec,
  type TableAddress,
  type TableInfo,
} from '../kernel/backend.ts';
import type { MapEntry } from '../model/kernel-map.ts';
import type { MatchProgram } from '../model/match-program.ts';
import { boundPrint, isWritten, NO_BINDINGS } from './rule-bindings.ts';

/** What brings a table to its image, in two parts: the table with its sets, and what makes it judge packets. */
export interface TablePlan {
  readonly prepare: readonly Operation[];
  readonly enforce: readonly Operation[];
  /** The table is made anew: its sets are empty then. */
  readonly fresh: boolean;
  /** The table judges nothing yet: its sets can be filled before it does. */
  readonly building: boolean;
}

/** What a map of the table that is there leads to. */
type ReadMap = (name: string) => readonly MapEntry[];

/**
 * The difference between a table that Weir owns and what it should be. Rules that stay keep their handles and counters, elements of maps that stay are not touched.
 * A set that must change its kind or size cannot stay under the rules that use it, so the table is then replaced as a whole, in the same transaction.
 */
export function planTable(
  address: TableAddress,
  image: TableImage,
  now: TableInfo | undefined,
  ownership: boolean,
  readMap: ReadMap = () => [],
  bindings: ProgramBindings = NO_BINDINGS,
): TablePlan {
  const put: Operation = { kind: 'put-table', address, comment: TABLE_COMMENT, owned: ownership };
  if (!now) return build([put], address, image, bindings);
  // Flags of the kernel's own making cannot be changed on a table that is there.
  const flagsFixed = now.persist !== ownership;
  if (flagsFixed || mustReplace(image, now))
    return build([...takeOver(put, now), { kind: 'delete-table', address }, put], address, image, bindings);
  const prepare: Operation[] = [...takeOver(put, now)];
  const enforce: Operation[] = [];
  const chains = new Map(now.chains.map((chain) => [chain.name, chain]));
  const sets = new Set(now.sets.map((set) => set.set));
  const { meters = [] } = image;
  const maps = mapsOf(image);
  for (const set of image.sets) if (!sets.has(set.name)) prepare.push({ kind: 'add-set', address, set });
  for (const meter of meters) if (!sets.has(meter.name)) prepare.push({ kind: 'add-meter', address, meter: meterSpec(meter) });
  for (const map of maps) if (!sets.has(map.name)) prepare.push({ kind: 'add-map', address, map: mapSpec(map) });
  // What is led to is there before what leads to it, and goes after it.
  for (const chain of image.chains) if (!chains.has(chain.name)) enforce.push(addChain(address, chain));
  const programs = { images: programsOf(image), bindings };
  for (const chain of image.chains) enforce.push(...changeRules(address, chain, chains.get(chain.name)?.rules ?? [], programs));
  for (const map of maps) enforce.push(...changeEntries(address, map, sets.has(map.name) ? readMap(map.name) : []));
  const [chainNames, setNames] = [now.chains.map((chain) => chain.name), now.sets.map((set) => set.set)];
  for (const operation of removals(address, image, chainNames, setNames)) enforce.push(operation);
  return { prepare, enforce, fresh: false, building: now.chains.length === 0 };
}

/** Its maps, of one field and of several. */
export function mapsOf({ maps = [], lookups = [] }: TableImage): readonly (MapImage | LookupImage)[] {
  return [...maps, ...lookups];
}

/** The programs that rules ask. */
export interface AskedPrograms {
  /** By name. */
  readonly images: ReadonlyMap<string, MatchProgram>;
  readonly bindings: ProgramBindings;
}

export function programsOf({ programs = [] }: TableImage): ReadonlyMap<string, MatchProgram> {
  return new Map(programs.map((program) => [program.name, program]));
}

export function addChain(address: TableAddress, { name, hook, priority }: ChainImage): Operation {
  return { kind: 'add-chain', address, name, hook, ...(priority === undefined ? {} : { priority }) };
}

/** Takes out what the image does not have of these chains, sets, maps and meters. A chain or map that is still led to cannot be deleted: all are emptied first. */
export function removals(address: TableAddress, image: TableImage, chains: readonly string[], sets: readonly string[]): Operation[] {
  const wanted = new Set(image.chains.map((chain) => chain.name));
  const kept = new Set([...image.sets, ...mapsOf(image), ...(image.meters ?? [])].map((set) => set.name));
  const gone = chains.filter((name) => !wanted.has(name));
  return [
    ...gone.map((name): Operation => ({ kind: 'flush-chain', address, name })),
    ...sets.filter((set) => !kept.has(set)).map((set): Operation => ({ kind: 'delete-set', address: { ...address, set } })),
    ...gone.map((name): Operation => ({ kind: 'delete-chain', address, name })),
  ];
}

/** What an earlier process left belongs to nobody until it is taken over. */
function takeOver(put: Operation, now: TableInfo): readonly Operation[] {
  return now.persist && !now.owner ? [put] : [];
}

function mustReplace(image: TableImage, now: TableInfo): boolean {
  const chains = new Map(now.chains.map((chain) => [chain.name, chain]));
  const sets = new Map(now.sets.map((set) => [set.set, set]));
  return (
    image.sets.some((set) => {
      const has = sets.get(set.name);
      return has && (has.keyFamily !== set.family || has.interval !== set.interval || has.map || has.dynamic || has.size !== set.size);
    }) ||
    mapsOf(image).some((map) => {
      const has = sets.get(map.name);
      return has && (!has.map || has.interval !== mapSpec(map).ranges);
    }) ||
    (image.meters ?? []).some((meter) => sets.get(meter.name)?.dynamic === false) ||
    image.chains.some((chain) => isOtherHook(chain, chains.get(chain.name)))
  );
}

function isOtherHook(chain: ChainImage, now: ChainInfo | undefined): boolean {
  return (
    now !== undefined &&
    (now.hook !== chain.hook || (chain.hook !== undefined && (now.priority !== (chain.priority ?? 0) || now.policy !== 'accept')))
  );
}

function build(before: readonly Operation[], address: TableAddress, image: TableImage, bindings: ProgramBindings): TablePlan {
  const { meters = [] } = image;
  const maps = mapsOf(image);
  const programs = { images: programsOf(image), bindings };
  return {
    prepare: [
      ...before,
      ...image.sets.map((set): Operation => ({ kind: 'add-set', address, set })),
      ...meters.map((meter): Operation => ({ kind: 'add-meter', address, meter: meterSpec(meter) })),
      ...maps.map((map): Operation => ({ kind: 'add-map', address, map: mapSpec(map) })),
    ],
    enforce: [
      ...image.chains.map((chain) => addChain(address, chain)),
      ...image.chains.flatMap((chain) => changeRules(address, chain, [], programs)),
      ...maps.flatMap((map) => changeEntries(address, map, [])),
    ],
    fresh: true,
    building: true,
  };
}

/** The rules at the beginning and at the end that are the same stay; what is between is replaced. */
export function changeRules(address: TableAddress, chain: ChainImage, now: readonly RuleInfo[], programs: AskedPrograms): Operation[] {
  const wanted = chain.rules;
  const prints = wanted.map((rule) => boundPrint(rule, ruleFingerprint(rule), programs.bindings));
  let head = 0;
  while (head < wanted.length && head < now.length && isWritten(prints[head], now[head]?.fingerprint)) head++;
  let tail = 0;
  while (
    tail < wanted.length - head &&
    tail < now.length - head &&
    isWritten(prints[wanted.length - 1 - tail], now[now.length - 1 - tail]?.fingerprint)
  )
    tail++;
  const before = now[now.length - tail]?.handle;
  return [
    ...wanted.slice(head, wanted.length - tail).map((rule, i): Operation => {
      return { kind: 'add-rule', address, chain: chain.name, rule: ruleSpec(rule, prints[head + i], programs.images), before };
    }),
    ...now
      .slice(head, now.length - tail)
      .map((rule): Operation => ({ kind: 'delete-rule', address, chain: chain.name, handle: rule.handle })),
  ];
}

/** A rule with the programs that it asks. */
function ruleSpec(rule: RuleImage, print: string | undefined, programs: AskedPrograms['images']): RuleSpec {
  const compiled = compileRule(rule, print);
  if (compiled.programs.length === 0) return { ...compiled, programs: [] };
  return { ...compiled, programs: compiled.programs.flatMap((name) => programs.get(name) ?? []) };
}

/** Entries that are the same stay. */
function changeEntries(address: TableAddress, map: MapImage | LookupImage, now: readonly MapEntry[]): Operation[] {
  const target = { ...address, set: map.name };
  const layout = mapLayout(mapSpec(map));
  const wanted = new Map(mapEntries(map).map((entry) => [entryKey(entry), entry]));
  const has = new Map(now.map((entry) => [entryKey(entry), entry]));
  const gone = [...has].filter(([key]) => !wanted.has(key)).map(([, entry]) => entry);
  const added = [...wanted].filter(([key]) => !has.has(key)).map(([, entry]) => entry);
  return [
    ...(gone.length === 0 ? [] : [{ kind: 'delete-entries', address: target, layout, entries: gone } as const]),
    ...(added.length === 0 ? [] : [{ kind: 'add-entries', address: target, layout, entries: added } as const]),
  ];
}

function entryKey({ first, last, verdict }: MapEntry): string {
  return `${first.join('.')}-${last.join('.')} ${verdict.kind} ${verdict.chain}`;
}
