import { DecodeError, printHex } from '@weir/wire/bytes';
import { printIp } from '@weir/wire/inet';
import type { Json } from './attribute/descriptor.ts';
import { ATTRIBUTES } from './attribute/table.ts';
import { trueAs } from './capability.ts';
import { sessionContext } from './context.ts';
import { BgpError } from './error.ts';
import { FAMILY_NAMES, family, printFamily } from './family.ts';
import type { FlowRun } from './flowspec/nlri.ts';
import { type FlowJson, flowToJson } from './flowspec/to-json.ts';
import { HEADER_SIZE, messageKind } from './header.ts';
import { decodeMessage } from './message.ts';
import { describeNotification, ErrorCode, HeaderSubcode } from './notification.ts';
import { strongerAction } from './problems.ts';
import type {
  AfiSafi,
  Capability,
  ErrorAction,
  FamilyName,
  Message,
  MessageError,
  NextHop,
  NlriRun,
  Notification,
  PathAttributes,
  SessionContext,
} from './types.ts';

/** How a message that stands alone is to be read. Where nothing is said: external, 4-octet AS numbers, no add-path. */
export interface DescribeOptions {
  readonly session?: 'ebgp' | 'ibgp';
  readonly as4?: boolean;
  /** Families whose NLRI carry path identifiers. */
  readonly addPath?: readonly FamilyName[];
  /** Messages over 4,096 octets (RFC 8654). */
  readonly extendedMessage?: boolean;
}

export interface PrefixRouteJson {
  readonly family: string;
  readonly prefix: string;
  readonly pathId?: number;
}

/** A flow specification; with `flow-vpn` it has a route distinguisher. */
export interface FlowRouteJson extends FlowJson {
  readonly family: string;
  readonly rd?: string;
  readonly prefix?: undefined;
  readonly pathId?: number;
}

/** A route of either kind: a prefix or a flow specification. */
export type RouteJson = PrefixRouteJson | FlowRouteJson;

export type AnnouncementJson = RouteJson & {
  /** Null where there is none to name. */
  readonly nextHop: string | null;
  /** The second address of an IPv6 next hop (RFC 2545). */
  readonly linkLocal?: string;
};

export interface ErrorJson {
  readonly offset: number;
  /** Type code, or null outside an attribute. */
  readonly attribute: number | null;
  readonly message: string;
  readonly action: ErrorAction;
  readonly rfc: string;
  /** Whose routes `afi-safi-disable` is about. */
  readonly family?: string;
}

export interface NotificationJson {
  readonly code: number;
  readonly subcode: number;
  /** Hex. */
  readonly data: string;
}

/** One message and its verdict, as `weir decode bgp` prints it. */
export interface DecodedMessageJson {
  /** `open`, `update`, `notification`, `keepalive`, `route-refresh` or `unknown`. */
  readonly type: string;
  /** As the header says, or the octets that are there when there is no whole header. */
  readonly length: number;
  /** The strongest of what the errors ask for. */
  readonly outcome: 'accept' | ErrorAction;
  /** With `session-reset` what is to be sent; of a NOTIFICATION what it says; else null. */
  readonly notification: NotificationJson | null;
  readonly announce: readonly AnnouncementJson[];
  readonly withdraw: readonly RouteJson[];
  readonly eor: string | null;
  readonly attributes: { readonly [key: string]: Json };
  readonly errors: readonly ErrorJson[];
  /** Of an OPEN. */
  readonly open?: { readonly [key: string]: Json };
  /** Of a ROUTE-REFRESH. */
  readonly routeRefresh?: { readonly family: string; readonly afi: number; readonly safi: number; readonly subtype: number };
  /** Of a NOTIFICATION, received or to be sent: its names. */
  readonly text?: string;
}

const NOTHING = { notification: null, announce: [], withdraw: [], eor: null, attributes: {}, errors: [] } as const;

/**
 * Decodes and judges one message. Never throws, whatever the bytes: what would end the session is the outcome `session-reset`, and octets that are not one whole message are
 * that with Bad Message Length. Without a context the next hop of IPv4 routes may be an IPv6 address (RFC 8950).
 */
export function describeMessage(bytes: Uint8Array, options: DescribeOptions | SessionContext = {}): DecodedMessageJson {
  const context = 'peerKind' in options ? options : contextOf(options);
  const type = bytes.length < HEADER_SIZE ? 'unknown' : (messageKind(bytes[18] ?? 0) ?? 'unknown');
  const length = bytes.length < HEADER_SIZE ? bytes.length : ((bytes[16] ?? 0) << 8) | (bytes[17] ?? 0);
  try {
    return { type, length, ...contents(decodeMessage(bytes, context)) };
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { type, length, ...verdict(error, bytes) };
  }
}

function contextOf(o: DescribeOptions): SessionContext {
  return sessionContext({
    peerKind: o.session ?? 'ebgp',
    fourOctetAs: o.as4 ?? true,
    families: FAMILY_NAMES,
    addPath: o.addPath ?? [],
    extendedMessage: o.extendedMessage ?? false,
    extendedNextHop: true,
  });
}

