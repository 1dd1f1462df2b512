import { disassemble } from './disassemble.ts';
import { CALL, IMMEDIATE } from './opcodes.ts';
import type { Naming } from './print-instruction.ts';
import { type AssembledProgram, originAt, symbolAt } from './program.ts';

/**
 * A program as it was assembled, line by line, in the form of `bpftool prog dump xlated`: what is bound at load time by its name (`map[flows]`,
 * `map[state][0]+16`), calls with the function that they lead to, and a line `; text` where the instructions for something else begin.
 */
export function* printProgram<Origin>(
  program: AssembledProgram<Origin>,
  options: { readonly opcodes?: boolean; readonly describe?: (origin: Origin) => string } = {},
): Generator<string> {
  const { describe, opcodes = false } = options;
  const functions = new Map(program.functions.map(({ name, slot }) => [slot, name]));
  const naming: Naming = {
    immediate: (what, value, slot) => {
      const symbol = symbolAt(program, slot)?.name;
      if (what === IMMEDIATE.FUNCTION) return functions.get(slot + 1 + Number(BigInt.asIntN(32, value)));
      if (symbol === undefined || what === IMMEDIATE.VALUE) return symbol;
      return what === IMMEDIATE.MAP_VALUE ? `map[${symbol}][0]+${value >> 32n}` : `map[${symbol}]`;
    },
    call: (what, immediate, _offset, slot) => {
      if (what === CALL.KFUNC) return symbolAt(program, slot)?.name;
      const name = functions.get(slot + 1 + immediate);
      return name === undefined ? undefined : `${immediate < 0 ? '' : '+'}${immediate}#${name}`;
    },
  };
  yield* disassemble(program.words, {
    naming,
    opcodes,
    heading: (slot) => functions.get(slot),
    comment: (slot) => {
      const origin = originAt(program, slot);
      return origin === undefined ? undefined : (describe?.(origin) ?? String(origin));
    },
  });
}
