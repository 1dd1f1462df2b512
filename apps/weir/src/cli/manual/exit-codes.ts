import { EXIT } from '../exit.ts';

/** What the manual says about each exit code. */
export const EXIT_MEANINGS: readonly (readonly [number, string])[] = [
  [EXIT.ok, 'Success.'],
  [EXIT.error, 'Something that should work did not: a file cannot be read, the daemon does not answer.'],
  [EXIT.finding, 'The command worked and found something: an invalid file, a line that is not hex.'],
  [EXIT.notConfirmed, 'A change was not confirmed in time and was rolled back.'],
  [EXIT.unsupported, 'The kernel lacks a feature, or the process a privilege.'],
  [EXIT.usage, 'The command line is wrong.'],
  [EXIT.interrupted, 'Interrupted.'],
];
