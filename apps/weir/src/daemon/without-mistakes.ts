import type { Texts } from '../sources/config/index.ts';
import { GenerationStore, HistoryError } from './generations/index.ts';
import type { DaemonConfig, Overrides } from './load-daemon-config.ts';
import { likelyStateDirectory } from './state-place.ts';

/**
 * What a daemon starts with although its files have mistakes: what was in force before a change that nobody has confirmed, or that was taken back with these very files on disk.
 * Undefined where there is no such change: files with mistakes are then for somebody to mend, and what is in the kernel stays.
 */
export function withoutMistakes(
  files: DaemonConfig,
  overrides: Pick<Overrides, 'stateDirectory'>,
  readTexts: (file: string, texts: Texts) => DaemonConfig,
): DaemonConfig | undefined {
  if (!files.readable) return undefined;
  try {
    const store = GenerationStore.open(overrides.stateDirectory ?? likelyStateDirectory(files.texts));
    const { pending } = store.index;
    const record = pending ? store.find(pending.previous) : store.wasReverted(files.digest) ? store.current : undefined;
    const loaded = record && readTexts(record.file, store.texts(record.number));
    return loaded?.config ? loaded : undefined;
  } catch (error) {
    if (error instanceof HistoryError) return undefined;
    throw error;
  }
}
