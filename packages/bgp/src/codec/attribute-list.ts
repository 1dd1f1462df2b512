import { AS_TRANS } from '@weir/wire/inet';
import { mergeAs4Path } from './attribute/as-path.ts';
import { AttributeFlag, MalformedAttribute, type MutableAttributes } from './attribute/descriptor.ts';
import { attributeName, BY_TYPE, MP_REACH_NLRI, MP_UNREACH_NLRI } from './attribute/table.ts';
import { UpdateSubcode } from './notification.ts';
import type { Problems } from './problems.ts';
import type { PathAttributes, SessionContext, UnknownAttribute } from './types.ts';

/** Where an attribute lies: header from `from`, value from `start`, both up to `end`. */
export interface AttributeSpan {
  readonly flags: number;
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

/** What the first look over the path attributes finds. */
export interface AttributeScan {
  readonly reach: AttributeSpan | undefined;
  readonly unreach: AttributeSpan | undefined;
  /** Pairs of start and end: the attributes other than those two, neighbours joined. */
  readonly ranges: readonly number[];
  /** FNV-1a over those ranges. */
  readonly hash: number;
  /** Whether the attributes fill the field exactly. */
  readonly whole: boolean;
}

/** Finds MP_REACH_NLRI and MP_UNREACH_NLRI and hashes the rest, without judging anything but what cannot be walked. Throws BgpError when one of the two comes twice. */
export function scanAttributes(bytes: Uint8Array, start: number, end: number, problems: Problems): AttributeScan {
  let reach: AttributeSpan | undefined;
  let unreach: AttributeSpan | undefined;
  const ranges: number[] = [];
  let hash = 0x811c9dc5;
  let rangeStart = start;
  let at = start;
  let whole = true;
  while (at < end) {
    const flags = bytes[at] as number;
    const type = bytes[at + 1] as number;
    const extended = (flags & AttributeFlag.extendedLength) !== 0;
    const head = extended ? 4 : 3;
    const length = extended ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number) : (bytes[at + 2] as number);
    if (end - at < head || length > end - at - head) {
      whole = false;
      overrun(bytes, at, end, head, problems);
      break;
    }
    const next = at + head + length;
    if (type === MP_REACH_NLRI || type === MP_UNREACH_NLRI) {
      const span = { flags, from: at, start: at + head, end: next };
      if (type === MP_REACH_NLRI ? reach : unreach) {
        problems.add({
          action: 'session-reset',
          subcode: UpdateSubcode.malformedAttributeList,
          message: `${attributeName(type)} twice`,
          rfc: 'RFC 7606 section 3 (g)',
          offset: at,
          attribute: type,
        });
      }
      if (type === MP_REACH_NLRI) reach = span;
      else unreach = span;
      if (at > rangeStart) ranges.push(rangeStart, at);
      rangeStart = next;
    } else for (let i = at; i < next; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
    at = next;
  }
  if (at > rangeStart) ranges.push(rangeStart, at);
  return { reach, unreach, ranges, hash: hash >>> 0, whole };
}

/** An attribute whose length exceeds the field, or too few octets for one: treat-as-withdraw (RFC 7606 section 4), but not when it is one that carries NLRI. */
function overrun(bytes: Uint8Array, at: number, end: number, head: number, problems: Problems): void {
  const left = end - at;
  const type = left > 1 ? bytes[at + 1] : undefined;
  const carriesNlri = type === MP_REACH_NLRI || type === MP_UNREACH_NLRI;
  problems.add({
    action: carriesNlri ? 'session-reset' : 'treat-as-withdraw',
    subcode: UpdateSubcode.malformedAttributeList,
    message:
      left < head ? `${left} octets left, too few for an attribute` : `${attributeName(type ?? 0)} is longer than the path attributes`,
    rfc: carriesNlri ? 'RFC 7606 section 3 (j)' : 'RFC 7606 section 4',
    offset: at,
    ...(type === undefined ? {} : { attribute: type }),
  });
}

/** Attributes that survived, and the bytes of them. */
export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  readonly raw: Uint8Array;
  /** Which of ORIGIN, AS_PATH and NEXT_HOP were there, malformed or not: bits 1, 2 and 3. */
  readonly seen: number;
}

const seen = new Uint32Array(8);

