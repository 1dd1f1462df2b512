import { type ByteSet, foldCase, negate, setOf } from './byte-set.ts';
import { parseEscape, single } from './escape.ts';
import { parseClass } from './parse-class.ts';
import { type Regex, RegexFailure, type RegexProblem } from './regex.ts';
import { type Flags, Source } from './source.ts';

const LINE_FEED = single(0x0a);
const LINE_END = setOf([0x0a, 0x0a], [0x0d, 0x0d]);
const ALL = setOf([0, 0xff]);
const NAME = /<[\p{Alphabetic}_][\p{Alphabetic}\p{N}_.[\]]*>/uy;
const FLAGS = /[A-Za-z-]+/y;
const DECIMAL = /[0-9]+/y;
/** Larger counts are refused before they are used. */
const MAX_COUNT = 100_000;
const MAX_REPEATED = 64;
const FLAG_NAMES: Readonly<Record<string, keyof Flags>> = { i: 'caseless', m: 'lines', s: 'dotAll', R: 'crlf', x: 'verbose' };

const encoder = new TextEncoder();

/**
 * The syntax of Rust's `regex` crate over octets (`unicode(false)`). Refused beside what is refused there (look-around, back references): (?u) and `\p`,
 * more than 128 groups or classes inside each other, counts over 100,000, more than 64 counts after each other.
 */
export function parseRegex(text: string): Regex | RegexProblem {
  try {
    const s = new Source(text);
    const names = new Set<string>();
    const regex = choice(s, names);
    if (!s.atEnd) s.fail('this ) closes nothing', s.at, s.at + 1);
    return regex;
  } catch (error) {
    if (error instanceof RegexFailure) return error.problem;
    throw error;
  }
}

/** Up to the end or to the `)` of a group, which is left. Flags set inside end with it. */
function choice(s: Source, names: Set<string>): Regex {
  const { flags } = s;
  const items: Regex[] = [];
  do items.push(sequence(s, names));
  while (s.take('|'));
  s.flags = flags;
  return items.length === 1 && items[0] ? items[0] : { kind: 'choice', items };
}

function sequence(s: Source, names: Set<string>): Regex {
  const items: Regex[] = [];
  // What a repetition would repeat: nothing at the beginning and after (?i).
  let repeatable = false;
  let repeated = 0;
  for (;;) {
    s.skipIgnored();
    if (s.atEnd || s.sees('|') || s.sees(')')) return { kind: 'sequence', items };
    const start = s.at;
    const times = repetition(s);
    if (times) {
      const of = items.pop();
      if (!of || !repeatable) s.fail('there is nothing to repeat', start);
      if (++repeated > MAX_REPEATED) s.fail(`at most ${MAX_REPEATED} counts follow each other`, start);
      items.push(repeat(of, times));
      continue;
    }
    const item = s.sees('(') ? group(s, names) : atom(s);
    repeatable = item !== undefined;
    repeated = 0;
    if (item) items.push(item);
  }
}

interface Times {
  readonly min: number;
  readonly max: number | undefined;
}

/** `(a+)?` and its like are one repetition, so that many signs in a row make no deep tree. */
function repeat(of: Regex, times: Times): Regex {
  const simple = ({ min, max }: Times): boolean => min <= 1 && (max ?? 1) === 1;
  if (of.kind !== 'repeat' || !simple(of) || !simple(times)) return { kind: 'repeat', of, ...times };
  return { kind: 'repeat', of: of.of, min: of.min * times.min, max: of.max === 1 && times.max === 1 ? 1 : undefined };
}

function repetition(s: Source): Times | undefined {
  const start = s.at;
  const times = s.take('*')
    ? { min: 0, max: undefined }
    : s.take('+')
      ? { min: 1, max: undefined }
      : s.take('?')
        ? { min: 0, max: 1 }
        : s.take('{')
          ? counted(s, start)
          : undefined;
  if (times) {
    s.skipIgnored();
    s.take('?');
  }
  return times;
}

