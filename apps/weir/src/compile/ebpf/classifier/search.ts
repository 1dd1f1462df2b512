import type { Label } from '@weir/ebpf/asm';

/** What every search for rules keeps on the stack, 64 bits each. */
export interface SearchSlots {
  /** The position that has been found. */
  readonly found: number;
  /** Where code has to be asked first; which code, a bit for each; and what it answered. */
  readonly resume: number;
  readonly wanted: number;
  readonly held: number;
}

/** Code that goes along the positions whose rules the tables say the packet passes, ascending, around what is done with each. */
export interface Search {
  /** Goes on behind the position that has been found. */
  readonly step: Label;
  /** Goes on where the rule that has been found says. */
  readonly seek: Label;
  /** There are no more. */
  readonly end: Label;
  /** Begins with the first position of all; runs on at `next`. */
  first(): void;
  /** To the record of the first position: its address is in r0. What the code that follows does not end goes to `step` or `seek`. */
  next(): void;
  /** Goes on at the position in r5, from the beginning. */
  gotoPosition(): void;
  /** The code of `step` and, where it is asked for, of `seek` and for `gotoPosition`. */
  around(options: { readonly seek: boolean; readonly seekTo: boolean }): void;
}

/** A way to find rules in tables. */
export interface Finder {
  readonly slots: SearchSlots;
  /** Reads what of the packet it goes by. */
  values(): void;
  search(name: string): Search;
  /** r0: the address of the record of the position in r3. r3 is lost. */
  record(): void;
}
