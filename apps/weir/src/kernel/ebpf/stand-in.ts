import type { HookPrograms } from './generation.ts';
import type { HookRuntime } from './hook-runtime.ts';

/** Programs that judge in the place of those that the kernel refuses. */
export interface StandIn {
  readonly programs: HookPrograms;
  /** For people: what it is. */
  readonly what: string;
  /** False: it judges as the rules say. True: it does not, and so takes the place of no rules that were in force. */
  readonly lacks: boolean;
  /** Rules that were in force once: from then on they are what was in force before. */
  readonly earlier?: boolean;
}

/** What was tried last, and what the kernel said of it; without an error the rules could not be said in programs. */
export interface Refused {
  readonly error: Error | undefined;
  readonly programs: HookPrograms;
}

/** What to try one after the other, each with what became of the one before. */
export type StandIns = (first: Refused) => Generator<StandIn, void, Refused>;

/** What judges at a hook whose rules are refused. */
export type InForce =
  | { readonly kind: 'before' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'stand-in'; readonly what: string; readonly lacks: boolean };

/** What a hook is to have. */
interface Wanted {
  readonly hook: string;
  /** None: they could not be made. */
  readonly programs: HookPrograms;
  readonly instead?: StandIns;
}

interface Choice {
  readonly programs: HookPrograms;
  readonly error: Error | undefined;
  /** The kernel would say the same again, after seconds. */
  readonly lasting: boolean;
  readonly taken: StandIn | undefined;
}

/** Loads the programs of hooks, or what stands in for them; what was refused for good is not loaded again. */
export class ProgramChoices {
  readonly #choices = new Map<string, Choice>();
  readonly #isLasting: (error: Error) => boolean;

  /** `isLasting`: whether an error is the kernel's word on the program itself, where others are about the moment. */
  constructor(isLasting: (error: Error) => boolean) {
    this.#isLasting = isLasting;
  }

  /** `attempt` loads programs and answers what stands in the way. Returns that of the programs that are wanted, also where another arrangement of them is in force. */
  load(wanted: Wanted, runtime: HookRuntime, attempt: (programs: HookPrograms) => Error | undefined): Error | undefined {
    const { hook, programs } = wanted;
    const known = this.#choices.get(hook);
    const same = known?.programs === programs ? known : undefined;
    let error = same?.lasting ? same.error : undefined;
    if (!error && programs.size > 0) {
      error = attempt(programs);
      if (!error) {
        this.forget(hook);
        runtime.noteStandIn(undefined);
        return undefined;
      }
    }
    const taken = this.#again(same, attempt) ?? this.#choose(wanted, error, runtime, attempt);
    this.#choices.set(hook, { programs, error, taken, lasting: error !== undefined && this.#isLasting(error) });
    if (taken) runtime.noteStandIn(taken.lacks && taken.earlier !== true ? taken.what : undefined);
    return error;
  }

  #again(choice: Choice | undefined, attempt: (programs: HookPrograms) => Error | undefined): StandIn | undefined {
    return choice?.taken && attempt(choice.taken.programs) === undefined ? choice.taken : undefined;
  }

  #choose(
    { programs, instead }: Wanted,
    error: Error | undefined,
    runtime: HookRuntime,
    attempt: (programs: HookPrograms) => Error | undefined,
  ): StandIn | undefined {
    let refused: Refused = { error, programs };
    const tries = instead?.(refused);
    // What was in force is better than a part of what is wanted.
    const bare = runtime.generation === undefined || runtime.standIn !== undefined;
    for (let step = tries?.next(refused); tries && step && !step.done; step = tries.next(refused)) {
      const standIn = step.value;
      if (standIn.lacks && !bare) return undefined;
      const failure = attempt(standIn.programs);
      if (!failure) return standIn;
      refused = { error: failure, programs: standIn.programs };
    }
    return undefined;
  }

  /** What judges at a hook whose programs were not taken; undefined where they were. */
  inForce(hook: string, runtime: HookRuntime | undefined): InForce | undefined {
    const choice = this.#choices.get(hook);
    if (!choice) return undefined;
    const { taken } = choice;
    if (taken) return { kind: 'stand-in', what: taken.what, lacks: taken.lacks };
    if (runtime?.standIn !== undefined) return { kind: 'stand-in', what: runtime.standIn, lacks: true };
    return { kind: runtime?.generation === undefined ? 'nothing' : 'before' };
  }

  forget(hook: string): void {
    this.#choices.delete(hook);
  }

  clear(): void {
    this.#choices.clear();
  }
}
