import type { Texts } from '../sources/config/index.ts';
import type { GenerationRecord, GenerationStore } from './generations/index.ts';
import type { DaemonConfig } from './load-daemon-config.ts';

/**
 * What a daemon starts with: its files; but what was in force before, where the last change was not confirmed when its daemon ended, or where the files are
 * still those of a change that was taken back. A history that cannot be written does not stand in the way.
 */
export function chooseStart(
  store: GenerationStore,
  files: DaemonConfig,
  readTexts: (file: string, texts: Texts) => DaemonConfig,
): { readonly loaded: DaemonConfig; readonly notices: readonly string[] } {
  const notices: string[] = [];
  const attempt = <T>(action: () => T): T | undefined => {
    try {
      return action();
    } catch (error) {
      notices.push(`history: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const { pending } = store.index;
  const unwanted = pending !== undefined || store.wasReverted(files.digest);
  const wanted: GenerationRecord | undefined = pending ? store.find(pending.previous) : unwanted ? store.current : undefined;
  if (pending) {
    attempt(() => store.takeBack());
    // Whatever the files are by now, nobody has confirmed them.
    if (wanted && files.digest !== wanted.digest)
      attempt(() => store.refuse({ at: Date.now(), cause: 'start', by: 'weir run', file: wanted.file }, files.texts));
  }
  if (!wanted || wanted.digest === files.digest) return { loaded: files, notices };
  const loaded = attempt(() => readTexts(wanted.file, store.texts(wanted.number)));
  const why = pending ? `generation ${pending.generation} was never confirmed` : 'the files were taken back';
  if (!loaded?.config)
    return { loaded: files, notices: [...notices, `${why}, but what was before cannot be read any more: the files are taken`] };
  return { loaded, notices: [...notices, `${why}: generation ${wanted.number} is in force; change the files, or apply and confirm them`] };
}
