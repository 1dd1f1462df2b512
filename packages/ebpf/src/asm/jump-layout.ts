import { AssemblyError } from './error.ts';
import { OPCODE } from './opcodes.ts';
import { targetByOffset } from './target.ts';

/**
 * What to do with a jump that is further than its 16 bits say (32,767 slots):
 * - `relay`: between the source and the target, every 24,000 slots, stands a block of `goto` that hand on to the next one. Every kernel takes this.
 * - `gotol`: `goto` becomes `gotol`, and a conditional jump goes to the next such block, which holds `gotol`. Kernel 6.6.
 * - `refuse`: AssemblyError.
 */
export type LongJumps = 'relay' | 'gotol' | 'refuse';

/** Code whose jumps are not resolved: words and origins a slot, and where a target is to be filled in. */
export interface UnresolvedCode {
  readonly words: Int32Array;
  readonly origins: Int32Array;
  /** The slots of the instructions that name a target, and the slots of these: the same length. */
  readonly sources: readonly number[];
  readonly targets: readonly number[];
}

export interface ResolvedCode {
  readonly words: Int32Array;
  readonly origins: Int32Array;
  /** Where a slot of the unresolved code is now. */
  readonly moved: (slot: number) => number;
}

const spacing = 24_000;

/** A block of jumps that is put in before the slot `before`. */
interface Relay {
  readonly before: number;
  /** Whether what stands before it would run into it, so that it starts with a jump over itself. */
  readonly over: boolean;
  /** By target and direction: place in the block, and the origin of the first jump that uses it. */
  readonly entries: Map<number, { readonly place: number; readonly target: number; readonly forward: boolean; readonly origin: number }>;
}

/**
 * Fills in every target: jumps get their offset, calls and function addresses their immediate. Where all reach, that is done in `code.words` itself.
 * @throws AssemblyError jump-range; with relays also when one would hold more than about 8,700 targets
 */
export function resolveJumps(code: UnresolvedCode, mode: LongJumps): ResolvedCode {
  return resolveInPlace(code) ?? resolveFar(code, mode);
}

/** The code as it is when every jump reaches, which is nearly always; undefined when one does not. */
function resolveInPlace({ words, origins, sources, targets }: UnresolvedCode): ResolvedCode | undefined {
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i] ?? 0;
    if (isJump(words, source) && !fits((targets[i] ?? 0) - source - 1)) return undefined;
  }
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i] ?? 0;
    const offset = (targets[i] ?? 0) - source - 1;
    if (isJump(words, source)) words[2 * source] = ((words[2 * source] ?? 0) & 0xffff) | (offset << 16);
    else words[2 * source + 1] = offset;
  }
  return { words, origins, moved: (slot) => slot };
}

function resolveFar(written: UnresolvedCode, mode: LongJumps): ResolvedCode {
  const code = withOffsets(written);
  const relays = relayPoints(code.words);
  const far = new Set<number>();
  for (;;) {
    const starts = relayStarts(relays);
    const moved = (slot: number): number => slot + shift(relays, starts, slot);
    const before = far.size;
    for (let i = 0; i < code.sources.length; i++) {
      const source = code.sources[i] ?? 0;
      if (far.has(i) || !isJump(code.words, source)) continue;
      if (!fits(moved(code.targets[i] ?? 0) - moved(source) - 1)) far.add(i);
    }
    if (far.size === before) return write(code, relays, far, mode, starts, moved);
    if (mode === 'refuse') {
      const source = code.sources[[...far][0] ?? 0] ?? 0;
      throw new AssemblyError('jump-range', 'a jump is further than 32,767 instructions', source);
    }
    planRelays(code, relays, far, mode);
  }
}

/** The same with the jumps that were written by offset: what is put in would come between them and their targets. */
function withOffsets(code: UnresolvedCode): UnresolvedCode {
  const slots = code.words.length / 2;
  const named = new Int32Array(slots).fill(-1);
  for (const [index, slot] of code.sources.entries()) named[slot] = index;
  const sources: number[] = [];
  const targets: number[] = [];
  for (let slot = 0; slot < slots; slot++) {
    const index = named[slot] ?? -1;
    const target = index < 0 ? targetByOffset(code.words, slot) : code.targets[index];
    if (target === undefined || target < 0 || target >= slots) continue;
    sources.push(slot);
    targets.push(target);
  }
  return { ...code, sources, targets };
}

/** Whether an instruction with a target has it in its 16-bit offset; the others have it in their immediate. */
function isJump(words: Int32Array, slot: number): boolean {
  const opcode = (words[2 * slot] ?? 0) & 0xff;
  return opcode !== OPCODE.CALL && opcode !== OPCODE.LOAD_IMMEDIATE && opcode !== OPCODE.GOTO_LONG;
}

function fits(offset: number): boolean {
  return offset >= -0x8000 && offset <= 0x7fff;
}

/** True for what execution does not run past: exit, goto and gotol. */
export function endsFlow(words: Int32Array, slot: number): boolean {
  const opcode = (words[2 * slot] ?? 0) & 0xff;
  return opcode === OPCODE.EXIT || opcode === OPCODE.GOTO || opcode === OPCODE.GOTO_LONG;
}

