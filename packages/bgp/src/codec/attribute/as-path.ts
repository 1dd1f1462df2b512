import type { Writer } from '@weir/wire/bytes';
import { AS_TRANS, type Asn } from '@weir/wire/inet';
import { UpdateSubcode } from '../notification.ts';
import type { AsPathSegment, PathAttributes, SessionContext } from '../types.ts';
import {
  type AttributeDescriptor,
  attribute,
  type Json,
  MalformedAttribute,
  OPTIONAL_TRANSITIVE,
  WELL_KNOWN,
  wordAt,
} from './descriptor.ts';

const KINDS: readonly (AsPathSegment['kind'] | undefined)[] = [undefined, 'set', 'sequence', 'confed-sequence', 'confed-set'];

/** Segment types on the wire (RFC 4271 section 4.3, RFC 5065 section 3). */
const SegmentType = { set: 1, sequence: 2, 'confed-sequence': 3, 'confed-set': 4 } as const;

/** The most AS numbers a segment's length octet can count. */
const MAX_SEGMENT = 255;

/**
 * Segments: type 1 · count 1 · count AS numbers of `width` octets. Malformed (RFC 7606 section 7.2, RFC 7607): unknown type, count 0, a segment longer than what is
 * left, one octet left over, AS 0. Throws MalformedAttribute.
 */
function decodeSegments(bytes: Uint8Array, start: number, end: number, width: 2 | 4): AsPathSegment[] {
  const out: AsPathSegment[] = [];
  let at = start;
  while (at < end) {
    if (end - at < 2) throw malformedPath('one octet is left after the last segment', at);
    const kind = KINDS[bytes[at] as number];
    const count = bytes[at + 1] as number;
    if (kind === undefined) throw malformedPath(`segment type ${bytes[at]}`, at);
    if (count === 0) throw malformedPath('segment without AS numbers', at + 1);
    if (count * width > end - at - 2) throw malformedPath(`segment of ${count} AS numbers, ${end - at - 2} octets left`, at + 1);
    at += 2;
    const asns: Asn[] = [];
    for (let i = 0; i < count; i++, at += width) {
      const value = width === 4 ? wordAt(bytes, at) : ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
      if (value === 0) throw new MalformedAttribute('AS 0', at, UpdateSubcode.malformedAsPath, 'RFC 7607 section 2');
      asns.push(value as Asn);
    }
    out.push({ kind, asns });
  }
  return out;
}

function malformedPath(message: string, at: number): MalformedAttribute {
  return new MalformedAttribute(message, at, UpdateSubcode.malformedAsPath);
}

function isConfederation(segment: AsPathSegment): boolean {
  return segment.kind === 'confed-sequence' || segment.kind === 'confed-set';
}

function encodeSegments(w: Writer, path: readonly AsPathSegment[], width: 2 | 4): void {
  for (const segment of path) {
    if (segment.asns.length > MAX_SEGMENT && !segment.kind.endsWith('sequence')) {
      throw new RangeError(`AS path ${segment.kind} of ${segment.asns.length} members, at most ${MAX_SEGMENT}`);
    }
    for (let from = 0; from < segment.asns.length; from += MAX_SEGMENT) {
      const part = segment.asns.slice(from, from + MAX_SEGMENT);
      w.u8(SegmentType[segment.kind]).u8(part.length);
      for (const asn of part) {
        if (width === 4) w.u32(asn);
        else w.u16(asn > 0xffff ? AS_TRANS : asn);
      }
    }
  }
}

/** How many hops the path counts for: a set is one, confederation segments are none (RFC 4271 section 9.1.2.2, RFC 5065 section 5.3). */
export function pathLength(path: readonly AsPathSegment[]): number {
  let n = 0;
  for (const segment of path) n += segment.kind === 'sequence' ? segment.asns.length : segment.kind === 'set' ? 1 : 0;
  return n;
}

/**
 * The path that a 2-octet speaker's AS_PATH and AS4_PATH mean together (RFC 6793 section 4.2.3): AS4_PATH, with as many leading AS numbers of AS_PATH before it as
 * it is shorter. When AS4_PATH is the longer one it is ignored.
 */
