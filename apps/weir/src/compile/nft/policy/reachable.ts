import type { ChainImage, LookupImage, MapImage } from '../image.ts';

/** What nothing leads to is left out. */
export function reachable(
  chains: readonly ChainImage[],
  maps: readonly (MapImage | LookupImage)[],
  base: readonly Pick<ChainImage, 'rules'>[],
): ChainImage[] {
  const leadsTo = new Map(maps.map((map) => [map.name, map.elements.map((element) => element.verdict.chain)]));
  const byName = new Map(chains.map((chain) => [chain.name, chain]));
  const found = new Set<string>();
  const open: Pick<ChainImage, 'rules'>[] = [...base];
  for (let chain = open.pop(); chain; chain = open.pop()) {
    for (const { verdict } of chain.rules) {
      const next =
        verdict.kind === 'jump' || verdict.kind === 'goto'
          ? [verdict.chain]
          : verdict.kind === 'map' || verdict.kind === 'lookup'
            ? (leadsTo.get(verdict.map) ?? [])
            : [];
      for (const name of next) {
        const other = byName.get(name);
        if (!other || found.has(name)) continue;
        found.add(name);
        open.push(other);
      }
    }
  }
  return chains.filter((chain) => found.has(chain.name));
}

/** The names of the maps that rules of these chains ask. */
export function askedMaps(chains: readonly Pick<ChainImage, 'rules'>[]): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const { rules } of chains) for (const { verdict } of rules) if ('map' in verdict) asked.add(verdict.map);
  return asked;
}
