import type { Label } from '@weir/ebpf/asm';
import type { MapNeed } from '../../../model/ebpf-program.ts';
import { emitStateFunction } from '../connection-state.ts';
import type { Place, RuleAssembler } from '../layout.ts';
import type { AutomataTable } from './automata-table.ts';
import { emitDns } from './dns.ts';
import { emitWalk, emitWalkName } from './walk.ts';

/** Instructions that the verifier walks for one call, which it does for each: measured, with what stands around the call, and rounded up. */
const COSTS = { walk: 260, walk_name: 420, dns: 180, connection_state: 0 } as const;
type Name = keyof typeof COSTS;

/** Of the million that the kernel allows for one program. */
export const MAX_COST = 800_000;

/** The functions of a program that look into payloads and at connections: those that its rules call. */
export class PayloadFunctions {
  readonly automata: AutomataTable;
  readonly #asm: RuleAssembler;
  readonly #labels = new Map<Name, Label>();
  #cost = 0;

  constructor(asm: RuleAssembler, automata: AutomataTable) {
    this.#asm = asm;
    this.automata = automata;
  }

  /** The function, for one call more; undefined where there are more calls than the verifier has the patience for. */
  call(name: Name): Label | undefined {
    this.#cost += COSTS[name];
    return this.#cost > MAX_COST ? undefined : this.label(name);
  }

  label(name: Name): Label {
    const known = this.#labels.get(name);
    if (known !== undefined) return known;
    const made = this.#asm.label(name);
    this.#labels.set(name, made);
    return made;
  }

  /** Writes those that have been asked for, which nothing runs into, and asks for the map that they need. */
  emit(place: Place, need: (need: MapNeed) => string): void {
    if (!this.automata.empty) need(this.automata.need());
    const { mask } = this.automata;
    for (const [name, label] of this.#labels) {
      if (name === 'walk') emitWalk(this.#asm, place, label, mask & ~3);
      else if (name === 'walk_name') emitWalkName(this.#asm, label, mask & ~3);
      else if (name === 'connection_state') emitStateFunction(this.#asm, label, place);
      else emitDns(this.#asm, place, label);
    }
  }
}
