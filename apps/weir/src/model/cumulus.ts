import type { Hook } from '@weir/filter/scheme';
import type { SourceSpan } from './provenance.ts';

/** What a switch's ACL files may say. */
export interface CumulusOptions {
  /** Hooks whose rules are written; those of eBPF programs never are. */
  readonly hooks: readonly Hook[];
  /** Interfaces that the rules are about, as iptables names them: `swp+` is each that begins so, `+` each. Those that packets come in by. */
  readonly inInterfaces: readonly string[];
  /** At `output`: those that packets go out by. */
  readonly outInterfaces: readonly string[];
  /** The target tracks connections: `-m conntrack` may be asked, and fragments are put together before the rules. */
  readonly state: boolean;
  /** `iptables`: all that iptables can say. `hardware`: only what the ACLs of a switch's ASIC match on. */
  readonly matches: 'iptables' | 'hardware';
  /** Lines of one family at most. */
  readonly maxRules: number;
}

/** Where ACL files are kept, and what is run when they have changed. Durations are in milliseconds. */
export interface CumulusConfig extends CumulusOptions {
  readonly directory: string;
  /** Place among the files of the directory, 0-99. */
  readonly number: number;
  /** Tells the files of several daemons apart. */
  readonly name: string;
  /** A program with its arguments, no shell; empty where nothing is to be run. */
  readonly commit: readonly string[];
  readonly commitTimeout: number;
  /** Changes of sets within this time are written together. */
  readonly batch: number;
  readonly span: SourceSpan;
}

export const CUMULUS_HOOKS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output'];

export const DEFAULT_CUMULUS: CumulusOptions & { readonly number: number; readonly name: string } = {
  number: 60,
  name: 'policy',
  hooks: CUMULUS_HOOKS,
  inInterfaces: ['swp+'],
  outInterfaces: ['swp+'],
  state: false,
  matches: 'iptables',
  maxRules: 4096,
};

/** How the files of an ACL directory are. Times are milliseconds since the epoch. */
export interface CumulusStatus {
  readonly file: string;
  /** Lines of the file that is wanted; undefined before the first is. */
  readonly lines: { readonly ipv4: number; readonly ipv6: number } | undefined;
  readonly written: number | undefined;
  readonly committed: number | undefined;
  /** Runs of the commit command that did their work, and that did not. */
  readonly commits: number;
  readonly failedCommits: number;
  /** What is wanted is not on disk or not committed. */
  readonly pending: boolean;
  readonly problem: CumulusProblem | undefined;
}

export interface CumulusProblem {
  /** `refused`: rules that an ACL file cannot say. `not-written`: the directory. `not-committed`: the command. */
  readonly kind: 'refused' | 'not-written' | 'not-committed';
  readonly message: string;
  readonly since: number;
  /** Of the command; undefined where it did not end by itself. */
  readonly exitCode: number | undefined;
  /** The end of what the command said. */
  readonly log: string | undefined;
}
