import { AttributeFlag, OPTIONAL } from './attribute/descriptor.ts';
import { attributeName, MP_REACH_NLRI, MP_UNREACH_NLRI } from './attribute/table.ts';
import type { AttributeCache } from './attribute-cache.ts';
import { type AttributeScan, type AttributeSpan, type DecodedAttributes, decodeAttributes, scanAttributes } from './attribute-list.ts';
import { family } from './family.ts';
import { flowActions, isMalformedAction } from './flowspec/action.ts';
import { printFlowAction } from './flowspec/action-text.ts';
import type { FlowError } from './flowspec/error.ts';
import type { FlowRun } from './flowspec/nlri.ts';
import { HEADER_SIZE } from './header.ts';
import { NlriError } from './nlri.ts';
import { UpdateSubcode } from './notification.ts';
import { type Problem, Problems } from './problems.ts';
import {
  afiSafiAt,
  type DecodedReach,
  type DecodedUnreach,
  decodeMpReach,
  decodeMpUnreach,
  type IgnoredFamily,
  MpError,
  negotiated,
} from './reach.ts';
import type { Announcement, FamilyName, FlowAnnouncement, NlriRun, PathAttributes, SessionContext, UpdateMessage } from './types.ts';

const IPV4 = 'ipv4 unicast';
const EXTENDED_COMMUNITIES = 16;
const NO_RANGES: readonly number[] = [];
const NO_FLOWS: readonly FlowRun[] = [];
const NO_FLOW_ANNOUNCEMENTS: readonly FlowAnnouncement[] = [];

/**
 * A whole UPDATE, header included (RFC 4271 section 4.3), with RFC 7606 applied. Throws BgpError for what ends the session and nothing else; all that is weaker is in
 * `errors` and has been acted upon. Where this codec chooses between what the RFCs allow:
 *
 * - a malformed MP_REACH_NLRI or MP_UNREACH_NLRI whose family is known and in use asks for `afi-safi-disable`, any other for a session reset (RFC 7606 section 7.11);
 * - a flow specification that is malformed but whose end is known asks for `treat-as-withdraw` (RFC 8955 sections 4.2 and 10): as an opaque key it was never a route, the others of its message are withdrawn.
 *   One whose length leads beyond the attribute asks for `afi-safi-disable`, as any NLRI does that cannot be walked;
 * - routes of a family that is not in use are not looked at, and an `afi-safi-disable` says so; an End-of-RIB of one is passed over in silence;
 * - an unknown attribute that is optional is kept, transitive or not; one that is not optional ends the session (RFC 4271 section 6.3);
 * - LOCAL_PREF may be missing on an internal session: it is required there, but is not a well-known mandatory attribute;
 * - the first AS number of the path is not compared with the peer's: route servers are peers too.
 *
 * `withdraw` comes before `announce`: a prefix in both is announced (RFC 4271 section 4.3).
 */