function verdict(error: DecodeError, bytes: Uint8Array): Omit<DecodedMessageJson, 'type' | 'length'> {
  const notification: Notification =
    error instanceof BgpError
      ? error.notification
      : { code: ErrorCode.messageHeader, subcode: HeaderSubcode.badMessageLength, data: bytes.subarray(16, 18) };
  const { attribute = null, rfc } = error instanceof BgpError ? error : { rfc: 'RFC 4271 section 6.1' };
  return {
    outcome: 'session-reset',
    ...NOTHING,
    notification: notificationToJson(notification),
    errors: [{ offset: error.offset, attribute, message: error.message, action: 'session-reset', rfc }],
    text: describeNotification(notification),
  };
}

function contents(message: Message): Omit<DecodedMessageJson, 'type' | 'length'> {
  switch (message.kind) {
    case 'update': {
      let strongest: ErrorAction | undefined;
      for (const { action } of message.errors) strongest = strongerAction(strongest, action);
      return {
        outcome: strongest ?? 'accept',
        notification: null,
        announce: [
          ...message.announce.flatMap((a) => routesToJson(a.run).map((route) => ({ ...route, ...nextHopToJson(a.nextHop) }))),
          ...message.announceFlows.flatMap((a) =>
            flowsToJson(a.run, message.attributes).map((route) => ({ ...route, ...nextHopToJson(a.nextHop) })),
          ),
        ],
        withdraw: [
          ...message.withdraw.flatMap(routesToJson),
          ...message.withdrawFlows.flatMap((run) => flowsToJson(run, message.attributes)),
        ],
        eor: message.endOfRib ?? null,
        attributes: attributesToJson(message.attributes),
        errors: message.errors.map(errorToJson),
      };
    }
    case 'open':
      return {
        outcome: 'accept',
        ...NOTHING,
        open: {
          version: message.version,
          as: trueAs(message.myAs, message.capabilities),
          holdTime: message.holdTime,
          routerId: printIp(message.routerId),
          capabilities: message.capabilities.map(capabilityToJson),
        },
      };
    case 'notification':
      return { outcome: 'accept', ...NOTHING, notification: notificationToJson(message), text: describeNotification(message) };
    case 'keepalive':
      return { outcome: 'accept', ...NOTHING };
    case 'route-refresh':
      return {
        outcome: 'accept',
        ...NOTHING,
        routeRefresh: { family: printFamily(message.family), ...message.family, subtype: message.subtype },
      };
  }
}

function notificationToJson(n: Notification): NotificationJson {
  return { code: n.code, subcode: n.subcode, data: printHex(n.data) };
}

/** The prefixes of a run, one object each. */
export function routesToJson(run: NlriRun): readonly PrefixRouteJson[] {
  const { printNlri } = family(run.family);
  return Array.from({ length: run.count }, (_, i) => {
    const pathId = run.pathIds?.[i];
    return { family: run.family, prefix: printNlri(run, i), ...(pathId === undefined ? {} : { pathId }) };
  });
}

/** The rules of a run, one object each, with the actions of the message. */
export function flowsToJson({ family: name, routes }: FlowRun, attributes: PathAttributes): readonly FlowRouteJson[] {
  return routes.map(({ rule, pathId }) => ({
    family: name,
    ...flowToJson(rule, attributes),
    ...(pathId === undefined ? {} : { pathId }),
  }));
}

function nextHopToJson(nextHop: NextHop | undefined): { readonly nextHop: string | null; readonly linkLocal?: string } {
  if (!nextHop) return { nextHop: null };
  return { nextHop: printIp(nextHop.address), ...(nextHop.linkLocal ? { linkLocal: printIp(nextHop.linkLocal) } : {}) };
}

/** Path attributes by name: communities as text, 64-bit numbers as text, unknown ones as type, flags and hex. */
export function attributesToJson(attributes: PathAttributes): { readonly [key: string]: Json } {
  const out: Record<string, Json> = {};
  for (const descriptor of ATTRIBUTES) {
    const value = descriptor.print(attributes);
    if (value !== undefined) out[descriptor.key] = value;
  }
  if (attributes.unknown) out['unknown'] = attributes.unknown.map((u) => ({ type: u.type, flags: u.flags, value: printHex(u.value) }));
  return out;
}

function errorToJson(e: MessageError): ErrorJson {
  const { offset, message, action, rfc } = e;
  return { offset, attribute: e.attribute ?? null, message, action, rfc, ...(e.family ? { family: printFamily(e.family) } : {}) };
}

function capabilityToJson(c: Capability): Json {
  const named = <T extends AfiSafi>({ afi, safi, ...rest }: T): { readonly family: string } & Omit<T, 'afi' | 'safi'> => ({
    family: printFamily({ afi, safi }),
    ...rest,
  });
  switch (c.kind) {
    case 'multiprotocol':
      return { kind: c.kind, ...named(c.family) };
    case 'graceful-restart':
    case 'long-lived-graceful-restart':
    case 'add-path':
      return { ...c, families: c.families.map((f): Json => ({ ...named<AfiSafi>(f) })) };
    case 'extended-next-hop':
      return { kind: c.kind, entries: c.entries.map(named) };
    case 'unknown':
      return { kind: c.kind, code: c.code, value: printHex(c.value) };
    default:
      return c;
  }
}
