import type { Writer } from '@weir/wire/bytes';
import { BgpError } from './error.ts';
import { ErrorCode, HeaderSubcode, RouteRefreshSubcode } from './notification.ts';
import type { Message, SessionContext } from './types.ts';

/** Octets of the header: marker 16, length 2, type 1 (RFC 4271 section 4.1). */
export const HEADER_SIZE = 19;
/** The longest message without the extended-message capability (RFC 4271 section 4.1). */
export const MAX_MESSAGE = 4096;
/** The longest UPDATE, NOTIFICATION and ROUTE-REFRESH with it (RFC 8654 section 3). */
export const MAX_EXTENDED_MESSAGE = 65535;

/** The longest UPDATE, NOTIFICATION or ROUTE-REFRESH that may be sent in this context. */
export function longestMessage(context: SessionContext): number {
  return context.extendedMessage ? MAX_EXTENDED_MESSAGE : MAX_MESSAGE;
}

/** Message type octet of each kind. */
export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, 'route-refresh': 5 } as const;

const KINDS: readonly (Message['kind'] | undefined)[] = [undefined, 'open', 'update', 'notification', 'keepalive', 'route-refresh'];
const MIN_LENGTH: Readonly<Record<Message['kind'], number>> = {
  open: 29,
  update: 23,
  notification: 21,
  keepalive: 19,
  'route-refresh': 23,
};

/** The kind of a message type octet, or undefined. */
export function messageKind(type: number): Message['kind'] | undefined {
  return KINDS[type];
}

export interface Header {
  readonly kind: Message['kind'];
  /** Of the whole message. */
  readonly length: number;
}

function headerError(
  subcode: number,
  message: string,
  offset: number,
  field: string,
  data?: Uint8Array,
  rfc = 'RFC 4271 section 6.1',
): BgpError {
  return new BgpError(message, { code: ErrorCode.messageHeader, subcode, data, offset, field, rfc });
}

function lengthField(bytes: Uint8Array, start: number): Uint8Array {
  return bytes.subarray(start + 16, start + 18);
}

/**
 * Checks the 19 octets at `start`. Throws BgpError with a Message Header Error: marker, length (RFC 8654: over 4096 only with the extended-message
 * capability and never in OPEN or KEEPALIVE), type. RangeError when fewer than 19 octets are there.
 */
export function decodeHeader(bytes: Uint8Array, start: number, extendedMessage: boolean): Header {
  if (bytes.length - start < HEADER_SIZE) throw new RangeError(`a header takes ${HEADER_SIZE} octets`);
  for (let i = 0; i < 16; i++) {
    if (bytes[start + i] !== 0xff) throw headerError(HeaderSubcode.connectionNotSynchronized, `marker octet ${i} is not 255`, i, 'marker');
  }
  const length = ((bytes[start + 16] as number) << 8) | (bytes[start + 17] as number);
  const type = bytes[start + 18] as number;
  const kind = KINDS[type];
  if (length < HEADER_SIZE)
    throw headerError(HeaderSubcode.badMessageLength, `message length ${length}`, 16, 'length', lengthField(bytes, start));
  if (kind === undefined) throw headerError(HeaderSubcode.badMessageType, `message type ${type}`, 18, 'type', Uint8Array.of(type));
  const longest = extendedMessage && kind !== 'open' && kind !== 'keepalive' ? MAX_EXTENDED_MESSAGE : MAX_MESSAGE;
  if (length < MIN_LENGTH[kind] || length > longest || (kind === 'keepalive' && length !== HEADER_SIZE)) {
    const rfc = length > MAX_MESSAGE ? 'RFC 8654 section 4' : 'RFC 4271 section 6.1';
    throw headerError(HeaderSubcode.badMessageLength, `${kind} of ${length} octets`, 16, 'length', lengthField(bytes, start), rfc);
  }
  return { kind, length };
}

/** The error of a ROUTE-REFRESH whose length is not that of its subtype; its data is the whole message (RFC 7313 section 5). */
export function routeRefreshLengthError(bytes: Uint8Array): BgpError {
  return new BgpError(`route-refresh of ${bytes.length} octets`, {
    code: ErrorCode.routeRefresh,
    subcode: RouteRefreshSubcode.invalidMessageLength,
    data: bytes,
    offset: 16,
    field: 'length',
    rfc: 'RFC 7313 section 5',
  });
}

/** Writes a header, then what `body` writes, then the length. RangeError, with nothing written, when the message is longer than `longest`. */
export function withHeader(w: Writer, kind: Message['kind'], body: () => void, longest: number = MAX_MESSAGE): void {
  const start = w.length;
  for (let i = 0; i < 4; i++) w.u32(0xffffffff);
  w.u16(0).u8(MessageType[kind]);
  body();
  const length = w.length - start;
  if (length > longest) {
    w.truncate(start);
    throw new RangeError(`${kind} of ${length} octets, at most ${longest}`);
  }
  w.setU16(start + 16, length);
}
