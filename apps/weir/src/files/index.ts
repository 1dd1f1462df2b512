/** Files and directories of Weir's own state. */
export {
  type FileDamage,
  Journal,
  type JournalFiles,
  JournalInUseError,
  type JournalOptions,
  type JournalReport,
  type JournalStatus,
  systemFiles,
} from './journal/index.ts';
export { makeDirectory } from './make-directory.ts';
export { readIfThere } from './read-if-there.ts';
export { removeFile } from './remove-file.ts';
export { type WriteOptions, writeWhole } from './write-whole.ts';
