/**
 * What became of one item of the input.
 * - `translated`: the policy decides as it did.
 * - `approximated`: there is a rule for it, which does not do exactly the same; the reason says what differs.
 * - `unsupported`: there is no rule for it.
 * - `error`: it is not what the format allows; nothing is imported then.
 * - `nothing`: there is nothing to translate in it (comments, COMMIT).
 */
export type Status = 'translated' | 'approximated' | 'unsupported' | 'error' | 'nothing';

/** One item of the input (a line, a rule, a part of a manifest) and what became of it. Filled while it is translated. */
export interface Entry {
  readonly file: string;
  /** From 1; 0 where the input has no lines of its own (JSON). */
  readonly line: number;
  /** Where in the input, where it is not a line: `rule handle 4 of inet filter input`. */
  readonly where: string | undefined;
  /** Of an error: the column, from 1. */
  column: number | undefined;
  /** As the input has it, at most MAX_TEXT characters, without control characters. */
  readonly text: string;
  status: Status;
  readonly reasons: string[];
  /** Refs of the rules that came of it. */
  readonly refs: string[];
}

const MAX_TEXT = 300;
const MAX_REASONS = 20;
const RANK: readonly Status[] = ['nothing', 'translated', 'approximated', 'unsupported', 'error'];

export function makeEntry(file: string, line: number, text: string, options: { status?: Status; where?: string } = {}): Entry {
  const short = (long: string): string => (long.length > MAX_TEXT ? `${long.slice(0, MAX_TEXT)}...` : long);
  // Cut before it is looked at: a line may be as long as the file.
  const shown = (long: string): string => short(printable(long.slice(0, 2 * MAX_TEXT)));
  return {
    file: printable(file),
    line,
    where: options.where === undefined ? undefined : shown(options.where),
    column: undefined,
    text: shown(text),
    status: options.status ?? 'translated',
    reasons: [],
    refs: [],
  };
}

/** Adds a reason; the entry's status becomes the worse of both. Without `status` it is a remark. */
export function note(entry: Entry, reason: string, status: Status = 'nothing'): void {
  if (RANK.indexOf(status) > RANK.indexOf(entry.status)) entry.status = status;
  const clean = printable(reason.slice(0, 2 * MAX_TEXT));
  if (entry.reasons.length < MAX_REASONS && !entry.reasons.includes(clean)) entry.reasons.push(clean);
}

/** Nothing that moves a terminal's cursor or ends a line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, (c) => {
    if (c === '\t') return ' ';
    const code = c.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}

/** `rules.v4:12`. */
export function place(entry: Entry): string {
  const line = entry.line > 0 ? `:${entry.line}` : '';
  return `${entry.file}${line}${entry.column === undefined ? '' : `:${entry.column}`}`;
}

/** What the item is: where in the input, and its text. */
export function itemText(entry: Entry): string {
  return [entry.where, entry.text].filter((part) => part !== undefined && part !== '').join(': ');
}

/** How many items have each status. */
export type Counts = Readonly<Record<Status, number>>;

export function countEntries(entries: readonly Entry[]): Counts {
  const counts: Record<Status, number> = { translated: 0, approximated: 0, unsupported: 0, error: 0, nothing: 0 };
  for (const entry of entries) counts[entry.status]++;
  return counts;
}
