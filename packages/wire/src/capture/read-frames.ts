import { DecodeError, Reader } from '../bytes/index.ts';

/** One captured frame. */
export interface CapturedFrame {
  readonly kind: 'frame';
  /** Microseconds since 1970; 0 where the file has none. */
  readonly time: number;
  /** Of the frame, in the file. */
  readonly offset: number;
  /** LINKTYPE_* of tcpdump.org. */
  readonly linkType: number;
  /** A view of the file. */
  readonly bytes: Uint8Array;
  /** Octets that it had on the wire; more than there are bytes when the capture cut it short. */
  readonly wireLength: number;
  /** Name of the interface, where a pcapng file says it. */
  readonly interface: string | undefined;
}

/** Something about the file itself. */
export interface CaptureProblem {
  readonly kind: 'problem';
  readonly offset: number;
  readonly message: string;
}

const PCAPNG_SECTION = 0x0a0d0d0a;
const PCAPNG_MAGIC = 0x1a2b3c4d;
const PCAPNG_SWAPPED = 0x4d3c2b1a;
const BLOCK_INTERFACE = 1;
const BLOCK_SIMPLE_PACKET = 3;
const BLOCK_ENHANCED_PACKET = 6;
const OPTION_NAME = 2;
const OPTION_TIME_RESOLUTION = 9;
const OPTION_TIME_OFFSET = 14;
/** Interfaces that one section may describe. */
const MAX_INTERFACES = 4096;
/** Octets of an interface's name that are kept. */
const MAX_NAME = 64;
const TEXT = new TextDecoder();

/** The frames of a pcap or pcapng file. Throws DecodeError when it is neither; what is broken later is a CaptureProblem and ends the file. */
export function* readFrames(bytes: Uint8Array): Generator<CapturedFrame | CaptureProblem, void, undefined> {
  const magic = new Reader(bytes).u32('file magic');
  if (magic === PCAPNG_SECTION) {
    yield* readPcapng(bytes);
    return;
  }
  for (const [value, little, nanoseconds] of PCAP_MAGICS) {
    if (magic !== value) continue;
    yield* readClassic(bytes, little, nanoseconds);
    return;
  }
  throw new DecodeError(`magic 0x${magic.toString(16)} is of neither pcap nor pcapng`, 0, 'file magic');
}

/** As read in network order: value, little-endian, nanoseconds. */
const PCAP_MAGICS: readonly (readonly [number, boolean, boolean])[] = [
  [0xa1b2c3d4, false, false],
  [0xd4c3b2a1, true, false],
  [0xa1b23c4d, false, true],
  [0x4d3cb2a1, true, true],
];

/** Header 24, then { seconds 4 · fraction 4 · captured 4 · original 4 · frame }. */
function* readClassic(
  bytes: Uint8Array,
  little: boolean,
  nanoseconds: boolean,
): Generator<CapturedFrame | CaptureProblem, void, undefined> {
  const r = new Reader(bytes);
  const u32 = (): number => (little ? r.u32LE() : r.u32());
  r.skip(20, 'file header');
  const linkType = u32() & 0xffff;
  while (!r.done) {
    const offset = r.pos;
    if (r.remaining < 16) {
      yield { kind: 'problem', offset, message: `${r.remaining} octets left, too few for a packet header` };
      return;
    }
    const seconds = u32();
    const fraction = u32();
    const captured = u32();
    const original = u32();
    if (captured > r.remaining) {
      yield { kind: 'problem', offset, message: `packet of ${captured} octets, ${r.remaining} left` };
      return;
    }
    const time = seconds * 1e6 + (nanoseconds ? Math.floor(fraction / 1000) : fraction);
    const wireLength = Math.max(original, captured);
    yield { kind: 'frame', time, offset: r.pos, linkType, bytes: r.take(captured), wireLength, interface: undefined };
  }
}

interface Interface {
  readonly linkType: number;
  /** Units of the time stamp in a second. */
  readonly resolution: number;
  /** Seconds to add. */
  readonly shift: number;
  readonly name: string | undefined;
}

