// Members of sets as large as one likes, and addresses to look up: the same ones each time.
import { type Family, mask32 } from '@weir/wire/inet';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';
import { Random } from '../../test/e2e/random.ts';

export type MemberKind = 'prefixes' | 'hosts';

/** Lengths and how many of a hundred have them, as of full tables: most networks are as long as they may be. */
const LENGTHS: Readonly<Record<Family, readonly (readonly [length: number, share: number])[]>> = {
  4: [
    [24, 61],
    [23, 11],
    [22, 12],
    [21, 5],
    [20, 5],
    [19, 2],
    [18, 2],
    [17, 1],
    [16, 1],
  ],
  6: [
    [48, 50],
    [44, 12],
    [40, 12],
    [36, 6],
    [32, 12],
    [29, 4],
    [56, 2],
    [64, 2],
  ],
};

function someLength(random: Random, family: Family): number {
  let place = random.below(100);
  for (const [length, share] of LENGTHS[family]) {
    if (place < share) return length;
    place -= share;
  }
  return family === 4 ? 24 : 48;
}

/** `count` different members, spread over the unicast addresses (IPv4) or 262,144 networks of 32 bits (IPv6). Some prefixes lie in others. */
export function makeMembers(family: Family, kind: MemberKind, count: number): MemberDelta {
  const random = new Random(family * 1000 + (kind === 'hosts' ? 1 : 2));
  const word = (): number => random.below(0x10000) * 0x10000 + random.below(0x10000);
  const stride = family === 4 ? 1 : 4;
  const words = new Uint32Array(count * stride);
  const lengths = new Uint8Array(count);
  const seen = new Set<string>();
  for (let i = 0; i < count; ) {
    const length = kind === 'hosts' ? (family === 4 ? 32 : 128) : someLength(random, family);
    const first =
      family === 4
        ? (1 + random.below(222)) * 0x1000000 + random.below(0x1000000)
        : 0x2400_0000 + random.below(0x8000) * 0x800 + random.below(8);
    const address = [first, word(), kind === 'hosts' ? 0 : word(), word()].map((one, at) => (one & mask32(length - 32 * at)) >>> 0);
    const name = `${address.slice(0, stride).join()} ${length}`;
    if (seen.has(name)) continue;
    seen.add(name);
    words.set(address.slice(0, stride), i * stride);
    lengths[i++] = length;
  }
  return { set: 'bench', family, complete: true, count, words, lengths, wanted: new Uint8Array(count).fill(1), oldest: 0 };
}

/** Addresses in the order of packets: every other one in a member, the rest anywhere. */
export function makeKeys({ family, count, words, lengths }: MemberDelta, keys: number): Uint8Array {
  const random = new Random(family);
  const stride = family === 4 ? 1 : 4;
  const out = new Uint8Array(keys * stride * 4);
  const view = new DataView(out.buffer);
  for (let i = 0; i < keys; i++) {
    const member = random.below(count);
    for (let at = 0; at < stride; at++) {
      const any = (random.below(0x10000) * 0x10000 + random.below(0x10000)) >>> 0;
      const mask = mask32((lengths[member] as number) - 32 * at);
      const inside = (((words[member * stride + at] as number) & mask) | (any & ~mask)) >>> 0;
      // Elsewhere, but for the first bits, where there are members all over.
      const outside = family === 6 && at === 0 ? (words[member * stride] as number) : any;
      view.setUint32((i * stride + at) * 4, i % 2 === 0 ? inside : outside);
    }
  }
  return out;
}
