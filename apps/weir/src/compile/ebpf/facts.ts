import { CALLER_FACTS } from './connect/index.ts';
import { CONNECTION_STATE, emitCallState, stateFunctions } from './connection-state.ts';
import { type EmitFact, HEADER_FACTS, type Slice, sliceFact } from './header-facts.ts';
import { type Place, type RuleAssembler, STACK } from './layout.ts';
import { AutomataTable, emitName, type NameField, PayloadFunctions } from './payload/index.ts';

/** A fact that rules ask for, and where it is on the stack. `u64` where it has 32 bits of its own. */
export interface Fact {
  readonly slot: number;
  readonly size: 'u32' | 'u64';
}

/** The facts that the rules of one program ask for, and the automata that go through its octets. */
export class Facts {
  /** By key, with the slot where there is room for it; what has none is found each time that it is asked for. */
  readonly #facts = new Map<string, Fact & { readonly emit: EmitFact; readonly slice: Slice | undefined }>();
  readonly #names = new Map<NameField, number>();
  readonly #parities: number[] = [];
  readonly #slots = new Map<string, number>();
  readonly #automata = new AutomataTable();
  readonly #functions = new WeakMap<RuleAssembler, PayloadFunctions>();
  #next: number = STACK.facts;
  /** The kernel has may_goto (6.9): without it there are no loops but short ones. */
  readonly mayGoto: boolean;

  constructor(mayGoto = true) {
    this.mayGoto = mayGoto;
  }

  /** Where the fact of a field is, for code that comes next; undefined when programs cannot read it. */
  field(asm: RuleAssembler, place: Place, name: string): Fact | undefined {
    const caller = CALLER_FACTS.get(name);
    if (caller) return this.#fact(asm, place, name, 'u64', caller);
    if (name === CONNECTION_STATE) return stateFunctions(place) && this.#fact(asm, place, name, 'u32', this.#emitState);
    const emit = HEADER_FACTS.get(name);
    return emit && this.#fact(asm, place, name, 'u32', emit);
  }

  slice(asm: RuleAssembler, place: Place, operand: Slice): Fact | undefined {
    const emit = sliceFact(operand);
    return emit && this.#fact(asm, place, `${operand.protocol} ${operand.start} ${operand.end}`, 'u64', emit, operand);
  }

  /** Where the name of an interface is: 16 octets, filled up with zeros; all zeros where there is none. */
  name(asm: RuleAssembler, place: Place, field: NameField): number {
    const known = this.#names.get(field) ?? this.#reserve(16, 8);
    if (known === undefined) {
      emitName(asm, place, field, STACK.scratch);
      return STACK.scratch;
    }
    this.#names.set(field, known);
    return known;
  }

  /** The functions of a program that go through octets. */
  functions(asm: RuleAssembler): PayloadFunctions {
    const known = this.#functions.get(asm);
    if (known) return known;
    const made = new PayloadFunctions(asm, this.#automata);
    this.#functions.set(asm, made);
    return made;
  }

  /** Makes all that have been asked for. */
  emit(asm: RuleAssembler, place: Place): void {
    for (const { slot, size, emit } of this.#facts.values()) {
      emit(asm, place, this.mayGoto);
      asm.store(size, 'r10', slot, 'r1');
    }
    for (const [field, slot] of this.#names) emitName(asm, place, field, slot);
    // The verifier wants what a part of which may be read to be written.
    if (!this.#automata.empty) for (let at = 0; at < 64; at += 8) asm.store('u64', 'r10', STACK.buffer + at, 0);
  }

  /** Whether programs go through octets of packets in the buffer on the stack. */
  get usesBuffer(): boolean {
    return !this.#automata.empty;
  }

  /** The facts that have a place of their own. */
  list(): readonly Fact[] {
    return [...this.#facts.values()];
  }

  /** The fact of a field, where it has been asked for and has a place of its own. */
  known(field: string): Fact | undefined {
    return this.#facts.get(field);
  }

  /** Those of slices. */
  slices(): readonly { readonly slice: Slice; readonly slot: number }[] {
    return [...this.#facts.values()].flatMap(({ slice, slot }) => (slice ? [{ slice, slot }] : []));
  }

  /** An octet of the stack for the xor at this depth; undefined where there is no more room. */
  parity(depth: number): number | undefined {
    const known = this.#parities[depth];
    if (known !== undefined) return known;
    const slot = this.#reserve(1, 1, PARITY_END);
    if (slot !== undefined) this.#parities[depth] = slot;
    return slot;
  }

  /** Eight octets of the stack for a program's own use, by a name of its own; undefined where there is no more room. */
  slot(key: string): number | undefined {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = this.#reserve(8, 8);
    if (slot !== undefined) this.#slots.set(key, slot);
    return slot;
  }

  readonly #emitState: EmitFact = (asm) => {
    emitCallState(asm, this.functions(asm).label('connection_state'));
    asm.mov('r1', 'r0');
  };

  #reserve(octets: number, align: number, end = FACTS_END): number | undefined {
    const slot = Math.floor((this.#next - octets) / align) * align;
    if (slot < end) return undefined;
    this.#next = slot;
    return slot;
  }

  #fact(asm: RuleAssembler, place: Place, key: string, size: Fact['size'], emit: EmitFact, slice?: Slice): Fact {
    const known = this.#facts.get(key);
    if (known) return known;
    const octets = size === 'u32' ? 4 : 8;
    const slot = this.#reserve(octets, octets);
    if (slot !== undefined) {
      this.#facts.set(key, { slot, size, emit, slice });
      return { slot, size };
    }
    emit(asm, place, this.mayGoto);
    asm.store('u64', 'r10', STACK.work, 'r1');
    return { slot: STACK.work, size: 'u64' };
  }
}

/** What is below is kept for xor: as deep as the language nests. */
const PARITY_END: number = STACK.end;
const FACTS_END: number = STACK.end + 64;
