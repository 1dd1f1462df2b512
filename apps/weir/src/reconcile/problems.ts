import type { KernelEvent, KernelProblem } from '../model/kernel-port.ts';

/** What stands between Weir and the kernel now: each is told once when it begins and once when it is over. */
export class Problems {
  readonly #open = new Map<string, KernelProblem>();
  readonly #emit: (event: KernelEvent) => void;

  constructor(emit: (event: KernelEvent) => void) {
    this.#emit = emit;
  }

  list(): readonly KernelProblem[] {
    return [...this.#open.values()];
  }

  /** `key` names what it is about; another problem under the same key takes its place. */
  raise(key: string, problem: Omit<KernelProblem, 'since'>): void {
    const was = this.#open.get(key);
    if (was && was.kind === problem.kind && was.message === problem.message) return;
    if (was) this.#emit({ kind: 'problem-over', problem: was });
    const now = { ...problem, since: Date.now() };
    this.#open.set(key, now);
    this.#emit({ kind: 'problem', problem: now });
  }

  over(key: string): void {
    const was = this.#open.get(key);
    if (!was) return;
    this.#open.delete(key);
    this.#emit({ kind: 'problem-over', problem: was });
  }

  keep(keys: ReadonlySet<string>): void {
    this.keepOf('', keys);
  }

  /** Of those whose keys begin so. */
  keepOf(start: string, keys: ReadonlySet<string>): void {
    for (const key of [...this.#open.keys()]) if (key.startsWith(start) && !keys.has(key)) this.over(key);
  }
}
