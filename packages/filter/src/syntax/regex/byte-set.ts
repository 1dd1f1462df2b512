/** A set of octets: 256 flags, 1 for a member. */
export type ByteSet = Uint8Array;

export function emptySet(): ByteSet {
  return new Uint8Array(256);
}

/** From ranges, both ends included: `setOf([0x30, 0x39], [0x41, 0x46])`. */
export function setOf(...ranges: readonly (readonly [number, number])[]): ByteSet {
  const set = emptySet();
  for (const [first, last] of ranges) set.fill(1, first, last + 1);
  return set;
}

export function negate(set: ByteSet): ByteSet {
  return set.map((flag) => 1 - flag);
}

export function union(a: ByteSet, b: ByteSet): ByteSet {
  return a.map((flag, i) => flag | (b[i] ?? 0));
}

/** `&&`, `--` and `~~` inside [ ]. */
export function combine(op: '&&' | '--' | '~~', a: ByteSet, b: ByteSet): ByteSet {
  return a.map((flag, i) => {
    const other = b[i] ?? 0;
    return op === '&&' ? flag & other : op === '--' ? flag & (1 - other) : flag ^ other;
  });
}

/** With a letter its other case as well (ASCII). */
export function foldCase(set: ByteSet): ByteSet {
  const folded = Uint8Array.from(set);
  for (let upper = 0x41; upper <= 0x5a; upper++) {
    const either = (set[upper] ?? 0) | (set[upper + 32] ?? 0);
    folded[upper] = either;
    folded[upper + 32] = either;
  }
  return folded;
}

const DIGIT = setOf([0x30, 0x39]);
const LOWER = setOf([0x61, 0x7a]);
const UPPER = setOf([0x41, 0x5a]);
const ALPHA = union(LOWER, UPPER);
const ALNUM = union(ALPHA, DIGIT);
export const WORD: ByteSet = union(ALNUM, setOf([0x5f, 0x5f]));
const SPACE = setOf([0x09, 0x0d], [0x20, 0x20]);

/** `\d`, `\s`, `\w`. */
export const PERL: ReadonlyMap<string, ByteSet> = new Map([
  ['d', DIGIT],
  ['s', SPACE],
  ['w', WORD],
]);

/** `[:alpha:]` and the others. */
export const POSIX: ReadonlyMap<string, ByteSet> = new Map([
  ['alnum', ALNUM],
  ['alpha', ALPHA],
  ['ascii', setOf([0, 0x7f])],
  ['blank', setOf([0x09, 0x09], [0x20, 0x20])],
  ['cntrl', setOf([0, 0x1f], [0x7f, 0x7f])],
  ['digit', DIGIT],
  ['graph', setOf([0x21, 0x7e])],
  ['lower', LOWER],
  ['print', setOf([0x20, 0x7e])],
  ['punct', setOf([0x21, 0x2f], [0x3a, 0x40], [0x5b, 0x60], [0x7b, 0x7e])],
  ['space', SPACE],
  ['upper', UPPER],
  ['word', WORD],
  ['xdigit', setOf([0x30, 0x39], [0x41, 0x46], [0x61, 0x66])],
]);
