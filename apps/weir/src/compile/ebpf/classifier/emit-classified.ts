import type { Label, Register } from '@weir/ebpf/asm';
import { Assembler } from '@weir/ebpf/asm';
import type { HookRules, Rule } from '../../../model/rule.ts';
import { Unsayable } from '../../refusal.ts';
import { ANSWER, checkAction, emitCallAct } from '../act.ts';
import { emitCount } from '../counters.ts';
import { emitExpression } from '../expression.ts';
import { type RuleAssembler, STACK } from '../layout.ts';
import { type JudgeContext, RULE, type Verdicts } from '../program-context.ts';
import type { Classifier } from './build.ts';
import { type DimensionSymbols, emitClass } from './emit-class.ts';
import { DE_BRUIJN, entryTableLayout, KIND, kindOf, RECORD } from './entry-table.ts';
import type { Residual } from './plan.ts';

/** The maps of a classifier. */
export interface ClassifierSymbols {
  readonly entries: string;
  readonly dimensions: readonly DimensionSymbols[];
}

/** What the search for rules keeps on the stack, 64 bits each. */
interface Slots {
  /** The addresses of the vectors. */
  readonly vectors: readonly number[];
  /** The number of the summary word at hand, and what of it has not been looked at. */
  readonly summaryAt: number;
  readonly summary: number;
  /** The number of the word at hand, and what of it has not been looked at. */
  readonly wordAt: number;
  readonly word: number;
  /** The position that has been found. */
  readonly found: number;
}

/** The labels that the code goes round by. */
interface Loop {
  readonly step: Label;
  readonly word: Label;
  readonly bit: Label;
  readonly decide: Label;
  readonly seek: Label;
  readonly end: Label;
  readonly impossible: Label;
}

/**
 * Judges by a classifier: finds the vector of each dimension, then the first position that is set in all of them, asks what is left to ask, and does what the rule says; where it does not
 * end there, goes on with what comes after. It ends at one of the verdicts, with the number of the rule from 1, or 0, in r9.
 */
export function emitClassified(
  asm: RuleAssembler,
  hook: HookRules,
  classifier: Classifier,
  { symbols, verdicts, context }: { readonly symbols: ClassifierSymbols; readonly verdicts: Verdicts; readonly context: JudgeContext },
): void {
  const loop: Loop = {
    step: asm.label('step'),
    word: asm.label('word'),
    bit: asm.label('bit'),
    decide: asm.label('found'),
    seek: asm.label('seek'),
    end: asm.label('no rule'),
    impossible: asm.label('no such place'),
  };
  for (const rule of hook.rules) context.attempt(asm, rule, () => checkAction(rule, context.place));
  const emit = new Emitter(asm, classifier, slotsFor(classifier, context), symbols, loop);
  emit.start(context);
  emit.word();
  emit.bit();
  emit.residuals(hook, context);
  emit.decision(hook, verdicts, context);
  emit.step();
  emit.seek();
  asm.place(loop.end).mov(RULE, 0).goto(verdicts.allow);
  asm.place(loop.impossible).mov(RULE, 0).goto(verdicts.deny);
}

function slotsFor({ dimensions }: Classifier, { facts }: JudgeContext): Slots {
  const slot = (name: string): number => {
    const made = facts.slot(`classifier ${name}`);
    if (made === undefined) throw new Unsayable('the stack of one eBPF program', 'so many different fields');
    return made;
  };
  return {
    vectors: dimensions.map(({ dimension }) => slot(dimension.name)),
    summaryAt: slot('summary at'),
    summary: slot('summary'),
    wordAt: slot('word at'),
    word: slot('word'),
    found: slot('found'),
  };
}

class Emitter {
  readonly #asm: RuleAssembler;
  readonly #classifier: Classifier;
  readonly #slots: Slots;
  readonly #symbols: ClassifierSymbols;
  readonly #loop: Loop;

