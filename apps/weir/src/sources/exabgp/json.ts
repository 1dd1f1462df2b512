/** A JSON value as `JSON.parse` makes it. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

/** A line that begins like one of ExaBGP's and cannot be read. `message` says what is wrong with it. */
export class LineError extends Error {
  readonly code = 'EXABGP_LINE';

  constructor(message: string) {
    super(message);
    this.name = 'LineError';
  }
}

/** Extended communities are integers of 64 and 160 bits. Inside of a string the second quote would be escaped, so only keys match. */
const LONG_VALUE = /"value"\s*:\s*(\d{16,60})(?=\s*[,}])/g;
/** ExaBGP 4.2 writes strings of `refresh` lines in two pairs of quotes. */
const DOUBLE_QUOTED = /""([\w-]+)""/g;
/** Of a session that ends: the reason is the last of the line, and has what the peer wrote in it (RFC 9003). */
const REASON = /"state": "down", "reason": "(.*?)(?:" \} \}\s*)?$/s;

/**
 * A line of ExaBGP's as a value. Integers that a double cannot hold stay as text. Throws LineError for what is not an object in JSON, but for the two
 * forms of it that ExaBGP writes itself: a `refresh` line of 4.2, and a reason with control characters or backslashes of the peer's, cut off where it has a line break.
 */
export function parseJson(line: string): JsonObject {
  const exact = line.includes('"value"') ? line.replace(LONG_VALUE, '"value":"$1"') : line;
  const value = tryParse(exact) ?? tryParse(repaired(line));
  if (value === undefined) throw new LineError('not JSON');
  return object(value, 'the line');
}

function repaired(line: string): string {
  if (line.includes('"refresh"')) return line.replace(DOUBLE_QUOTED, '"$1"');
  const reason = REASON.exec(line);
  return reason ? `${line.slice(0, reason.index)}"state":"down","reason":${JSON.stringify(reason[1])}}}` : '';
}

function tryParse(text: string): JsonValue | undefined {
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function object(value: JsonValue | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw new LineError(`${what} is not an object`);
}

export function array(value: JsonValue | undefined, what: string): readonly JsonValue[] {
  if (Array.isArray(value)) return value as readonly JsonValue[];
  throw new LineError(`${what} is not a list`);
}

export function text(value: JsonValue | undefined, what: string): string {
  if (typeof value === 'string') return value;
  throw new LineError(`${what} is not text`);
}

/** An integer of 0 to `max`. */
export function integer(value: JsonValue | undefined, max: number, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new LineError(`${what} is not an integer of 0-${max}`);
}
