import { parseIp } from '@weir/wire/inet';
import { canonicalInt, MAX_INT, MIN_INT } from '../ir/int.ts';
import { keyOctets, octetsKey } from '../ir/octets.ts';
import { type Field, type Int, IP_PROTOCOLS, PACKET_SCHEME, printType, type Scheme, type Type } from '../scheme/index.ts';
import type { Subject, Value } from './value.ts';

export type SubjectResult = { readonly subject: Subject } | { readonly problems: readonly string[] };

/** Problems that are told. */
const MAX_PROBLEMS = 20;

const encoder = new TextEncoder();

/**
 * A subject from a JSON object of fields, by their types in the scheme: Bool as true and false, Int as a number (or a string of digits, which a JSON number does not
 * always hold), Ip as text, Bytes as text (its UTF-8) or a list of octets, Array as a list, Map as an object. A field that is not there, or null, is missing.
 * Of the fields of packets `ip.proto` and `ip.proto.num` give each other, and `bit_slice` reads `ip`, `ip6`, `tcp`, `udp` and `icmp`.
 */
export function genericSubject(json: unknown, scheme: Scheme): SubjectResult {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { problems: ['fields are an object of field names to values'] };
  const values = new Map<string, Value>();
  const problems: string[] = [];
  for (const [name, value] of Object.entries(json)) {
    const field = scheme.fields.get(name);
    if (!field) problems.push(`there is no field ${JSON.stringify(name.slice(0, 64))}`);
    else if (value !== null) readField(field, value, values, problems);
  }
  if (scheme.fields.get('ip.proto') === PACKET_SCHEME.fields.get('ip.proto')) deriveProtocol(values, problems);
  if (problems.length > MAX_PROBLEMS) problems.splice(MAX_PROBLEMS, problems.length, `and ${problems.length - MAX_PROBLEMS} more`);
  if (problems.length > 0) return { problems };
  return { subject: { field: (name) => values.get(name), slice: (protocol, start, end) => sliceOf(values.get(protocol), start, end) } };
}

function readField(field: Field, json: unknown, values: Map<string, Value>, problems: string[]): void {
  const before = problems.length;
  const value = readValue(json, field.type, field.name, problems);
  if (value === undefined || problems.length > before) return;
  const { range } = field;
  if (range && (typeof value === 'number' || typeof value === 'bigint') && (value < range.min || value > range.max)) {
    problems.push(`${field.name} is ${range.min} to ${range.max}, not ${value}`);
    return;
  }
  values.set(field.name, value);
}

function readValue(json: unknown, type: Type, path: string, problems: string[]): Value | undefined {
  const value = typed(json, type, path, problems);
  if (value === undefined && problems.length <= MAX_PROBLEMS) problems.push(`${path} is of type ${printType(type)}, not ${shown(json)}`);
  return value;
}

/** Undefined for what is not of the type. */
function typed(json: unknown, type: Type, path: string, problems: string[]): Value | undefined {
  switch (type.kind) {
    case 'Bool':
      return typeof json === 'boolean' ? json : undefined;
    case 'Int':
      return readInt(json);
    case 'Ip':
      return typeof json === 'string' ? parseIp(json) : undefined;
    case 'Bytes':
      return readOctets(json);
    case 'Array':
      if (!Array.isArray(json)) return undefined;
      return json.map((item: unknown, i) => readValue(item, type.of, `${path}[${i}]`, problems)).filter((value) => value !== undefined);
    case 'Map': {
      if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined;
      const map = new Map<string, Value>();
      for (const [key, item] of Object.entries(json)) {
        const value = readValue(item, type.of, `${path}[${JSON.stringify(key)}]`, problems);
        if (value !== undefined) map.set(octetsKey(encoder.encode(key)), value);
      }
      return map;
    }
  }
}

function readInt(json: unknown): Int | undefined {
  if (typeof json === 'number') return Number.isSafeInteger(json) ? json + 0 : undefined;
  if (typeof json !== 'string' || !/^-?\d{1,19}$/.test(json)) return undefined;
  const value = canonicalInt(BigInt(json));
  return value >= MIN_INT && value <= MAX_INT ? value : undefined;
}

function readOctets(json: unknown): Uint8Array | undefined {
  if (typeof json === 'string') return encoder.encode(json);
  if (!Array.isArray(json)) return undefined;
  const octets = json.filter((item): item is number => typeof item === 'number' && Number.isInteger(item) && item >= 0 && item <= 255);
  return octets.length === json.length ? Uint8Array.from(octets) : undefined;
}

function shown(json: unknown): string {
  const text = String(JSON.stringify(json));
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

/** A protocol's name is its number's. */
function deriveProtocol(values: Map<string, Value>, problems: string[]): void {
  const name = values.get('ip.proto');
  const number = values.get('ip.proto.num');
  const given = name instanceof Uint8Array ? octetsKey(name) : undefined;
  const known = given !== undefined && Object.hasOwn(IP_PROTOCOLS, given) ? IP_PROTOCOLS[given] : undefined;
  if (given !== undefined && known === undefined)
    problems.push(`ip.proto has no value ${JSON.stringify(given)}: a number without a name is ip.proto.num alone`);
  else if (known !== undefined && number === undefined) values.set('ip.proto.num', known);
  else if (known !== undefined && number !== known) problems.push(`ip.proto is ${given}, but ip.proto.num is not ${known}`);
  else if (known === undefined && typeof number === 'number') {
    const entry = Object.entries(IP_PROTOCOLS).find(([, value]) => value === number);
    if (entry) values.set('ip.proto', keyOctets(entry[0]));
  }
}

/** Bits [start, end) of octets; undefined when they are not all there. */
function sliceOf(octets: Value | undefined, start: number, end: number): number | undefined {
  if (!(octets instanceof Uint8Array) || end > octets.length * 8) return undefined;
  let value = 0;
  for (let bit = start; bit < end; bit++) value = value * 2 + (((octets[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
  return value;
}
