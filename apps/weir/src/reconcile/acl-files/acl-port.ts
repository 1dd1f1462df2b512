import { type IpSet, ipSetOfPrefixes } from '@weir/filter/ir';
import type { CumulusProblem } from '../../model/cumulus.ts';
import type { FlowDelta, FlowHop } from '../../model/flow.ts';
import type { FlushReport, Lifeline } from '../../model/flush.ts';
import type { CommitReport, KernelEvent, KernelPort, KernelProblem, KernelStatus } from '../../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../../model/member-delta.ts';
import type { RouteState } from '../../state/index.ts';
import { FlowTable } from '../flow-table.ts';
import { AclTarget } from './acl-target.ts';

/** Where members are read from. */
export type MemberSource = Pick<RouteState, 'members' | 'counts'>;

const KINDS = { refused: 'acl-refused', 'not-written': 'acl-not-written', 'not-committed': 'acl-not-committed' } as const;

/** A kernel side that keeps the ACL file of a switch beside: it takes the same configurations and hears of the same changes of members. */
export class AclPort implements KernelPort {
  readonly #inner: KernelPort;
  readonly #target: AclTarget;
  readonly #flows = new FlowTable();
  #source: MemberSource | undefined;

  constructor(inner: KernelPort, events: (event: KernelEvent) => void) {
    this.#inner = inner;
    this.#target = new AclTarget({
      owner: ({ stateDirectory }) => stateDirectory,
      flows: () => this.#flows.list,
      members: (set, most) => (this.#source ? membersOf(this.#source, set, most) : undefined),
      onProblem: (problem, before) => {
        const file = this.#target.status()?.file ?? 'ACL file';
        if (problem) events({ kind: 'problem', problem: asKernelProblem(problem, file) });
        else if (before) events({ kind: 'problem-over', problem: asKernelProblem(before, file) });
      },
    });
  }

  /** The members from now on. */
  read(source: MemberSource): void {
    this.#source = source;
    this.#target.start();
  }

  async configure(...given: Parameters<KernelPort['configure']>): Promise<readonly MemberColumns[]> {
    const ledger = await this.#inner.configure(...given);
    const [config] = given;
    this.#target.configure(config);
    return ledger;
  }

  flows(delta: FlowDelta): Promise<void> {
    this.#flows.apply(delta);
    this.#target.changed();
    return this.#inner.flows(delta);
  }

  watch(hops: readonly FlowHop[]): Promise<void> {
    return this.#inner.watch(hops);
  }

  apply(deltas: readonly MemberDelta[]): Promise<CommitReport> {
    this.#target.changed();
    return this.#inner.apply(deltas);
  }

  async status(): Promise<KernelStatus> {
    const status = await this.#inner.status();
    const cumulus = this.#target.status();
    if (!cumulus) return status;
    const problems = cumulus.problem ? [...status.problems, asKernelProblem(cumulus.problem, cumulus.file)] : status.problems;
    return { ...status, problems, cumulus };
  }

  flush(lifelines: readonly Lifeline[]): Promise<FlushReport> {
    return this.#inner.flush(lifelines);
  }

  async close(options: { readonly clear: boolean }): Promise<void> {
    await this.#target.close(options);
    await this.#inner.close(options);
  }
}

/** The members of a set as they are wanted now. */
function membersOf(source: MemberSource, set: string, most: number): IpSet | 'too-many' | undefined {
  const count = source.counts().sets.find((one) => one.set === set);
  if (!count) return undefined;
  if (count.installed > most) return 'too-many';
  return ipSetOfPrefixes(source.members(set, { limit: most }).members.map((member) => member.prefix));
}

function asKernelProblem({ kind, message, since, log }: CumulusProblem, file: string): KernelProblem {
  const end = log?.trim();
  return { kind: KINDS[kind], subject: file, message: end ? `${message}: ${end}` : message, remedy: undefined, since };
}
