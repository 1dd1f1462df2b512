/** Files and directories of Weir's own state. */
export { type FileDamage, Journal, type JournalOptions, type JournalReport } from './journal/index.ts';
export { makeDirectory } from './make-directory.ts';
export { readIfThere } from './read-if-there.ts';
export { removeFile } from './remove-file.ts';
export { type WriteOptions, writeWhole } from './write-whole.ts';
