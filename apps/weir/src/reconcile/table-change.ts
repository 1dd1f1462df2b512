import { ruleFingerprint } from '../compile/nft/expressions.ts';
import type { ChainImage, LookupImage, MapImage, SetImage, TableImage } from '../compile/nft/image.ts';
import { mapEntries, mapSpec, meterSpec } from '../compile/nft/map-entries.ts';
import { mapLayout, type Operation, type ProgramBindings, type RuleInfo, type TableAddress } from '../kernel/backend.ts';
import type { MapEntry } from '../model/kernel-map.ts';
import { addChain, changeRules, mapsOf, programsOf, removals, type TablePlan } from './owned-table.ts';
import { asksOneOf, NO_BINDINGS, rebound } from './rule-bindings.ts';

/** The rules of a chain of the table that is there, for their handles. */
type ReadRules = (chain: string) => readonly RuleInfo[];

/** What programs are bound to, and what those of the rules that are there. */
export interface BindingChange {
  readonly now: ProgramBindings;
  readonly before: ProgramBindings;
}

/**
 * The difference between a table that is exactly as one image says and another image: what `planTable` would find, without reading the table. Undefined where the table has to be
 * replaced. Parts of the two images that are the same objects cost next to nothing.
 */
export function planChange(
  address: TableAddress,
  image: TableImage,
  now: TableImage,
  readRules: ReadRules,
  bindings: BindingChange = { now: NO_BINDINGS, before: NO_BINDINGS },
): TablePlan | undefined {
  const changed = rebound(bindings.before, bindings.now);
  // What is the same object need not be looked at, unless what it asks is something else now.
  const [wanted, has] = changed.size > 0 ? [image.chains, now.chains] : apart(image.chains, now.chains);
  const chains = byName(has);
  const sets = byName(now.sets);
  const meters = byName(now.meters ?? []);
  const maps = byName(mapsOf(now));
  if (image.sets.some((set) => !isFit(set, sets.get(set.name)) || meters.has(set.name) || maps.has(set.name))) return undefined;
  if (wanted.some((chain) => isOtherHook(chain, chains.get(chain.name)))) return undefined;
  if (mapsOf(image).some((map) => !isSameKind(map, maps.get(map.name)) || sets.has(map.name) || meters.has(map.name))) return undefined;
  if ((image.meters ?? []).some((meter) => sets.has(meter.name) || maps.has(meter.name))) return undefined;
  const prepare: Operation[] = [];
  const enforce: Operation[] = [];
  for (const set of image.sets) if (!sets.has(set.name)) prepare.push({ kind: 'add-set', address, set });
  for (const meter of image.meters ?? [])
    if (!meters.has(meter.name)) prepare.push({ kind: 'add-meter', address, meter: meterSpec(meter) });
  for (const map of mapsOf(image)) if (!maps.has(map.name)) prepare.push({ kind: 'add-map', address, map: mapSpec(map) });
  for (const chain of wanted) if (!chains.has(chain.name)) enforce.push(addChain(address, chain));
  const programs = { images: programsOf(image), bindings: bindings.now };
  for (const chain of wanted) {
    const before = chains.get(chain.name);
    if (before && isSame(before, chain) && !chain.rules.some((rule) => asksOneOf(rule, changed))) continue;
    enforce.push(...changeRules(address, chain, before ? readRules(chain.name) : [], programs));
  }
  for (const map of mapsOf(image)) enforce.push(...changeElements(address, map, maps.get(map.name)));
  const setNames = [...now.sets, ...mapsOf(now), ...(now.meters ?? [])].map((set) => set.name);
  for (const operation of removals(address, { ...image, chains: wanted }, [...chains.keys()], setNames)) enforce.push(operation);
  return { prepare, enforce, fresh: false, building: now.chains.length === 0 };
}

/** So far ahead an item is looked for that one of two lists has more. */
const AHEAD = 16;

