import type { Label } from '@weir/ebpf/asm';
import type { HookRules } from '../../../model/rule.ts';
import { skipTarget } from '../judge-in-order.ts';
import type { RuleAssembler } from '../layout.ts';
import type { Classifier } from './build.ts';
import { ruleKinds } from './rule-kinds.ts';

/** An entry, as offsets; integers in host order. */
export const RECORD = {
  /** u32: the number of the rule, from 1. */
  rule: 0,
  /** u16: the code that is asked first, from 1; 0 is none. */
  residual: 4,
  /** u8: KIND. */
  kind: 6,
  /** u8: not 0 where the rule, of any kind, skips others. */
  skips: 7,
  octets: 8,
} as const;

/** By (b * DE_BRUIJN) >> 58, for a word b with one bit set: which one. The numbers of a de Bruijn sequence of order 6 are all different. */
export const DE_BRUIJN = 0x03f7_9d71_b4cb_0a89n;
const BITS = 64;

/** The parts of the table, as offsets: where bits are by their number, records by position, and by position a u32, where it goes on after the rule. */
export function entryTableLayout(positions: number): { readonly records: number; readonly next: number; readonly octets: number } {
  const next = BITS + positions * RECORD.octets;
  return { records: BITS, next, octets: next + positions * 4 };
}

/** What each position of a classifier is for. Positions without an entry are never found. */
export function entryTable(hook: HookRules, { plan, positions, capacity }: Classifier): Uint8Array<ArrayBuffer> {
  const layout = entryTableLayout(capacity);
  const out = new Uint8Array(layout.octets);
  const records = new Uint32Array(out.buffer, layout.records, (capacity * RECORD.octets) / 4);
  const next = new Uint32Array(out.buffer, layout.next, capacity);
  for (let bit = 0; bit < BITS; bit++) out[Number(BigInt.asUintN(64, DE_BRUIJN << BigInt(bit)) >> 58n)] = bit;
  const { codes, skipping } = ruleKinds(hook.rules);
  const { entries, starts } = plan;
  const skips = new Uint8Array(codes.length);
  /** By rule, the one that it goes on at. */
  const targets = new Int32Array(codes.length);
  for (let rule = 0; rule < targets.length; rule++) targets[rule] = rule + 1;
  const target = targetsOf(hook);
  for (const rule of skipping) {
    skips[rule] = 1;
    targets[rule] = target(rule);
  }
  for (let index = 0; index < entries.length; index++) {
    const { rule, residual } = entries[index] as (typeof entries)[number];
    const at = positions[index] as number;
    records[at * 2] = rule + 1;
    records[at * 2 + 1] = (residual + 1) | ((codes[rule] as number) << 16) | ((skips[rule] as number) << 24);
    const after = starts[targets[rule] as number] ?? entries.length;
    // Behind all positions when there are no more.
    next[at] = positions[after] ?? capacity;
  }
  return out;
}

/** Where rules that skip others go on: behind all where there is nothing. */
function targetsOf(hook: HookRules): (rule: number) => number {
  const known = new Map<string | undefined, number>();
  return (rule) => {
    const action = hook.rules[rule]?.action;
    const to = action?.kind === 'skip' ? action.to : undefined;
    let target = known.get(to);
    if (target === undefined) {
      target = skipTarget(hook, to);
      known.set(to, target);
    }
    return target < 0 ? hook.rules.length : target;
  };
}

/** r0: the address of the record of the position in r3, or on at `none` where that is not below `capacity`. r3 is lost. */
export function emitRecord(asm: RuleAssembler, entries: string, capacity: number, none: Label): void {
  const { records } = entryTableLayout(capacity);
  asm
    .jump('r3', '>', capacity - 1, none)
    .alu('r3', '<<=', 3)
    .mapValue('r0', entries, records)
    .alu('r0', '+=', 'r3');
}