/** Blocks: type 4 · length 4 · body · length 4; the byte order is each section's own. */
function* readPcapng(bytes: Uint8Array): Generator<CapturedFrame | CaptureProblem, void, undefined> {
  const r = new Reader(bytes);
  let little = false;
  let interfaces: Interface[] = [];
  while (!r.done) {
    const offset = r.pos;
    if (r.remaining < 12) {
      yield { kind: 'problem', offset, message: `${r.remaining} octets left, too few for a block` };
      return;
    }
    const section = r.u32() === PCAPNG_SECTION;
    if (section) {
      const order = new Reader(bytes, offset + 8).u32('byte-order magic');
      if (order !== PCAPNG_MAGIC && order !== PCAPNG_SWAPPED) {
        yield { kind: 'problem', offset, message: `byte-order magic 0x${order.toString(16)}` };
        return;
      }
      little = order === PCAPNG_SWAPPED;
      interfaces = [];
    }
    r.pos = offset;
    const type = little ? r.u32LE() : r.u32();
    const length = little ? r.u32LE() : r.u32();
    if (length < 12 || length % 4 !== 0 || length > r.remaining + 8) {
      yield { kind: 'problem', offset, message: `block of ${length} octets, ${r.remaining + 8} left` };
      return;
    }
    const body = new Reader(bytes, r.pos, offset + length - 4);
    r.pos = offset + length;
    try {
      if (type === BLOCK_INTERFACE && interfaces.length < MAX_INTERFACES) interfaces.push(readInterface(body, little));
      else if (type === BLOCK_ENHANCED_PACKET) yield readEnhanced(body, little, interfaces);
      else if (type === BLOCK_SIMPLE_PACKET) yield readSimple(body, little, interfaces);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      yield { kind: 'problem', offset: error.offset, message: error.message };
    }
  }
}

function readInterface(r: Reader, little: boolean): Interface {
  const u16 = (): number => (little ? r.u16LE() : r.u16());
  const linkType = u16();
  r.skip(6, 'interface');
  let resolution = 1e6;
  let shift = 0;
  let name: string | undefined;
  while (r.remaining >= 4) {
    const code = u16();
    const length = u16();
    if (code === 0) break;
    const value = r.sub(length, 'option');
    r.skip(Math.min(r.remaining, (4 - (length % 4)) % 4));
    if (code === OPTION_TIME_RESOLUTION && length === 1) {
      const exponent = value.u8();
      resolution = exponent & 0x80 ? 2 ** (exponent & 0x7f) : 10 ** exponent;
    } else if (code === OPTION_NAME) name = TEXT.decode(value.rest().subarray(0, MAX_NAME));
    else if (code === OPTION_TIME_OFFSET && length === 8) shift = Number(BigInt.asIntN(64, little ? value.u64LE() : value.u64()));
  }
  return { linkType, resolution, shift, name };
}

function readEnhanced(r: Reader, little: boolean, interfaces: readonly Interface[]): CapturedFrame {
  const u32 = (): number => (little ? r.u32LE() : r.u32());
  const at = r.pos;
  const found = interfaces[u32()];
  if (!found) throw new DecodeError('packet of an interface that is not described', at, 'interface');
  const stamp = (BigInt(u32()) << 32n) | BigInt(u32());
  const captured = u32();
  const original = u32();
  const offset = r.pos;
  const time = Math.floor((Number(stamp) / found.resolution) * 1e6) + found.shift * 1e6;
  const { linkType, name } = found;
  return {
    kind: 'frame',
    time,
    offset,
    linkType,
    bytes: r.take(captured, 'packet'),
    wireLength: Math.max(original, captured),
    interface: name,
  };
}

function readSimple(r: Reader, little: boolean, interfaces: readonly Interface[]): CapturedFrame {
  const [found] = interfaces;
  if (!found) throw new DecodeError('packet before any interface', r.pos, 'interface');
  const original = little ? r.u32LE() : r.u32();
  const offset = r.pos;
  const bytes = r.take(Math.min(original, r.remaining), 'packet');
  return { kind: 'frame', time: 0, offset, linkType: found.linkType, bytes, wireLength: original, interface: found.name };
}
