import type { Label, Register } from '@weir/ebpf/asm';
import type { RuleAssembler } from '../layout.ts';
import type { Vectors } from './build.ts';
import { DE_BRUIJN } from './entry-table.ts';
import type { SearchSlots } from './search.ts';

/** What a search in vectors keeps on the stack besides, 64 bits each. */
export interface Slots extends SearchSlots {
  /** The addresses of the vectors, by dimension. */
  readonly vectors: readonly number[];
  /** The number of the summary word at hand, and what of it has not been looked at. */
  readonly summaryAt: number;
  readonly summary: number;
  /** The number of the word at hand, and what of it has not been looked at. */
  readonly wordAt: number;
  readonly word: number;
}

/** Writes what reads the vectors. */
export class VectorReader {
  readonly #asm: RuleAssembler;
  readonly #vectors: Vectors;
  readonly #slots: Slots;
  readonly #entries: string;
  /** For what the tables never hold. */
  readonly #impossible: Label;

  constructor(
    asm: RuleAssembler,
    vectors: Vectors,
    { slots, entries, impossible }: { readonly slots: Slots; readonly entries: string; readonly impossible: Label },
  ) {
    this.#asm = asm;
    this.#vectors = vectors;
    this.#slots = slots;
    this.#entries = entries;
    this.#impossible = impossible;
  }

  /** r1: the word at an offset of all vectors together. r2 and r3 are lost. */
  and(offset: number, index?: Register): void {
    const asm = this.#asm;
    for (const [place, slot] of this.#slots.vectors.entries()) {
      asm.load('r2', 'u64', 'r10', slot);
      if (index !== undefined) asm.alu('r2', '+=', index);
      asm.load(place === 0 ? 'r1' : 'r3', 'u64', 'r2', offset);
      if (place > 0) asm.alu('r1', '&=', 'r3');
    }
  }

  /** r1: the word whose number is in r5 of all vectors together; r5 is no more than there are words. All of r0 to r5 are lost. */
  andWords(): void {
    const asm = this.#asm;
    const { dimensions, geometry } = this.#vectors;
    const { summaryWords } = geometry;
    const packed = dimensions.some(({ vectors }) => vectors.form === 'packed');
    if (packed) {
      // r4: the bits of a summary word before that of the word.
      asm.mov('r2', 'r5').alu('r2', '&=', 63).mov('r4', -1).alu('r4', '<<=', 'r2').alu('r4', '^=', -1);
    }
    let first = true;
    for (const [place, { vectors }] of dimensions.entries()) {
      const slot = this.#slots.vectors[place] ?? 0;
      if (vectors.form === 'packed') this.#packedWord(slot);
      else
        asm
          .load('r2', 'u64', 'r10', slot)
          .mov('r3', 'r5')
          .alu('r3', '<<=', 3)
          .alu('r2', '+=', 'r3')
          .load('r3', 'u64', 'r2', summaryWords * 8);
      if (first) asm.mov('r1', 'r3');
      else asm.alu('r1', '&=', 'r3');
      first = false;
    }
  }

  /** r3: the word r5, of which r4 says what comes before it, of a packed vector that has it. r0 and r2 are lost. */
  #packedWord(slot: number): void {
    const asm = this.#asm;
    const { summaryWords, packedHead, words } = this.#vectors.geometry;
    asm.load('r2', 'u64', 'r10', slot);
    if (summaryWords > 1) asm.mov('r0', 'r5').alu('r0', '>>=', 6).alu('r0', '<<=', 3).alu('r2', '+=', 'r0');
    asm.load('r3', 'u64', 'r2', 0).alu('r3', '&=', 'r4');
    this.#countBits();
    asm.load('r2', 'u64', 'r10', slot);
    if (summaryWords > 1) {
      asm
        .mov('r0', 'r5')
        .alu('r0', '>>=', 6)
        .alu('r0', '<<=', 1)
        .alu('r2', '+=', 'r0')
        .load('r0', 'u16', 'r2', summaryWords * 8);
      asm.alu('r3', '+=', 'r0').load('r2', 'u64', 'r10', slot);
    }
    asm
      .jump('r3', '>', words - 1, this.#impossible)
      .alu('r3', '<<=', 3)
      .alu('r2', '+=', 'r3')
      .load('r3', 'u64', 'r2', packedHead);
  }

  /** r3: how many of its bits are set. r0 and r2 are lost. */
  #countBits(): void {
    const asm = this.#asm;
    asm.constant('r2', 0x5555_5555_5555_5555n).mov('r0', 'r3').alu('r0', '>>=', 1).alu('r0', '&=', 'r2').alu('r3', '-=', 'r0');
    asm
      .constant('r2', 0x3333_3333_3333_3333n)
      .mov('r0', 'r3')
      .alu('r0', '>>=', 2)
      .alu('r0', '&=', 'r2')
      .alu('r3', '&=', 'r2')
      .alu('r3', '+=', 'r0');
    asm.mov('r0', 'r3').alu('r0', '>>=', 4).alu('r3', '+=', 'r0').constant('r2', 0x0f0f_0f0f_0f0f_0f0fn).alu('r3', '&=', 'r2');
    asm.constant('r2', 0x0101_0101_0101_0101n).alu('r3', '*=', 'r2').alu('r3', '>>=', 56);
  }

  /** `to`: which is the lowest bit of r1, which loses it. r2 is lost. */
  lowestBit(to: 'r5'): void {
    const asm = this.#asm;
    asm.mov('r2', 'r1').neg('r2').alu('r2', '&=', 'r1').alu('r1', '^=', 'r2').constant('r3', DE_BRUIJN).alu('r2', '*=', 'r3');
    asm.alu('r2', '>>=', 58).mapValue('r3', this.#entries, 0).alu('r3', '+=', 'r2').load(to, 'u8', 'r3', 0);
  }
}
