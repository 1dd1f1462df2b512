import { DecodeError, Writer } from '@weir/wire/bytes';
import type { AttributeCache } from './attribute-cache.ts';
import { decodeHeader, HEADER_SIZE, longestMessage, MAX_MESSAGE, routeRefreshLengthError, withHeader } from './header.ts';
import { decodeOpen, encodeOpen } from './open.ts';
import type { KeepaliveMessage, Message, Notification, NotificationMessage, RouteRefreshMessage, SessionContext } from './types.ts';
import { decodeUpdate } from './update.ts';
import { encodeUpdateMessage } from './update-encode.ts';

const KEEPALIVE: KeepaliveMessage = { kind: 'keepalive' };

/**
 * One whole message, its 19-octet header included. Throws BgpError for what ends the session: the error holds the NOTIFICATION to send. DecodeError when fewer octets are
 * there than the header says or more. Weaker errors of an UPDATE are in its `errors`.
 */
export function decodeMessage(bytes: Uint8Array, context: SessionContext, cache?: AttributeCache): Message {
  if (bytes.length < HEADER_SIZE)
    throw new DecodeError(`a message has at least ${HEADER_SIZE} octets, ${bytes.length} are there`, bytes.length, 'header');
  const { kind, length } = decodeHeader(bytes, 0, context.extendedMessage);
  if (length !== bytes.length) throw new DecodeError(`${kind} of ${length} octets, ${bytes.length} are there`, 16, 'length');
  switch (kind) {
    case 'open':
      return decodeOpen(bytes);
    case 'update':
      return decodeUpdate(bytes, context, cache);
    case 'notification':
      return decodeNotification(bytes);
    case 'keepalive':
      return KEEPALIVE;
    case 'route-refresh':
      return decodeRouteRefresh(bytes);
  }
}

function decodeNotification(bytes: Uint8Array): NotificationMessage {
  return { kind: 'notification', code: bytes[19] ?? 0, subcode: bytes[20] ?? 0, data: bytes.slice(21) };
}

/** AFI 2 · subtype 1 · SAFI 1 (RFC 2918, RFC 7313). A plain request may have outbound filters after it (RFC 5291): they are not asked for and not read. */
function decodeRouteRefresh(bytes: Uint8Array): RouteRefreshMessage {
  const subtype = bytes[21] ?? 0;
  if (bytes.length !== HEADER_SIZE + 4 && (subtype === 1 || subtype === 2)) throw routeRefreshLengthError(bytes);
  return { kind: 'route-refresh', family: { afi: ((bytes[19] ?? 0) << 8) | (bytes[20] ?? 0), safi: bytes[22] ?? 0 }, subtype };
}

/** Appends a message. RangeError, with nothing written, when it does not fit one message; `encodeUpdate` spreads routes over several. */
export function encodeMessage(w: Writer, message: Message, context: SessionContext): void {
  switch (message.kind) {
    case 'open':
      encodeOpen(w, message);
      return;
    case 'update':
      encodeUpdateMessage(w, message, context);
      return;
    case 'notification':
      encodeNotification(w, message, longestMessage(context));
      return;
    case 'keepalive':
      encodeKeepalive(w);
      return;
    case 'route-refresh':
      encodeRouteRefresh(w, message);
      return;
  }
}

export function encodeKeepalive(w: Writer): void {
  withHeader(w, 'keepalive', () => undefined);
}

/** Data that does not fit the message is cut off: the NOTIFICATION matters more than its data. */
export function encodeNotification(w: Writer, n: Notification, longest: number = MAX_MESSAGE): void {
  withHeader(
    w,
    'notification',
    () =>
      w
        .u8(n.code)
        .u8(n.subcode)
        .bytes(n.data.subarray(0, longest - HEADER_SIZE - 2)),
    longest,
  );
}

export function encodeRouteRefresh(w: Writer, message: Omit<RouteRefreshMessage, 'kind'>): void {
  withHeader(w, 'route-refresh', () => w.u16(message.family.afi).u8(message.subtype).u8(message.family.safi));
}

/** A NOTIFICATION message as bytes of its own. */
export function notificationBytes(n: Notification): Uint8Array {
  const w = new Writer(64);
  encodeNotification(w, n);
  return w.finish();
}
