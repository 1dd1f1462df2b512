import type { Label } from '@weir/ebpf/asm';
import { type RuleAssembler, STACK } from '../layout.ts';
import type { Classifier } from './build.ts';
import { emitRecord, entryTableLayout } from './entry-table.ts';
import { type Forests, ROOT_OCTETS } from './forests.ts';
import { CHILDREN, NOTHING, REFERENCE } from './references.ts';
import type { Search, SearchSlots } from './search.ts';
import { overwrite } from './search-loop.ts';

/** What a search in trees keeps on the stack besides, 64 bits each. */
export interface TreeSlots extends SearchSlots {
  /** Word 0 of the values; the others are behind it. */
  readonly values: number;
  /** Where the roots of the packet's forest are. */
  readonly roots: number;
  /** 0, which the verifier does not know. */
  readonly zero: number;
  /** By tree, where it goes on: a reference. Only where a search goes on at all. */
  readonly cursors: readonly number[];
  /** The first position that is wanted. */
  readonly from: number;
}

export interface TreeParts {
  readonly classifier: Classifier;
  readonly forests: Forests;
  readonly slots: TreeSlots;
  readonly symbols: { readonly nodes: string; readonly records: string; readonly entries: string };
  /** For what the tables never hold. */
  readonly impossible: Label;
  /** A search goes on behind what it has found. */
  readonly resumes: boolean;
  /** Functions are called between one rule and the next, so that there is something to forget; and they use the buffer. */
  readonly forgets: { readonly scratch: boolean; readonly buffer: boolean };
}

const WORD = 64;
const POSITION_BITS = 16;

/** Looks in one tree after the other for the least position whose record the values are within. */
export class TreeSearch implements Search {
  readonly step: Label;
  readonly seek: Label;
  readonly end: Label;
  readonly #find: Label;
  readonly #seekTo: Label;
  readonly #asm: RuleAssembler;
  readonly #parts: TreeParts;

  constructor(asm: RuleAssembler, name: string, parts: TreeParts) {
    this.#asm = asm;
    this.#parts = parts;
    const label = (what: string): Label => asm.label(`${name}: ${what}`);
    this.step = label('step');
    this.seek = label('seek');
    this.end = label('no more');
    this.#find = label('find');
    this.#seekTo = label('seek to');
  }

  first(): void {
    if (!this.#parts.resumes) return;
    this.#toRoots();
    this.#asm.mov('r1', 0);
    this.#keep(this.#parts.slots.from);
  }

  next(): void {
    const asm = this.#asm;
    const { classifier, forests, slots, symbols } = this.#parts;
    asm.place(this.#find).mov('r1', classifier.capacity);
    this.#keep(slots.found);
    for (const [tree, depth] of forests.depths.entries()) this.#lookInto(tree, depth);
    asm.load('r3', 'u64', 'r10', slots.found);
    emitRecord(asm, symbols.entries, classifier.capacity, this.end);
  }

  gotoPosition(): void {
    this.#toRoots();
    this.#asm.goto(this.#seekTo);
  }

  around({ seek, seekTo }: { readonly seek: boolean; readonly seekTo: boolean }): void {
    const asm = this.#asm;
    const { classifier, slots, symbols, impossible, forgets, resumes } = this.#parts;
    if (!resumes) return;
    if (seek) {
      const { next, octets } = entryTableLayout(classifier.capacity);
      asm.place(this.seek).load('r3', 'u64', 'r10', slots.found).alu('r3', '<<=', 2);
      asm.jump('r3', '>', octets - next - 4, impossible);
      asm.mapValue('r2', symbols.entries, next).alu('r2', '+=', 'r3').load('r5', 'u32', 'r2', 0).goto(this.#seekTo);
    }
    asm.place(this.step).load('r5', 'u64', 'r10', slots.found).alu('r5', '+=', 1);
    if (seek || seekTo) asm.place(this.#seekTo);
    asm.jump('r5', '>', classifier.capacity - 1, this.end).mov('r1', 'r5');
    this.#keep(slots.from);
    if (forgets.scratch) {
      // What functions have left there is not needed any more; where it is different, the verifier goes round again.
      asm.load('r1', 'u64', 'r10', STACK.network);
      overwrite(asm, forgets.buffer);
    }
    asm.mayGoto(impossible).goto(this.#find);
  }

  /**
   * Stores r1, so that the verifier knows nothing of it where a search goes on: it goes through the trees that follow once for each different thing that it knows. r4 is lost.
   */
  #keep(slot: number): void {
    const { resumes, slots } = this.#parts;
    if (resumes) this.#asm.load('r4', 'u64', 'r10', slots.zero).alu('r1', '^=', 'r4');
    this.#asm.store('u64', 'r10', slot, 'r1');
  }

  /** Every tree is looked into from its root. r1 to r4 are lost. */
  #toRoots(): void {
    const { forests, slots } = this.#parts;
    for (const tree of forests.depths.keys()) {
      this.#root(tree);
      this.#asm.load('r1', 'u32', 'r2', 0);
      this.#keep(slots.cursors[tree] ?? 0);
    }
  }

  /** r2: where the root of a tree is, of the packet's forest. r3 is lost. */
  #root(tree: number): void {
    const asm = this.#asm;
    const { forests, slots, symbols, impossible } = this.#parts;
    asm.mapValue('r2', symbols.nodes, tree * ROOT_OCTETS);
    if (forests.forests.length === 1) return;
    const last = (forests.forests.length - 1) * forests.depths.length * ROOT_OCTETS;
    asm.load('r3', 'u64', 'r10', slots.roots).jump('r3', '>', last, impossible).alu('r2', '+=', 'r3');
  }

  #lookInto(tree: number, depth: number): void {
    const asm = this.#asm;
    const { slots, resumes } = this.#parts;
    const [leaf, done] = [asm.label('leaf'), asm.label('next tree')];
    if (tree > 0 || !resumes) this.#root(tree);
    // What is in it may all be behind what has been found.
    if (tree > 0) asm.load('r1', 'u32', 'r2', 4).load('r3', 'u64', 'r10', slots.found).jump('r1', '>', 'r3', done);
    if (resumes) asm.load('r1', 'u64', 'r10', slots.cursors[tree] ?? 0);
    else asm.load('r1', 'u32', 'r2', 0);
    if (depth > 0) this.#valuesAtHand();
    for (let level = 0; level < depth; level++) {
      asm.jump('w1', 's<', 0, leaf);
      this.#child();
    }
    asm.place(leaf);
    this.#run(tree, done);
    asm.place(done);
  }

  /** Of one word of values, r0; of two r0, and in r4 what is different in the other. */
  #valuesAtHand(): void {
    const asm = this.#asm;
    const { forests, slots } = this.#parts;
    const { words } = forests.layout;
    if (words > 2) return;
    asm.load('r0', 'u64', 'r10', slots.values);
    if (words === 2) asm.load('r4', 'u64', 'r10', slots.values + 8).alu('r4', '^=', 'r0');
  }

