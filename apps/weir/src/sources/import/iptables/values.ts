import { type Family, type Ip, makePrefix, parseIp } from '@weir/wire/inet';
import { PROTOCOL_NUMBERS } from '../protocol-numbers.ts';
import { type AddressSet, addressRange, prefixRange, type Range, type Ranges, range, union, unionAddresses } from '../ranges.ts';
import { LineError, type Token } from './tokens.ts';

/** What iptables can say and this cannot translate. Thrown and caught inside the import. */
export class UntranslatableError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UntranslatableError';
  }
}

/** `80`, `0x50`; undefined for what is no number up to `max`. */
function parseNumber(text: string, max: number): number | undefined {
  if (!/^(\d{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

export function numberOf(token: Token, max: number, what: string, text: string = token.text): number {
  const value = parseNumber(text, max);
  if (value === undefined) throw new LineError(token.column, `${what} is a number from 0 to ${max}, not "${text}"`);
  return value;
}

/** `5`, or `5:9` with `separator` `:`; an end left out is the least or greatest. */
export function rangeOf(token: Token, max: number, what: string, separator = ':', text: string = token.text): Range {
  const at = text.indexOf(separator);
  if (at < 0) return range(numberOf(token, max, what, text));
  const first = text.slice(0, at) === '' ? 0 : numberOf(token, max, what, text.slice(0, at));
  const last = text.slice(at + 1) === '' ? max : numberOf(token, max, what, text.slice(at + 1));
  if (first > last) throw new LineError(token.column, `${what}: ${first} is greater than ${last}`);
  return range(first, last);
}

const SERVICES: Readonly<Record<string, number>> = {
  'ftp-data': 20,
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  bootps: 67,
  bootpc: 68,
  tftp: 69,
  http: 80,
  pop3: 110,
  sunrpc: 111,
  ntp: 123,
  imap2: 143,
  snmp: 161,
  bgp: 179,
  ldap: 389,
  https: 443,
  submissions: 465,
  syslog: 514,
  submission: 587,
  ldaps: 636,
  imaps: 993,
  pop3s: 995,
  mysql: 3306,
  postgresql: 5432,
};

/** A port or `first:last`, by number or by the name of a well-known service. */
export function portsOf(token: Token, text: string = token.text): Range {
  const named = text.split(':').map((part) => (!Object.hasOwn(SERVICES, part) ? part : `${SERVICES[part]}`));
  if (named.some((part) => /^[a-z]/i.test(part))) throw new LineError(token.column, `write ports as numbers: "${text}"`);
  return rangeOf(token, 65_535, 'a port', ':', named.join(':'));
}

/** Ports with commas between. */
export function portListOf(token: Token): Ranges {
  return union(token.text.split(',').map((part) => portsOf(token, part)));
}

/** Number of a protocol; 0 is every one. */
export function protocolOf(token: Token): number {
  const name = token.text.toLowerCase();
  if (name === 'all') return 0;
  const known = Object.hasOwn(PROTOCOL_NUMBERS, name) ? PROTOCOL_NUMBERS[name] : undefined;
  return known ?? numberOf(token, 255, 'a protocol');
}

/** Addresses with commas between, each with a length or a mask. Host bits are cut, as iptables does. */
export function addressesOf(token: Token, family: Family): AddressSet {
  return unionAddresses(token.text.split(',').map((part) => addressOf(token, part, family)));
}

function addressOf(token: Token, text: string, family: Family): AddressSet {
  const slash = text.indexOf('/');
  const ip = ipOf(token, slash < 0 ? text : text.slice(0, slash), family);
  const bits = family === 4 ? 32 : 128;
  if (slash < 0) return prefixRange(makePrefix(ip, bits));
  const tail = text.slice(slash + 1);
  if (/^\d{1,3}$/.test(tail) && Number(tail) <= bits) return prefixRange(makePrefix(ip, Number(tail)));
  const mask = parseIp(tail);
  if (!mask || mask.family !== family) throw new LineError(token.column, `not a prefix length or mask: "${tail}"`);
  const length = maskLength(mask);
  if (length === undefined) throw new UntranslatableError(`the mask ${tail} is not a prefix`);
  return prefixRange(makePrefix(ip, length));
}

function ipOf(token: Token, text: string, family: Family): Ip {
  const ip = parseIp(text);
  if (!ip) throw new LineError(token.column, `an address is needed, not "${text}"`);
  if (ip.family !== family) throw new LineError(token.column, `${text} is not an IPv${family} address`);
  return ip;
}

/** `first-last`, or one address. */
export function addressRangeOf(token: Token, family: Family): AddressSet {
  const dash = token.text.indexOf('-');
  const first = ipOf(token, dash < 0 ? token.text : token.text.slice(0, dash), family);
  const last = dash < 0 ? first : ipOf(token, token.text.slice(dash + 1), family);
  const set = addressRange(first, last);
  const only = set.v4[0] ?? set.v6[0];
  if (only && only.first > only.last) throw new LineError(token.column, `${token.text} is no range: its end comes before its beginning`);
  return set;
}

function maskLength(mask: Ip): number | undefined {
  const words = mask.family === 4 ? [mask.w0] : [mask.w0, mask.w1, mask.w2, mask.w3];
  let length = 0;
  let ended = false;
  for (const word of words) {
    const ones = Math.clz32(~word);
    if (ended ? word !== 0 : ones < 32 && (word << ones) >>> 0 !== 0) return undefined;
    if (ones < 32) ended = true;
    length += ended && ones === 0 ? 0 : ones;
  }
  return length;
}

/** An interface as iptables writes it: a `+` at the end is a wildcard. Given back with `*`. */
export function interfaceOf(token: Token): string {
  const { text } = token;
  if (text === '' || text.length > 16 || !/^[\x21-\x7e]+$/.test(text))
    throw new LineError(token.column, `not the name of an interface: "${text}"`);
  const wild = text.endsWith('+');
  const name = wild ? text.slice(0, -1) : text;
  if (/[*"\\]/.test(name)) throw new UntranslatableError(`the interface ${name} has a character in its name that a policy cannot say`);
  return wild ? `${name}*` : name;
}

/** `value/mask`; the mask is `full` where it is left out. */
export function maskedOf(token: Token, full: number, what: string): { readonly value: number; readonly mask: number } {
  const [value = '', mask] = token.text.split('/', 2);
  return { value: numberOf(token, full, what, value), mask: mask === undefined ? full : numberOf(token, full, what, mask) };
}
