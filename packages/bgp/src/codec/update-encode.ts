import { Writer } from '@weir/wire/bytes';
import { encodeIp, equalIp } from '@weir/wire/inet';
import { OPTIONAL, writeAttribute } from './attribute/descriptor.ts';
import { ATTRIBUTES, MP_REACH_NLRI, MP_UNREACH_NLRI } from './attribute/table.ts';
import { family, type UnicastDescriptor } from './family.ts';
import { encodeFlow, type FlowRun, flowSize } from './flowspec/nlri.ts';
import { HEADER_SIZE, longestMessage, withHeader } from './header.ts';
import { concatRuns } from './run.ts';
import type {
  Announcement,
  FamilyName,
  FlowAnnouncement,
  NextHop,
  NlriRun,
  PathAttributes,
  SessionContext,
  UpdateMessage,
} from './types.ts';

const IPV4 = 'ipv4 unicast';
/** Octets of an UPDATE without routes and attributes. */
const EMPTY_UPDATE = HEADER_SIZE + 4;

/** What is to be sent with one set of attributes. */
export interface UpdateBatch {
  /** Needed where anything is announced. NEXT_HOP is set or left out as each announcement needs it. */
  readonly attributes?: PathAttributes;
  readonly announce?: readonly Announcement[];
  readonly withdraw?: readonly NlriRun[];
  /** Without a next hop but where a redirect-to-IP action looks at it (RFC 8955 section 4). */
  readonly announceFlows?: readonly FlowAnnouncement[];
  readonly withdrawFlows?: readonly FlowRun[];
  /** IPv4 unicast in MP_REACH_NLRI and MP_UNREACH_NLRI too, and not in the fields of RFC 4271. */
  readonly multiprotocol?: boolean;
}

/** Path attributes in ascending order of type, unknown ones last; without MP_REACH_NLRI and MP_UNREACH_NLRI. */
export function encodeAttributes(w: Writer, attributes: PathAttributes, context: SessionContext): void {
  for (const descriptor of ATTRIBUTES) descriptor.write(w, attributes, context);
  for (const { flags, type, value } of attributes.unknown ?? []) writeAttribute(w, flags, type, () => w.bytes(value));
}

/** The End-of-RIB of a family (RFC 4724 section 2). */
export function encodeEndOfRib(w: Writer, name: FamilyName): void {
  withHeader(w, 'update', () => {
    w.u16(0);
    if (name === IPV4) w.u16(0);
    else {
      const { afi, safi } = family(name);
      w.u16(6).u8(OPTIONAL).u8(MP_UNREACH_NLRI).u8(3).u16(afi).u8(safi);
    }
  });
}

function encodeNextHop(w: Writer, nextHop: NextHop | undefined, name: FamilyName): void {
  if (!nextHop && family(name).kind === 'flow') {
    w.u8(0);
    return;
  }
  if (!nextHop) throw new RangeError(`an announcement of ${name} needs a next hop`);
  const { address, linkLocal } = nextHop;
  w.u8((address.family === 4 ? 4 : 16) + (linkLocal ? 16 : 0));
  encodeIp(w, address);
  if (linkLocal) encodeIp(w, linkLocal);
}

/** Writes prefixes `from`, `from + 1`, ... while the writer stays within `limit` octets; returns the index of the first that is left. */
function encodeWhileFits(w: Writer, f: UnicastDescriptor, run: NlriRun, from: number, addPath: boolean, limit: number): number {
  let i = from;
  while (i < run.count && w.length + f.nlriSize(run, i, addPath) <= limit) f.encodeNlri(w, run, i++, addPath);
  return i;
}

/** As `encodeWhileFits`, for runs of either kind. */
function fillWith(w: Writer, run: NlriRun | FlowRun, from: number, limit: number, context: SessionContext): number {
  const addPath = context.addPath.includes(run.family);
  if ('count' in run) return encodeWhileFits(w, family(run.family), run, from, addPath, limit);
  let i = from;
  for (let route = run.routes[i]; route && w.length + flowSize(route, addPath) <= limit; route = run.routes[++i])
    encodeFlow(w, route, addPath);
  return i;
}

function encodeAll(w: Writer, run: NlriRun | FlowRun, context: SessionContext): void {
  fillWith(w, run, 0, Number.POSITIVE_INFINITY, context);
}

/** Patches a 16-bit length at the writer's present end once `body` has written what it counts. */
function withLength(w: Writer, body: () => void): void {
  const at = w.length;
  w.u16(0);
  body();
  w.setU16(at, w.length - at - 2);
}

function encodeMpReach(w: Writer, announcement: Announcement | FlowAnnouncement, body: () => void): void {
  const { afi, safi } = family(announcement.run.family);
  writeAttribute(w, OPTIONAL, MP_REACH_NLRI, () => {
    w.u16(afi).u8(safi);
    encodeNextHop(w, announcement.nextHop, announcement.run.family);
    w.u8(0);
    body();
  });
}

function encodeMpUnreach(w: Writer, name: FamilyName, body: () => void): void {
  const { afi, safi } = family(name);
  writeAttribute(w, OPTIONAL, MP_UNREACH_NLRI, () => {
    w.u16(afi).u8(safi);
    body();
  });
}

