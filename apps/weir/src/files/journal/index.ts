/** Changes that are on disk before they are made. */
export { Journal, type JournalOptions } from './journal.ts';
export type { FileDamage, JournalReport } from './read-journal.ts';
