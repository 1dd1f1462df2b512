import { Writer } from '@weir/wire/bytes';
import { encodeIp, ip, prefix } from '@weir/wire/inet';
import { LabError } from '../error.ts';
import type { AnnounceOptions } from './peer.ts';

/** Prefixes with the same attributes as one MRT TABLE_DUMP_V2 file (RFC 6396 section 4.3): a PEER_INDEX_TABLE with one peer, a RIB record for each prefix. */
export function encodeMrt(prefixes: readonly string[], options: AnnounceOptions, routerId: string): Uint8Array {
  const writer = new Writer();
  const id = ip(routerId);
  record(writer, 1, () => {
    encodeIp(writer, id);
    // No view name, one peer: IPv4 address, four-octet AS.
    writer.u16(0).u16(1).u8(2);
    encodeIp(writer, id);
    encodeIp(writer, id);
    writer.u32(0);
  });
  for (const [sequence, text] of prefixes.entries()) {
    const route = prefix(text);
    record(writer, route.family === 4 ? 2 : 4, () => {
      const whole = new Writer(16);
      encodeIp(whole, route);
      writer
        .u32(sequence)
        .u8(route.length)
        .bytes(whole.finish().subarray(0, Math.ceil(route.length / 8)));
      writer.u16(1).u16(0).u32(0);
      const length = writer.length;
      writer.u16(0);
      attributes(writer, options, route.family === 4 ? (options.nextHop ?? '0.0.0.0') : (options.nextHop ?? '::'));
      writer.setU16(length, writer.length - length - 2);
    });
  }
  return writer.finish();
}

function record(writer: Writer, subtype: number, body: () => void): void {
  writer.u32(0).u16(13).u16(subtype);
  const length = writer.length;
  writer.u32(0);
  body();
  writer.setU32(length, writer.length - length - 4);
}

/** ORIGIN, empty AS_PATH, next hop (for IPv6 the shortened MP_REACH_NLRI of RFC 6396 section 4.3.4), then what was asked for. */
function attributes(writer: Writer, options: AnnounceOptions, nextHop: string): void {
  const hop = ip(nextHop);
  writer.u8(0x40).u8(1).u8(1).u8(0);
  writer.u8(0x40).u8(2).u8(0);
  if (hop.family === 4) encodeIp(writer.u8(0x40).u8(3).u8(4), hop);
  else encodeIp(writer.u8(0x80).u8(14).u8(17).u8(16), hop);
  if (options.med !== undefined) writer.u8(0x80).u8(4).u8(4).u32(options.med);
  if (options.localPref !== undefined) writer.u8(0x40).u8(5).u8(4).u32(options.localPref);
  const communities = (options.communities ?? []).map((text) => numbers(text, 2));
  if (communities.length > 0) {
    writer
      .u8(0xc0)
      .u8(8)
      .u8(4 * communities.length);
    for (const [high = 0, low = 0] of communities) writer.u16(high).u16(low);
  }
  const large = (options.large ?? []).map((text) => numbers(text, 3));
  if (large.length > 0) {
    writer
      .u8(0xc0)
      .u8(32)
      .u8(12 * large.length);
    for (const [global = 0, first = 0, second = 0] of large) writer.u32(global).u32(first).u32(second);
  }
  const targets = (options.routeTargets ?? []).map((text) => numbers(text, 2));
  if (targets.length > 0) {
    writer
      .u8(0xc0)
      .u8(16)
      .u8(8 * targets.length);
    for (const [as = 0, value = 0] of targets) writer.u8(0).u8(2).u16(as).u32(value);
  }
}

function numbers(text: string, count: number): readonly number[] {
  const parts = text.split(':').map(Number);
  if (parts.length !== count || parts.some((part) => !Number.isInteger(part))) throw new LabError('missing', `not a community: ${text}`);
  return parts;
}