/** Decodes the attributes in `ranges`, in which every attribute is known to fit, by the descriptor table; what is wrong goes to `problems`. */
export function decodeAttributes(
  bytes: Uint8Array,
  ranges: readonly number[],
  context: SessionContext,
  problems: Problems,
): DecodedAttributes {
  const out: MutableAttributes = {};
  const unknown: UnknownAttribute[] = [];
  const kept: number[] = [];
  seen.fill(0);
  for (let r = 0; r < ranges.length; r += 2) {
    const end = ranges[r + 1] as number;
    for (let at = ranges[r] as number; at < end; ) {
      const flags = bytes[at] as number;
      const type = bytes[at + 1] as number;
      const extended = (flags & AttributeFlag.extendedLength) !== 0;
      const start = at + (extended ? 4 : 3);
      const next = start + (extended ? ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number) : (bytes[at + 2] as number));
      const word = type >> 5;
      const bit = 1 << (type & 31);
      let keep = false;
      if (((seen[word] as number) & bit) !== 0) {
        problems.add({
          action: 'attribute-discard',
          subcode: UpdateSubcode.malformedAttributeList,
          message: `${attributeName(type)} again`,
          rfc: 'RFC 7606 section 3 (g)',
          offset: at,
          attribute: type,
        });
      } else {
        seen[word] = (seen[word] as number) | bit;
        keep = decodeOne(bytes, { flags, from: at, start, end: next }, type, context, out, unknown, problems);
      }
      if (keep) {
        if (kept.length > 0 && kept[kept.length - 1] === at) kept[kept.length - 1] = next;
        else kept.push(at, next);
      }
      at = next;
    }
  }
  if (unknown.length > 0) out.unknown = unknown;
  if (!context.fourOctetAs) applyAs4(out);
  return { attributes: out, raw: join(bytes, kept), seen: seen[0] as number };
}

/** Decodes one attribute into `out` or `unknown`. Returns whether it survives. */
function decodeOne(
  bytes: Uint8Array,
  span: AttributeSpan,
  type: number,
  context: SessionContext,
  out: MutableAttributes,
  unknown: UnknownAttribute[],
  problems: Problems,
): boolean {
  const { flags, from, start, end } = span;
  const descriptor = BY_TYPE[type];
  if (descriptor === undefined) {
    if ((flags & AttributeFlag.optional) === 0) {
      problems.add({
        action: 'session-reset',
        subcode: UpdateSubcode.unrecognizedWellKnown,
        message: `unrecognized well-known attribute ${type}`,
        rfc: 'RFC 4271 section 6.3',
        offset: from,
        attribute: type,
        from,
        to: end,
      });
    }
    unknown.push({ flags, type, value: bytes.slice(start, end) });
    return true;
  }
  const unwanted = descriptor.unwanted?.(context);
  if (unwanted !== undefined) {
    problems.add({
      action: 'attribute-discard',
      subcode: UpdateSubcode.optionalAttribute,
      message: `${descriptor.name} ${unwanted.reason}`,
      rfc: unwanted.rfc,
      offset: from,
      attribute: type,
    });
    return false;
  }
  if (((flags ^ descriptor.flags) & (AttributeFlag.optional | AttributeFlag.transitive)) !== 0) {
    problems.add({
      action: descriptor.wrongFlags?.action ?? 'treat-as-withdraw',
      subcode: UpdateSubcode.attributeFlags,
      message: `${descriptor.name} with flags 0x${flags.toString(16)}`,
      rfc: descriptor.wrongFlags?.rfc ?? 'RFC 7606 section 3 (c)',
      offset: from,
      attribute: type,
      from,
      to: end,
    });
    return false;
  }
  try {
    descriptor.read(out, bytes, start, end, context);
    return true;
  } catch (error) {
    if (!(error instanceof MalformedAttribute)) throw error;
    problems.add({
      action: descriptor.malformed,
      subcode: error.subcode,
      message: `${descriptor.name}: ${error.message}`,
      rfc: error.rfc ?? descriptor.rfc,
      offset: error.offset,
      attribute: type,
      from,
      to: end,
    });
    return false;
  }
}

/** What a 2-octet speaker's AS_PATH and AGGREGATOR mean with their 4-octet companions (RFC 6793 section 4.2.3). */
function applyAs4(out: MutableAttributes): void {
  const { aggregator, as4Aggregator, asPath, as4Path } = out;
  if (aggregator && as4Aggregator) {
    if (aggregator.asn !== AS_TRANS) {
      delete out.as4Aggregator;
      delete out.as4Path;
      return;
    }
    out.aggregator = as4Aggregator;
  }
  if (asPath && as4Path) out.asPath = mergeAs4Path(asPath, as4Path);
}

/** A copy of the bytes in `ranges`, one after the other. */
function join(bytes: Uint8Array, ranges: readonly number[]): Uint8Array {
  if (ranges.length === 2) return bytes.slice(ranges[0], ranges[1]);
  let size = 0;
  for (let i = 0; i < ranges.length; i += 2) size += (ranges[i + 1] as number) - (ranges[i] as number);
  const out = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < ranges.length; i += 2) {
    const part = bytes.subarray(ranges[i], ranges[i + 1]);
    out.set(part, at);
    at += part.length;
  }
  return out;
}
