import type { KernelBackend } from '../kernel/backend.ts';
import type { Config } from '../model/config.ts';
import type { FlushReport, Lifeline } from '../model/flush.ts';
import type { CommitReport, KernelEvent, KernelProblem, KernelStatus } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import { isDue, nextRetry } from './backoff.ts';
import { KernelService } from './kernel-service.ts';
import { namespaceIdentity } from './namespace-identity.ts';
import { clearFrom, restoreInto } from './restore-tenants.ts';
import type { Retry } from './slot.ts';
import { findTenantDirectory, makeTenantDirectory } from './tenant-directories.ts';

export interface TenantServiceOptions {
  readonly name: string;
  /** Of the daemon. */
  readonly stateDirectory: string;
  readonly open: (netns: string) => KernelBackend;
  readonly emit: (event: KernelEvent) => void;
  /** Whose a namespace is already; undefined when nobody's. */
  readonly owner: (identity: string) => string | undefined;
  /** Whether another tenant is to have a namespace: what is in it is left to that one. */
  readonly isWanted: (identity: string) => boolean;
}

type Problem = Pick<KernelProblem, 'kind' | 'message'>;

/**
 * The kernel side of one tenant, in the thread that owns the descriptors. Nothing that goes wrong with it is thrown: it is a problem, and tried again. Sets have the names that
 * they have in the tenant.
 */
export class TenantService {
  readonly name: string;
  readonly #options: TenantServiceOptions;
  #config: Config | undefined;
  #service: KernelService | undefined;
  /** Of the namespace that is open. */
  #identity: string | undefined;
  #opened = false;
  #retry: Retry | undefined;
  #problem: KernelProblem | undefined;
  #wake: () => void = () => undefined;

  constructor(options: TenantServiceOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get identity(): string | undefined {
    return this.#identity;
  }

  /** Opens the namespace if it is not open. `late`: not with the daemon's start, so every member is sent after it. */
  async configure(config: Config, late: boolean): Promise<readonly MemberColumns[]> {
    if (this.#service && this.#config?.netns !== config.netns) await this.close({ clear: true });
    this.#config = config;
    try {
      if (!this.#service) this.#clearLeft(config.netns);
      const fresh = this.#service === undefined;
      const service = this.#service ?? this.#open(config, late);
      if (!service) return [];
      const found = await service.configure(config, undefined, fresh && late);
      if (fresh) this.#options.emit({ kind: 'tenant', tenant: this.name, state: 'opened' });
      this.#retry = undefined;
      this.#over();
      return found;
    } catch (error) {
      await this.#fail(error);
      return [];
    }
  }

  #open({ netns = '' }: Config, late: boolean): KernelService | undefined {
    const { name, stateDirectory, open, owner, emit } = this.#options;
    const identity = namespaceIdentity(netns);
    if (identity === undefined) return this.#refuse('namespace-missing', `there is no network namespace ${netns}`);
    const other = owner(identity);
    if (other !== undefined) return this.#refuse('namespace-shared', `the network namespace ${netns} is that of ${other}`);
    const directory = makeTenantDirectory(stateDirectory, name, netns);
    // A namespace that comes after the daemon has missed what a boot restores.
    if (late && !this.#opened) restoreInto(open(netns), directory);
    const backend = open(netns);
    // What was opened is what was asked about, if it is there still.
    if (namespaceIdentity(netns) !== identity) {
      backend.close();
      return this.#refuse('namespace-missing', `the network namespace ${netns} has been replaced`);
    }
    this.#opened = true;
    this.#identity = identity;
    // Of many tenants each would take a thread of the pool for its waiting.
    this.#service = new KernelService({ backend, stateDirectory: directory, emit, wait: (ms) => this.#sleep(ms) });
    return this.#service;
  }

  /** Takes out of the namespace that its state is about what was added there, unless that is the one to `keep`. */
  #clearLeft(keep: string | undefined): void {
    const { name, stateDirectory, open, owner, isWanted } = this.#options;
    const left = findTenantDirectory(stateDirectory, name);
    const identity = left && left.netns !== keep ? namespaceIdentity(left.netns) : undefined;
    if (!left || identity === undefined || (keep !== undefined && identity === namespaceIdentity(keep))) return;
    if (owner(identity) === undefined && !isWanted(identity)) clearFrom(open(left.netns), left.path);
  }

  #refuse(kind: KernelProblem['kind'], message: string): undefined {
    this.#retry = nextRetry(this.#retry, performance.now());
    this.#raise({ kind, message });
  }

  async #fail(error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const kind = code === 'EPERM' || code === 'EACCES' ? 'not-permitted' : 'tenant-failed';
    this.#retry = nextRetry(this.#retry, performance.now());
    this.#raise({ kind, message });
    await this.#drop();
  }

