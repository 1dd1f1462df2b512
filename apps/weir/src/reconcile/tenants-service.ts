import type { KernelBackend } from '../kernel/backend.ts';
import type { Config } from '../model/config.ts';
import type { FlowDelta, FlowHop } from '../model/flow.ts';
import type { FlushReport, Lifeline } from '../model/flush.ts';
import type { CommitReport, EarlierRules, KernelEvent, KernelPort, KernelStatus, TenantStatus } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import { hostConfig, qualifiedName, splitName, tenantConfig } from '../model/scopes.ts';
import type { EbpfService } from './ebpf-service.ts';
import { KernelService } from './kernel-service.ts';
import { namespaceIdentity } from './namespace-identity.ts';
import type { PolicyRoutes } from './policy-routes/index.ts';
import { copyTenantDirectory, findTenantDirectory, listTenantDirectories, removeTenantDirectory } from './tenant-directories.ts';
import { TenantService } from './tenant-service.ts';

/** How often it is looked whether namespaces come or go. */
const LOOK_MS = 1000;

export interface TenantsServiceOptions {
  /** Of the daemon's own rules and sets. */
  readonly backend: KernelBackend;
  readonly netns: string | undefined;
  readonly stateDirectory: string;
  readonly open: (netns: string) => KernelBackend;
  readonly emit: (event: KernelEvent) => void;
  /** The daemon's own eBPF side; its programs are attached in the daemon's namespace alone. */
  readonly ebpf?: EbpfService;
  /** How redirected packets are routed in the daemon's namespace. */
  readonly routes?: PolicyRoutes;
}

/**
 * The kernel port of a configuration with tenants: the daemon's own kernel side, and one for each tenant. A tenant's part of a call neither fails it nor is undone by what
 * fails elsewhere. Within a call they take turns.
 */
export class TenantsService implements KernelPort {
  readonly #options: TenantsServiceOptions;
  readonly #host: KernelService;
  readonly #tenants = new Map<string, TenantService>();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<unknown> = Promise.resolve();
  #late = false;
  /** The namespace that each tenant is to have. */
  #wanted: ReadonlyMap<string, string> = new Map();
  #closing = false;

  constructor(options: TenantsServiceOptions) {
    this.#options = options;
    const { backend, stateDirectory, emit, ebpf, routes } = options;
    this.#host = new KernelService({ backend, stateDirectory, emit, ...(ebpf && { ebpf }), ...(routes && { routes }) });
  }

