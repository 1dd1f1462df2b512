import type { Label } from '@weir/ebpf/asm';
import type { MapNeed } from '../../../model/ebpf-program.ts';
import { emitStateFunction } from '../connection-state.ts';
import type { Place, RuleAssembler } from '../layout.ts';
import type { AutomataTable } from './automata-table.ts';
import { emitDns } from './dns.ts';
import { emitWalk, emitWalkName } from './walk.ts';

const NAMES = ['walk', 'walk_name', 'dns', 'connection_state'] as const;
type Name = (typeof NAMES)[number];

/** The functions of a program that look into payloads and at connections: those that its rules call. */
export class PayloadFunctions {
  readonly automata: AutomataTable;
  readonly #asm: RuleAssembler;
  readonly #labels = new Map<Name, Label>();

  constructor(asm: RuleAssembler, automata: AutomataTable) {
    this.#asm = asm;
    this.automata = automata;
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
