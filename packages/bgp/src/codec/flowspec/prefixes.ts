import type { Writer } from '@weir/wire/bytes';
import { type Prefix, prefixFromWords } from '@weir/wire/inet';
import type { PrefixComponent, PrefixKind } from './component.ts';
import { FlowError } from './error.ts';
import type { FlowCursor } from './operators.ts';

const IPV4 = 'RFC 8955 section 4.2.2.1';
const IPV6 = 'RFC 8956 section 3.1';

/**
 * The value of a component of type 1 or 2; the cursor moves behind it. Padding is not looked at. Throws FlowError.
 *
 *     IPv4:  length 1 · prefix                    as in unicast NLRI
 *     IPv6:  length 1 · offset 1 · pattern        the bits from offset to length
 */
export function decodePrefixComponent(c: FlowCursor, kind: PrefixKind, address: 4 | 6): PrefixComponent {
  const head = address === 4 ? 1 : 2;
  const rfc = address === 4 ? IPV4 : IPV6;
  if (c.end - c.at < head) throw new FlowError(`${kind}: ${c.end - c.at} octets left`, c.at, rfc);
  const length = c.bytes[c.at] as number;
  const offset = address === 4 ? 0 : (c.bytes[c.at + 1] as number);
  if (length > (address === 4 ? 32 : 128)) throw new FlowError(`${kind}: prefix length ${length}`, c.at, rfc);
  if (offset >= length && offset + length > 0)
    throw new FlowError(`${kind}: offset ${offset} of a prefix of ${length} bits`, c.at + 1, rfc);
  const size = (length - offset + 7) >> 3;
  const start = c.at + head;
  if (c.end - start < size) throw new FlowError(`${kind}: a prefix of ${size} octets, ${c.end - start} left`, start, rfc);
  c.at = start + size;
  const words = address === 4 ? [0] : [0, 0, 0, 0];
  for (let i = 0; i < size; i++) place(words, offset + 8 * i, c.bytes[start + i] as number);
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
  return { kind, prefix: prefixFromWords(address, w0, w1, w2, w3, length), offset };
}

/** Puts an octet at bit `at`; what is over the last word is padding. */
function place(words: number[], at: number, octet: number): void {
  const word = at >> 5;
  const shift = at & 31;
  words[word] = ((words[word] as number) | (shift <= 24 ? octet << (24 - shift) : octet >>> (shift - 24))) >>> 0;
  if (shift > 24 && word + 1 < words.length) words[word + 1] = ((words[word + 1] as number) | (octet << (56 - shift))) >>> 0;
}

/** The eight bits at bit `at`; those over the last word are 0. */
function octetAt(words: readonly number[], at: number): number {
  const word = at >> 5;
  const shift = at & 31;
  const high = words[word] ?? 0;
  if (shift <= 24) return (high >>> (24 - shift)) & 0xff;
  return ((high << (shift - 24)) | ((words[word + 1] ?? 0) >>> (56 - shift))) & 0xff;
}

/** The words of a prefix: one, or four for IPv6. */
export function prefixWords(p: Prefix): readonly number[] {
  return p.family === 4 ? [p.w0] : [p.w0, p.w1, p.w2, p.w3];
}

/** Writes length, offset (IPv6) and pattern, padding with zeros. RangeError for a prefix of the other address family, an offset that is not below the length, or bits that are set before the offset. */
export function encodePrefixComponent(w: Writer, { kind, prefix, offset }: PrefixComponent, address: 4 | 6): void {
  const { length } = prefix;
  if (prefix.family !== address) throw new RangeError(`${kind}: an IPv${prefix.family} prefix in a rule for IPv${address}`);
  if (!Number.isInteger(offset) || offset < 0 || (offset > 0 && (offset >= length || address === 4))) {
    throw new RangeError(`${kind}: offset ${offset} of a prefix of ${length} bits`);
  }
  const words = prefixWords(prefix);
  if (words.some((word, i) => (word & ~tailMask(offset - 32 * i)) !== 0))
    throw new RangeError(`${kind}: bits are set before offset ${offset}`);
  w.u8(length);
  if (address === 6) w.u8(offset);
  for (let at = offset; at < length; at += 8) w.u8(octetAt(words, at));
}

/** A word whose first `bits` are clear. */
function tailMask(bits: number): number {
  return bits <= 0 ? 0xffffffff : bits >= 32 ? 0 : 0xffffffff >>> bits;
}
