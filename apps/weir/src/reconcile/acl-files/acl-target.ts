import { compileCumulus, type MembersOf } from '../../compile/cumulus/index.ts';
import { judgement } from '../../compile/judgement/index.ts';
import { describeRefusal, type Refusal } from '../../compile/refusal.ts';
import type { Config } from '../../model/config.ts';
import type { CumulusConfig, CumulusProblem, CumulusStatus } from '../../model/cumulus.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import { type AclPlace, aclFileName, markCommitted, writeAclFile } from './acl-directory.ts';
import { AclFileError } from './error.ts';
import { runCommand } from './run-command.ts';

export interface AclTargetOptions {
  /** Tells what this process writes from what others do. */
  readonly owner: (config: Config) => string;
  /** Members of the sets of a configuration as they are wanted now, `most` of one at most. */
  readonly members: (set: string, most: number) => ReturnType<MembersOf>;
  /** Flow rules in force, in their order. */
  readonly flows?: () => readonly ActiveFlow[];
  /** Hears of another problem than before, and of none when it is over. */
  readonly onProblem: (problem: CumulusProblem | undefined, before: CumulusProblem | undefined) => void;
  /** Milliseconds until what failed is tried again the first time (twice as long each time), and at most. */
  readonly retry?: { readonly first: number; readonly last: number };
}

const RETRY = { first: 1000, last: 300_000 } as const;
/** Refused rules that are told at once. */
const MOST_REFUSALS = 20;

/**
 * Keeps the ACL file of a configuration as its rules and the members of its sets say, and has it committed: one batch at a time, what changes meanwhile is in the next. What
 * fails leaves the file before in force, is told, and is tried again.
 */
export class AclTarget {
  readonly #options: AclTargetOptions;
  #config: Config | undefined;
  /** Where files may be that are not wanted any more: of a configuration that has none there now. */
  readonly #left: { readonly place: AclPlace; readonly cumulus: CumulusConfig }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #due = Number.POSITIVE_INFINITY;
  #running: Promise<void> | undefined;
  /** Something has changed since the batch in flight began. */
  #again = false;
  #delay = 0;
  #closed = false;
  #started = false;
  #lines: CumulusStatus['lines'];
  #written: number | undefined;
  #committed: number | undefined;
  #commits = 0;
  #failedCommits = 0;
  #pending = false;
  #problem: CumulusProblem | undefined;

  constructor(options: AclTargetOptions) {
    this.#options = options;
  }

