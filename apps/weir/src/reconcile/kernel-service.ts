import type { Value } from '@weir/filter/eval';
import type { Ip } from '@weir/wire/inet';
import { judgement } from '../compile/judgement/index.ts';
import { CompileMemo } from '../compile/nft/policy/index.ts';
import { compileKernelPlan, type KernelPlan, type TableOptions, tableWithFlows } from '../compile/nft/targets.ts';
import type { KernelBackend } from '../kernel/backend.ts';
import type { KnownMembers } from '../kernel/ebpf/index.ts';
import type { Config } from '../model/config.ts';
import type { FlowDelta, FlowHop } from '../model/flow.ts';
import type { FlushReport, Lifeline } from '../model/flush.ts';
import type { CommitReport, EarlierRules, KernelEvent, KernelPort, KernelStatus } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta, PrefixColumns } from '../model/member-delta.ts';
import { detachedOnExit } from './ebpf-hooks.ts';
import type { EbpfService } from './ebpf-service.ts';
import { FlowTable } from './flow-table.ts';
import { flushStates } from './flush.ts';
import { bitByBit } from './in-steps.ts';
import { joinColumns } from './join-columns.ts';
import type { PolicyRoutes } from './policy-routes/index.ts';
import { Reconciler } from './reconciler.ts';

/** Changes of others are looked for at least this often, for retries and in case a notification was missed. */
const IDLE_WAIT = 250;

export interface KernelServiceOptions {
  readonly backend: KernelBackend;
  readonly stateDirectory: string;
  readonly emit: (event: KernelEvent) => void;
  /** Waits until others may have changed something, at most so many milliseconds; the backend's own wait when absent, which takes a thread of the pool. */
  readonly wait?: (timeout: number) => Promise<unknown>;
  /** The eBPF side, which is this one's from then on; absent for tenants, which have none. */
  readonly ebpf?: EbpfService;
  /** How redirected packets are routed, which is this one's from then on; absent for tenants, which have no flow rules. */
  readonly routes?: PolicyRoutes;
}

/** The kernel port in the thread that owns the descriptors: a reconciler, and a loop that waits for what others change. */
export class KernelService implements KernelPort {
  readonly #backend: KernelBackend;
  readonly #reconciler: Reconciler;
  readonly #emit: (event: KernelEvent) => void;
  readonly #memo = new CompileMemo();
  readonly #wait: (timeout: number) => Promise<unknown>;
  readonly #ebpf: EbpfService | undefined;
  readonly #routes: PolicyRoutes | undefined;
  readonly #flows = new FlowTable();
  #config: Config | undefined;
  /** What that came to, without flow rules. */
  #plan: { readonly plan: KernelPlan; readonly options: TableOptions } | undefined;
  #earlier: EarlierRules | undefined;
  #closing = false;
  #loop: Promise<void> | undefined;

  constructor(options: KernelServiceOptions) {
    this.#backend = options.backend;
    this.#emit = options.emit;
    this.#ebpf = options.ebpf;
    this.#routes = options.routes;
    this.#wait = options.wait ?? ((timeout) => this.#backend.wait(timeout));
    this.#reconciler = new Reconciler({ ...options, now: () => performance.now() });
  }

