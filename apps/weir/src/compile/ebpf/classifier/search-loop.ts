import type { Label } from '@weir/ebpf/asm';
import { type RuleAssembler, STACK } from '../layout.ts';
import type { Vectors } from './build.ts';
import { entryTableLayout } from './entry-table.ts';
import type { Search } from './search.ts';
import type { Slots, VectorReader } from './vector-reader.ts';

/** STACK.buffer. */
const BUFFER_OCTETS = 64;

export interface LoopParts {
  readonly vectors: Vectors;
  readonly reader: VectorReader;
  /** r0: the address of the record of the position in r3. */
  readonly record: () => void;
  readonly slots: Slots;
  /** The map of the entries. */
  readonly entries: string;
  /** For what the tables never hold. */
  readonly impossible: Label;
  /** Functions are called between one rule and the next, so that there is something to forget; and they use the buffer. */
  readonly forgets: { readonly scratch: boolean; readonly buffer: boolean };
}

/** Goes along the positions that are set in all vectors, as code around what is done with each. Only tables and functions are asked: the verifier goes round once or twice. */
export class SearchLoop implements Search {
  /** Goes on with the next bit, word or summary word. */
  readonly step: Label;
  /** Goes on behind the rule that has been found. */
  readonly seek: Label;
  /** There are no more. */
  readonly end: Label;
  readonly #word: Label;
  readonly #bit: Label;
  readonly #seekTo: Label;
  readonly #asm: RuleAssembler;
  readonly #parts: LoopParts;

  constructor(asm: RuleAssembler, name: string, parts: LoopParts) {
    this.#asm = asm;
    this.#parts = parts;
    const label = (what: string): Label => asm.label(`${name}: ${what}`);
    this.step = label('step');
    this.seek = label('seek');
    this.end = label('no more');
    this.#word = label('word');
    this.#bit = label('bit');
    this.#seekTo = label('seek to');
  }

  /** Begins with the first position of all; runs on at `next`. */
  first(): void {
    const asm = this.#asm;
    const { reader, slots, vectors } = this.#parts;
    const many = vectors.geometry.summaryWords > 1;
    reader.and(0);
    // All of them, also where nothing is read before it is written again: the verifier goes back over every way that there could be.
    for (const slot of [slots.summary, slots.wordAt, slots.found]) asm.store('u64', 'r10', slot, 'r1');
    asm.store('u64', 'r10', slots.word, 0);
    // 0, in a way that the verifier does not know.
    if (many) asm.mov('r2', 'r1').alu('r2', '^=', -1).alu('r2', '&=', 'r1').store('u64', 'r10', slots.summaryAt, 'r2');
    asm.jump('r1', '==', 0, many ? this.step : this.end);
  }

