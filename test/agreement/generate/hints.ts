import type { Random } from '../../e2e/random.ts';

/** Constants of a policy, by field: packets are made to hit them and what is next to them. */
export class Hints {
  readonly #ints = new Map<string, number[]>();
  readonly #v4: number[] = [];
  readonly #v6: bigint[] = [];
  readonly #payloads: Uint8Array[] = [];

  addInt(field: string, ...values: readonly number[]): void {
    const known = this.#ints.get(field) ?? [];
    known.push(...values);
    this.#ints.set(field, known);
  }

  addV4(...addresses: readonly number[]): void {
    this.#v4.push(...addresses);
  }

  addV6(...addresses: readonly bigint[]): void {
    this.#v6.push(...addresses);
  }

  addPayload(bytes: Uint8Array): void {
    this.#payloads.push(bytes);
  }

  /** A value of a field of so many bits: often a constant of the policy or the number before or after it, else one of `usual`, sometimes any. */
  int(random: Random, field: string, bits: number, usual: readonly number[]): number {
    const known = this.#ints.get(field) ?? [];
    const limit = 2 ** bits;
    const kind = random.below(10);
    if (known.length > 0 && kind < 6) {
      const value = random.pick(known) + random.pick(NEAR);
      if (value >= 0 && value < limit) return value;
    }
    if (usual.length > 0 && kind < 9) return random.pick(usual);
    return random.below(Math.min(limit, 2 ** 32 - 1));
  }

  /** An IPv4 address. */
  v4(random: Random): number {
    const kind = random.below(10);
    if (this.#v4.length > 0 && kind < 6) return (random.pick(this.#v4) + random.pick(NEAR)) >>> 0;
    return kind < 9 ? random.pick(V4) : random.below(2 ** 32 - 1);
  }

  /** An IPv6 address as a number. */
  v6(random: Random): bigint {
    const kind = random.below(10);
    if (this.#v6.length > 0 && kind < 6) return BigInt.asUintN(128, random.pick(this.#v6) + BigInt(random.pick(NEAR)));
    if (kind < 9) return random.pick(V6);
    let out = 0n;
    for (let i = 0; i < 4; i++) out = (out << 32n) | BigInt(random.below(2 ** 32 - 1));
    return out;
  }

  payload(random: Random): Uint8Array {
    if (this.#payloads.length > 0 && random.below(3) === 0) return random.pick(this.#payloads);
    const out = new Uint8Array(random.below(80) === 0 ? LARGE : random.pick(PAYLOADS));
    for (let i = 0; i < out.length; i++) out[i] = random.below(256);
    return out;
  }
}

/** More than a page: the kernel keeps the end of such a packet elsewhere. */
const LARGE = 4500;
const NEAR = [0, 0, 0, 0, -1, 1] as const;
const PAYLOADS = [0, 0, 1, 2, 3, 4, 8, 12, 31, 64] as const;

/** Addresses that packets and policies share: 192.0.2.1, .2, .129, 198.51.100.7, 203.0.113.5. */
export const V4: readonly number[] = [0xc0000201, 0xc0000202, 0xc0000281, 0xc6336407, 0xcb007105];
export const V6: readonly bigint[] = [
  0x20010db8000000000000000000000001n,
  0x20010db8000000000000000000000002n,
  0x20010db8000100000000000000000001n,
  0x20010db8ffff00000000000000000007n,
  0xfe800000000000000000000000000001n,
];