/**
 * One message from one value. IPv4 unicast goes into the fields of RFC 4271 where its next hop is that of the attributes, all else into MP_REACH_NLRI and MP_UNREACH_NLRI.
 * RangeError, with nothing written, when that takes two of either or more octets than a message has,
 * or when there is nothing to say.
 */
export function encodeUpdateMessage(w: Writer, update: UpdateMessage, context: SessionContext): void {
  if (update.endOfRib !== undefined) {
    encodeEndOfRib(w, update.endOfRib);
    return;
  }
  const { attributes } = update;
  const classicNextHop = (n: NextHop | undefined): boolean =>
    n === undefined || (attributes.nextHop !== undefined && !n.linkLocal && equalIp(n.address, attributes.nextHop));
  const isClassic = (a: Announcement): boolean => a.run.family === IPV4 && classicNextHop(a.nextHop);
  const classic = update.announce.filter(isClassic).map((a) => a.run);
  const reach = [...update.announce.filter((a) => !isClassic(a)), ...update.announceFlows];
  const withdrawn = update.withdraw.filter((run) => run.family === IPV4);
  const unreach = [...update.withdraw.filter((run) => run.family !== IPV4), ...update.withdrawFlows];
  const [unreachFamily, ...otherFamilies] = new Set(unreach.map((run) => run.family));
  if (reach.length > 1 || otherFamilies.length > 0)
    throw new RangeError('an UPDATE has room for one MP_REACH_NLRI and one MP_UNREACH_NLRI');
  const [only] = reach;
  const start = w.length;
  try {
    withHeader(
      w,
      'update',
      () => {
        withLength(w, () => withdrawn.length > 0 && encodeAll(w, concatRuns(IPV4, withdrawn), context));
        withLength(w, () => {
          if (only) encodeMpReach(w, only, () => encodeAll(w, only.run, context));
          if (unreachFamily) {
            encodeMpUnreach(w, unreachFamily, () => {
              for (const run of unreach) encodeAll(w, run, context);
            });
          }
          encodeAttributes(w, attributes, context);
        });
        if (classic.length > 0) encodeAll(w, concatRuns(IPV4, classic), context);
      },
      longestMessage(context),
    );
    if (w.length - start === EMPTY_UPDATE) throw new RangeError('an UPDATE that says nothing is an End-of-RIB');
  } catch (error) {
    w.truncate(start);
    throw error;
  }
}

/**
 * As few messages as hold a batch, each a Uint8Array of its own: withdrawals first, each message with one of the four places for routes and MP attributes in front, as
 * RFC 7606 section 5.1 asks. RangeError when the attributes leave no room for a route or an announcement has no next hop.
 */
export function* encodeUpdate(batch: UpdateBatch, context: SessionContext): Generator<Uint8Array, void, undefined> {
  const w = new Writer(longestMessage(context));
  const classicIpv4 = (name: FamilyName): boolean => name === IPV4 && batch.multiprotocol !== true;
  for (const run of [...(batch.withdraw ?? []), ...(batch.withdrawFlows ?? [])]) {
    for (let i = 0; i < lengthOf(run); )
      i = yield* emit(w, i, (from) => encodeWithdrawal(w, run, from, classicIpv4(run.family), context), context);
  }
  for (const announcement of [...(batch.announce ?? []), ...(batch.announceFlows ?? [])]) {
    const { run, nextHop } = announcement;
    const classic = classicIpv4(run.family) && nextHop?.address.family === 4;
    const { nextHop: _own, ...shared } = batch.attributes ?? {};
    const encoded = new Writer(256);
    encodeAttributes(encoded, classic ? { ...shared, nextHop: nextHop.address } : shared, context);
    const attributes = encoded.finish();
    for (let i = 0; i < lengthOf(run); ) {
      i = yield* emit(w, i, (from) => encodeAnnouncement(w, announcement, from, classic, attributes, context), context);
    }
  }
}

function lengthOf(run: NlriRun | FlowRun): number {
  return 'count' in run ? run.count : run.routes.length;
}

/** One message made by `body`, which returns the first index that is left. */
function* emit(w: Writer, from: number, body: (from: number) => number, context: SessionContext): Generator<Uint8Array, number, undefined> {
  let next = from;
  w.reset();
  withHeader(
    w,
    'update',
    () => {
      next = body(from);
    },
    longestMessage(context),
  );
  if (next === from) throw new RangeError('path attributes leave no room for a route');
  yield w.finish();
  return next;
}

function encodeWithdrawal(w: Writer, run: NlriRun | FlowRun, from: number, classic: boolean, context: SessionContext): number {
  let next = from;
  const fill = (reserve: number): void => {
    next = fillWith(w, run, from, longestMessage(context) - reserve, context);
  };
  withLength(w, () => classic && fill(2));
  withLength(w, () => !classic && encodeMpUnreach(w, run.family, () => fill(0)));
  return next;
}

function encodeAnnouncement(
  w: Writer,
  announcement: Announcement | FlowAnnouncement,
  from: number,
  classic: boolean,
  attributes: Uint8Array,
  context: SessionContext,
): number {
  const { run } = announcement;
  const longest = longestMessage(context);
  let next = from;
  w.u16(0);
  withLength(w, () => {
    if (!classic) {
      encodeMpReach(w, announcement, () => {
        next = fillWith(w, run, from, longest - attributes.length, context);
      });
    }
    w.bytes(attributes);
  });
  if (classic) next = fillWith(w, run, from, longest, context);
  return next;
}
