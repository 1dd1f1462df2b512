import type { MapNeed } from '../../../model/ebpf-program.ts';
import type { HookRules } from '../../../model/rule.ts';
import type { Classifier } from './build.ts';
import type { ClassifierSymbols } from './emit-classified.ts';
import { entryTable } from './entry-table.ts';

/** Asks for the maps of a classifier: arrays of one value, which programs name without a look-up. */
export function needClassifier(hook: HookRules, classifier: Classifier, need: (map: MapNeed) => string): ClassifierSymbols {
  const table = (symbol: string, contents: Uint8Array): string =>
    need({ kind: 'table', symbol, shape: { type: 'array', keySize: 4, valueSize: contents.length, maxEntries: 1 }, contents });
  return {
    entries: table('entries', entriesOf(hook, classifier)),
    dimensions: classifier.dimensions.map(({ dimension, search, vectors }) => ({
      search: table(`classes of ${dimension.name}`, search),
      vectors: table(`vectors of ${dimension.name}`, vectors.octets),
    })),
  };
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
