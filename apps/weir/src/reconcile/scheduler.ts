import type { CommitReport, KernelPort } from '../model/kernel-port.ts';
import type { MemberDelta } from '../model/member-delta.ts';

/** Where changes come from: RouteState is one. */
export interface DeltaSource {
  /** Net changes since the last call. */
  drain(): readonly MemberDelta[];
  /** Calls back when there is something to drain; returns a function that ends it. */
  onDirty(callback: () => void): () => void;
}

export interface SchedulerOptions {
  readonly source: DeltaSource;
  readonly kernel: Pick<KernelPort, 'apply'>;
  /** Everything that is wanted, for the first commit and after one whose fate is not known. */
  readonly complete: () => readonly MemberDelta[];
  /** Told when a commit takes longer than LAG, and when it is over: peers may be made to wait. */
  readonly setLagging: (lagging: boolean) => void;
  readonly onError: (error: Error) => void;
}

/** A commit longer than this (ms) is followed by a pause as long as itself: commits take at most half of the time. */
const LONG = 20;
const LONGEST_PAUSE = 2000;
/** A commit in flight for longer than this (ms) makes peers wait. */
const LAG = 500;
const RETRY = 1000;

/**
 * Carries changes to the kernel, one commit at a time: the first change of an idle daemon goes at once; what comes while a commit is in flight gathers and goes as
 * the next one.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #stop: () => void;
  #flight: Promise<void> | undefined;
  #dirty = false;
  #whole = true;
  #closed = false;
  #queued = false;
  #wake: (() => void) | undefined;

  constructor(options: SchedulerOptions) {
    this.#options = options;
    this.#stop = options.source.onDirty(() => {
      this.#dirty = true;
      this.#start();
    });
    this.#dirty = true;
    this.#start();
  }

  /** The commit is made when the turn of the thread is over, so that one message's changes go together. */
  #start(): void {
    if (this.#flight || this.#queued || this.#closed) return;
    this.#queued = true;
    queueMicrotask(() => {
      this.#queued = false;
      if (!this.#flight && !this.#closed && this.#dirty) this.#flight = this.#run();
    });
  }

  async #run(): Promise<void> {
    while (this.#dirty && !this.#closed) {
      this.#dirty = false;
      const pause = await this.#one();
      if (pause > 0 && !this.#closed) await this.#sleep(pause);
    }
    this.#flight = undefined;
  }

  /** Makes one commit; returns how long to wait before the next. */
  async #one(): Promise<number> {
    const { source, kernel, complete, setLagging, onError } = this.#options;
    const whole = this.#whole;
    const changes = source.drain();
    const deltas = whole ? complete() : changes;
    if (deltas.length === 0) return 0;
    this.#whole = false;
    const start = performance.now();
    let lagging = false;
    const lag = setTimeout(() => {
      lagging = true;
      setLagging(true);
    }, LAG);
    try {
      const report: CommitReport = await kernel.apply(deltas);
      const took = performance.now() - start;
      return report.ok && took > LONG ? Math.min(took, LONGEST_PAUSE) : 0;
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)));
      this.#whole = true;
      this.#dirty = true;
      return RETRY;
    } finally {
      clearTimeout(lag);
      if (lagging) setLagging(false);
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      const wake = this;
      function done(): void {
        clearTimeout(timer);
        wake.#wake = undefined;
        resolve();
      }
      this.#wake = done;
    });
  }

  /** Sends everything that is wanted again, for sets whose kernel side was made anew. */
  resync(): void {
    this.#whole = true;
    this.#dirty = true;
    this.#start();
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async idle(): Promise<void> {
    while (this.#queued || this.#flight || (this.#dirty && !this.#closed)) {
      if (this.#flight) await this.#flight;
      else await Promise.resolve();
    }
  }

  /** Lets the commit in flight end and starts no other. Calling it again does nothing. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stop();
    this.#wake?.();
    await this.#flight;
  }
}
