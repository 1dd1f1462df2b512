import type { Label } from '@weir/ebpf/asm';
import type { HookRules, Rule } from '../../../model/rule.ts';
import { needsAct } from '../act.ts';
import { skipTarget } from '../judge-in-order.ts';
import type { RuleAssembler } from '../layout.ts';
import type { Classifier } from './build.ts';

/** What becomes of a packet that an entry takes. */
export const KIND = { allow: 0, deny: 1, act: 2, skip: 3 } as const;

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
  const view = new DataView(out.buffer);
  for (let bit = 0; bit < BITS; bit++) out[Number(BigInt.asUintN(64, DE_BRUIJN << BigInt(bit)) >> 58n)] = bit;
  /** Where the entries from one on are; behind all positions when there are no more. */
  const positionOf = (entry: number): number => positions[entry] ?? capacity;
  for (const [index, { rule: number, residual }] of plan.entries.entries()) {
    const rule = hook.rules[number];
    if (!rule) continue;
    const at = layout.records + positionOf(index) * RECORD.octets;
    view.setUint32(at + RECORD.rule, number + 1, true);
    view.setUint16(at + RECORD.residual, residual + 1, true);
    view.setUint8(at + RECORD.kind, KIND[kindOf(rule)]);
    view.setUint8(at + RECORD.skips, rule.action.kind === 'skip' ? 1 : 0);
    const next = rule.action.kind === 'skip' ? skipTarget(hook, rule.action.to) : number + 1;
    const after = next < 0 ? plan.entries.length : (plan.starts[next] ?? plan.entries.length);
    view.setUint32(layout.next + positionOf(index) * 4, positionOf(after), true);
  }
  return out;
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

export function kindOf(rule: Rule): keyof typeof KIND {
  if (needsAct(rule)) return 'act';
  return rule.action.kind === 'skip' ? 'skip' : rule.action.kind === 'allow' ? 'allow' : 'deny';
}
