import { TABLE_COMMENT, type TableImage } from '../compile/nft/image.ts';
import type { KernelBackend, Operation, ProgramBindings, Refusal, TableAddress, TableInfo } from '../kernel/backend.ts';
import type { PrefixColumns } from '../model/member-delta.ts';
import { isDue, nextRetry } from './backoff.ts';
import { joinColumns } from './join-columns.ts';
import { planTable, programsOf, type TablePlan } from './owned-table.ts';
import type { Problems } from './problems.ts';
import { NO_BINDINGS, rebound } from './rule-bindings.ts';
import type { Retry } from './slot.ts';
import { apart, planChange } from './table-change.ts';

const PROBLEM = 'table';
const PROGRAMS = 'programs';
/** Milliseconds between two looks at what the user has pinned: nobody tells when that is another program. */
const LOOK = 5_000;
const NOTHING: TablePlan = { prepare: [], enforce: [], fresh: false, building: false };

/** The table that Weir owns, and those of earlier configurations that are to go. */
export class TableKeeper {
  readonly #backend: KernelBackend;
  readonly #problems: Problems;
  readonly #retired = new Set<string>();
  #image: TableImage | undefined;
  /** Whether the kernel's table may not be as the image says. */
  #dirty = false;
  #retry: Retry | undefined;
  /** It waits for members. */
  #held = false;
  /** What the kernel's table is like, as long as nobody else changes it: what was committed last. */
  #installed: TableImage | undefined;
  readonly #membersOf: (set: string) => readonly PrefixColumns[];
  /** What programs were bound to when the last plan was made, and what those are that the rules have. */
  #bindings = NO_BINDINGS;
  #installedBindings = NO_BINDINGS;
  #looked = 0;
  /** Where the user's programs are pinned that an image asks. */
  #paths: { readonly image: TableImage | undefined; readonly paths: readonly string[] } = { image: undefined, paths: [] };

  /** `membersOf`: what sets should have, for programs that look into them. */
  constructor(backend: KernelBackend, problems: Problems, membersOf: (set: string) => readonly PrefixColumns[] = () => []) {
    this.#backend = backend;
    this.#problems = problems;
    this.#membersOf = membersOf;
  }

  get image(): TableImage | undefined {
    return this.#image;
  }

  /** The key of its problem. */
  get problem(): string {
    return PROBLEM;
  }

  /** The key of the problem that another process keeps undoing it. */
  get fight(): string {
    return `${PROBLEM} drift`;
  }

  /** The kernel's table is to be like this; `before` is the name of the one that was in force last. */
  configure(image: TableImage | undefined, before: string | undefined): void {
    const last = this.#image?.name ?? before;
    if (last !== undefined && last !== image?.name) this.#retired.add(last);
    if (image) this.#retired.delete(image.name);
    this.#image = image;
    this.proceed();
    this.#change();
  }

