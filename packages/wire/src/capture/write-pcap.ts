import { Writer } from '../bytes/index.ts';

/** A frame to be written. */
export interface FrameToWrite {
  /** Microseconds since 1970; 0 when left out. */
  readonly time?: number | undefined;
  readonly bytes: Uint8Array;
  /** Octets that it had on the wire, when there are fewer here. */
  readonly wireLength?: number | undefined;
}

/** As tcpdump sets it: no frame is longer. */
const SNAP_LENGTH = 262_144;

/** The header of a pcap file: magic 4 · version 2.4 · zone 4 · accuracy 4 · longest frame 4 · link type 4, little-endian, microseconds. */
export function encodePcapHeader(w: Writer, linkType: number): void {
  w.u32LE(0xa1b2c3d4).u16LE(2).u16LE(4).u32LE(0).u32LE(0).u32LE(SNAP_LENGTH).u32LE(linkType);
}

/** One frame of it: { seconds 4 · microseconds 4 · captured 4 · original 4 · frame }. RangeError for a frame that is too long or a time that does not fit. */
export function encodePcapFrame(w: Writer, { time = 0, bytes, wireLength }: FrameToWrite): void {
  const seconds = Math.floor(time / 1e6);
  if (bytes.length > SNAP_LENGTH) throw new RangeError(`a frame of ${bytes.length} octets`);
  if (!(seconds >= 0 && seconds <= 0xffffffff)) throw new RangeError(`a time of ${seconds} seconds`);
  w.u32LE(seconds)
    .u32LE(Math.floor(time - seconds * 1e6))
    .u32LE(bytes.length)
    .u32LE(Math.max(bytes.length, wireLength ?? 0))
    .bytes(bytes);
}

/** A whole pcap file. */
export function encodePcap(linkType: number, frames: Iterable<FrameToWrite>): Uint8Array {
  const w = new Writer();
  encodePcapHeader(w, linkType);
  for (const frame of frames) encodePcapFrame(w, frame);
  return w.finish();
}
