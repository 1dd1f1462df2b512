import type { ActiveFlow, FlowDelta } from '../model/flow.ts';
import type { FlowState } from '../state/index.ts';

type Heard = Pick<FlowState, 'drain' | 'isDirty' | 'onDirty' | 'resync' | 'paths'>;

/** Flow rules of peers that are in force now, or not any more. */
export type HeardChange =
  | { readonly reset: true }
  | { readonly reset: false; readonly gone: readonly ActiveFlow[]; readonly put: readonly ActiveFlow[] };

/** All flow rules to be enforced: those of peers, and those of our own sets, which come first where both have one. */
export class FlowSources {
  readonly #heard: Heard;
  readonly #onHeard: (change: HeardChange) => void;
  readonly #ofPeers = new Map<string, ActiveFlow>();
  /** By rule and by who asks for it. */
  readonly #own = new Map<string, Map<number, ActiveFlow>>();
  readonly #pending = new Set<string>();
  readonly #listeners = new Set<() => void>();

  constructor(heard: Heard, onHeard: (change: HeardChange) => void) {
    this.#heard = heard;
    this.#onHeard = onHeard;
  }

  /** Of those that have been announced by peers: how packets get where they are redirected. */
  get paths(): Heard['paths'] {
    return this.#heard.paths;
  }

  /** The rules of peers, as they were last drained. */
  get ofPeers(): readonly ActiveFlow[] {
    return [...this.#ofPeers.values()];
  }

  /** The rules of sets. */
  get ofSets(): readonly ActiveFlow[] {
    return [...this.#own.values()].flatMap((asked) => [...asked.values()].slice(0, 1));
  }

  /** What one source of our own asks for with a rule, or (undefined) does not any more. */
  own(source: number, key: string, flow: ActiveFlow | undefined): void {
    const asked = this.#own.get(key) ?? new Map<number, ActiveFlow>();
    if (flow) asked.set(source, flow);
    else asked.delete(source);
    if (asked.size > 0) this.#own.set(key, asked);
    else this.#own.delete(key);
    this.#pending.add(key);
    for (const listener of this.#listeners) listener();
  }

  drain(): FlowDelta {
    const { reset, gone, put } = this.#heard.drain();
    const keys = new Set(this.#pending);
    this.#pending.clear();
    if (reset) this.#ofPeers.clear();
    const left = gone.flatMap((key) => this.#ofPeers.get(key) ?? []);
    for (const key of gone) {
      this.#ofPeers.delete(key);
      keys.add(key);
    }
    for (const flow of put) {
      this.#ofPeers.set(flow.rule.key, flow);
      keys.add(flow.rule.key);
    }
    if (reset) for (const key of this.#own.keys()) keys.add(key);
    this.#onHeard(reset ? { reset } : { reset, gone: left, put });
    const now = [...keys].map((key) => [key, this.#inForce(key)] as const);
    return {
      reset,
      gone: reset ? [] : now.flatMap(([key, flow]) => (flow ? [] : [key])),
      put: now.flatMap(([, flow]) => flow ?? []),
    };
  }

  resync(): void {
    this.#heard.resync();
  }

  get isDirty(): boolean {
    return this.#heard.isDirty || this.#pending.size > 0;
  }

  /** Calls back when there is something to drain. */
  onDirty(callback: () => void): () => void {
    const stop = this.#heard.onDirty(callback);
    this.#listeners.add(callback);
    return () => {
      stop();
      this.#listeners.delete(callback);
    };
  }

  #inForce(key: string): ActiveFlow | undefined {
    const [first] = this.#own.get(key)?.values() ?? [];
    return first ?? this.#ofPeers.get(key);
  }
}