export function decodeUpdate(bytes: Uint8Array, context: SessionContext, cache?: AttributeCache): UpdateMessage {
  const problems = new Problems(bytes);
  const end = bytes.length;
  const withdrawnAt = HEADER_SIZE + 2;
  const withdrawnEnd = withdrawnAt + u16(bytes, HEADER_SIZE);
  const attributesAt = withdrawnEnd + 2;
  if (attributesAt > end) lengthsOverrun(problems, HEADER_SIZE);
  const attributesEnd = attributesAt + u16(bytes, withdrawnEnd);
  if (attributesEnd > end) lengthsOverrun(problems, withdrawnEnd);

  const scan = scanAttributes(bytes, attributesAt, attributesEnd, problems);
  const decoded = attributesOf(bytes, scan, context, cache, problems);
  const reach = scan.reach && decodeReach(bytes, scan.reach, context, problems);
  const unreach = scan.unreach && decodeUnreach(bytes, scan.unreach, context, problems);
  const useIpv4 = context.families.includes(IPV4);
  const withdrawn = decodeField(bytes, withdrawnAt, withdrawnEnd, 'withdrawn routes', useIpv4, context, problems);
  const nlri = decodeField(bytes, attributesEnd, end, 'NLRI', useIpv4, context, problems);

  const { attributes } = decoded;
  const announced = reach && reach.kind !== 'ignored' && routesIn(reach) > 0 ? reach : undefined;
  if (nlri || announced) checkMandatory(attributesAt, decoded.seen, nlri !== undefined, problems);
  if (announced?.kind === 'flows') checkActions(attributesAt, attributes, problems);
  const encodesReachable = attributesEnd < end || (scan.reach !== undefined && !isEmpty(reach));
  if (problems.strongest && !encodesReachable && (scan.ranges.length > 0 || scan.reach || !scan.whole)) {
    throw problems.reset(problems.strongest, 'RFC 7606 section 5.2');
  }

  const withdraw: NlriRun[] = [];
  const announce: Announcement[] = [];
  const flows = announced?.kind === 'flows' ? announced : undefined;
  const prefixes = announced?.kind === 'prefixes' ? announced : undefined;
  if (withdrawn) withdraw.push(withdrawn);
  if (unreach?.kind === 'prefixes' && unreach.run.count > 0) withdraw.push(unreach.run);
  const withdrawFlows = unreach?.kind === 'flows' && unreach.run.routes.length > 0 ? [unreach.run] : NO_FLOWS;
  if (problems.withdraw) {
    if (nlri) withdraw.push(nlri);
    if (prefixes) withdraw.push(prefixes.run);
  } else {
    if (nlri) announce.push({ nextHop: nextHopOf(attributes), run: nlri });
    if (prefixes) announce.push({ nextHop: prefixes.nextHop, run: prefixes.run });
  }
  return {
    kind: 'update',
    withdraw,
    announce,
    withdrawFlows: problems.withdraw && flows ? [...withdrawFlows, flows.run] : withdrawFlows,
    announceFlows: problems.withdraw || !flows ? NO_FLOW_ANNOUNCEMENTS : [{ nextHop: flows.nextHop, run: flows.run }],
    attributes,
    rawAttributes: decoded.raw,
    endOfRib: end === HEADER_SIZE + 4 ? (useIpv4 ? IPV4 : undefined) : endOfRibOf(bytes, scan, context),
    errors: problems.errors,
  };
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function nextHopOf(attributes: PathAttributes): Announcement['nextHop'] {
  return attributes.nextHop && { address: attributes.nextHop };
}

function lengthsOverrun(problems: Problems, offset: number): void {
  problems.add({
    action: 'session-reset',
    subcode: UpdateSubcode.malformedAttributeList,
    message: 'withdrawn routes and path attributes are longer than the message',
    rfc: 'RFC 4271 section 6.3',
    offset,
  });
}

function attributesOf(
  bytes: Uint8Array,
  scan: AttributeScan,
  context: SessionContext,
  cache: AttributeCache | undefined,
  problems: Problems,
): DecodedAttributes {
  if (scan.ranges.length === 0) return decodeAttributes(bytes, NO_RANGES, context, problems);
  const found = cache?.find(bytes, scan, context);
  if (found) return found;
  const clean = problems.none;
  const decoded = decodeAttributes(bytes, scan.ranges, context, problems);
  if (clean && problems.none) cache?.store(scan, context, decoded);
  return decoded;
}

/** Withdrawn Routes or NLRI of IPv4 unicast; undefined when empty or not in use. Throws BgpError (RFC 7606 section 5.3, RFC 4271 section 6.3). */
function decodeField(
  bytes: Uint8Array,
  start: number,
  end: number,
  field: string,
  use: boolean,
  context: SessionContext,
  problems: Problems,
): NlriRun | undefined {
  if (start === end) return undefined;
  const { afi, safi, decodeNlri } = family(IPV4);
  if (!use) {
    problems.add(notInUse({ kind: 'ignored', family: { afi, safi }, empty: false }, field, start, undefined));
    return undefined;
  }
  try {
    return decodeNlri(bytes, start, end, context.addPath.includes(IPV4), IPV4);
  } catch (error) {
    if (!(error instanceof NlriError)) throw error;
    throw problems.reset({
      action: 'session-reset',
      subcode: UpdateSubcode.invalidNetworkField,
      message: `${field}: ${error.message}`,
      rfc: 'RFC 7606 section 5.3',
      offset: error.offset,
    });
  }
}

function notInUse(ignored: IgnoredFamily, field: string, offset: number, attribute: number | undefined): Problem {
  return {
    action: 'afi-safi-disable',
    subcode: UpdateSubcode.optionalAttribute,
    message: `${field}: afi ${ignored.family.afi} safi ${ignored.family.safi} is not in use on this session`,
    rfc: 'RFC 4760 section 8',
    offset,
    family: ignored.family,
    ignored: true,
    ...(attribute === undefined ? {} : { attribute }),
  };
}

function decodeReach(
  bytes: Uint8Array,
  span: AttributeSpan,
  context: SessionContext,
  problems: Problems,
): DecodedReach | IgnoredFamily | undefined {
  return guarded(bytes, span, MP_REACH_NLRI, context, problems, decodeMpReach);
}

function decodeUnreach(
  bytes: Uint8Array,
  span: AttributeSpan,
  context: SessionContext,
  problems: Problems,
): DecodedUnreach | IgnoredFamily | undefined {
  return guarded(bytes, span, MP_UNREACH_NLRI, context, problems, decodeMpUnreach);
}

/** Runs one of the two decoders; undefined when the attribute is malformed, which goes to `problems`. */
function guarded<T extends DecodedUnreach>(
  bytes: Uint8Array,
  span: AttributeSpan,
  type: number,
  context: SessionContext,
  problems: Problems,
  decode: (bytes: Uint8Array, start: number, end: number, context: SessionContext) => T | IgnoredFamily,
): T | IgnoredFamily | undefined {
  const { from, start, end } = span;
  const bad = (message: string, offset: number, subcode: number, rfc: string): undefined => {
    const f = afiSafiAt(bytes, start, end);
    const known = f && negotiated(f, context) ? f : undefined;
    problems.add({
      action: known ? 'afi-safi-disable' : 'session-reset',
      subcode,
      message: `${attributeName(type)}: ${message}`,
      rfc,
      offset,
      attribute: type,
      from,
      to: end,
      ...(known ? { family: known } : {}),
    });
    return undefined;
  };
  if (((span.flags ^ OPTIONAL) & (AttributeFlag.optional | AttributeFlag.transitive)) !== 0) {
    return bad(`flags 0x${span.flags.toString(16)}`, from, UpdateSubcode.attributeFlags, 'RFC 7606 section 5.3');
  }
  try {
    const value = decode(bytes, start, end, context);
    if (value.kind === 'ignored' && !value.empty) problems.add(notInUse(value, attributeName(type), from, type));
    if (value.kind === 'flows') for (const error of value.malformed) problems.add(malformedFlow(error, span, type));
    return value;
  } catch (error) {
    if (error instanceof MpError) return bad(error.message, error.offset, UpdateSubcode.optionalAttribute, error.rfc);
    if (error instanceof NlriError) return bad(error.message, error.offset, UpdateSubcode.optionalAttribute, 'RFC 7606 section 5.3');
    throw error;
  }
}

function malformedFlow({ message, offset, rfc }: FlowError, { from, end }: AttributeSpan, attribute: number): Problem {
  const subcode = UpdateSubcode.optionalAttribute;
  return {
    action: 'treat-as-withdraw',
    subcode,
    message: `${attributeName(attribute)}: ${message}`,
    rfc,
    offset,
    attribute,
    from,
    to: end,
  };
}

function routesIn(routes: DecodedUnreach): number {
  return routes.kind === 'flows' ? routes.run.routes.length : routes.run.count;
}

/** Whether MP_REACH_NLRI was understood and carries no route. */
function isEmpty(reach: DecodedReach | IgnoredFamily | undefined): boolean {
  if (reach === undefined) return false;
  if (reach.kind === 'ignored') return reach.empty;
  return routesIn(reach) === 0 && (reach.kind === 'prefixes' || reach.malformed.length === 0);
}

const MANDATORY: readonly (readonly [type: number, onlyClassic: boolean])[] = [
  [1, false],
  [2, false],
  [3, true],
];

/** Well-known mandatory attributes that are missing (RFC 7606 section 3 (d)); NEXT_HOP only where the NLRI field is used (RFC 4760 section 3). */
function checkMandatory(offset: number, seen: number, classic: boolean, problems: Problems): void {
  for (const [type, onlyClassic] of MANDATORY) {
    if ((seen & (1 << type)) !== 0 || (onlyClassic && !classic)) continue;
    problems.add({
      action: 'treat-as-withdraw',
      subcode: UpdateSubcode.missingWellKnown,
      message: `${attributeName(type)} is missing`,
      rfc: 'RFC 7606 section 3 (d)',
      offset,
      attribute: type,
    });
  }
}

/** Actions on flows that cannot be decoded as RFC 8955 section 7 has them. */
function checkActions(offset: number, attributes: PathAttributes, problems: Problems): void {
  for (const action of flowActions(attributes)) {
    if (!isMalformedAction(action)) continue;
    problems.add({
      action: 'treat-as-withdraw',
      subcode: UpdateSubcode.optionalAttribute,
      message: `EXTENDED COMMUNITIES: ${printFlowAction(action)}`,
      rfc: 'RFC 8955 section 10',
      offset,
      attribute: EXTENDED_COMMUNITIES,
    });
  }
}

/** The family whose End-of-RIB this is: MP_UNREACH_NLRI of three octets and nothing else (RFC 4724 section 2). */
function endOfRibOf(bytes: Uint8Array, scan: AttributeScan, context: SessionContext): FamilyName | undefined {
  const { unreach } = scan;
  if (unreach === undefined || unreach.end - unreach.start !== 3 || unreach.from !== HEADER_SIZE + 4 || unreach.end !== bytes.length)
    return undefined;
  const f = afiSafiAt(bytes, unreach.start, unreach.end);
  return f && negotiated(f, context)?.name;
}
