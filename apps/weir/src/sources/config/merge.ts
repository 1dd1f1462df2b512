import { quote } from '../yaml/shape.ts';
import type { ConfigNode, MapEntry, Report } from '../yaml/tree.ts';

/** What an included file may add to; the rest belongs to the main file. */
const MERGED = new Set(['sets', 'bgp', 'bgp.peers', 'firewall', 'firewall.borders', 'protected', 'feeds', 'tenants']);

/** The main file's tree with an included one added: lists are joined, mappings united. What is given in both is reported and the main file's value is kept. */
export function mergeTrees(main: ConfigNode, added: ConfigNode, report: Report): ConfigNode {
  return merge(main, added, '', report);
}

function merge(main: ConfigNode, added: ConfigNode, path: string, report: Report): ConfigNode {
  if (added.kind === 'scalar' && added.value === null) return main;
  if (main.kind === 'scalar' && main.value === null) return added;
  if (main.kind === 'list' && added.kind === 'list') return { ...main, items: [...main.items, ...added.items] };
  if (main.kind === 'map' && added.kind === 'map') {
    const entries: MapEntry[] = [...main.entries];
    for (const entry of added.entries) {
      const inner = path === '' ? entry.key : `${path}.${entry.key}`;
      if (path === '' && entry.key === 'include') {
        report('E026', entry.keyPlace, 'an included file cannot include others');
        continue;
      }
      const at = entries.findIndex((e) => e.key === entry.key);
      const present = entries[at];
      if (!present) entries.push(entry);
      else if (MERGED.has(inner)) entries[at] = { ...present, value: merge(present.value, entry.value, inner, report) };
      else {
        const first = present.keyPlace.source;
        const line = first.span(present.keyPlace.start, present.keyPlace.end).line;
        report('E030', entry.keyPlace, `${inner} is already given at ${first.file}:${line}`);
      }
    }
    return { ...main, entries };
  }
  report(
    'E008',
    added.place,
    path === '' ? 'a configuration must be a mapping' : `${quote(path)} is of another kind than in the main file`,
  );
  return main;
}
