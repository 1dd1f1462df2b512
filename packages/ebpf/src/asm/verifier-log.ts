import { type AssembledProgram, originAt } from './program.ts';

/** What the verifier counted; it ends every log with it, also of a program that it takes. */
export interface VerifierStatistics {
  /** Instructions that it walked, each as often as it came by. */
  readonly processed: number;
  /** How many it would have walked. */
  readonly limit: number;
  readonly maxStatesPerInstruction: number;
  readonly totalStates: number;
  readonly peakStates: number;
}

/**
 * The program is not wrong, there is too much of it: instructions walked, branches waiting (at most 8,192), octets of stack in a chain of calls, or calls
 * within calls (at most 8). `reached` is what the kernel says it came to.
 */
export interface VerifierLimit {
  readonly kind: 'instructions' | 'branches' | 'stack' | 'frames';
  readonly reached: number;
}

export interface VerifierReport {
  /** Why the program was refused, in the kernel's words; its lines joined by `; `. undefined when the log has none: the program was taken, or the log was cut off. */
  readonly message: string | undefined;
  /** The instruction that the refusal is about, in slots of eight octets; undefined when it is about the program as a whole. */
  readonly slot: number | undefined;
  /** That instruction as the log has it, `(69) r0 = *(u16 *)(r2 +12)`, where it was printed last. */
  readonly instruction: string | undefined;
  readonly limit: VerifierLimit | undefined;
  readonly statistics: VerifierStatistics | undefined;
}

const statisticsLine = /^processed (\d+) insns \(limit (\d+)\) max_states_per_insn (\d+) total_states (\d+) peak_states (\d+)/;
const instructionLine = /^(\d+): (\([0-9a-f]{2}\) .*?)(?:\s*;.*|\s\d+: (?:frame\d+: )?R\d.*)?$/;

/** Lines about states and paths: neither instructions nor refusals. */
const noise = [
  /^\s*$/,
  /^; /,
  /^\s*(\d+: )?(frame\d+: )?(R\d+|fp-\d+)(_\w+)?=/,
  /^(caller|callee):$/,
  /^(cur|old) state:/,
  /^from \d+ to \d+/,
  /^(mark_precise|last_idx|regs=|parent |func#|propagating |verification time|stack depth|live regs|Live regs)/,
  /^processed \d+ insns/,
];

const limits: readonly (readonly [VerifierLimit['kind'], RegExp])[] = [
  ['instructions', /^BPF program is too large\. Processed (\d+) insn/],
  ['branches', /^The sequence of (\d+) jumps is too complex/],
  ['stack', /^combined stack size of \d+ calls is (\d+)\. Too large/],
  ['frames', /^the call stack of (\d+) frames is too deep/],
];

/** Refusals that come without a walk, or after it: the last instruction that was printed has nothing to do with them. */
const ofWhole = /^(combined stack size|unknown opcode|last insn is not|func#\d|tail_calls are not allowed)/;

/**
 * Reads the log of the kernel's verifier (levels 1 and 2, from Linux 6.1 on): only its end, whatever its length. It never throws: a log that is not understood
 * has a message and no place.
 */
export function readVerifierLog(log: string): VerifierReport {
  const messages: string[] = [];
  let statistics: VerifierStatistics | undefined;
  let walked: { slot: number; text: string } | undefined;
  for (const line of linesFromEnd(log)) {
    const found = instructionLine.exec(line);
    if (found !== null) {
      walked = { slot: Number(found[1]), text: found[2] ?? '' };
      break;
    }
    statistics ??= readStatistics(line);
    if (!noise.some((pattern) => pattern.test(line))) messages.unshift(line.trim());
  }
  if (messages.length === 0) return { message: undefined, slot: undefined, instruction: undefined, limit: undefined, statistics };
  const message = messages.join('; ');
  const named = /\binsn (\d+)\b/.exec(message)?.[1];
  const slot = named !== undefined ? Number(named) : ofWhole.test(message) ? undefined : walked?.slot;
  const instruction = slot === undefined ? undefined : slot === walked?.slot ? walked.text : lastText(log, slot);
  return { message, slot, instruction, limit: readLimit(messages), statistics };
}

/** Where in a program a refusal is: the function, and what its compiler said the instruction is for. */
export function locateRefusal<Origin>(
  report: VerifierReport,
  program: AssembledProgram<Origin>,
): { readonly function: string; readonly origin: Origin | undefined } | undefined {
  const { slot } = report;
  if (slot === undefined) return undefined;
  const within = program.functions.findLast((one) => one.slot <= slot);
  return within && { function: within.name, origin: originAt(program, slot) };
}

function readStatistics(line: string): VerifierStatistics | undefined {
  const found = statisticsLine.exec(line);
  if (found === null) return undefined;
  const [processed = 0, limit = 0, maxStatesPerInstruction = 0, totalStates = 0, peakStates = 0] = found.slice(1).map(Number);
  return { processed, limit, maxStatesPerInstruction, totalStates, peakStates };
}

function readLimit(messages: readonly string[]): VerifierLimit | undefined {
  for (const [kind, pattern] of limits)
    for (const message of messages) {
      const reached = pattern.exec(message)?.[1];
      if (reached !== undefined) return { kind, reached: Number(reached) };
    }
  return undefined;
}

/** How the log last printed an instruction. */
function lastText(log: string, slot: number): string | undefined {
  const at = log.lastIndexOf(`\n${slot}: (`) + 1;
  const end = log.indexOf('\n', at);
  return instructionLine.exec(log.slice(at, end < 0 ? undefined : end))?.[2];
}

function* linesFromEnd(log: string): Generator<string> {
  let end = log.length;
  while (end > 0) {
    const start = log.lastIndexOf('\n', end - 1) + 1;
    yield log.slice(start, end);
    end = start - 1;
  }
}