  constructor(asm: RuleAssembler, classifier: Classifier, slots: Slots, symbols: ClassifierSymbols, loop: Loop) {
    this.#asm = asm;
    this.#classifier = classifier;
    this.#slots = slots;
    this.#symbols = symbols;
    this.#loop = loop;
  }

  /** Finds the vectors; r1 is the first summary word of all of them together. */
  start({ place: at, facts }: JudgeContext): void {
    const asm = this.#asm;
    const { dimensions, geometry } = this.#classifier;
    for (const [place, tables] of dimensions.entries()) {
      const symbols = this.#symbols.dimensions[place];
      const slot = this.#slots.vectors[place];
      if (!symbols || slot === undefined) throw new RangeError(`no maps for ${tables.dimension.name}`);
      emitClass(asm, tables, symbols, slot, { place: at, facts, geometry, impossible: this.#loop.impossible });
    }
    this.#and(0);
    const { summary, wordAt, found, word } = this.#slots;
    // All of them, also where nothing is read before it is written again: the verifier goes back over every way that there could be.
    for (const slot of [summary, wordAt, found]) asm.store('u64', 'r10', slot, 'r1');
    asm.store('u64', 'r10', word, 0);
    if (geometry.summaryWords > 1) {
      // 0, in a way that the verifier does not know.
      asm.mov('r2', 'r1').alu('r2', '^=', -1).alu('r2', '&=', 'r1').store('u64', 'r10', this.#slots.summaryAt, 'r2');
    }
    asm.jump('r1', '==', 0, geometry.summaryWords > 1 ? this.#loop.step : this.#loop.end);
  }

  /** From what is left of a summary word, in r1, to the next word; where nothing is set in it, to the next step. */
  word(): void {
    const asm = this.#asm;
    const { words, summaryWords } = this.#classifier.geometry;
    asm.place(this.#loop.word);
    this.#lowestBit('r5');
    asm.store('u64', 'r10', this.#slots.summary, 'r1');
    if (summaryWords > 1) asm.load('r2', 'u64', 'r10', this.#slots.summaryAt).alu('r2', '<<=', 6).alu('r5', '+=', 'r2');
    asm.jump('r5', '>', words - 1, this.#loop.impossible).store('u64', 'r10', this.#slots.wordAt, 'r5');
    this.#andWords();
    asm.jump('r1', '==', 0, this.#loop.step);
  }

  /** From what is left of a word, in r1, to the record of its lowest bit: its address is in r0. */
  bit(): void {
    const asm = this.#asm;
    asm.place(this.#loop.bit);
    this.#lowestBit('r5');
    asm.store('u64', 'r10', this.#slots.word, 'r1').load('r3', 'u64', 'r10', this.#slots.wordAt).alu('r3', '<<=', 6).alu('r3', '+=', 'r5');
    asm.jump('r3', '>', this.#classifier.geometry.positions - 1, this.#loop.impossible).store('u64', 'r10', this.#slots.found, 'r3');
    this.#record();
  }

  /** Asks by code what the entry at r0 leaves to ask. */
  residuals(hook: HookRules, context: JudgeContext): void {
    const { residuals } = this.#classifier.plan;
    if (residuals.length === 0) return;
    const asm = this.#asm;
    const holds = asm.label('it holds');
    asm.load('r2', 'u16', 'r0', RECORD.residual).jump('r2', '==', 0, this.#loop.decide);
    this.#dispatch(residuals, 1, (residual) => {
      let written = false;
      for (const { rule: number, expression } of residual.users) {
        const rule = hook.rules[number];
        if (!rule) continue;
        // Code that cannot be written is refused for each rule that has it.
        const into = number === residual.users[0]?.rule ? asm : new Assembler<Rule>(rule.ref);
        const branch = into === asm ? { yes: holds, no: this.#loop.step } : { yes: into.label(), no: into.label() };
        context.attempt(into, rule, () => {
          emitExpression({ asm: into, depth: 0, ...context }, expression, branch);
          written = true;
        });
        if (written) break;
      }
    });
    asm.place(holds).load('r3', 'u64', 'r10', this.#slots.found);
    asm.jump('r3', '>', this.#classifier.geometry.positions - 1, this.#loop.impossible);
    this.#record();
  }

  /** Does what the rule of the record at r0 says. */
  decision(hook: HookRules, verdicts: Verdicts, context: JudgeContext): void {
    const asm = this.#asm;
    const { plan } = this.#classifier;
    const kinds = new Set(plan.entries.map(({ rule }) => hook.rules[rule]).map((rule) => rule && kindOf(rule)));
    asm.place(this.#loop.decide).load('r1', 'u8', 'r0', RECORD.kind);
    const [act, skip] = [asm.label('more than a verdict'), asm.label('skip')];
    if (kinds.has('act')) asm.jump('r1', '==', KIND.act, act);
    if (kinds.has('skip')) asm.jump('r1', '==', KIND.skip, skip);
    asm.load(RULE, 'u32', 'r0', RECORD.rule).jump('r1', '==', KIND.allow, verdicts.allow).goto(verdicts.deny);
    if (kinds.has('act')) {
      asm.place(act).load('r3', 'u32', 'r0', RECORD.rule).alu('r3', '-=', 1);
      emitCallAct(asm, context.act());
      asm.jump('r0', '==', ANSWER.goOn, this.#loop.seek).mov('r5', 'r0').load('r3', 'u64', 'r10', this.#slots.found);
      asm.jump('r3', '>', this.#classifier.geometry.positions - 1, this.#loop.impossible);
      this.#record();
      // Nothing follows that reads the transport header: r9 may be the number of the rule.
      asm.load(RULE, 'u32', 'r0', RECORD.rule).jump('r5', '==', ANSWER.allow, verdicts.allow).goto(verdicts.deny);
    }
    if (kinds.has('skip')) {
      const missing = asm.label('no counter');
      asm.place(skip).load('r1', 'u32', 'r0', RECORD.rule).alu('r1', '-=', 1).store('u64', 'r10', STACK.scratch, 'r1');
      emitCount(asm, missing);
      asm.place(missing).goto(this.#loop.seek);
    }
  }

  /** Goes on with the next bit, word or summary word: every way round passes here. */
  step(): void {
    const asm = this.#asm;
    const { summaryWords } = this.#classifier.geometry;
    asm.place(this.#loop.step).mayGoto(this.#loop.impossible);
    asm.load('r1', 'u64', 'r10', this.#slots.word).jump('r1', '!=', 0, this.#loop.bit);
    asm.load('r1', 'u64', 'r10', this.#slots.summary).jump('r1', '!=', 0, this.#loop.word);
    if (summaryWords === 1) {
      asm.goto(this.#loop.end);
      return;
    }
    asm
      .load('r5', 'u64', 'r10', this.#slots.summaryAt)
      .alu('r5', '+=', 1)
      .jump('r5', '>', summaryWords - 1, this.#loop.end);
    asm.store('u64', 'r10', this.#slots.summaryAt, 'r5').alu('r5', '<<=', 3);
    this.#and(0, 'r5');
    asm.store('u64', 'r10', this.#slots.summary, 'r1').goto(this.#loop.step);
  }

  /** Goes on behind the rule that has been found. */
  seek(): void {
    const asm = this.#asm;
    const { positions, summaryWords, words } = this.#classifier.geometry;
    const { found, summary, summaryAt, word, wordAt } = this.#slots;
    const { next, octets } = entryTableLayout(positions);
    asm
      .place(this.#loop.seek)
      .load('r3', 'u64', 'r10', found)
      .alu('r3', '<<=', 2)
      .jump('r3', '>', octets - next - 4, this.#loop.impossible);
    asm.mapValue('r2', this.#symbols.entries, next).alu('r2', '+=', 'r3').load('r5', 'u32', 'r2', 0);
    asm.jump('r5', '>', positions - 1, this.#loop.end).store('u64', 'r10', found, 'r5');
    asm.alu('r5', '>>=', 6).store('u64', 'r10', wordAt, 'r5').alu('r5', '>>=', 6);
    if (summaryWords > 1) asm.jump('r5', '>', summaryWords - 1, this.#loop.impossible).store('u64', 'r10', summaryAt, 'r5');
    asm.alu('r5', '<<=', 3);
    if (summaryWords > 1) this.#and(0, 'r5');
    else this.#and(0);
    // Whether the word of that position is one of those that are left, and the summary without it and what comes before.
    asm
      .load('r2', 'u64', 'r10', wordAt)
      .alu('r2', '&=', 63)
      .mov('r3', -2)
      .alu('r3', '<<=', 'r2')
      .alu('r3', '&=', 'r1')
      .store('u64', 'r10', summary, 'r3');
    asm.store('u64', 'r10', word, 0).alu('r1', '>>=', 'r2').alu('r1', '&=', 1).jump('r1', '==', 0, this.#loop.step);
    // The word, without what comes before the position.
    asm.load('r5', 'u64', 'r10', wordAt).jump('r5', '>', words - 1, this.#loop.impossible);
    this.#andWords();
    asm.load('r2', 'u64', 'r10', found).alu('r2', '&=', 63).mov('r3', -1).alu('r3', '<<=', 'r2').alu('r1', '&=', 'r3');
    asm.store('u64', 'r10', word, 'r1').goto(this.#loop.step);
  }

  /** r1: the word at an offset of all vectors together. r2 and r3 are lost. */
  #and(offset: number, index?: Register): void {
    const asm = this.#asm;
    for (const [place, slot] of this.#slots.vectors.entries()) {
      asm.load('r2', 'u64', 'r10', slot);
      if (index !== undefined) asm.alu('r2', '+=', index);
      asm.load(place === 0 ? 'r1' : 'r3', 'u64', 'r2', offset);
      if (place > 0) asm.alu('r1', '&=', 'r3');
    }
  }

  /** r1: the word whose number is in r5 of all vectors together; r5 is no more than there are words. All of r0 to r5 are lost. */
  #andWords(): void {
    const asm = this.#asm;
    const { dimensions, geometry } = this.#classifier;
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
    const { summaryWords, packedHead, words } = this.#classifier.geometry;
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
      .jump('r3', '>', words - 1, this.#loop.impossible)
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
  #lowestBit(to: 'r5'): void {
    const asm = this.#asm;
    asm.mov('r2', 'r1').neg('r2').alu('r2', '&=', 'r1').alu('r1', '^=', 'r2').constant('r3', DE_BRUIJN).alu('r2', '*=', 'r3');
    asm.alu('r2', '>>=', 58).mapValue('r3', this.#symbols.entries, 0).alu('r3', '+=', 'r2').load(to, 'u8', 'r3', 0);
  }

  /** r0: the address of the record of the position in r3. r3 is lost. */
  #record(): void {
    const { records } = entryTableLayout(this.#classifier.geometry.positions);
    this.#asm.alu('r3', '<<=', 3).mapValue('r0', this.#symbols.entries, records).alu('r0', '+=', 'r3');
  }

  /** A search for the number in r2; `write` writes what runs for it. */
  #dispatch(residuals: readonly Residual[], from: number, write: (residual: Residual) => void): void {
    const [only] = residuals;
    if (only && residuals.length === 1) {
      write(only);
      return;
    }
    const middle = residuals.length >> 1;
    const upper = this.#asm.label('later code');
    this.#asm.jump('r2', '>=', from + middle, upper);
    this.#dispatch(residuals.slice(0, middle), from, write);
    this.#asm.place(upper);
    this.#dispatch(residuals.slice(middle), from + middle, write);
  }
}
