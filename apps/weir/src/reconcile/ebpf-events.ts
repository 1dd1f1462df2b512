import { join } from 'node:path';
import { ruleLabel } from '../compile/describe/index.ts';
import { EVENT_COUNT, EVENT_COUNTS, EVENTS, givesEvents } from '../compile/ebpf/index.ts';
import { type EbpfEngine, layoutDirectory, PIN, pinName } from '../kernel/ebpf/index.ts';
import type { EbpfEvents, KernelEvent } from '../model/kernel-port.ts';
import type { PlannedHook } from './ebpf-hooks.ts';

export type ProgramsEvent = Extract<KernelEvent, { kind: 'programs' }>;

/** The programs in force that give events, and where they write them. */
export function programsInForce(engine: EbpfEngine, planned: readonly PlannedHook[]): ProgramsEvent {
  const { rules: hooks, directory } = engine.status();
  const programs = hooks.flatMap(({ hook, generation, refs }): ProgramsEvent['programs'] => {
    const rules = planned.find((one) => one.rules.hook === hook)?.rules.rules ?? [];
    if (generation === undefined || !rules.some(givesEvents)) return [];
    const labels = new Map(rules.map((rule) => [rule.ref, ruleLabel(rule)]));
    return [{ hook, generation, rules: refs.map((ref) => ({ ref, label: labels.get(ref) ?? ref })) }];
  });
  const ring = engine.kept(EVENTS) && { directory: join(directory, layoutDirectory(), PIN.kept), name: pinName(EVENTS) };
  return { kind: 'programs', programs, ring };
}

/** What became of the events of all rules; undefined where no program gives any. */
export function eventSums(engine: EbpfEngine): EbpfEvents | undefined {
  const columns = engine.status().rules.flatMap(({ counts }) => counts(EVENT_COUNTS) ?? []);
  if (columns.length === 0) return undefined;
  const sum = (at: number): number =>
    columns.reduce((all, { words, counts }) => {
      for (let i = at / 8; i < counts.length; i += words) all += Number(counts[i] ?? 0n);
      return all;
    }, 0);
  return { seen: sum(EVENT_COUNT.seen), sampledOut: sum(EVENT_COUNT.sampledOut), lost: sum(EVENT_COUNT.lost) };
}
