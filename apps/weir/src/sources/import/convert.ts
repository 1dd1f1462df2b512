import { assemble, type ImportedPolicy } from './assemble.ts';
import { printPolicy } from './print-policy.ts';
import type { Program } from './program.ts';
import type { Entry } from './report.ts';

/** What came of one input or several. */
export interface Imported {
  /** Undefined when an entry is in error: nothing is imported then. */
  readonly policy: ImportedPolicy | undefined;
  /** The policy file. */
  readonly text: string | undefined;
  /** Every item of the input, in order. */
  readonly entries: readonly Entry[];
}

/** One policy of programs that are in force together, such as those of both families. `sources` are the names of the files. */
export function importPrograms(programs: readonly Program[], sources: readonly string[], maxRules?: number): Imported {
  const program: Program = {
    baseChains: programs.flatMap((p) => p.baseChains),
    sets: programs.flatMap((p) => p.sets),
    entries: programs.flatMap((p) => p.entries),
  };
  const policy = assemble(program, maxRules);
  return { policy, text: policy && printPolicy(policy, program.entries, sources), entries: program.entries };
}