  /** See KernelPort; `awaitMembers`: every member is sent after it. */
  async configure(config: Config, earlier?: EarlierRules, awaitMembers = false): Promise<readonly MemberColumns[]> {
    const running = awaitMembers || this.#config !== undefined;
    const before = new Set((this.#config ?? config).sets.map(({ name }) => name));
    const source = { ...config, flows: this.#flows.list };
    const options: TableOptions = {
      now: Date.now(),
      memo: this.#memo,
      asksPrograms: config.policy === undefined || this.#backend.asksPrograms,
    };
    // What is saved has no flow rules: they have a file of their own.
    const plan = compileKernelPlan(config, options.now, options.memo, options.asksPrograms);
    const table = tableWithFlows(plan, source, options);
    const { pins } = plan;
    if (table?.programs) await bitByBit(this.#backend.loadPrograms({ family: 'inet', table: table.name }, table.programs, pins));
    const programs = this.#ebpf && (await bitByBit(this.#ebpf.plan(source, earlier)));
    // From here on nothing is awaited: members that come belong to the one configuration or to the other. Programs of rules share the lists of programs at hooks, where there are such.
    if (programs) this.#ebpf?.prepare(source, programs);
    this.#routes?.prepare(source.flowspec, source.flows);
    const found = this.#reconciler.configure(plan, awaitMembers, table);
    // The members of a set that is new to a running daemon come after this.
    const known: KnownMembers = (set, family) =>
      awaitMembers || (running && !before.has(set)) ? undefined : joinColumns(family, this.#reconciler.membersOf(set));
    const there = this.#ebpf?.configure(source, known, running, earlier) ?? [];
    this.#routes?.settle();
    this.#config = config;
    this.#earlier = earlier;
    this.#plan = { plan, options };
    this.#loop ??= this.#watch();
    return [...found, ...there];
  }

  /** Of what is in force only the part that flow rules are in is made anew. */
  async flows(delta: FlowDelta): Promise<void> {
    this.#flows.apply(delta);
    const config = this.#config;
    if (!config?.flowspec) return;
    const source = { ...config, flows: this.#flows.list };
    if (config.flowspec.at !== 'prerouting') {
      const programs = this.#ebpf && (await bitByBit(this.#ebpf.plan(source, this.#earlier)));
      if (programs) this.#ebpf?.prepare(source, programs);
      this.#routes?.prepare(source.flowspec, source.flows);
      this.#ebpf?.configure(source, (set, family) => joinColumns(family, this.#reconciler.membersOf(set)), false, this.#earlier);
    } else if (this.#plan) {
      const { plan, options } = this.#plan;
      const table = tableWithFlows(plan, source, options);
      if (table?.programs) await bitByBit(this.#backend.loadPrograms({ family: 'inet', table: table.name }, table.programs, plan.pins));
      this.#routes?.prepare(source.flowspec, source.flows);
      this.#reconciler.changeTable(table);
    }
    this.#routes?.settle();
  }

  async watch(hops: readonly FlowHop[]): Promise<void> {
    this.#routes?.watch(hops);
  }

  async apply(deltas: readonly MemberDelta[]): Promise<CommitReport> {
    this.#ebpf?.apply(deltas);
    return this.#reconciler.apply(deltas);
  }

  async status(): Promise<KernelStatus> {
    const status = this.#reconciler.status();
    const [ebpf, routes] = [this.#ebpf, this.#routes];
    const own = ebpf?.status();
    return {
      ...status,
      problems: [...status.problems, ...(ebpf?.problems ?? []), ...(routes?.problems ?? [])],
      repairs: status.repairs + (ebpf?.repairs ?? 0) + (routes?.repairs ?? 0),
      rules: [...status.rules, ...(ebpf?.rules() ?? [])],
      ...(own && { ebpf: own }),
    };
  }

  flush(lifelines: readonly Lifeline[]): Promise<FlushReport> {
    const reconciler = this.#reconciler;
    return flushStates({
      backend: this.#backend,
      hooks: this.#config ? judgement(this.#config, Date.now()) : [],
      lists: { has: (set, value) => isIp(value) && reconciler.has(set, value) },
      lifelines,
      now: () => performance.now(),
      pause: () => new Promise((resolve) => setImmediate(resolve)),
    });
  }

  /** What a set should have; undefined where nf_tables has no set of the family for it. */
  #membersOf(set: string, family: 4 | 6): PrefixColumns | undefined {
    const columns = this.#reconciler.membersOf(set).filter((one) => one.family === family);
    return columns.length === 0 ? undefined : joinColumns(family, columns);
  }

  async #watch(): Promise<void> {
    while (!this.#closing) {
      const due = [this.#reconciler.nextDue(), this.#ebpf?.nextDue(), this.#routes?.nextDue()].filter((ms) => ms !== undefined);
      await this.#wait(Math.min(IDLE_WAIT, ...due));
      if (this.#closing) return;
      try {
        this.#ebpf?.poll((set, family) => this.#membersOf(set, family));
        this.#reconciler.poll();
        this.#routes?.poll();
      } catch (error) {
        this.#emit({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
        // Whatever it was, the next round reads afresh; not at once, so that a lasting fault does not keep the thread busy.
        await new Promise((resolve) => setTimeout(resolve, IDLE_WAIT));
      }
    }
  }

  async close(options: { readonly clear: boolean }): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    try {
      this.#ebpf?.close(options);
    } finally {
      try {
        if (options.clear) this.#reconciler.clear();
        this.#reconciler.close();
      } finally {
        // Rules of programs that are taken off redirect nothing any more.
        const { ebpf, flowspec } = this.#config ?? {};
        this.#routes?.close({
          clear: options.clear || (ebpf !== undefined && flowspec !== undefined && detachedOnExit(ebpf).has(flowspec.at)),
        });
      }
    }
    await this.#loop;
  }
}

function isIp(value: Value): value is Ip {
  return typeof value === 'object' && 'w0' in value;
}
