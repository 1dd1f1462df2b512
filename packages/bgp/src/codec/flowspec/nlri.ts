import type { Writer } from '@weir/wire/bytes';
import { NlriError } from '../nlri.ts';
import { decodeFlow } from './decode.ts';
import { FlowError } from './error.ts';
import type { FlowFamily, FlowRule } from './rule.ts';

/** A rule as it stands in an UPDATE. */
export interface FlowRoute {
  readonly rule: FlowRule;
  /** Its path identifier (RFC 7911) where add-path is on, else undefined. */
  readonly pathId: number | undefined;
}

/** Flow specifications of one family, in the order of the message. */
export interface FlowRun {
  readonly family: FlowFamily;
  readonly routes: readonly FlowRoute[];
}

export interface DecodedFlows {
  readonly run: FlowRun;
  /** What could not be read although it was clear where it ends. */
  readonly malformed: readonly FlowError[];
}

/** From this length on it takes two octets (RFC 8955 section 4.1). */
const EXTENDED = 0xf0;
/** Malformed flow specifications of one attribute that are told apart. */
const MAX_MALFORMED = 64;

/**
 * Flow specifications in [start, end): [ path identifier 4 ] · length · NLRI. Lengths from 240 on have two octets, 0xfnnn; a shorter one may have them as well. Throws NlriError where a length leads beyond
 * `end`; what is malformed within its length is left out and told.
 */
export function decodeFlows(bytes: Uint8Array, start: number, end: number, addPath: boolean, family: FlowFamily): DecodedFlows {
  const routes: FlowRoute[] = [];
  const malformed: FlowError[] = [];
  let at = start;
  while (at < end) {
    let pathId: number | undefined;
    if (addPath) {
      if (end - at < 5) throw new NlriError(`path identifier cut short, ${end - at} octets left`, at);
      pathId = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0);
      at += 4;
    }
    const first = bytes[at] as number;
    if (first >= EXTENDED && end - at < 2) throw new NlriError('length of a flow specification cut short', at);
    const length = first < EXTENDED ? first : ((first & 0x0f) << 8) | (bytes[at + 1] as number);
    const from = at + (first < EXTENDED ? 1 : 2);
    if (length > end - from) throw new NlriError(`flow specification of ${length} octets, ${end - from} left`, at);
    at = from + length;
    try {
      routes.push({ rule: decodeFlow(bytes, from, at, family), pathId });
    } catch (error) {
      if (!(error instanceof FlowError)) throw error;
      if (malformed.length < MAX_MALFORMED) malformed.push(error);
    }
  }
  return { run: { family, routes }, malformed };
}

/** Octets that a route takes on the wire. */
export function flowSize({ rule: { octets } }: FlowRoute, addPath: boolean): number {
  return (addPath ? 4 : 0) + (octets.length < EXTENDED ? 1 : 2) + octets.length;
}

/** Writes a route with its octets as they are; with `addPath` its path identifier first, 0 where it has none. */
export function encodeFlow(w: Writer, { rule: { octets }, pathId }: FlowRoute, addPath: boolean): void {
  if (addPath) w.u32(pathId ?? 0);
  if (octets.length < EXTENDED) w.u8(octets.length);
  else w.u16((EXTENDED << 8) | octets.length);
  w.bytes(octets);
}

/** A run of rules without path identifiers. RangeError when a rule is of another family. */
export function flowRun(family: FlowFamily, rules: readonly FlowRule[]): FlowRun {
  for (const rule of rules) if (rule.family !== family) throw new RangeError(`a rule of ${rule.family} in ${family}`);
  return { family, routes: rules.map((rule) => ({ rule, pathId: undefined })) };
}
