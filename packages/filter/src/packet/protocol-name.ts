import { IP_PROTOCOLS } from '../scheme/index.ts';

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(IP_PROTOCOLS).map(([name, number]) => [number, name]));
const encoder = new TextEncoder();
const OCTETS: ReadonlyMap<number, Uint8Array> = new Map([...NAMES].map(([number, name]) => [number, encoder.encode(name)]));

/** As `ip.proto` names it; undefined for a number without a name. */
export function protocolName(number: number): string | undefined {
  return NAMES.get(number);
}

/** The same as octets; always the same object. */
export function protocolOctets(number: number): Uint8Array | undefined {
  return OCTETS.get(number);
}
