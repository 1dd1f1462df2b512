import type { Family } from '@weir/wire/inet';
import type { Condition } from '../condition.ts';
import type { ClauseAction, ImportHook, Limit } from '../program.ts';
import type { Entry } from '../report.ts';
import type { Token, Words } from './tokens.ts';

/** A line of iptables-save while it is read. */
export interface RuleDraft {
  readonly entry: Entry;
  readonly family: Family;
  readonly table: string;
  /** Of a built-in chain: where it is called. Undefined for a user's chain. */
  readonly hook: ImportHook | undefined;
  readonly conditions: Condition[];
  /** The number after -p; undefined: every one. Negated ones do not count. */
  protocol: number | undefined;
  limit: Limit | undefined;
  comment: string | undefined;
  action: ClauseAction | undefined;
  /** Sets that it looks addresses up in. */
  readonly sets: { readonly name: string; readonly original: string }[];
}

/** Reads one option and its value. LineError for what iptables would refuse, UntranslatableError for what a policy cannot say. */
export type OptionReader = (draft: RuleDraft, words: Words, option: Token, negated: boolean) => void;

/** Options of one match or target extension. */
export type Options = Readonly<Record<string, OptionReader>>;
