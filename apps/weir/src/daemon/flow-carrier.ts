import type { ActiveFlow } from '../model/flow.ts';
import type { KernelPort } from '../model/kernel-port.ts';
import type { FlowSources } from './flow-sources.ts';
import { writeKeptFlows } from './kept-flows.ts';

/** How long changes gather until they are written down, at least, and so many times what writing took last. */
const WRITE_MS = 1000;
const WRITE_SHARE = 20;
/** After a failure. */
const RETRY_MS = 1000;

export interface FlowCarrierOptions {
  readonly flows: Pick<FlowSources, 'drain' | 'isDirty' | 'onDirty' | 'resync' | 'paths'>;
  readonly kernel: Pick<KernelPort, 'flows' | 'watch'>;
  readonly stateDirectory: string;
  readonly onError: (error: Error) => void;
}

/** Carries changes of the flow rules to the kernel, one at a time: what comes while one is on its way gathers. Writes down what is in force, for the next start. */
export class FlowCarrier {
  readonly #options: FlowCarrierOptions;
  readonly #inForce = new Map<string, ActiveFlow>();
  readonly #stop: () => void;
  #flight: Promise<void> | undefined;
  #writing: NodeJS.Timeout | undefined;
  /** Milliseconds of the last writing. */
  #took = 0;
  #asking = false;
  #closed = false;

  /** `before`: what the kernel was told before this began. */
  constructor(options: FlowCarrierOptions, before: readonly ActiveFlow[]) {
    this.#options = options;
    for (const flow of before) this.#inForce.set(flow.rule.key, flow);
    this.#stop = options.flows.onDirty(() => this.#start());
    if (options.flows.isDirty) this.#start();
    options.flows.paths.onHops(() => this.#watch());
  }

  /** Resolves when nothing waits and nothing is on its way. */
  async idle(): Promise<void> {
    while (this.#flight) await this.#flight;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#stop();
    await this.#flight;
    if (this.#writing) this.#write();
  }

  #start(): void {
    if (this.#closed) return;
    this.#flight ??= this.#run().finally(() => {
      this.#flight = undefined;
      if (this.#options.flows.isDirty) this.#start();
    });
  }

  async #run(): Promise<void> {
    // The changes of one message go together.
    await Promise.resolve();
    const { flows, kernel, onError } = this.#options;
    const delta = flows.drain();
    if (!delta.reset && delta.gone.length === 0 && delta.put.length === 0) return;
    if (delta.reset) this.#inForce.clear();
    for (const key of delta.gone) this.#inForce.delete(key);
    for (const flow of delta.put) this.#inForce.set(flow.rule.key, flow);
    this.#writing ??= setTimeout(() => this.#write(), Math.max(WRITE_MS, WRITE_SHARE * this.#took));
    this.#writing.unref();
    try {
      await kernel.flows(delta);
      flows.paths.carried();
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
      if (this.#closed) return;
      // What the kernel has is not known: everything is said again.
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      flows.resync();
    }
  }

  /** Changes of one message go together. */
  #watch(): void {
    if (this.#asking) return;
    this.#asking = true;
    Promise.resolve()
      .then(() => {
        this.#asking = false;
        return this.#closed ? undefined : this.#options.kernel.watch(this.#options.flows.paths.hops());
      })
      .catch((error: unknown) => {
        if (!this.#closed) this.#options.onError(error instanceof Error ? error : new Error(String(error)));
      });
  }

  #write(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    const start = performance.now();
    try {
      writeKeptFlows(this.#options.stateDirectory, this.#inForce.values());
    } catch (error) {
      this.#options.onError(error instanceof Error ? error : new Error(String(error)));
    }
    this.#took = performance.now() - start;
  }
}
