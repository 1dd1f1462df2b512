import type { ConfigNode } from '../../yaml/tree.ts';

/** The value of a key; undefined where the node is no map, has no such key, or nothing stands after it. */
export function at(node: ConfigNode | undefined, key: string): ConfigNode | undefined {
  if (node?.kind !== 'map') return undefined;
  const found = node.entries.find((e) => e.key === key)?.value;
  return found?.kind === 'scalar' && found.value === null ? undefined : found;
}

/** The items of a list; empty for everything else. */
export function items(node: ConfigNode | undefined): readonly ConfigNode[] {
  return node?.kind === 'list' ? node.items : [];
}

/** A scalar as it is written. */
export function textOf(node: ConfigNode | undefined): string | undefined {
  return node?.kind === 'scalar' && node.value !== null ? (typeof node.value === 'string' ? node.value : node.text) : undefined;
}

/** Keys that are none of `known`. */
export function otherKeys(node: ConfigNode | undefined, known: readonly string[]): readonly string[] {
  return node?.kind === 'map' ? node.entries.map((e) => e.key).filter((key) => !known.includes(key)) : [];
}

/** Whether the node is a map without keys. */
export function isEmptyMap(node: ConfigNode | undefined): boolean {
  return node?.kind === 'map' && node.entries.length === 0;
}
