import { Assembler } from '@weir/ebpf/asm';
import type { HookRules, Rule } from '../../../model/rule.ts';
import { emitExpression } from '../expression.ts';
import type { RuleAssembler } from '../layout.ts';
import type { JudgeContext } from '../program-context.ts';
import type { Residual } from './plan.ts';
import type { SearchSlots } from './search.ts';

/** Asks the code that is wanted, one after the other, outside of all loops: there the verifier takes time in proportion to the code. */
export function emitResiduals(
  asm: RuleAssembler,
  hook: HookRules,
  residuals: readonly Residual[],
  { slots, context }: { readonly slots: SearchSlots; readonly context: JudgeContext },
): void {
  for (const [index, residual] of residuals.entries()) {
    const [holds, next] = [asm.label('it holds'), asm.label('next code')];
    asm.load('r1', 'u64', 'r10', slots.wanted).alu('r1', '>>=', index).alu('r1', '&=', 1).jump('r1', '==', 0, next);
    let written = false;
    for (const [user, { rule: number, expression }] of residual.users.entries()) {
      const rule = hook.rules[number];
      if (!rule) continue;
      // Code that cannot be written is refused for each rule that has it.
      const into = user === 0 ? asm : new Assembler<Rule>(rule.ref);
      const branch = user === 0 ? { yes: holds, no: next } : { yes: into.label(), no: into.label() };
      context.attempt(into, rule, () => {
        emitExpression({ asm: into, depth: 0, ...context }, expression, branch);
        written = true;
      });
      if (written) break;
    }
    asm.place(holds).mov('r2', 1).alu('r2', '<<=', index);
    asm.load('r1', 'u64', 'r10', slots.held).alu('r1', '|=', 'r2').store('u64', 'r10', slots.held, 'r1');
    asm.place(next);
  }
}
