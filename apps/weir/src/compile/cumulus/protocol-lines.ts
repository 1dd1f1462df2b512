import type { IrSpan, RangeSet } from '@weir/filter/ir';
import { linesOf } from '../iptables/literal.ts';
import type { Match } from '../iptables/match.ts';
import { Unsayable } from '../refusal.ts';
import type { LineContext } from './lines.ts';
import { u32Lines } from './u32.ts';

/** Packets of these protocols. Throws Unsayable. */
export function protocolLines(set: RangeSet, context: LineContext, span: IrSpan | undefined): readonly Match[] {
  if (set.length === 0) return [];
  try {
    return linesOf({ kind: 'int', operand: { kind: 'field', name: 'ip.proto.num' }, set }, context, span);
  } catch (error) {
    // More than a line each would make sense for, or protocol 0.
    if (!(error instanceof Unsayable) || context.family === 6) throw error;
    return u32Lines('6&0xFF', set);
  }
}