/** After `{`: `n}`, `n,}`, `n,m}`, `,m}`. */
function counted(s: Source, start: number): Times {
  const count = (): number | undefined => {
    s.skipIgnored();
    const digits = s.match(DECIMAL);
    s.skipIgnored();
    if (digits !== '' && (digits.length > 9 || Number(digits) > MAX_COUNT)) s.fail(`a count is at most ${MAX_COUNT}`, start);
    return digits === '' ? undefined : Number(digits);
  };
  const min = count();
  const comma = s.take(',');
  const max = comma ? count() : min;
  if ((min === undefined && max === undefined) || !s.take('}')) s.fail('expected {n}, {n,} or {n,m}; a { by itself is written \\{', start);
  if (min !== undefined && max !== undefined && max < min) s.fail('a count goes from the smaller to the larger', start);
  return { min: min ?? 0, max };
}

/** From `(` on; undefined for flags alone. */
function group(s: Source, names: Set<string>): Regex | undefined {
  const start = s.at;
  s.take('(');
  const { flags } = s;
  if (s.sees('?')) {
    if (s.sees('?=') || s.sees('?!') || s.sees('?<=') || s.sees('?<!')) s.fail('there is no look-around', start, s.at + 2);
    s.take('?');
    s.take('P');
    if (s.sees('<')) {
      const name = s.match(NAME);
      if (name === '') s.fail('expected the name of a group', s.at, s.at + 1);
      if (names.has(name)) s.fail(`there are two groups ${name}`, start);
      names.add(name);
    } else if (s.text[s.at - 1] === 'P') s.fail('expected <name> after (?P', start);
    else {
      changeFlags(s, start);
      if (s.take(')')) return undefined;
      if (!s.take(':')) s.fail('expected : or )', s.at, s.at + 1);
    }
  }
  const inner = s.nested(() => choice(s, names));
  if (!s.take(')')) s.fail('this ( is not closed', start, start + 1);
  s.flags = flags;
  return inner;
}

function changeFlags(s: Source, start: number): void {
  const text = s.match(FLAGS);
  if (text === '' && s.sees(')')) s.fail('there is nothing to repeat', start);
  if (text.endsWith('-') || text.indexOf('-') !== text.lastIndexOf('-')) s.fail('flags are (?on-off)', start);
  if (new Set(text).size !== text.length) s.fail('a flag is there twice', start);
  let on = true;
  for (const letter of text) {
    const flag = FLAG_NAMES[letter];
    if (letter === '-') on = false;
    else if (flag) s.flags = { ...s.flags, [flag]: on };
    else if (letter === 'u' && on) s.fail('(?u) is not supported: a packet is octets', start);
    else if (letter !== 'u' && letter !== 'U') s.fail(`there is no flag ${letter}`, start);
  }
}

function atom(s: Source): Regex {
  const { flags } = s;
  if (s.sees('[')) return { kind: 'set', set: parseClass(s) };
  const char = s.next();
  switch (char) {
    case '.':
      return { kind: 'set', set: flags.dotAll ? ALL : negate(flags.crlf ? LINE_END : LINE_FEED) };
    case '^':
      return { kind: 'assertion', assertion: !flags.lines ? 'text-start' : flags.crlf ? 'line-start-crlf' : 'line-start' };
    case '$':
      return { kind: 'assertion', assertion: !flags.lines ? 'text-end' : flags.crlf ? 'line-end-crlf' : 'line-end' };
    case '\\': {
      const escaped = parseEscape(s);
      if (escaped.kind === 'octet') return { kind: 'set', set: fold(flags, single(escaped.octet)) };
      return escaped.kind === 'char' ? literal(flags, escaped.char) : escaped;
    }
    default:
      return literal(flags, char);
  }
}

/** A character is the octets of its UTF-8. */
function literal(flags: Flags, char: string): Regex {
  const octets = Array.from(encoder.encode(char), (octet): Regex => ({ kind: 'set', set: fold(flags, single(octet)) }));
  return octets.length === 1 && octets[0] ? octets[0] : { kind: 'sequence', items: octets };
}

function fold(flags: Flags, set: ByteSet): ByteSet {
  return flags.caseless ? foldCase(set) : set;
}
