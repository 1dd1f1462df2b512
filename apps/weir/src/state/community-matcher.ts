import { ip4, printIp } from '@weir/wire/inet';
import type { CommunityPattern, NamedSet, PatternField } from '../model/named-set.ts';

/** Path attribute type codes. */
const COMMUNITIES = 8;
const EXTENDED_COMMUNITIES = 16;
const LARGE_COMMUNITIES = 32;
const EXTENDED_LENGTH = 0x10;

const SUBTYPE = { rt: 2, ro: 3 } as const;

/** Called for each community found: its attribute, and its first words. */
type Visit = (kind: 'standard' | 'large' | 'extended', a: number, b: number, c: number) => void;

/**
 * Visits the communities in path attributes as on the wire, which the codec has already checked (RFC 4271 section 4.3):
 *
 * ```
 * | flags (1) | type (1) | length (1, or 2 with flag 0x10) | value |
 * ```
 */
function visitCommunities(raw: Uint8Array, visit: Visit): void {
  let at = 0;
  while (at + 3 <= raw.length) {
    const type = raw[at + 1] as number;
    const long = ((raw[at] as number) & EXTENDED_LENGTH) !== 0;
    const length = long ? ((raw[at + 2] as number) << 8) | ((raw[at + 3] ?? 0) as number) : (raw[at + 2] as number);
    const start = at + (long ? 4 : 3);
    const end = Math.min(start + length, raw.length);
    if (type === COMMUNITIES) {
      for (let i = start; i + 4 <= end; i += 4) visit('standard', u32(raw, i), 0, 0);
    } else if (type === EXTENDED_COMMUNITIES) {
      for (let i = start; i + 8 <= end; i += 8) visit('extended', u32(raw, i), u32(raw, i + 4), 0);
    } else if (type === LARGE_COMMUNITIES) {
      for (let i = start; i + 12 <= end; i += 12) visit('large', u32(raw, i), u32(raw, i + 4), u32(raw, i + 8));
    }
    at = start + length;
  }
}

function u32(b: Uint8Array, i: number): number {
  return (((b[i] as number) << 24) | ((b[i + 1] as number) << 16) | ((b[i + 2] as number) << 8) | (b[i + 3] as number)) >>> 0;
}

function fits(field: PatternField | undefined, value: number): boolean {
  return field === '*' || field === value;
}

/**
 * Administrator and value of a route target or origin in any form: two-octet AS (type 0), IPv4 address (1), four-octet AS (2), transitive
 * or not (RFC 4360 sections 3.1-3.2, RFC 5668); undefined for another type or sub-type.
 */
function extendedFields(
  high: number,
  low: number,
): { readonly subtype: number; readonly admin: number; readonly value: number; readonly form: number } | undefined {
  const form = (high >>> 24) & 0xbf;
  const subtype = (high >>> 16) & 0xff;
  if (form === 0) return { subtype, admin: high & 0xffff, value: low, form };
  if (form === 1 || form === 2) return { subtype, admin: (((high & 0xffff) << 16) | (low >>> 16)) >>> 0, value: low & 0xffff, form };
  return undefined;
}

function matches(pattern: CommunityPattern, kind: 'standard' | 'large' | 'extended', a: number, b: number, c: number): boolean {
  switch (pattern.kind) {
    case 'standard':
      return kind === 'standard' && fits(pattern.fields[0], a >>> 16) && fits(pattern.fields[1], a & 0xffff);
    case 'large':
      return kind === 'large' && fits(pattern.fields[0], a) && fits(pattern.fields[1], b) && fits(pattern.fields[2], c);
    case 'extended': {
      if (kind !== 'extended') return false;
      const e = extendedFields(a, b);
      return e !== undefined && e.subtype === SUBTYPE[pattern.type] && fits(pattern.fields[0], e.admin) && fits(pattern.fields[1], e.value);
    }
    case 'extended-generic':
      return kind === 'extended' && fits(pattern.high, a) && fits(pattern.low, b);
  }
}

function print(kind: 'standard' | 'large' | 'extended', a: number, b: number, c: number): string {
  if (kind === 'standard') return `${a >>> 16}:${a & 0xffff}`;
  if (kind === 'large') return `${a}:${b}:${c}`;
  const e = extendedFields(a, b);
  if (e && (e.subtype === SUBTYPE.rt || e.subtype === SUBTYPE.ro)) {
    return `${e.subtype === SUBTYPE.rt ? 'rt' : 'ro'}:${e.form === 1 ? printIp(ip4(e.admin)) : e.admin}:${e.value}`;
  }
  return `generic:0x${a.toString(16).padStart(8, '0')}:0x${b.toString(16).padStart(8, '0')}`;
}

/** Whether path attributes carry a standard community, given as its 32 bits. */
export function carriesCommunity(raw: Uint8Array, community: number): boolean {
  let found = false;
  visitCommunities(raw, (kind, value) => {
    if (kind === 'standard' && value === community) found = true;
  });
  return found;
}

/** The communities of `raw` that match a pattern of the set, as text, each once. */
export function matchedCommunities(set: NamedSet, raw: Uint8Array): string[] {
  const out = new Set<string>();
  visitCommunities(raw, (kind, a, b, c) => {
    if (set.communities.some((pattern) => matches(pattern, kind, a, b, c))) out.add(print(kind, a, b, c));
  });
  return [...out];
}

interface Wanted {
  readonly index: number;
  readonly pattern: CommunityPattern;
}

/**
 * Says which sets ask for a route by its communities (A1). Standard communities without a wildcard, the usual case, are one look-up each, large ones are found
 * by their administrator; the other patterns are tried one after the other.
 */
export class CommunityMatcher {
  readonly #exact = new Map<number, number[]>();
  /** Large communities by their administrator, where the pattern states it. */
  readonly #large = new Map<number, Wanted[]>();
  readonly #others: Wanted[] = [];
  readonly #found = new Set<number>();

  /** `sets` by index; an index without a set is skipped. */
  constructor(sets: readonly (NamedSet | undefined)[]) {
    sets.forEach((set, index) => {
      for (const pattern of set?.communities ?? []) {
        const [first, second] = pattern.kind === 'standard' || pattern.kind === 'large' ? pattern.fields : (['*', '*'] as const);
        if (pattern.kind === 'standard' && first !== '*' && second !== '*') push(this.#exact, ((first << 16) | second) >>> 0, index);
        else if (pattern.kind === 'large' && first !== '*') push(this.#large, first, { index, pattern });
        else this.#others.push({ index, pattern });
      }
    });
  }

  /** Indexes, ascending, of the sets with a pattern that matches a community of these path attributes. */
  match(raw: Uint8Array): readonly number[] {
    const found = this.#found;
    found.clear();
    visitCommunities(raw, (kind, a, b, c) => {
      if (kind === 'standard') for (const index of this.#exact.get(a) ?? []) found.add(index);
      if (kind === 'large') for (const other of this.#large.get(a) ?? []) if (matches(other.pattern, kind, a, b, c)) found.add(other.index);
      for (const other of this.#others) if (matches(other.pattern, kind, a, b, c)) found.add(other.index);
    });
    return found.size === 0 ? [] : [...found].sort((x, y) => x - y);
  }
}

function push<T>(map: Map<number, T[]>, key: number, value: T): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
