import { DecodeError, Reader } from '@weir/wire/bytes';
import { readLink } from '@weir/wire/capture';
import { decodeIp, type Ip } from '@weir/wire/inet';

/** A TCP segment and where it goes. */
export interface Segment {
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly syn: boolean;
  readonly ack: boolean;
  readonly data: Uint8Array;
}

const PROTOCOL_TCP = 6;

/** The TCP segment in a frame; undefined where there is none. DecodeError where headers are cut short or the packet is a fragment of a larger one. */
export function decodeSegment(frame: Uint8Array, linkType: number): Segment | undefined {
  const link = readLink(frame, linkType);
  if (!link) return undefined;
  if (link.network >= frame.length && frame.length > 0 && link.type === undefined)
    throw new DecodeError('link header cut short', 0, 'link header');
  if (!link.family || link.network >= frame.length) return undefined;
  const r = new Reader(frame, link.network);
  const version = (frame[link.network] ?? 0) >> 4;
  if (version === 4) return decodeIpv4(r);
  return version === 6 ? decodeIpv6(r) : undefined;
}

function decodeIpv4(r: Reader): Segment | undefined {
  const start = r.pos;
  const headerLength = (r.u8('IPv4 header') & 15) * 4;
  r.skip(1, 'IPv4 header');
  const total = r.u16('IPv4 total length');
  r.skip(2, 'IPv4 header');
  const fragment = r.u16('IPv4 fragment');
  r.skip(1, 'IPv4 header');
  const protocol = r.u8('IPv4 protocol');
  r.skip(2, 'IPv4 header');
  const source = decodeIp(r, 4, 'IPv4 source');
  const destination = decodeIp(r, 4, 'IPv4 destination');
  if (protocol !== PROTOCOL_TCP) return undefined;
  if ((fragment & 0x3fff) !== 0) throw new DecodeError('fragment of an IPv4 packet', start, 'IPv4 fragment');
  if (headerLength < 20) throw new DecodeError(`IPv4 header of ${headerLength} octets`, start, 'IPv4 header');
  r.skip(headerLength - 20, 'IPv4 options');
  // A total length of 0 is what segmentation offload leaves in a packet that the machine itself sends.
  return decodeTcp(r, total === 0 ? r.end : Math.min(start + total, r.end), source, destination);
}

/** Extension headers that may come before TCP (RFC 8200): hop-by-hop, routing, destination options; authentication counts in fours. */
function decodeIpv6(r: Reader): Segment | undefined {
  r.skip(4, 'IPv6 header');
  const payload = r.u16('IPv6 payload length');
  let next = r.u8('IPv6 next header');
  r.skip(1, 'IPv6 header');
  const source = decodeIp(r, 6, 'IPv6 source');
  const destination = decodeIp(r, 6, 'IPv6 destination');
  const end = payload === 0 ? r.end : Math.min(r.pos + payload, r.end);
  for (let i = 0; i < 8 && next !== PROTOCOL_TCP; i++) {
    const at = r.pos;
    if (next !== 0 && next !== 43 && next !== 60 && next !== 44 && next !== 51) return undefined;
    const kind = next;
    next = r.u8('IPv6 extension');
    const length = r.u8('IPv6 extension');
    if (kind === 44) {
      if ((r.u16('IPv6 fragment') & 0xfff9) !== 0) throw new DecodeError('fragment of an IPv6 packet', at, 'IPv6 fragment');
      r.skip(4, 'IPv6 fragment');
    } else r.skip(kind === 51 ? length * 4 + 6 : length * 8 + 6, 'IPv6 extension');
  }
  return next === PROTOCOL_TCP ? decodeTcp(r, end, source, destination) : undefined;
}

function decodeTcp(r: Reader, end: number, source: Ip, destination: Ip): Segment {
  const start = r.pos;
  const sourcePort = r.u16('TCP source port');
  const destinationPort = r.u16('TCP destination port');
  const sequence = r.u32('TCP sequence number');
  r.skip(4, 'TCP header');
  const headerLength = (r.u8('TCP data offset') >> 4) * 4;
  const flags = r.u8('TCP flags');
  const data = start + headerLength;
  if (headerLength < 20 || data > end) throw new DecodeError(`TCP header of ${headerLength} octets`, start, 'TCP data offset');
  return {
    source,
    sourcePort,
    destination,
    destinationPort,
    sequence,
    syn: (flags & 2) !== 0,
    ack: (flags & 16) !== 0,
    data: r.bytes.subarray(data, end),
  };
}
