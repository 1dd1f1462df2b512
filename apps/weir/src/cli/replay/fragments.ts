import type { Packet } from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';

/** Extension headers that can stand before a fragment header. */
const BEFORE_FRAGMENT: ReadonlySet<number> = new Set([0, 43, 51, 60]);
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const ADDRESSES: Readonly<Record<4 | 6, readonly [number, number]>> = { 4: [12, 20], 6: [8, 40] };
/** As many incomplete packets, and octets of them, as are put together at a time. */
const MAX_WAITING = 1024;
const MAX_OCTETS = 4 << 20;

/** What the fragments of one packet have in common; undefined for what is no fragment. */
export function fragmentKey(packet: Packet): string | undefined {
  const { family, network, end } = packet.headers;
  const { bytes } = packet;
  if (family === undefined) return undefined;
  const addresses = (): string => printHex(bytes.subarray(network + ADDRESSES[family][0], network + ADDRESSES[family][1]));
  if (family === 4) {
    if (packet.field('ip.frag') !== true) return undefined;
    return `${addresses()} ${bytes[network + 9]} ${printHex(bytes.subarray(network + 4, network + 6))}`;
  }
  let next = bytes[network + 6] ?? 0;
  for (let at = network + 40; at + 8 <= end; ) {
    if (next === FRAGMENT) return `${addresses()} ${printHex(bytes.subarray(at + 4, at + 8))}`;
    if (!BEFORE_FRAGMENT.has(next)) return undefined;
    const units = bytes[at + 1] ?? 0;
    const length = next === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8;
    next = bytes[at] ?? 0;
    at += length;
  }
  return undefined;
}

/** Fragments that wait for others of their packet, as they are to be sent; the oldest are given up when there are too many. */
export class WaitingFragments {
  readonly #byKey = new Map<string, Uint8Array[]>();
  #octets = 0;

  add(key: string, fragment: Uint8Array): void {
    const mine = this.#byKey.get(key);
    if (mine) mine.push(fragment);
    else this.#byKey.set(key, [fragment]);
    this.#octets += fragment.length;
    for (const [oldest] of this.#byKey) {
      if (this.#byKey.size <= MAX_WAITING && this.#octets <= MAX_OCTETS) break;
      this.take(oldest);
    }
  }

  /** Those of one packet, which do not wait any more. */
  take(key: string): readonly Uint8Array[] {
    const mine = this.#byKey.get(key) ?? [];
    this.#byKey.delete(key);
    for (const fragment of mine) this.#octets -= fragment.length;
    return mine;
  }
}
