import { type Expr, operandLeaves, type Test, testOperand } from '@weir/filter/ir';
import type { UserProgram } from './match-program.ts';

/** What the user's programs say stands in expressions as a Bool field of a name that no packet has. */
const PREFIX = 'bpf:';

/** The test that a user's program matches. */
export function userProgramTest(program: UserProgram): Test {
  return { kind: 'flag', operand: { kind: 'field', name: userProgramField(program) } };
}

export function userProgramField(program: UserProgram): string {
  return `${PREFIX}${program.kind === 'pinned' ? program.path : program.name}`;
}

/** The path or the name of the program that a field stands for; undefined for fields of packets. */
export function programOfField(field: string): string | undefined {
  return field.startsWith(PREFIX) ? field.slice(PREFIX.length) : undefined;
}

/** Whether an expression asks a user's program: only the kernel can tell what that says. */
export function asksUserProgram(expression: Expr): boolean {
  switch (expression.kind) {
    case 'constant':
      return false;
    case 'literal':
      return operandLeaves(testOperand(expression.test)).some((leaf) => leaf.kind === 'field' && programOfField(leaf.name) !== undefined);
    default:
      return expression.items.some(asksUserProgram);
  }
}
