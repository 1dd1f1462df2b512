import { printHex } from '@weir/wire/bytes';
import { printIp } from '@weir/wire/inet';
import { quote } from '../syntax/print.ts';
import { isArray, isIp, isMap } from './operand-value.ts';
import type { Value } from './value.ts';

/** Octets and members that are shown of a value. */
const MAX_OCTETS = 64;
const MAX_MEMBERS = 8;

/** A value for a person, safe on a terminal and bounded: `443`, `192.0.2.1`, `"GET"`, `00ff` and what it cuts off as `...`. */
export function printValue(value: Value): string {
  if (value instanceof Uint8Array) return printOctets(value);
  if (typeof value !== 'object') return String(value);
  if (isIp(value)) return printIp(value);
  if (isArray(value)) return `[${cut(value.slice(0, MAX_MEMBERS + 1).map(printValue))}]`;
  if (!isMap(value)) return '';
  const entries = [...value].slice(0, MAX_MEMBERS + 1);
  return `{${cut(entries.map(([key, inner]) => `${JSON.stringify(key)}: ${printValue(inner)}`))}}`;
}

function cut(members: readonly string[]): string {
  return members.length <= MAX_MEMBERS ? members.join(', ') : `${members.slice(0, MAX_MEMBERS).join(', ')}, ...`;
}

function printOctets(octets: Uint8Array): string {
  const shown = octets.subarray(0, MAX_OCTETS);
  const more = octets.length > MAX_OCTETS ? '...' : '';
  const isText = shown.every((octet) => octet >= 0x20 && octet < 0x7f);
  return isText ? `${quote(shown)}${more}` : `${printHex(shown)}${more}`;
}
