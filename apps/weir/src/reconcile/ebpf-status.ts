import { COUNTERS, LIMIT_ROOM, readPressure } from '../compile/ebpf/index.ts';
import { describePlace, type EbpfEngine } from '../kernel/ebpf/index.ts';
import type { EbpfLimits, EbpfStatus, RuleCount } from '../model/kernel-port.ts';
import { eventSums } from './ebpf-events.ts';
import type { PlannedHook } from './ebpf-hooks.ts';

export function ebpfStatus(engine: EbpfEngine, planned: readonly PlannedHook[]): Omit<EbpfStatus, 'waits'> {
  const { directory, places, lists } = engine.status();
  const events = eventSums(engine);
  return {
    directory,
    places: places.map(({ hook, place, way, why, generation }) => ({ hook, place: describePlace(place), way, why, generation })),
    lists,
    limits: ebpfLimits(engine, planned),
    lacking: planned.flatMap(({ rules: { hook } }) => (lacks(engine, hook) ? [hook] : [])),
    ...(events && { events }),
  };
}

function lacks(engine: EbpfEngine, hook: string): boolean {
  const now = engine.inForce(hook);
  return now?.kind === 'nothing' || (now?.kind === 'stand-in' && now.lacks);
}

/** How full the buckets of hooks are that have some. */
export function ebpfLimits(engine: EbpfEngine, planned: readonly PlannedHook[]): readonly EbpfLimits[] {
  return planned.flatMap(({ rules: { hook } }) => limitsOf(engine, hook));
}

function limitsOf(engine: EbpfEngine, hook: string): readonly EbpfLimits[] {
  const room = engine.kept(LIMIT_ROOM, hook)?.lookup(new Uint8Array(4));
  if (!room) return [];
  const { admitted, refused } = readPressure(room);
  return [{ hook, admitted: Number(admitted), refused: Number(refused) }];
}

/** What the rules of eBPF hooks have counted, by their names as nf_tables tells them; one that is in force and no longer planned by its ref. */
export function ebpfRules(engine: EbpfEngine, planned: readonly PlannedHook[] = []): readonly RuleCount[] {
  return engine.status().rules.flatMap(({ hook, refs, counts }) => {
    const columns = counts(COUNTERS);
    const rules = planned.find((one) => one.rules.hook === hook)?.rules.rules ?? [];
    const names = new Map(rules.map(({ ref, name }) => [ref, name]));
    return refs.map(
      (ref, i): RuleCount => ({
        chain: hook,
        rule: names.get(ref) ?? ref,
        packets: Number(columns?.counts[2 * i] ?? 0n),
        bytes: Number(columns?.counts[2 * i + 1] ?? 0n),
      }),
    );
  });
}