  /** Takes a configuration, the first or another; what has no `cumulus` wants no file. */
  configure(config: Config): void {
    const before = this.#config;
    this.#config = config;
    if (before?.cumulus && before.cumulus.directory !== config.cumulus?.directory)
      this.#left.push({ place: this.#place(before, before.cumulus), cumulus: before.cumulus });
    if (!config.cumulus && this.#left.length === 0) return;
    this.#delay = 0;
    this.#wake(0);
  }

  /** Members can be read now: nothing is written before, so that a restart takes none out. */
  start(): void {
    this.#started = true;
    if (this.#config?.cumulus || this.#left.length > 0) this.#wake(this.#config?.cumulus?.batch ?? 0);
  }

  /** Members of sets have changed. */
  changed(): void {
    const cumulus = this.#config?.cumulus;
    if (cumulus) this.#wake(cumulus.batch);
  }

  status(): CumulusStatus | undefined {
    const cumulus = this.#config?.cumulus;
    if (!cumulus) return undefined;
    return {
      file: `${cumulus.directory}/${aclFileName(cumulus)}`,
      lines: this.#lines,
      written: this.#written,
      committed: this.#committed,
      commits: this.#commits,
      failedCommits: this.#failedCommits,
      pending: this.#pending,
      problem: this.#problem,
    };
  }

  /** Waits for the batch in flight; `clear` then removes the file and commits once more. Calling it again waits as well. */
  async close({ clear }: { readonly clear: boolean }): Promise<void> {
    const first = !this.#closed;
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
    if (!first || !clear || !this.#config?.cumulus) return;
    const { cumulus } = this.#config;
    await this.#attempt(() => this.#carry(this.#place(this.#config, cumulus), cumulus, undefined));
  }

  #place(config: Config | undefined, { directory, number, name }: CumulusConfig): AclPlace {
    return { directory, number, name, owner: config ? this.#options.owner(config) : '' };
  }

  /** Has a batch made after so many milliseconds, or before. */
  #wake(after: number): void {
    if (this.#closed || !this.#started) return;
    const due = Date.now() + after;
    if (this.#timer && this.#due <= due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#due = Number.POSITIVE_INFINITY;
      this.#begin();
    }, after);
    this.#timer.unref();
  }

  #begin(): void {
    // One at a time: what has changed since is looked at when it is over.
    this.#again = this.#running !== undefined;
    this.#running ??= this.#batches().finally(() => {
      this.#running = undefined;
    });
  }

  async #batches(): Promise<void> {
    do {
      this.#again = false;
      await this.#batch();
    } while (this.#again && !this.#closed);
  }

  async #batch(): Promise<void> {
    if (this.#closed) return;
    const ok = await this.#attempt(async () => {
      const config = this.#config;
      // What is added while this runs is for the next batch.
      const left = [...this.#left];
      if (config?.cumulus) await this.#write(config, config.cumulus);
      for (const one of left) {
        if (one.place.directory !== config?.cumulus?.directory) await this.#carry(one.place, one.cumulus, undefined);
        this.#left.splice(this.#left.indexOf(one), 1);
      }
    });
    if (ok) {
      this.#delay = 0;
      return;
    }
    const { first, last } = this.#options.retry ?? RETRY;
    this.#delay = this.#delay === 0 ? first : Math.min(this.#delay * 2, last);
    this.#wake(this.#delay);
  }

  async #write(config: Config, cumulus: CumulusConfig): Promise<void> {
    const { maxRules } = cumulus;
    // Rules of programs are not those of an ACL file.
    const flows = config.flowspec?.at === 'prerouting' ? this.#options.flows?.() : undefined;
    const hooks = judgement({ ...config, flows }, Date.now());
    const { text, refusals, leftOut, lines } = compileCumulus(hooks, cumulus, (set) => this.#options.members(set, maxRules));
    if (refusals.length > 0) {
      // Nothing but a change of rules or members helps: it is not tried again.
      this.#pending = true;
      this.#tell('refused', describeAll(refusals));
      return;
    }
    this.#lines = { ipv4: lines[4], ipv6: lines[6] };
    await this.#carry(this.#place(config, cumulus), cumulus, text);
    this.#pending = false;
    if (leftOut.length > 0) this.#tell('refused', `flow rules are left out: ${describeAll(leftOut)}`);
    else this.#setProblem(undefined);
  }

  /** Writes and commits. Throws AclFileError and NotCommitted. */
  async #carry(place: AclPlace, { commit, commitTimeout }: CumulusConfig, text: string | undefined): Promise<void> {
    if (text !== undefined) this.#pending = true;
    const written = await writeAclFile(place, text, commit.length > 0);
    if (written.changed) this.#written = Date.now();
    if (!written.pending) return;
    if (commit.length > 0) {
      const result = await runCommand(commit, commitTimeout);
      if (result.exitCode !== 0) {
        this.#failedCommits++;
        throw new NotCommitted(commit, result);
      }
      this.#commits++;
      this.#committed = Date.now();
    }
    await markCommitted(place);
  }

  /** Returns whether it went well; what did not is told. */
  async #attempt(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      if (error instanceof NotCommitted) this.#tell('not-committed', error.message, error.exitCode, error.log);
      else this.#tell('not-written', error instanceof AclFileError ? error.message : String(error instanceof Error ? error.stack : error));
      return false;
    }
  }

  #tell(kind: CumulusProblem['kind'], message: string, exitCode?: number, log?: string): void {
    const same = this.#problem?.kind === kind && this.#problem.message === message;
    const since = same && this.#problem ? this.#problem.since : Date.now();
    this.#setProblem({ kind, message, since, exitCode, log });
  }

  #setProblem(problem: CumulusProblem | undefined): void {
    const before = this.#problem;
    this.#problem = problem;
    if (before?.kind !== problem?.kind || before?.message !== problem?.message) this.#options.onProblem(problem, before);
  }
}

function describeAll(refusals: readonly Refusal[]): string {
  const all = [...new Set(refusals.map(describeRefusal))];
  return `${all.slice(0, MOST_REFUSALS).join('; ')}${all.length > MOST_REFUSALS ? `; and ${all.length - MOST_REFUSALS} more` : ''}`;
}

class NotCommitted extends Error {
  readonly code = 'acl-not-committed';
  readonly exitCode: number | undefined;
  readonly log: string;

  constructor(
    command: readonly string[],
    { exitCode, outcome, log }: { readonly exitCode: number | undefined; readonly outcome: string; readonly log: string },
  ) {
    super(`${command.join(' ')}: ${outcome}`);
    this.name = 'NotCommitted';
    this.exitCode = exitCode;
    this.log = log;
  }
}
