import { Worker } from 'node:worker_threads';
import type { Config } from '../model/config.ts';
import type { FlowDelta, FlowHop } from '../model/flow.ts';
import type { FlushReport, Lifeline } from '../model/flush.ts';
import type { CommitReport, EarlierRules, KernelEvent, KernelPort, KernelStatus } from '../model/kernel-port.ts';
import type { MemberColumns, MemberDelta } from '../model/member-delta.ts';
import type { Policy } from '../model/policy.ts';
import { LEAST_SENT_APART, PolicySender } from './policy-transfer.ts';
import { type Answer, type Call, type Results, revivedError, type WorkerData, withoutSecrets } from './worker-protocol.ts';

export interface KernelPortOptions extends WorkerData {
  readonly events: (event: KernelEvent) => void;
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never;
type ConfigureCall = WithoutId<Extract<Call, { kind: 'configure' }>>;

/** Starts the kernel worker. Rejects with what it could not open: SystemError or KernelError fields (`code`, `errno`) are on the error. */
export async function openKernelPort(options: KernelPortOptions): Promise<KernelPort> {
  const port = new WorkerPort(options);
  await port.ready;
  return port;
}

/** From source the worker needs the loader that this thread runs with; the bundle stands beside this module's. */
function startWorker(data: WorkerData): Worker {
  const fromSource = import.meta.url.endsWith('.ts');
  const bundled = import.meta.url.includes('/chunks/') ? '../kernel-worker.mjs' : './kernel-worker.mjs';
  if (!fromSource) return new Worker(new URL(bundled, import.meta.url), { workerData: data });
  return new Worker(new URL('./worker-source.mjs', import.meta.url), {
    workerData: data,
    execArgv: ['--conditions=source'],
  });
}

class WorkerPort implements KernelPort {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { readonly resolve: (value: never) => void; readonly reject: (error: Error) => void }>();
  readonly ready: Promise<void>;
  readonly #policies = new PolicySender();
  /** The configuration that is being taken. */
  #sending: Promise<void> | undefined;
  #next = 1;
  #ended: Error | undefined;
  #closing: Promise<void> | undefined;

  constructor({ events, ...data }: KernelPortOptions) {
    this.#worker = startWorker(data);
    let started: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
    this.ready = new Promise((resolve, reject) => {
      started = { resolve, reject };
    });
    const end = (error: Error): void => {
      this.#ended ??= error;
      started?.reject(error);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
    this.#worker.on('message', (answer: Answer) => {
      if (answer.kind === 'event') events(answer.event);
      else if (answer.kind === 'ready') started?.resolve();
      else if (answer.kind === 'error' && answer.id === undefined) end(revivedError(answer.error));
      else this.#settle(answer);
    });
    this.#worker.on('error', (error) => {
      const failure = error instanceof Error ? error : new Error(String(error));
      events({ kind: 'failed', message: failure.message });
      end(failure);
    });
    this.#worker.on('exit', () => end(new Error('the kernel worker has ended')));
  }

  #settle(answer: Exclude<Answer, { kind: 'event' | 'ready' }>): void {
    const waiting = answer.id === undefined ? undefined : this.#waiting.get(answer.id);
    if (!waiting || answer.id === undefined) return;
    this.#waiting.delete(answer.id);
    if (answer.kind === 'result') waiting.resolve(answer.value as never);
    else waiting.reject(revivedError(answer.error));
  }

  #call<K extends keyof Results>(call: WithoutId<Extract<Call, { kind: K }>>, transfer: readonly ArrayBuffer[] = []): Promise<Results[K]> {
    if (this.#ended) return Promise.reject(this.#ended);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ ...call, id }, [...transfer]);
    });
  }

  configure(config: Config, earlier?: EarlierRules): Promise<readonly MemberColumns[]> {
    const before = earlier && { ...earlier, config: withoutSecrets(earlier.config) };
    const { policy } = config;
    const call = { kind: 'configure', config: withoutSecrets(config), earlier: before } as const;
    const long = policy !== undefined && policy.rules.length >= LEAST_SENT_APART;
    // One after the other: a policy's rules are sent bit by bit.
    const done = this.#sending
      ? this.#sending.then(() => (long ? this.#sendPolicy(policy, call) : this.#call<'configure'>({ ...call, policy: undefined })))
      : long
        ? this.#sendPolicy(policy, call)
        : this.#call<'configure'>({ ...call, policy: undefined });
    const sending = done.then(
      () => undefined,
      () => undefined,
    );
    this.#sending = sending;
    void sending.then(() => {
      if (this.#sending === sending) this.#sending = undefined;
    });
    return done;
  }

  async #sendPolicy(policy: Policy, call: Omit<ConfigureCall, 'policy'>): Promise<readonly MemberColumns[]> {
    const sent = await this.#policies.send(policy, (piece) => this.#call<'rules'>({ kind: 'rules', piece }));
    const config = { ...call.config, policy: { ...policy, rules: [] } };
    return this.#call<'configure'>({ ...call, config, policy: sent });
  }

  flows(delta: FlowDelta): Promise<void> {
    return this.#call<'flows'>({ kind: 'flows', delta });
  }

  watch(hops: readonly FlowHop[]): Promise<void> {
    return this.#call<'watch'>({ kind: 'watch', hops });
  }

  apply(deltas: readonly MemberDelta[]): Promise<CommitReport> {
    const buffers = new Set<ArrayBuffer>();
    for (const { words, lengths, wanted } of deltas)
      for (const { buffer } of [words, lengths, wanted]) if (buffer instanceof ArrayBuffer) buffers.add(buffer);
    return this.#call<'apply'>({ kind: 'apply', deltas }, [...buffers]);
  }

  status(): Promise<KernelStatus> {
    return this.#call<'status'>({ kind: 'status' });
  }

  flush(lifelines: readonly Lifeline[]): Promise<FlushReport> {
    return this.#call<'flush'>({ kind: 'flush', lifelines });
  }

  close(options: { readonly clear: boolean }): Promise<void> {
    this.#closing ??= this.#close(options.clear);
    return this.#closing;
  }

  async #close(clear: boolean): Promise<void> {
    const exited = new Promise((resolve) => this.#worker.once('exit', resolve));
    await this.#call<'close'>({ kind: 'close', clear });
    await exited;
  }
}
