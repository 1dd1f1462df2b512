import type { AssembledProgram } from '@weir/ebpf/asm';
import type { MapSpec } from '@weir/ebpf/kernel';
import type { Rule } from './rule.ts';

/**
 * Where a program runs, which says how it reads the packet and what it returns:
 * - `xdp` and `tc` see Ethernet frames
 * - `network` sees the packet from its IP header on, as socket filters inside nf_tables do (xt_bpf)
 * - `connect4`, `connect6`, `sendmsg4` and `sendmsg6` see what a process in a cgroup asks for with connect(2) or sendto(2), by the family of its socket
 */
export type Place = 'xdp' | 'tc' | 'network' | 'connect4' | 'connect6' | 'sendmsg4' | 'sendmsg6';

/** What a map looks like to the programs that are bound to it. */
export type MapShape = Omit<MapSpec, 'name' | 'inner'>;

interface Need {
  /** As the program names it. */
  readonly symbol: string;
  readonly shape: MapShape;
}

/** A map that a program needs. The kind says what becomes of it when the rules change. */
export type MapNeed =
  /**
   * A per-CPU array with { packets u64 · octets u64 }, `words` numbers, for each rule in order, a value for one rule or for several: made anew; counts of rules that stay are carried over by
   * their refs.
   */
  | (Need & { readonly kind: 'counters'; readonly words: number })
  /** What the compiler worked out: the values of an array one after the other. Made anew unless it is the same. */
  | (Need & { readonly kind: 'table'; readonly contents: Uint8Array })
  /**
   * The members of one family of a named set: one map for all programs, kept for as long as one needs it. `members`: of a constant list, which is named by what is in it (`MatchList`).
   */
  | (Need & { readonly kind: 'list'; readonly list: string; readonly family: 4 | 6; readonly members?: Uint8Array })
  /** By index (u32) the name of each interface of the namespace, filled up with zeros: one map for all programs, kept true as interfaces come, go and are renamed. */
  | (Need & { readonly kind: 'interfaces' })
  /** Buckets of rate limits (compile/ebpf/limits.ts): one map for all generations of a hook, kept for as long as one needs it. */
  | (Need & { readonly kind: 'limits' })
  /** The ring buffer of verdict events: one for all programs, which one reader empties. Its shape is that of a new one. */
  | (Need & { readonly kind: 'events' })
  /** A per-CPU array with what became of the events of each rule: as `counters`. */
  | (Need & { readonly kind: 'event-counts'; readonly words: number })
  /** How many events each rule has given in this second: made anew, empty. */
  | (Need & { readonly kind: 'event-rates' })
  /** An array of one u32: the number of the program, by which readers know the rules that its events are of. Made anew for each program. */
  | (Need & { readonly kind: 'generation' });

/** The program of one hook. */
export interface CompiledHook {
  readonly place: Place;
  /** Instructions name the rule that they are for. */
  readonly program: AssembledProgram<Rule>;
  /** By symbol, each once. */
  readonly maps: readonly MapNeed[];
  /** In the order of their counters. */
  readonly rules: readonly Rule[];
}