  /** From what is left of a summary word, in r1, to the record of the first position: its address is in r0. What the code that follows does not end goes to `step` or `seek`. */
  next(): void {
    const asm = this.#asm;
    const { reader, record, slots, vectors, impossible } = this.#parts;
    const { words, summaryWords } = vectors.geometry;
    asm.place(this.#word);
    reader.lowestBit('r5');
    asm.store('u64', 'r10', slots.summary, 'r1');
    if (summaryWords > 1) asm.load('r2', 'u64', 'r10', slots.summaryAt).alu('r2', '<<=', 6).alu('r5', '+=', 'r2');
    asm.jump('r5', '>', words - 1, impossible).store('u64', 'r10', slots.wordAt, 'r5');
    reader.andWords();
    asm.jump('r1', '==', 0, this.step);
    asm.place(this.#bit);
    reader.lowestBit('r5');
    asm.store('u64', 'r10', slots.word, 'r1').load('r3', 'u64', 'r10', slots.wordAt).alu('r3', '<<=', 6).alu('r3', '+=', 'r5');
    asm.store('u64', 'r10', slots.found, 'r3');
    record();
  }

  /** The code of `step` and, where it is asked for, of `seek` and of `seekTo`. */
  around(options: { readonly seek: boolean; readonly seekTo: boolean }): void {
    this.#step();
    if (options.seek) this.#seek();
    if (options.seek || options.seekTo) this.#position();
  }

  gotoPosition(): void {
    this.#asm.goto(this.#seekTo);
  }

  #step(): void {
    const asm = this.#asm;
    const { reader, slots, vectors, impossible, forgets } = this.#parts;
    const { summaryWords } = vectors.geometry;
    asm.place(this.step);
    if (forgets.scratch) {
      // What functions have left there is not needed any more; where it is different, the verifier goes round again.
      asm.load('r1', 'u64', 'r10', STACK.network);
      overwrite(asm, forgets.buffer);
    }
    asm.mayGoto(impossible);
    asm.load('r1', 'u64', 'r10', slots.word).jump('r1', '!=', 0, this.#bit);
    asm.load('r1', 'u64', 'r10', slots.summary).jump('r1', '!=', 0, this.#word);
    if (summaryWords === 1) {
      asm.goto(this.end);
      return;
    }
    asm
      .load('r5', 'u64', 'r10', slots.summaryAt)
      .alu('r5', '+=', 1)
      .jump('r5', '>', summaryWords - 1, this.end);
    asm.store('u64', 'r10', slots.summaryAt, 'r5').alu('r5', '<<=', 3);
    reader.and(0, 'r5');
    asm.store('u64', 'r10', slots.summary, 'r1').goto(this.step);
  }

  #seek(): void {
    const asm = this.#asm;
    const { slots, vectors, impossible, entries } = this.#parts;
    const { next, octets } = entryTableLayout(vectors.geometry.positions);
    asm
      .place(this.seek)
      .load('r3', 'u64', 'r10', slots.found)
      .alu('r3', '<<=', 2)
      .jump('r3', '>', octets - next - 4, impossible);
    asm.mapValue('r2', entries, next).alu('r2', '+=', 'r3').load('r5', 'u32', 'r2', 0);
  }

  /** To the position in r5. */
  #position(): void {
    const asm = this.#asm;
    const { reader, slots, vectors, impossible } = this.#parts;
    const { positions, summaryWords, words } = vectors.geometry;
    const { found, summary, summaryAt, word, wordAt } = slots;
    asm
      .place(this.#seekTo)
      .jump('r5', '>', positions - 1, this.end)
      .store('u64', 'r10', found, 'r5');
    asm.alu('r5', '>>=', 6).store('u64', 'r10', wordAt, 'r5').alu('r5', '>>=', 6);
    if (summaryWords > 1)
      asm
        .jump('r5', '>', summaryWords - 1, impossible)
        .store('u64', 'r10', summaryAt, 'r5')
        .alu('r5', '<<=', 3);
    if (summaryWords > 1) reader.and(0, 'r5');
    else reader.and(0);
    // Whether the word of that position is one of those that are left, and the summary without it and what comes before.
    asm.load('r2', 'u64', 'r10', wordAt).alu('r2', '&=', 63).mov('r3', -2).alu('r3', '<<=', 'r2').alu('r3', '&=', 'r1');
    asm.store('u64', 'r10', summary, 'r3').store('u64', 'r10', word, 0);
    asm.alu('r1', '>>=', 'r2').alu('r1', '&=', 1).jump('r1', '==', 0, this.step);
    // The word, without what comes before the position.
    asm.load('r5', 'u64', 'r10', wordAt).jump('r5', '>', words - 1, impossible);
    reader.andWords();
    asm.load('r2', 'u64', 'r10', found).alu('r2', '&=', 63).mov('r3', -1).alu('r3', '<<=', 'r2').alu('r1', '&=', 'r3');
    asm.store('u64', 'r10', word, 'r1').goto(this.step);
  }
}

/** What code leaves on the stack becomes r1. */
export function overwrite(asm: RuleAssembler, buffer: boolean): void {
  const slots = [STACK.work, STACK.scratch, STACK.scratch + 8, STACK.scratch + 16];
  if (buffer) for (let at = 0; at < BUFFER_OCTETS; at += 8) slots.push(STACK.buffer + at);
  for (const slot of slots) asm.store('u64', 'r10', slot, 'r1');
}