  /** One call at a time: while one closes or opens a tenant, no other uses it. */
  #alone<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#running.then(action);
    this.#running = result.catch(() => undefined);
    return result;
  }

  configure(config: Config, earlier?: EarlierRules): Promise<readonly MemberColumns[]> {
    return this.#alone(async () => {
      const before = earlier && { ...earlier, config: hostConfig(earlier.config) };
      const found = [...(await this.#host.configure(hostConfig(config), before))];
      this.#wanted = new Map(config.tenants.map(({ name, netns }) => [name, netns]));
      const kept = new Set([...config.tenants, ...config.faultyTenants].map(({ name }) => name));
      for (const [name, service] of this.#tenants) if (!kept.has(name)) await this.#retire(name, service);
      if (!this.#late) await this.#retireOld(kept);
      for (const tenant of config.tenants) {
        const service = this.#tenants.get(tenant.name) ?? this.#make(tenant.name);
        const columns = await service.configure(tenantConfig(config, tenant), this.#late);
        found.push(...columns.map((one) => ({ ...one, set: qualifiedName(tenant.name, one.set) })));
      }
      this.#late = true;
      if (this.#tenants.size > 0) this.#timer ??= setInterval(() => void this.#look(), LOOK_MS).unref();
      return found;
    });
  }

  /** Flow rules are the daemon's own. */
  flows(delta: FlowDelta): Promise<void> {
    return this.#alone(() => this.#host.flows(delta));
  }

  watch(hops: readonly FlowHop[]): Promise<void> {
    return this.#alone(() => this.#host.watch(hops));
  }

  #make(name: string): TenantService {
    const { stateDirectory, open, emit } = this.#options;
    const service = new TenantService({
      name,
      stateDirectory,
      open,
      emit: (event) => emit(ofTenant(name, event)),
      owner: (identity) => this.#owner(identity, name),
      isWanted: (identity) => [...this.#wanted].some(([other, netns]) => other !== name && identityOf(netns) === identity),
    });
    this.#tenants.set(name, service);
    return service;
  }

  #owner(identity: string, asking: string): string | undefined {
    if (namespaceIdentity(this.#options.netns) === identity) return 'the daemon';
    const other = [...this.#tenants.values()].find((one) => one.name !== asking && one.identity === identity);
    return other && `the tenant ${other.name}`;
  }

  /** What cannot be taken out now is tried again at the next start. A tenant that is new in the namespace takes over what is there: its rules are never without. */
  async #retire(name: string, service: TenantService): Promise<void> {
    const { stateDirectory } = this.#options;
    const heir = this.#heirOf(name, service);
    const clean = await service.close({ clear: heir === undefined });
    this.#tenants.delete(name);
    if (heir !== undefined) copyTenantDirectory(stateDirectory, name, heir);
    if (clean || heir !== undefined) removeTenantDirectory(stateDirectory, name);
  }

  /** The tenant without state of its own that is to have the namespace of another one. */
  #heirOf(name: string, service: TenantService): string | undefined {
    const { stateDirectory } = this.#options;
    const left = findTenantDirectory(stateDirectory, name);
    const identity = left && identityOf(left.netns);
    if (identity === undefined || (service.identity ?? identity) !== identity) return undefined;
    const [heir] = [...this.#wanted].find(([other, netns]) => other !== name && identityOf(netns) === identity) ?? [];
    return heir === undefined || findTenantDirectory(stateDirectory, heir) ? undefined : heir;
  }

  /** Takes out of the kernel what was added for tenants that were taken out of the configuration while nothing ran. */
  async #retireOld(kept: ReadonlySet<string>): Promise<void> {
    for (const { name } of listTenantDirectories(this.#options.stateDirectory)) {
      if (!kept.has(name)) await this.#retire(name, this.#make(name));
    }
  }

  #look(): Promise<void> {
    return this.#alone(async () => {
      if (!this.#closing) for (const service of this.#tenants.values()) await service.look();
    });
  }

  /** Members of the daemon's own sets alone go before what else waits: a configuration that is being compiled is not begun. */
  apply(deltas: readonly MemberDelta[]): Promise<CommitReport> {
    const byTenant = new Map<string, MemberDelta[]>();
    const own: MemberDelta[] = [];
    for (const delta of deltas) {
      const { tenant, set } = splitName(delta.set);
      const list = tenant === undefined ? own : (byTenant.get(tenant) ?? []);
      list.push(tenant === undefined ? delta : { ...delta, set });
      if (tenant !== undefined) byTenant.set(tenant, list);
    }
    if (byTenant.size === 0 && this.#late && !this.#closing) return this.#host.apply(own);
    return this.#alone(async () => {
      let report: CommitReport = { added: 0, removed: 0, kernelMs: 0, latencyMs: undefined, ok: true };
      for (const [name, some] of byTenant) report = sum(report, await this.#tenants.get(name)?.apply(some));
      // Last, since it may fail: then everything is sent again.
      return own.length > 0 || byTenant.size === 0 ? sum(report, await this.#host.apply(own)) : report;
    });
  }

  status(): Promise<KernelStatus> {
    return this.#alone(async () => {
      let all = await this.#host.status();
      for (const service of this.#tenants.values()) {
        const { status, netns, problem } = await service.status();
        all = together(all, service.name, netns, status);
        if (problem) all = { ...all, problems: [...all.problems, { ...problem, tenant: service.name }] };
      }
      return all;
    });
  }

  /** It may take long, and other calls go on meanwhile. */
  async flush(lifelines: readonly Lifeline[]): Promise<FlushReport> {
    let all = await this.#host.flush(lifelines);
    for (const service of [...this.#tenants.values()]) {
      const one = await service.flush(lifelines);
      if (one) all = addReports(all, one, service.name);
    }
    return all;
  }

  close(options: { readonly clear: boolean }): Promise<void> {
    return this.#alone(async () => {
      if (this.#closing) return;
      this.#closing = true;
      clearInterval(this.#timer);
      for (const service of this.#tenants.values()) {
        const clean = await service.close(options);
        if (clean) removeTenantDirectory(this.#options.stateDirectory, service.name);
      }
      await this.#host.close(options);
    });
  }
}

/** Undefined also where it cannot be told: what is wrong with one tenant's namespace is not another's. */
function identityOf(netns: string): string | undefined {
  try {
    return namespaceIdentity(netns);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** An event of a tenant, as the others are told of it. */
function ofTenant(name: string, event: KernelEvent): KernelEvent {
  switch (event.kind) {
    case 'drift':
      return { ...event, set: qualifiedName(name, event.set) };
    case 'problem':
    case 'problem-over':
      return { ...event, problem: { ...event.problem, tenant: name } };
    case 'failed':
      return { ...event, message: `tenant ${name}: ${event.message}` };
    default:
      return event;
  }
}

function sum(a: CommitReport, b: CommitReport | undefined): CommitReport {
  if (!b) return a;
  return {
    added: a.added + b.added,
    removed: a.removed + b.removed,
    kernelMs: a.kernelMs + b.kernelMs,
    latencyMs: b.latencyMs === undefined ? a.latencyMs : Math.max(b.latencyMs, a.latencyMs ?? 0),
    ok: a.ok && b.ok,
  };
}

function together(all: KernelStatus, tenant: string, netns: string, status: KernelStatus | undefined): KernelStatus {
  const { commits = 0, failedCommits = 0, ownedTable } = status ?? {};
  const row: TenantStatus = { name: tenant, netns, open: status !== undefined, commits, failedCommits, ownedTable };
  const tenants = [...all.tenants, row];
  if (!status) return { ...all, tenants };
  return {
    ...all,
    sets: [...all.sets, ...status.sets.map((one) => ({ ...one, set: qualifiedName(tenant, one.set) }))],
    problems: [...all.problems, ...status.problems.map((one) => ({ ...one, tenant }))],
    commits: all.commits + commits,
    failedCommits: all.failedCommits + failedCommits,
    repairs: all.repairs + status.repairs,
    elementsSent: all.elementsSent + status.elementsSent,
    rules: [...all.rules, ...status.rules.map((one) => ({ ...one, tenant }))],
    foreignChains: [...all.foreignChains, ...status.foreignChains.map((one) => ({ ...one, tenant }))],
    tenants,
  };
}

const MAX_EXAMPLES = 10;

function addReports(all: FlushReport, one: FlushReport, tenant: string): FlushReport {
  return {
    tracked: all.tracked + one.tracked,
    cut: all.cut + one.cut,
    allowed: all.allowed + one.allowed,
    doubtful: all.doubtful + one.doubtful,
    protected: all.protected + one.protected,
    left: all.left + one.left,
    examples: [...all.examples, ...one.examples.map((text) => `${tenant}: ${text}`)].slice(0, MAX_EXAMPLES),
  };
}
