import type { Texts } from '../sources/config/index.ts';
import type { GenerationStore } from './generations/index.ts';
import type { DaemonConfig } from './load-daemon-config.ts';

/**
 * What a daemon starts with: its files; but what was in force before, where the last change was not confirmed when its daemon ended, or where the files are
 * still those of a change that was taken back for that reason.
 */
export function chooseStart(
  store: GenerationStore,
  files: DaemonConfig,
  readTexts: (file: string, texts: Texts) => DaemonConfig,
): { readonly loaded: DaemonConfig; readonly notice: string | undefined } {
  const { pending } = store.index;
  if (pending) store.takeBack();
  if (!store.wasReverted(files.digest)) return { loaded: files, notice: pending && `generation ${pending.generation} was never confirmed` };
  const current = store.current;
  const loaded = current && readTexts(current.file, store.texts(current.number));
  const why = 'the configuration on disk was taken back because nobody confirmed it';
  if (!current || !loaded?.config)
    return { loaded: files, notice: `${why}, but what was before it cannot be read any more: it is taken after all` };
  return { loaded, notice: `${why}: generation ${current.number} is in force; change the files, or apply and confirm them` };
}