  /** From the reference to a node in r1 to that of its child. r2 and r3 are lost. */
  #child(): void {
    const asm = this.#asm;
    const { forests, slots, symbols, impossible } = this.#parts;
    const { words } = forests.layout;
    if (words === 1) asm.mov('r3', 'r0');
    else if (words === 2) {
      // Without going through the stack, where the next node waits for it.
      asm.mov('r3', 'r1').alu('r3', '>>=', REFERENCE.word).alu('r3', '&=', 1).neg('r3').alu('r3', '&=', 'r4').alu('r3', '^=', 'r0');
    } else {
      asm.mov('r2', 'r1').alu('r2', '>>=', REFERENCE.word).alu('r2', '&=', 3).alu('r2', '<<=', 3);
      asm.mov('r3', 'r10').alu('r3', '+=', 'r2').load('r3', 'u64', 'r3', slots.values);
    }
    // Shifts are by the lowest six bits.
    asm.alu('r3', '<<=', 'r1').alu('r1', '>>=', REFERENCE.down).alu('r3', '>>=', 'r1');
    asm
      .alu('r1', '>>=', REFERENCE.children - REFERENCE.down)
      .alu('r1', '<<=', Math.log2(CHILDREN))
      .alu('r1', '+=', 'r3');
    asm.jump('r1', '>', forests.nodes.length / 4 - 1, impossible).alu('r1', '<<=', 2);
    asm.mapValue('r2', symbols.nodes, 0).alu('r2', '+=', 'r1').load('r1', 'u32', 'r2', 0);
  }

  /** Looks at the records of the leaf in r1, up to the first that holds. */
  #run(tree: number, done: Label): void {
    const asm = this.#asm;
    const { forests, slots, symbols, impossible, resumes } = this.#parts;
    const { words, guards, free } = forests.layout;
    const size = words * 16;
    const [look, other, stays] = [asm.label('look at a record'), asm.label('the next record'), asm.label('found')];
    asm.alu('w1', '&=', REFERENCE.leaf - 1).mov('r5', 'r1');
    asm.place(look).jump('r5', '>', forests.records.length - size, impossible);
    asm.mapValue('r2', symbols.records, 0).alu('r2', '+=', 'r5');
    for (const [word, guard] of guards.entries()) {
      const high = word === 0 ? 'r0' : 'r4';
      asm
        .load('r1', 'u64', 'r10', slots.values + word * 8)
        .load('r3', 'u64', 'r2', word * 16)
        .load(high, 'u64', 'r2', word * 16 + 8);
      if (word === 0) asm.mov('r4', 'r0');
      asm.alu('r4', '-=', 'r1').alu('r1', '-=', 'r3').alu('r1', '&=', 'r4').set('r4', wide(guard)).alu('r1', '&=', 'r4');
      asm.jump('r1', '!=', 'r4', other);
    }
    asm.load('r3', 'u64', 'r2', 0).set('r4', wide(guards[0])).alu('r3', '+=', 'r4').alu('r3', '>>=', free);
    if (WORD - free < POSITION_BITS) {
      asm
        .mov('r4', 'r0')
        .alu('r4', '<<=', 1)
        .alu('r4', '>>=', free + 1)
        .alu('r4', '<<=', WORD - free)
        .alu('r3', '|=', 'r4');
    }
    if (resumes) asm.load('r4', 'u64', 'r10', slots.from).jump('r3', '<', 'r4', other);
    if (tree > 0) asm.load('r4', 'u64', 'r10', slots.found).jump('r3', '>=', 'r4', stays);
    asm.mov('r1', 'r3');
    this.#keep(slots.found);
    asm.place(stays);
    if (resumes) {
      asm.mov('r1', 'r5').alu('w1', '|=', REFERENCE.leaf);
      this.#keep(slots.cursors[tree] ?? 0);
    }
    asm.goto(done);
    asm.place(other);
    const more = asm.label('there are more');
    asm.jump('r0', 's>=', 0, more);
    if (resumes) {
      asm.mov('w1', NOTHING);
      this.#keep(slots.cursors[tree] ?? 0);
    }
    asm.goto(done);
    asm.place(more).alu('r5', '+=', size).mayGoto(impossible).goto(look);
  }
}

function wide(guard: readonly [number, number] | undefined): bigint {
  const [low, high] = guard ?? [0, 0];
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}
