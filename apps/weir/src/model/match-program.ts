import type { MapShape } from './ebpf-program.ts';

/** A map whose contents the compiler made. */
export interface MatchTable {
  readonly symbol: string;
  readonly shape: MapShape;
  /** Slots of the program that name it. */
  readonly slots: readonly number[];
  /** base64. */
  readonly contents: string;
}

/** The members of one family that a program looks addresses up in: of a named set, or of a constant list. */
export interface MatchList {
  readonly symbol: string;
  /** The name of the set; of a constant list what is in it. */
  readonly list: string;
  readonly family: 4 | 6;
  /** Slots of the program that name the map. */
  readonly slots: readonly number[];
  /** Slots of the program that name its size (`slotMaskSymbol`). */
  readonly masks: readonly number[];
  /** Of a constant list: the words of its prefixes (little-endian) and then their lengths, base64. Routes fill the others. */
  readonly members?: string;
}

/**
 * An eBPF program of type socket filter that rules of nf_tables ask: it returns 0 for packets that they are not about. The name says what is in it. Plain data: it is saved with
 * the rules, and loaded at boot.
 */
export type MatchProgram =
  /** Made by the compiler: instructions of 8 octets, base64. */
  | {
      readonly kind: 'code';
      readonly name: string;
      readonly instructions: string;
      readonly tables: readonly MatchTable[];
      readonly lists?: readonly MatchList[];
    }
  /** The user's: an ELF object (base64), the file that it was in, and which of its programs. */
  | { readonly kind: 'object'; readonly name: string; readonly file: string; readonly object: string; readonly program: string };

/** A user's program that a rule asks besides its expression: pinned at a path, or in an ELF object. */
export type UserProgram = { readonly kind: 'pinned'; readonly path: string } | Extract<MatchProgram, { kind: 'object' }>;