/** Where relays may stand: every `spacing` slots, never within an instruction of two slots. */
function relayPoints(words: Int32Array): readonly Relay[] {
  const slots = words.length / 2;
  const relays: Relay[] = [];
  for (let at = spacing; at < slots; at += spacing) {
    const inside = ((words[2 * (at - 1)] ?? 0) & 0xff) === OPCODE.LOAD_IMMEDIATE;
    const before = inside ? at + 1 : at;
    // The second slot of a wide instruction has opcode 0, so it counts as one that runs on.
    if (before < slots) relays.push({ before, over: !endsFlow(words, before - 1), entries: new Map() });
  }
  return relays;
}

function sizeOf(relay: Relay): number {
  return relay.entries.size === 0 ? 0 : relay.entries.size + (relay.over ? 1 : 0);
}

/** By number of relays: how many slots they have. */
function relayStarts(relays: readonly Relay[]): readonly number[] {
  const sums = [0];
  for (const relay of relays) sums.push((sums.at(-1) ?? 0) + sizeOf(relay));
  return sums;
}

/** How many relays stand before `slot` or right at it. */
function relaysBefore(relays: readonly Relay[], slot: number): number {
  const count = Math.min(Math.floor(slot / spacing), relays.length);
  return count > 0 && (relays[count - 1]?.before ?? 0) > slot ? count - 1 : count;
}

function shift(relays: readonly Relay[], starts: readonly number[], slot: number): number {
  return starts[relaysBefore(relays, slot)] ?? 0;
}

/** Enters each far jump in the relays that it takes. Entries are only ever added, so that planning ends. */
function planRelays(code: UnresolvedCode, relays: readonly Relay[], far: ReadonlySet<number>, mode: LongJumps): void {
  for (const index of far) {
    const source = code.sources[index] ?? 0;
    const target = code.targets[index] ?? 0;
    if (mode === 'gotol' && isGoto(code.words, source)) continue;
    const forward = target > source;
    const origin = code.origins[source] ?? -1;
    const from = relaysBefore(relays, source);
    const to = relaysBefore(relays, target);
    const step = forward ? 1 : -1;
    for (let k = forward ? from : from - 1; forward ? k < to : k >= to; k += step) {
      const entries = relays[k]?.entries;
      const key = relayKey(target, forward);
      if (entries !== undefined && !entries.has(key)) entries.set(key, { place: entries.size, target, forward, origin });
      if (mode === 'gotol') break;
    }
  }
}

function relayKey(target: number, forward: boolean): number {
  return 2 * target + (forward ? 1 : 0);
}

function isGoto(words: Int32Array, slot: number): boolean {
  return ((words[2 * slot] ?? 0) & 0xff) === OPCODE.GOTO;
}

function write(
  code: UnresolvedCode,
  relays: readonly Relay[],
  far: ReadonlySet<number>,
  mode: LongJumps,
  starts: readonly number[],
  moved: (slot: number) => number,
): ResolvedCode {
  const slots = code.words.length / 2;
  const words = new Int32Array(2 * (slots + (starts.at(-1) ?? 0)));
  const origins = new Int32Array(words.length / 2).fill(-1);
  const copy = (from: number, to: number): void => {
    const at = from + shift(relays, starts, from);
    words.set(code.words.subarray(2 * from, 2 * to), 2 * at);
    origins.set(code.origins.subarray(from, to), at);
  };
  let done = 0;
  for (const relay of relays) {
    copy(done, relay.before);
    done = relay.before;
  }
  copy(done, slots);

  const entryAt = (k: number, target: number, forward: boolean): number | undefined => {
    const relay = relays[k];
    const entry = relay?.entries.get(relayKey(target, forward));
    if (relay === undefined || entry === undefined) return undefined;
    return moved(relay.before) - sizeOf(relay) + (relay.over ? 1 : 0) + entry.place;
  };
  const point = (slot: number, offset: number, source: number): void => {
    if (!fits(offset)) throw new AssemblyError('jump-range', 'a jump does not reach the block that is to hand it on', source);
    words[2 * slot] = ((words[2 * slot] ?? 0) & 0xffff) | (offset << 16);
  };

  for (const [k, relay] of relays.entries()) {
    const start = moved(relay.before) - sizeOf(relay);
    if (relay.over && relay.entries.size > 0) {
      words[2 * start] = OPCODE.GOTO;
      point(start, relay.entries.size, relay.before);
    }
    for (const { place, target, forward, origin } of relay.entries.values()) {
      const slot = start + (relay.over ? 1 : 0) + place;
      origins[slot] = origin;
      if (mode === 'gotol') {
        words[2 * slot] = OPCODE.GOTO_LONG;
        words[2 * slot + 1] = moved(target) - slot - 1;
      } else {
        words[2 * slot] = OPCODE.GOTO;
        point(slot, (entryAt(forward ? k + 1 : k - 1, target, forward) ?? moved(target)) - slot - 1, relay.before);
      }
    }
  }

  for (let i = 0; i < code.sources.length; i++) {
    const source = code.sources[i] ?? 0;
    const target = code.targets[i] ?? 0;
    const slot = moved(source);
    if (!isJump(words, slot)) words[2 * slot + 1] = moved(target) - slot - 1;
    else if (!far.has(i)) point(slot, moved(target) - slot - 1, source);
    else if (mode === 'gotol' && isGoto(words, slot)) {
      words[2 * slot] = OPCODE.GOTO_LONG;
      words[2 * slot + 1] = moved(target) - slot - 1;
    } else {
      const forward = target > source;
      const before = relaysBefore(relays, source);
      point(slot, (entryAt(forward ? before : before - 1, target, forward) ?? moved(target)) - slot - 1, source);
    }
  }
  return { words, origins, moved };
}