export function mergeAs4Path(path: readonly AsPathSegment[], as4Path: readonly AsPathSegment[]): readonly AsPathSegment[] {
  let missing = pathLength(path) - pathLength(as4Path);
  if (missing < 0) return path;
  const lead: AsPathSegment[] = [];
  for (const segment of path) {
    if (segment.kind === 'sequence') {
      if (missing === 0) break;
      const asns = segment.asns.length <= missing ? segment.asns : segment.asns.slice(0, missing);
      lead.push(asns === segment.asns ? segment : { kind: 'sequence', asns });
      missing -= asns.length;
    } else if (segment.kind === 'set') {
      if (missing === 0) break;
      lead.push(segment);
      missing--;
    } else lead.push(segment);
  }
  const last = lead.at(-1);
  const [first, ...rest] = as4Path;
  // One sequence that only its lengths had split is one segment again.
  if (last?.kind === 'sequence' && first?.kind === 'sequence' && last.asns.length + first.asns.length <= MAX_SEGMENT) {
    return [...lead.slice(0, -1), { kind: 'sequence', asns: [...last.asns, ...first.asns] }, ...rest];
  }
  return [...lead, ...as4Path];
}

/** Sequence members as numbers in one list, a set as a list within it, confederation segments as objects. */
function asPathToJson(path: readonly AsPathSegment[]): Json {
  const out: Json[] = [];
  for (const segment of path) {
    switch (segment.kind) {
      case 'sequence':
        out.push(...segment.asns);
        break;
      case 'set':
        out.push([...segment.asns]);
        break;
      case 'confed-sequence':
        out.push({ confedSequence: [...segment.asns] });
        break;
      case 'confed-set':
        out.push({ confedSet: [...segment.asns] });
        break;
    }
  }
  return out;
}

/** AS4_PATH for a 2-octet peer: as received where it was, else AS_PATH without confederation segments where it has an AS number that needs it. */
function deriveAs4Path(attributes: PathAttributes, context: SessionContext): readonly AsPathSegment[] | undefined {
  if (context.fourOctetAs) return undefined;
  if (attributes.as4Path) return attributes.as4Path;
  const path = attributes.asPath?.filter((s) => !isConfederation(s));
  return path?.some((s) => s.asns.some((a) => a > 0xffff)) ? path : undefined;
}

export const AS_PATH: AttributeDescriptor = attribute({
  type: 2,
  name: 'AS_PATH',
  key: 'asPath',
  flags: WELL_KNOWN,
  malformed: 'treat-as-withdraw',
  rfc: 'RFC 7606 section 7.2',
  decode(bytes, start, end, context) {
    const path = decodeSegments(bytes, start, end, context.fourOctetAs ? 4 : 2);
    if (context.peerKind === 'ebgp' && path.some(isConfederation)) {
      throw new MalformedAttribute('confederation segment from outside', start, UpdateSubcode.malformedAsPath, 'RFC 5065 section 5');
    }
    return path;
  },
  encode: (w, path, context) => encodeSegments(w, path, context.fourOctetAs ? 4 : 2),
  toJson: asPathToJson,
});

export const AS4_PATH: AttributeDescriptor = attribute({
  type: 17,
  name: 'AS4_PATH',
  key: 'as4Path',
  flags: OPTIONAL_TRANSITIVE,
  malformed: 'attribute-discard',
  rfc: 'RFC 6793 section 6',
  unwanted: (context) => (context.fourOctetAs ? { reason: 'from a 4-octet AS speaker', rfc: 'RFC 6793 section 4.1' } : undefined),
  decode(bytes, start, end) {
    if (end - start < 6) throw new MalformedAttribute(`${end - start} octets, at least 6`, start, UpdateSubcode.optionalAttribute);
    // RFC 6793 section 6: confederation segments are dropped from it, the rest is used.
    const path = decodeSegments(bytes, start, end, 4).filter((s) => !isConfederation(s));
    if (path.length === 0) throw malformedPath('only confederation segments', start);
    return path;
  },
  encode: (w, path) => encodeSegments(w, path, 4),
  derive: deriveAs4Path,
  toJson: asPathToJson,
});
