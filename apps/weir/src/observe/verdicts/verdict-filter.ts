import type { Prefix } from '@weir/wire/inet';
import { EVENT_HOOKS, EVENT_VERDICTS, type EventVerdict, type VerdictEvent } from '../../model/verdict-event.ts';
import { EVENT_AT as AT, EVENT_HAS as HAS } from '../../model/verdict-event-layout.ts';
import type { RuleNames } from './rule-names.ts';

/** Which events are wanted: those that meet all that is said. */
export interface VerdictFilter {
  readonly verdicts?: readonly EventVerdict[] | undefined;
  readonly hook?: VerdictEvent['hook'] | undefined;
  readonly protocol?: number | undefined;
  /** Of either side. */
  readonly port?: number | undefined;
  /** Either address is in it. */
  readonly prefix?: Prefix | undefined;
  /** The `ref` of the rule. */
  readonly rule?: string | undefined;
  readonly tenant?: string | undefined;
}

/** Whether the record at an offset is wanted: asked of every record, so it looks at the bytes. */
export type RecordTest = (view: DataView, at: number) => boolean;

export function recordTest(filter: VerdictFilter, names: RuleNames): RecordTest {
  const tests: RecordTest[] = [];
  const { verdicts, hook, protocol, port, prefix, rule, tenant } = filter;
  if (verdicts) {
    const wanted = new Set(verdicts.map((verdict) => EVENT_VERDICTS.indexOf(verdict) + 1));
    tests.push((view, at) => wanted.has(view.getUint8(at + AT.verdict)));
  }
  if (hook !== undefined) {
    const wanted = EVENT_HOOKS.indexOf(hook) + 1;
    tests.push((view, at) => view.getUint8(at + AT.hook) === wanted);
  }
  if (protocol !== undefined)
    tests.push((view, at) => (view.getUint8(at + AT.has) & HAS.protocol) !== 0 && view.getUint8(at + AT.protocol) === protocol);
  if (port !== undefined)
    tests.push(
      (view, at) =>
        (view.getUint8(at + AT.has) & HAS.ports) !== 0 &&
        (view.getUint16(at + AT.sourcePort) === port || view.getUint16(at + AT.destinationPort) === port),
    );
  if (prefix) tests.push((view, at) => isIn(prefix, view, at, AT.source) || isIn(prefix, view, at, AT.destination));
  if (rule !== undefined) tests.push((view, at) => nameOf(view, at, names)?.ref === rule);
  if (tenant !== undefined) tests.push((view, at) => names.tenantOf(view.getUint16(at + AT.scope, true)) === tenant);
  return (view, at) => tests.every((test) => test(view, at));
}

function nameOf(view: DataView, at: number, names: RuleNames): ReturnType<RuleNames['of']> {
  return names.of({
    from: (view.getUint8(at + AT.has) & HAS.nflog) === 0 ? 'ebpf' : 'nflog',
    rule: view.getUint32(at + AT.rule, true),
    generation: view.getUint32(at + AT.generation, true),
    scope: view.getUint16(at + AT.scope, true),
  });
}

function isIn(prefix: Prefix, view: DataView, at: number, field: number): boolean {
  if (view.getUint8(at + AT.family) !== prefix.family) return false;
  const word = (index: number): number => view.getUint32(at + field + 4 * index);
  for (let index = 0, left = prefix.length; left > 0; index++, left -= 32) {
    const wanted = [prefix.w0, prefix.w1, prefix.w2, prefix.w3][index] ?? 0;
    const shift = left >= 32 ? 0 : 32 - left;
    if (word(index) >>> shift !== wanted >>> shift) return false;
  }
  return true;
}
