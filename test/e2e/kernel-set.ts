import type { Host } from '../lab/index.ts';

type Value = string | { readonly prefix: { readonly addr: string; readonly len: number } } | { readonly elem: { readonly val: Value } };

/** The elements of a set as prefixes in text, as `nft -j` lists them. A range that is no prefix is shown as JSON. */
export async function kernelSet(host: Host, table: string, set: string): Promise<ReadonlySet<string>> {
  const [object] = await host.nftJson('set', 'inet', table, set);
  const elements = (object?.['set']?.['elem'] ?? []) as readonly Value[];
  return new Set(elements.map(shown));
}

/** Those of all sets of a table, by name. */
export async function kernelSets(host: Host, table: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const objects = await host.nftJson('table', 'inet', table);
  const sets = objects.flatMap(({ set }) => (set === undefined ? [] : [set]));
  return new Map(sets.map(({ name, elem = [] }) => [String(name), new Set((elem as readonly Value[]).map(shown))]));
}

function shown(value: Value): string {
  if (typeof value === 'string') return `${value}/${value.includes(':') ? 128 : 32}`;
  if ('prefix' in value) return `${value.prefix.addr}/${value.prefix.len}`;
  if ('elem' in value) return shown(value.elem.val);
  return JSON.stringify(value);
}
