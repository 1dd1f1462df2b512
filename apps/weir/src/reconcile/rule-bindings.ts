import { digest } from '../compile/nft/fingerprint.ts';
import type { RuleImage } from '../compile/nft/image.ts';
import type { ProgramBindings } from '../kernel/backend.ts';

export const NO_BINDINGS: ProgramBindings = new Map();

const BOUND = '+';

/** The fingerprint of a rule as it is written, with what the programs that it asks are bound to: `print`, or `print+digest`. */
export function boundPrint({ matches }: RuleImage, print: string, bindings: ProgramBindings): string {
  if (bindings.size === 0) return print;
  const bound = matches.flatMap((match) => {
    const binding = match.kind === 'program' ? bindings.get(match.program) : undefined;
    return binding === undefined ? [] : [binding];
  });
  return bound.length === 0 || bound.includes('') ? print : `${print}${BOUND}${digest(bound.join())}`;
}

/** Whether a rule that has the fingerprint `now` is the one that is wanted: where it cannot be told what its programs are bound to, it may be to anything. */
export function isWritten(wanted: string | undefined, now: string | undefined): boolean {
  if (wanted === undefined || now === undefined) return false;
  return wanted === now || (!wanted.includes(BOUND) && now.startsWith(`${wanted}${BOUND}`));
}

/** The programs that are bound to something else than before. */
export function rebound(before: ProgramBindings, now: ProgramBindings): ReadonlySet<string> {
  const changed = new Set<string>();
  for (const [name, binding] of now) if (binding !== '' && before.get(name) !== binding) changed.add(name);
  return changed;
}

export function asksOneOf({ matches }: RuleImage, programs: ReadonlySet<string>): boolean {
  return programs.size > 0 && matches.some((match) => match.kind === 'program' && programs.has(match.program));
}
