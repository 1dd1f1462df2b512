import type { MapNeed } from '../../../model/ebpf-program.ts';
import type { HookRules } from '../../../model/rule.ts';
import type { Classifier } from './build.ts';
import { entryTable } from './entry-table.ts';

/** The maps of a classifier. */
export interface ClassifierSymbols {
  readonly entries: string;
  /** Trees: nodes, records, and by dimension what it needs, or nothing. Vectors: by dimension classes and vectors. */
  readonly tables: readonly string[];
}

/** Asks for the maps of a classifier: arrays of one value, which programs name without a look-up. */
export function needClassifier(hook: HookRules, classifier: Classifier, need: (map: MapNeed) => string): ClassifierSymbols {
  const table = (symbol: string, contents: Uint8Array): string =>
    need({ kind: 'table', symbol, shape: { type: 'array', keySize: 4, valueSize: contents.length, maxEntries: 1 }, contents });
  return {
    entries: table('entries', entriesOf(hook, classifier)),
    tables: tablesOf(classifier, table),
  };
}

function tablesOf({ tables }: Classifier, table: (symbol: string, contents: Uint8Array) => string): readonly string[] {
  if (tables.kind === 'vectors') {
    return tables.dimensions.flatMap(({ dimension, search, vectors }) => [
      table(`classes of ${dimension.name}`, search),
      table(`vectors of ${dimension.name}`, vectors.octets),
    ]);
  }
  const { layout, addresses, nodes, records } = tables;
  const names = layout.lanes.map(({ dimension, names }, place) => {
    const found = addresses[place]?.search ?? (names && new Uint8Array(names.buffer));
    return found ? table(`names of ${dimension.name}`, found) : '';
  });
  return [table('nodes', nodes), table('records', records), ...names];
}

/** Programs are written twice: the second time the table is there. */
const ENTRIES = new WeakMap<Classifier, Uint8Array>();

function entriesOf(hook: HookRules, classifier: Classifier): Uint8Array {
  const known = ENTRIES.get(classifier);
  if (known) return known;
  const made = entryTable(hook, classifier);
  ENTRIES.set(classifier, made);
  return made;
}
