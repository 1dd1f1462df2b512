import type { IrSpan } from '@weir/filter/ir';
import { Unsayable } from '../../refusal.ts';
import type { Facts } from '../facts.ts';
import type { Place, RuleAssembler } from '../layout.ts';
import { MAX_TABLE, type PlacedAutomaton } from './automata-table.ts';
import { MAX_ROWS, mapped, terminated } from './automaton.ts';
import { automatonFor, type OctetsTest, octetsKey } from './octets-automaton.ts';

export interface AskedAutomaton {
  readonly test: OctetsTest;
  /** Octets are made other octets first. */
  readonly map?: Uint8Array | undefined;
  /** The first zero ends the value. */
  readonly terminated?: boolean;
}

interface Where {
  readonly asm: RuleAssembler;
  readonly place: Place;
  readonly facts: Facts;
}

/**
 * The automaton for a test in the table of the program.
 * @throws Unsayable where it is too large, or all of them are
 */
export function placeAutomaton({ facts, asm, place }: Where, asked: AskedAutomaton, span: IrSpan | undefined): PlacedAutomaton {
  const { test, map, terminated: ends = false } = asked;
  let tooLarge = false;
  const placed = facts.functions(asm).automata.add(`${ends} ${map ? mapKey(map) : ''} ${octetsKey(test)}`, () => {
    const made = automatonFor(test);
    tooLarge = made === undefined;
    const changed = made && map ? mapped(made, map) : made;
    return changed && ends ? terminated(changed) : changed;
  });
  if (placed) return placed;
  const cost = tooLarge
    ? `${test.kind} with so much to keep apart: it takes more than ${MAX_ROWS} states`
    : `so many patterns: they take more than ${MAX_TABLE >> 20} MiB`;
  throw new Unsayable(`an eBPF program at ${place}`, cost, span);
}

/** What becomes of the letters says what a map does. */
function mapKey(map: Uint8Array): string {
  return `${map[0x41]} ${map[0x61]}`;
}
