import type { Scheme } from '../scheme/index.ts';
import type { Cursor } from './cursor.ts';

const SEGMENT = /[A-Za-z0-9_]*/y;
/** Suggestions are looked for only for names of sensible length. */
const MAX_SUGGESTED_FOR = 64;
const MAX_SUGGESTIONS = 3;

/** The longest name with dots that begins here. */
export function lexIdentifier(c: Cursor, expected: string): string {
  const start = c.at;
  do if (c.match(SEGMENT) === '') c.fail(c.at === start ? expected : 'expected a letter, a digit or _ after the dot', c.at, c.at + 1);
  while (c.take('.'));
  return c.from(start);
}

/** `; did you mean a, b or c?`, or nothing. */
export function suggest(scheme: Scheme, name: string): string {
  return didYouMean(name, [...scheme.fields.keys(), ...scheme.functions.keys(), 'any', 'all']);
}

export function didYouMean(name: string, candidates: readonly string[]): string {
  if (name.length > MAX_SUGGESTED_FOR) return '';
  const wanted = name.toLowerCase();
  const furthest = Math.max(1, Math.floor(wanted.length / 3));
  const near = candidates
    .filter((candidate) => Math.abs(candidate.length - name.length) <= furthest || lastSegment(candidate) === wanted)
    .map((candidate) => ({ candidate, far: lastSegment(candidate) === wanted ? 1 : distance(wanted, candidate.toLowerCase(), furthest) }))
    .filter(({ far }) => far <= furthest)
    .sort((a, b) => a.far - b.far || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, MAX_SUGGESTIONS)
    .map(({ candidate }) => candidate);
  if (near.length === 0) return '';
  return `; did you mean ${near.slice(0, -1).join(', ')}${near.length > 1 ? ' or ' : ''}${near.at(-1)}?`;
}

function lastSegment(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1).toLowerCase();
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one to the other; some larger number when there are more than `limit`. */
function distance(a: string, b: string, limit: number): number {
  const width = b.length + 1;
  let before = new Uint16Array(width);
  let row = Uint16Array.from({ length: width }, (_, j) => j);
  let next = new Uint16Array(width);
  for (let i = 1; i <= a.length; i++) {
    const x = a.charCodeAt(i - 1);
    let least = i;
    next[0] = i;
    for (let j = 1; j < width; j++) {
      const y = b.charCodeAt(j - 1);
      let cost = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (x === y ? 0 : 1));
      if (i > 1 && j > 1 && x === b.charCodeAt(j - 2) && y === a.charCodeAt(i - 2)) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      next[j] = cost;
      least = Math.min(least, cost);
    }
    if (least > limit) return least;
    [before, row, next] = [row, next, before];
  }
  return row[b.length] ?? 0;
}