/** Two lists without the items that are the same objects in both, in the same order: where they are in another one, they may be left. */
export function apart<T>(a: readonly T[], b: readonly T[]): readonly [readonly T[], readonly T[]] {
  const onlyA: T[] = [];
  const onlyB: T[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      i++;
      j++;
      continue;
    }
    let more = 1;
    while (more <= AHEAD && a[i + more] !== b[j] && b[j + more] !== a[i]) more++;
    const [inA, inB] = more > AHEAD ? [1, 1] : a[i + more] === b[j] && j < b.length ? [more, 0] : [0, more];
    onlyA.push(...a.slice(i, i + inA));
    onlyB.push(...b.slice(j, j + inB));
    i += inA;
    j += inB;
  }
  return [onlyA.concat(a.slice(i)), onlyB.concat(b.slice(j))];
}

function byName<T extends { readonly name: string }>(items: readonly T[]): ReadonlyMap<string, T> {
  return new Map(items.map((item) => [item.name, item]));
}

function isFit(set: SetImage, now: SetImage | undefined): boolean {
  return !now || (now.family === set.family && now.interval === set.interval && now.size === set.size);
}

function isOtherHook(chain: ChainImage, now: ChainImage | undefined): boolean {
  return now !== undefined && now !== chain && (now.hook !== chain.hook || (now.priority ?? 0) !== (chain.priority ?? 0));
}

function isSameKind(map: MapImage | LookupImage, now: MapImage | LookupImage | undefined): boolean {
  if (!now || now === map) return true;
  const [a, b] = [mapSpec(map), mapSpec(now)];
  return a.ranges === b.ranges && a.keys.join() === b.keys.join();
}

function isSame(a: ChainImage, b: ChainImage): boolean {
  if (a === b) return true;
  const [one, other] = [a.rules, b.rules];
  return one.length === other.length && one.every((rule, i) => rule === other[i] || sameRule(rule, other[i]));
}

function sameRule(a: ChainImage['rules'][number], b: ChainImage['rules'][number] | undefined): boolean {
  return b !== undefined && ruleFingerprint(a) === ruleFingerprint(b);
}

/** Elements that are the same stay; only the others are made into bytes. */
function changeElements(address: TableAddress, map: MapImage | LookupImage, now: MapImage | LookupImage | undefined): Operation[] {
  if (map === now) return [];
  const target = { ...address, set: map.name };
  const layout = mapLayout(mapSpec(map));
  // What is the same object need not be compared.
  const [wanted, has] = now ? unlikeObjects(map, now) : [map, undefined];
  const [wantedKeys, hasKeys] = [elementKeys(wanted), has ? elementKeys(has) : []];
  const gone = has ? unlike(has, hasKeys, wantedKeys) : [];
  const added = unlike(wanted, wantedKeys, hasKeys);
  return [
    ...(gone.length === 0 ? [] : [{ kind: 'delete-entries', address: target, layout, entries: gone } as const]),
    ...(added.length === 0 ? [] : [{ kind: 'add-entries', address: target, layout, entries: added } as const]),
  ];
}

type Some = MapImage | LookupImage;

/** Both without the elements that are the same objects. */
function unlikeObjects(a: Some, b: Some): readonly [Some, Some] {
  const [inA, inB] = apart<unknown>(a.elements, b.elements);
  const [knownA, knownB] = [new Set(inA), new Set(inB)];
  return [
    keeping(a, new Set(inA.filter((element) => !knownB.has(element)))),
    keeping(b, new Set(inB.filter((element) => !knownA.has(element)))),
  ];
}

function keeping(map: Some, elements: ReadonlySet<unknown>): Some {
  return filtered(map, (element) => elements.has(element));
}

function filtered(map: Some, keep: (element: unknown, i: number) => boolean): Some {
  return 'field' in map ? { ...map, elements: map.elements.filter(keep) } : { ...map, elements: map.elements.filter(keep) };
}

/** One for each element. */
function elementKeys(map: MapImage | LookupImage): readonly string[] {
  if ('field' in map) return map.elements.map(({ from, to, verdict }) => `${from}-${to} ${verdict.kind} ${verdict.chain}`);
  return map.elements.map(({ key, verdict }) => `${key.join(' ')} ${verdict.kind} ${verdict.chain}`);
}

/** The elements whose keys are not among the others. */
function unlike(map: Some, keys: readonly string[], others: readonly string[]): readonly MapEntry[] {
  const known = new Set(others);
  return mapEntries(filtered(map, (_, i) => !known.has(keys[i] ?? '')));
}
