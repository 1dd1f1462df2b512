/** Changes that are on disk before they are made. */
export { Journal, JournalInUseError, type JournalOptions, type JournalStatus } from './journal.ts';
export { type JournalFiles, systemFiles } from './journal-files.ts';
export type { FileDamage, JournalReport } from './read-journal.ts';
