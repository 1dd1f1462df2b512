import { parseHex, printHex } from '@weir/wire/bytes';
import { asn, ip4, parseAsn, parseIp } from '@weir/wire/inet';
import { printAdministrator } from '../extended-community.ts';

/**
 * A route distinguisher (RFC 4364 section 4.2) as text: `64512:1`, `192.0.2.1:1`, `4200000000:1`, a 4-octet AS number that would fit two octets in asdot (`0.64512:1`); of another type
 * `0x` and 16 digits.
 *
 *     type 0:  0 · AS 2 · number 4      type 1:  1 · IPv4 4 · number 2      type 2:  2 · AS 4 · number 2
 */
export function printDistinguisher(octets: Uint8Array): string {
  const view = new DataView(octets.buffer, octets.byteOffset, 8);
  switch (view.getUint16(0)) {
    case 0:
      return `${view.getUint16(2)}:${view.getUint32(4)}`;
    case 1:
      return `${printAdministrator({ kind: 'ipv4', address: ip4(view.getUint32(2)) })}:${view.getUint16(6)}`;
    case 2:
      return `${printAdministrator({ kind: 'as4', asn: asn(view.getUint32(2)) })}:${view.getUint16(6)}`;
    default:
      return `0x${printHex(octets)}`;
  }
}

/** Eight octets of the texts that `printDistinguisher` writes; undefined for anything else. */
export function parseDistinguisher(text: string): Uint8Array | undefined {
  if (/^0x[0-9a-fA-F]{16}$/.test(text)) return parseHex(text.slice(2));
  const match = /^([0-9.]{1,21}):(0|[1-9]\d{0,9})$/.exec(text);
  if (!match) return undefined;
  const [, administrator = '', digits] = match;
  const number = Number(digits);
  const address = parseIp(administrator);
  if (address) return number > 0xffff ? undefined : wide(1, address.w0, number);
  const as = parseAsn(administrator);
  if (as === undefined) return undefined;
  if (as > 0xffff || administrator.includes('.')) return number > 0xffff ? undefined : wide(2, as, number);
  return number > 0xffffffff ? undefined : wide(0, as * 0x10000 + Math.floor(number / 0x10000), number % 0x10000);
}

/** Type 2 · 4 octets · 2 octets: an AS of two octets has the upper half of the number behind it. */
function wide(type: number, middle: number, low: number): Uint8Array {
  const out = new Uint8Array(8);
  const view = new DataView(out.buffer);
  view.setUint16(0, type);
  view.setUint32(2, middle);
  view.setUint16(6, low);
  return out;
}
