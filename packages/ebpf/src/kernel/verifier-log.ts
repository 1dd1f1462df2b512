/**
 * What the verifier's log ends with: the refusal, and the last instruction that it printed before it (`12: (71) r1 = *(u8 *)(r2 +0)`, or an index in the refusal itself:
 * `unreachable insn 7`). Statistics after it are passed over.
 */
export function readRefusal(log: string): { readonly refusal: string; readonly instruction: number | undefined } {
  const lines = log.split('\n').filter((line) => line.trim() !== '' && !STATISTICS.test(line));
  let last = lines.length - 1;
  while (last > 0 && (INSTRUCTION.test(lines[last] ?? '') || STATE.test(lines[last] ?? ''))) last--;
  const refusal = (lines[last] ?? '').trim();
  const named = NAMED.exec(refusal)?.[1];
  if (named !== undefined) return { refusal, instruction: Number(named) };
  for (let i = last; i >= 0; i--) {
    const found = INSTRUCTION.exec(lines[i] ?? '')?.[1];
    if (found !== undefined) return { refusal, instruction: Number(found) };
  }
  return { refusal, instruction: undefined };
}

const STATISTICS = /^(processed \d+ insns|verification time|stack depth|max_states_per_insn|live regs before insn)/;
const INSTRUCTION = /^\s*(\d+): \([0-9a-f]{2}\)/;
/** Register states at a branch, and the heads of paths. */
const STATE = /^(\d+: R\d|from \d+ to \d+|mark_precise|last_idx|regs=|parent |(cur|old) state:|func#|; )/;
const NAMED = /\binsn (\d+)\b/;
