import type { CompiledHook } from '../../model/ebpf-program.ts';
import type { HookPrograms } from './generation.ts';
import type { ListKey } from './list-store.ts';
import type { AttachPlace } from './pin-layout.ts';
import type { Gap } from './places.ts';
import type { InForce, StandIns } from './stand-in.ts';

/** A stub at a place that calls the program of a variant. */
export interface WantedAttachment {
  readonly place: AttachPlace;
  readonly variant: string;
  /** The same rules as a program for tc, which judges for the moment in which XDP changes its mode; undefined where they cannot be said there. */
  readonly bridge?: () => CompiledHook | undefined;
}

/** The rules of a hook and where they are to judge. */
export interface WantedHook {
  readonly hook: string;
  /** None: those that are in force stay. */
  readonly programs: HookPrograms;
  readonly attachments: readonly WantedAttachment[];
  /** What to try where the kernel refuses the programs. */
  readonly instead?: StandIns;
}

/** What is not as it is wanted. `error` is what the kernel or this engine said. */
export interface EngineProblem {
  /** The same as long as it is about the same. */
  readonly key: string;
  readonly hook: string;
  /** Undefined: about the programs of the hook. */
  readonly place: AttachPlace | undefined;
  readonly error: Error;
  /** What judges at the hook, where its programs are refused. */
  readonly inForce?: InForce;
}

export interface Settled {
  readonly problems: readonly EngineProblem[];
  /** Places that something else took the stub from, and that have it again. */
  readonly repaired: readonly AttachPlace[];
  /** Places that nothing judged for a moment. */
  readonly gaps: readonly Gap[];
}

/** What others had changed, and is right again. */
export interface Audited {
  /** Paths of what is pinned again. */
  readonly pins: readonly string[];
  /** A list that somebody wrote into: its members are in a new map. */
  readonly list: ListKey | undefined;
  readonly problems: readonly EngineProblem[];
}
