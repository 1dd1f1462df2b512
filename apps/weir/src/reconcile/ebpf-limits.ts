import { LIMIT_SHARED, limitKeys } from '../compile/ebpf/index.ts';
import type { EbpfEngine } from '../kernel/ebpf/index.ts';
import type { EbpfLimits } from '../model/kernel-port.ts';
import type { HookRules } from '../model/rule.ts';
import type { Told } from './ebpf-problems.ts';

/** Removes the buckets of rules that are gone. The programs that used them must have ended. */
export function clearLimits(engine: EbpfEngine, rules: HookRules): void {
  const map = engine.kept(LIMIT_SHARED, rules.hook);
  if (!map) return;
  const wanted = new Set(limitKeys(rules));
  const gone: Uint8Array[] = [];
  let key = map.nextKey();
  for (let steps = 0; key !== undefined && steps < map.maxEntries; steps++) {
    if (!wanted.has(new DataView(key.buffer).getBigUint64(0, true))) gone.push(key);
    key = map.nextKey(key);
  }
  for (const one of gone) map.delete(one);
}

/** Milliseconds between two looks at how full buckets are. */
const LOOK = 10_000;

/** Looks from time to time whether addresses find no room for a bucket of their own. The clock is the caller's, in milliseconds. */
export class LimitWatch {
  /** Packets that had been judged by a shared bucket, by hook, at the last look. */
  readonly #refused = new Map<string, number>();
  readonly #told = new Set<string>();
  #due: number | undefined;

  /** Whether there is anything to look at. */
  follow(limits: readonly EbpfLimits[], now: number): void {
    this.#due = limits.length === 0 ? undefined : (this.#due ?? now + LOOK);
    for (const { hook, refused } of limits) if (!this.#refused.has(hook)) this.#refused.set(hook, refused);
    const keys = new Set(limits.map(({ hook }) => keyOf(hook)));
    for (const key of this.#told) if (!keys.has(key)) this.#told.delete(key);
  }

  get due(): number | undefined {
    return this.#due;
  }

  /** Keys of problems that are told of. */
  get keys(): ReadonlySet<string> {
    return this.#told;
  }

  /** What is to be told, by key: undefined where it is over. */
  look(limits: readonly EbpfLimits[], now: number): ReadonlyMap<string, Told | undefined> {
    const out = new Map<string, Told | undefined>();
    for (const { hook, refused } of limits) {
      const key = keyOf(hook);
      const full = refused > (this.#refused.get(hook) ?? refused);
      this.#refused.set(hook, refused);
      if (full) {
        this.#told.add(key);
        out.set(key, {
          kind: 'limits-full',
          subject: hook,
          message:
            'more addresses come than there are buckets for: those without one share a bucket for each rule; `weir status` counts their packets',
          remedy: 'rate_limit_per with a prefix, such as source/24/48, takes fewer buckets',
        });
      } else if (this.#told.delete(key)) out.set(key, undefined);
    }
    this.follow(limits, now);
    if (this.#due !== undefined) this.#due = now + LOOK;
    return out;
  }
}

function keyOf(hook: string): string {
  return `limits ${hook}`;
}