  #raise({ kind, message }: Problem): void {
    if (this.#problem?.kind === kind && this.#problem.message === message) return;
    this.#over();
    this.#problem = { kind, message, subject: this.name, remedy: undefined, since: Date.now() };
    this.#options.emit({ kind: 'problem', problem: this.#problem });
  }

  #over(): void {
    if (this.#problem) this.#options.emit({ kind: 'problem-over', problem: this.#problem });
    this.#problem = undefined;
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Closes the descriptors; the kernel stays as it is. */
  async #drop(): Promise<void> {
    const service = this.#service;
    this.#service = undefined;
    this.#identity = undefined;
    try {
      const closed = service?.close({ clear: false });
      this.#wake();
      await closed;
    } catch (error) {
      this.#options.emit({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Looks whether the namespace is still the one that is open; or whether one that is not open can be opened now. */
  async look(): Promise<void> {
    const netns = this.#config?.netns;
    if (netns === undefined) return;
    let identity: string | undefined;
    try {
      identity = namespaceIdentity(netns);
    } catch (error) {
      await this.#fail(error);
      return;
    }
    if (this.#service && identity !== this.#identity) {
      this.#raise({
        kind: 'namespace-missing',
        message: `the network namespace ${netns} ${identity === undefined ? 'is gone' : 'was made anew'}`,
      });
      this.#options.emit({ kind: 'tenant', tenant: this.name, state: 'gone' });
      this.#retry = undefined;
      await this.#drop();
    }
    if (this.#service || identity === undefined || !isDue(this.#retry, performance.now())) return;
    this.#retry = nextRetry(this.#retry, performance.now());
    this.#options.emit({ kind: 'tenant', tenant: this.name, state: 'appeared' });
  }

  /** Undefined when the namespace is not open: every member is sent when it is. */
  async apply(deltas: readonly MemberDelta[]): Promise<CommitReport | undefined> {
    try {
      return await this.#service?.apply(deltas);
    } catch (error) {
      await this.#fail(error);
      return undefined;
    }
  }

  async status(): Promise<{
    readonly status: KernelStatus | undefined;
    readonly netns: string;
    readonly problem: KernelProblem | undefined;
  }> {
    let status: KernelStatus | undefined;
    try {
      status = await this.#service?.status();
    } catch (error) {
      await this.#fail(error);
    }
    return { status, netns: this.#config?.netns ?? '', problem: this.#problem };
  }

  /** Undefined when the namespace is not open, or goes meanwhile. */
  async flush(lifelines: readonly Lifeline[]): Promise<FlushReport | undefined> {
    try {
      return await this.#service?.flush(lifelines);
    } catch (error) {
      this.#options.emit({ kind: 'failed', message: `connections: ${error instanceof Error ? error.message : String(error)}` });
      return undefined;
    }
  }

  /** Calling it again does nothing. A failure to clear is an event; whether nothing of it is left otherwise. */
  async close(options: { readonly clear: boolean }): Promise<boolean> {
    const service = this.#service;
    this.#over();
    if (!options.clear) {
      await this.#drop();
      return false;
    }
    this.#service = undefined;
    this.#identity = undefined;
    try {
      const closed = service?.close(options);
      this.#wake();
      await closed;
      if (!service) this.#clearLeft(undefined);
      return true;
    } catch (error) {
      this.#options.emit({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
      return false;
    }
  }
}
