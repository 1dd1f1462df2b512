import { NETLINK_ROUTE, NetlinkSocket, SystemError } from '@weir/sys';

const HEADER = 16;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const REQUEST = 0x1;
const ACK = 0x4;
const DUMP = 0x300;
const EXT_ACK_TEXT = 1;
const ACK_TLVS = 0x200;
/** The kernel fills at most 32 KiB of a dump's datagram. */
const BUFFER = 64 * 1024;
/** Datagrams of one answer: of a dump about 32 MiB. */
const MAX_DATAGRAMS = 1000;

/** A netlink attribute that is to be sent: bytes, or more attributes. */
export interface RouteAttribute {
  readonly type: number;
  readonly value: Uint8Array | readonly RouteAttribute[];
}

/** An attribute that came; its value is a view. */
export interface ReceivedAttribute {
  readonly type: number;
  readonly value: Uint8Array;
}

export interface RouteRequest {
  /** NETLINK_ROUTE unless told. */
  readonly protocol?: number;
  readonly type: number;
  /** Besides NLM_F_REQUEST and what the call implies. */
  readonly flags?: number;
  /** The fixed header of the message's family, such as `struct tcmsg`. */
  readonly header: Uint8Array;
  readonly attributes?: readonly RouteAttribute[];
  readonly netns?: string | undefined;
}

/** Asks for a change and waits for its acknowledgement. SystemError `netlink` with the kernel's own text. */
export function routeRequest(request: RouteRequest): void {
  exchange(request, ACK, () => undefined);
}

/** Asks for a list; `visit` gets each message after its netlink header. SystemError `netlink`. */
export function routeDump(request: RouteRequest, visit: (message: Uint8Array) => void): void {
  exchange(request, DUMP, visit);
}

function exchange(request: RouteRequest, flags: number, visit: (message: Uint8Array) => void): void {
  const socket = NetlinkSocket.open(request.protocol ?? NETLINK_ROUTE, {
    capAck: true,
    extAck: true,
    ...(request.netns === undefined ? {} : { netns: request.netns }),
  });
  try {
    socket.send(encode(request, flags));
    const buffer = new Uint8Array(BUFFER);
    for (let datagrams = 0; datagrams < MAX_DATAGRAMS; datagrams++) {
      const received = socket.receive(buffer);
      if (received.kind !== 'data') throw new SystemError('netlink', 71, `the answer is ${received.kind}`);
      if (readAnswer(buffer.subarray(0, received.length), visit)) return;
    }
    throw new SystemError('netlink', 71, 'the answer does not end');
  } finally {
    socket.close();
  }
}

/** Whether the answer ends in this datagram. */
function readAnswer(bytes: Uint8Array, visit: (message: Uint8Array) => void): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > bytes.length) throw new SystemError('netlink', 71, 'a message is cut short');
    const type = view.getUint16(at + 4, true);
    const payload = bytes.subarray(at + HEADER, at + length);
    if (type === NLMSG_DONE) return true;
    if (type === NLMSG_ERROR) {
      const errno = -view.getInt32(at + HEADER, true);
      if (errno === 0) return true;
      const text =
        (view.getUint16(at + 6, true) & ACK_TLVS) === 0
          ? undefined
          : readAttributes(payload.subarray(20)).find((one) => one.type === EXT_ACK_TEXT);
      throw new SystemError('netlink', errno, text === undefined ? '' : new TextDecoder().decode(text.value).replace(/\0+$/, ''));
    }
    visit(payload);
    at += align(length);
  }
  return false;
}

function encode(request: RouteRequest, flags: number): Uint8Array {
  const attributes = encodeAttributes(request.attributes ?? []);
  const out = new Uint8Array(HEADER + align(request.header.length) + attributes.length);
  const view = new DataView(out.buffer);
  view.setUint32(0, out.length, true);
  view.setUint16(4, request.type, true);
  view.setUint16(6, REQUEST | flags | (request.flags ?? 0), true);
  view.setUint32(8, 1, true);
  out.set(request.header, HEADER);
  out.set(attributes, HEADER + align(request.header.length));
  return out;
}

/** Attributes one after the other, each padded to 4 bytes. */
export function encodeAttributes(attributes: readonly RouteAttribute[]): Uint8Array {
  const parts = attributes.map(({ type, value }) => ({ type, bytes: value instanceof Uint8Array ? value : encodeAttributes(value) }));
  const out = new Uint8Array(parts.reduce((sum, { bytes }) => sum + 4 + align(bytes.length), 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const { type, bytes } of parts) {
    view.setUint16(at, 4 + bytes.length, true);
    view.setUint16(at + 2, type, true);
    out.set(bytes, at + 4);
    at += 4 + align(bytes.length);
  }
  return out;
}

/** The attributes of a stretch of bytes; what is cut short ends the list. */
export function readAttributes(bytes: Uint8Array): readonly ReceivedAttribute[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found: ReceivedAttribute[] = [];
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    found.push({ type: view.getUint16(at + 2, true) & 0x3fff, value: bytes.subarray(at + 4, at + length) });
    at += align(length);
  }
  return found;
}

function align(length: number): number {
  return (length + 3) & ~3;
}