  /** The same table with other rules. Where it waits for members it goes on waiting. */
  replace(image: TableImage | undefined): void {
    this.#image = image;
    if (!this.#held) this.#retry = undefined;
    this.#change();
  }

  /** The change waits until `proceed`, at most for so many milliseconds. */
  hold(now: number, delay: number): void {
    this.#retry = { at: now + delay, delay };
    this.#held = true;
  }

  proceed(): void {
    this.#retry = undefined;
    this.#held = false;
  }

  /** Others may have changed it. */
  touch(): void {
    this.#installed = undefined;
    this.#change();
  }

  /** Programs may be bound to something else now. */
  rebind(): void {
    if (!this.#image || this.#dirty) return;
    if (rebound(this.#installedBindings, this.#bind({ family: 'inet', table: this.#image.name }, this.#image)).size > 0) this.#change();
  }

  /** Looks at what may have been exchanged unnoticed, when it is time to. */
  look(now: number): void {
    if (this.#installedBindings.size === 0 || now - this.#looked < LOOK) return;
    this.#looked = now;
    this.rebind();
  }

  #bind(address: TableAddress, image: TableImage): ProgramBindings {
    const { programs = [] } = image;
    const paths = this.#pathsOf(image);
    if (paths.length === 0 && programs.length === 0 && this.#installedBindings.size === 0) return NO_BINDINGS;
    return this.#backend.bindPrograms(address, { programs, paths }, (set, family) => joinColumns(family, this.#membersOf(set)));
  }

  #pathsOf(image: TableImage): readonly string[] {
    const { image: before, paths } = this.#paths;
    if (before === image) return paths;
    // Chains that are the same objects ask for the same.
    const [added, gone] = apart(image.chains, before?.chains ?? []);
    const same = before !== undefined && userPaths(added).length + userPaths(gone).length === 0;
    this.#paths = { image, paths: same ? paths : userPaths(image.chains) };
    return this.#paths.paths;
  }

  #change(): void {
    this.#dirty = this.#image !== undefined || this.#retired.size > 0;
  }

  /** Whether a change of it is still to be made. */
  get dirty(): boolean {
    return this.#dirty;
  }

  /** Another process keeps undoing it: it is put right again at this time. */
  delay(until: number, now: number): void {
    if ((this.#retry?.at ?? 0) < until) this.#retry = { at: until, delay: until - now };
  }

  isAt(address: TableAddress): boolean {
    return address.family === 'inet' && address.table === this.#image?.name;
  }

  /** When it is tried again; undefined when nothing is open. */
  get dueAt(): number | undefined {
    return this.#dirty ? this.#retry?.at : undefined;
  }

  /** Whether elements may be sent to its sets. */
  isReady(now: number): boolean {
    return this.#image !== undefined && (!this.#dirty || isDue(this.#retry, now));
  }

  read(): TableInfo | undefined {
    return this.#image && this.#backend.readTable({ family: 'inet', table: this.#image.name });
  }

  /** What the next transaction has to do; undefined when the table is as it should be, as far as is known, or its time has not come. */
  plan(now: number): TablePlan | undefined {
    if (!this.#dirty || !isDue(this.#retry, now)) return undefined;
    const removals = [...this.#retired].flatMap((name) => this.#removal(name));
    if (!this.#image) return { ...NOTHING, prepare: removals };
    const address: TableAddress = { family: 'inet', table: this.#image.name };
    this.#bindings = this.#bind(address, this.#image);
    const change = this.#planChange(address, this.#image);
    if (change) return { ...change, prepare: [...removals, ...change.prepare] };
    const found = this.#backend.readTable(address);
    if (found && this.#refuse(found, now)) return { ...NOTHING, prepare: removals };
    const readMap = (set: string): ReturnType<KernelBackend['readMap']> => this.#backend.readMap({ ...address, set });
    const plan = planTable(address, this.#image, found, this.#backend.ownership, readMap, this.#bindings);
    return { ...plan, prepare: [...removals, ...plan.prepare] };
  }

  /** Without reading it: where it is known what is there. It is not any more until the plan has been carried out. */
  #planChange(address: TableAddress, image: TableImage): TablePlan | undefined {
    const installed = this.#installed;
    this.#installed = undefined;
    if (installed?.name !== image.name || !this.#backend.isCaughtUp()) return undefined;
    const bindings = { now: this.#bindings, before: this.#installedBindings };
    return planChange(address, image, installed, (chain) => this.#backend.readRules(address, chain), bindings);
  }

  #removal(name: string): Operation[] {
    const address: TableAddress = { family: 'inet', table: name };
    const found = this.#backend.readTable(address);
    if (found?.comment !== TABLE_COMMENT || !found.ours) return [];
    const take: Operation = { kind: 'put-table', address, comment: TABLE_COMMENT, owned: true };
    return [...(found.persist && !found.owner ? [take] : []), { kind: 'delete-table', address }];
  }

  /** Whether the table that is there cannot be Weir's. */
  #refuse(found: TableInfo, now: number): boolean {
    const strange = found.comment !== TABLE_COMMENT && found.chains.length + found.sets.length > 0;
    if (found.ours && !strange) return false;
    this.#problems.raise(PROBLEM, {
      kind: found.ours ? 'conflict' : 'not-permitted',
      subject: found.table,
      message: found.ours
        ? `table inet ${found.table} is there already and was not written by Weir`
        : `table inet ${found.table} is owned by another process`,
      remedy: found.ours ? `delete table inet ${found.table}\n` : undefined,
    });
    this.#retry = nextRetry(this.#retry, now);
    return true;
  }

  /** Everything that the last plan asked for took effect. */
  done(now: number): void {
    // A table that cannot be Weir's was left out of the plan.
    if (!isDue(this.#retry, now)) return;
    this.#dirty = false;
    this.#installed = this.#image;
    this.#installedBindings = this.#image ? this.#bindings : NO_BINDINGS;
    this.proceed();
    this.#keepPrograms();
    this.#retired.clear();
    this.#problems.over(PROBLEM);
  }

  /** Programs that no rule asks any more are let go, also those that an earlier process has left. */
  #keepPrograms(): void {
    const wanted = new Map([...this.#retired].map((table) => [table, new Set<string>()]));
    if (this.#image) wanted.set(this.#image.name, new Set(programsOf(this.#image).keys()));
    this.#problems.over(PROGRAMS);
    for (const [table, names] of wanted) {
      const message = this.#backend.keepPrograms({ family: 'inet', table }, names);
      if (message !== undefined) this.#problems.raise(PROGRAMS, { kind: 'refused', subject: table, message, remedy: undefined });
    }
  }

  /** The kernel refused one of its operations, or the whole transaction. */
  refused(refusal: Refusal, operation: Operation | undefined, now: number): void {
    const subject = operation?.kind === 'add-rule' ? `rule ${operation.rule.name}` : (this.#image?.name ?? 'table');
    this.#problems.raise(PROBLEM, {
      kind: refusal.code === 'EPERM' ? 'not-permitted' : 'refused',
      subject,
      message: refusal.message,
      remedy: undefined,
    });
    this.#retry = nextRetry(this.#retry, now);
  }
}

/** Where the user's programs are pinned that rules ask. */
function userPaths(chains: TableImage['chains']): readonly string[] {
  const paths = new Set<string>();
  for (const { rules } of chains)
    for (const { matches } of rules)
      for (const match of matches) if (match.kind === 'program' && match.program.startsWith('/')) paths.add(match.program);
  return [...paths];
}
