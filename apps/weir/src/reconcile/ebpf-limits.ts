import { LIMIT_SHARED, limitKeys } from '../compile/ebpf/index.ts';
import type { EbpfEngine } from '../kernel/ebpf/index.ts';
import type { HookRules } from '../model/rule.ts';

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
