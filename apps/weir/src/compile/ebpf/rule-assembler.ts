import { type AnyRegister, Assembler, type Comparison, type Label, type Register } from '@weir/ebpf/asm';
import type { Rule } from '../../model/rule.ts';

/**
 * Writes only what can be reached: the kernel refuses a program with an instruction that no path leads to, such as the rules after one that takes every packet. What is written after
 * a `goto` or `exit` is left out until a label is placed that a jump before it names; so labels for jumps back stand where the code before them runs on. Programs name the rule that
 * each of their instructions is for.
 */
export class RuleAssembler extends Assembler<Rule> {
  readonly #named = new Set<Label>();
  #reached = true;

  override emitWords(low: number, immediate: number): this {
    return this.#reached ? super.emitWords(low, immediate) : this;
  }

  override place(target: Label): this {
    this.#reached ||= this.#named.has(target);
    // A label that nothing reaches is named by nothing that is written.
    return this.#reached ? super.place(target) : this;
  }

  override jump(left: AnyRegister, comparison: Comparison, right: AnyRegister | number, target: Label): this {
    if (!this.#reached) return this;
    this.#named.add(target);
    return super.jump(left, comparison, right, target);
  }

  override goto(target: Label): this {
    if (!this.#reached) return this;
    this.#named.add(target);
    super.goto(target);
    this.#reached = false;
    return this;
  }

  override exit(): this {
    super.exit();
    this.#reached = false;
    return this;
  }

  override map(to: Register, name: string): this {
    return this.#reached ? super.map(to, name) : this;
  }
}
