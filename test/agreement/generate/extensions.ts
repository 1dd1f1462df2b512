import { Writer } from '@weir/wire/bytes';
import type { Random } from '../../e2e/random.ts';
import type { Hints } from './hints.ts';

/** An IPv6 extension header; its first octet, the next header, is still to be written. */
export interface Extension {
  readonly kind: number;
  readonly bytes: Uint8Array;
}

const FRAGMENT = 44;
const ROUTING = 43;
const AUTHENTICATION = 51;
const FIRST = [0, 0, ROUTING, FRAGMENT, AUTHENTICATION, 60, 135] as const;
const PLAIN = [60, 60, ROUTING, 0] as const;
const LATER = [ROUTING, FRAGMENT, AUTHENTICATION, 60, 60, 135, 139, 140, 0] as const;

/** None, mostly; else up to three, now and then with a length that is not theirs. Without `fragmentId` no fragment headers; with `longChains` sometimes a great many. */
export function makeExtensions(
  random: Random,
  hints: Hints,
  fragmentId: (() => number) | undefined,
  longChains = false,
): readonly Extension[] {
  if (random.below(3) > 0) return [];
  const out: Extension[] = [];
  if (longChains && random.below(20) === 0)
    for (let count = random.pick([60, 62, 63, 64, 65, 66, 150]); count > 0; count--) {
      const kind = random.pick(PLAIN);
      out.push({ kind, bytes: options(random, kind, random.below(40) === 0 ? 2 : 0) });
    }
  for (let count = random.below(3); count >= 0; count--) {
    const kind = random.pick(out.length === 0 ? FIRST : LATER);
    if (kind !== FRAGMENT) out.push({ kind, bytes: options(random, kind) });
    else if (fragmentId) out.push({ kind, bytes: fragment(random, hints, fragmentId()) });
  }
  return out;
}

/** RFC 8200 section 4.5: { next 1 · reserved 1 · offset 13 bits, reserved 2, more 1 · id 4 }. */
function fragment(random: Random, hints: Hints, id: number): Uint8Array {
  const offset = random.below(2) === 0 ? 0 : hints.int(random, 'ip6.frag_offset', 13, [1, 2, 100, random.below(200)]) << 3;
  const reserved = random.below(8) === 0 ? 6 : 0;
  return new Writer(8)
    .u16(0)
    .u16(offset | reserved | random.below(2))
    .u32(id)
    .finish();
}

function options(random: Random, kind: number, eights = random.below(3)): Uint8Array {
  const w = new Writer(32).u8(0);
  if (kind === AUTHENTICATION) w.u8(eights * 2).zeros(eights * 8 + 6);
  else if (kind === ROUTING)
    w.u8(eights)
      .u8(random.below(5))
      .zeros(eights * 8 + 5);
  // One PadN option over all of it.
  else
    w.u8(eights)
      .u8(1)
      .u8(eights * 8 + 4)
      .zeros(eights * 8 + 4);
  const bytes = w.finish();
  if (random.below(15) === 0) bytes[1] = random.below(32);
  return bytes;
}
