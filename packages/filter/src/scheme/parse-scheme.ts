import { FUNCTIONS } from './functions.ts';
import type { Field, Scheme } from './scheme.ts';
import { parseType, type Type } from './type.ts';

const MAX_FIELDS = 10_000;
const MAX_NAME = 256;
/** Depth of a type written as objects. */
const MAX_NESTING = 16;
const MAX_PROBLEMS = 20;

export type SchemeResult = { readonly scheme: Scheme } | { readonly problems: readonly string[] };

/**
 * A scheme from a JSON value: an object of field names to types, `{"http.host": "Bytes", "http.headers": "Map(Array(Bytes))"}`. A type may be written as the original
 * engine writes it, `{"Map": {"Array": "Bytes"}}`. The functions are those of every scheme; every field is optional. At most 10,000 fields.
 */
export function parseScheme(json: unknown): SchemeResult {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { problems: ['a scheme is an object of field names to types'] };
  const entries = Object.entries(json);
  if (entries.length === 0) return { problems: ['the scheme has no fields'] };
  if (entries.length > MAX_FIELDS) return { problems: [`the scheme has ${entries.length} fields; at most ${MAX_FIELDS} are possible`] };
  const fields = new Map<string, Field>();
  const problems: string[] = [];
  for (const [name, value] of entries) {
    const type = readType(value);
    const problem = nameProblem(name);
    if (problem !== undefined) problems.push(problem);
    else if (!type) problems.push(`${name}: ${show(value)} is not a type: Bool, Int, Ip, Bytes, Array(T), Map(T)`);
    else fields.set(name, { name, type, optional: true });
  }
  if (problems.length === 0) return { scheme: { fields, functions: FUNCTIONS, missingNotEqual: true } };
  const more = problems.length - MAX_PROBLEMS;
  return { problems: more > 0 ? [...problems.slice(0, MAX_PROBLEMS), `and ${more} more`] : problems };
}

function nameProblem(name: string): string | undefined {
  if (name.length > MAX_NAME) return `${name.slice(0, 32)}...: a name has at most ${MAX_NAME} characters`;
  if (!/^\w+(?:\.\w+)*$/.test(name)) return `${JSON.stringify(name)} is not a name: letters, digits and _, with single dots between them`;
  if (FUNCTIONS.has(name) || name === 'any' || name === 'all') return `${name} is the name of a function`;
  return undefined;
}

function readType(value: unknown, depth = 0): Type | undefined {
  if (typeof value === 'string') return parseType(value, depth);
  if (typeof value !== 'object' || value === null || depth >= MAX_NESTING) return undefined;
  const [entry, ...others] = Object.entries(value);
  if (!entry || others.length > 0 || (entry[0] !== 'Array' && entry[0] !== 'Map')) return undefined;
  const of = readType(entry[1], depth + 1);
  return of && { kind: entry[0], of };
}

function show(value: unknown): string {
  const text = String(JSON.stringify(value));
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
