import { DecodeError } from '@weir/wire/bytes';
import { type CapturedFrame, type CaptureProblem, readFrames } from '@weir/wire/capture';

const PCAPNG_SECTION = 0x0a0d0d0a;
const PCAPNG_MAGIC = 0x1a2b3c4d;
const PCAPNG_SWAPPED = 0x4d3c2b1a;
const BLOCK_INTERFACE = 1;
const PCAP_HEADER = 24;
const PCAP_RECORD = 16;
const PCAPNG_BLOCK = 12;
/** Magics of pcap files whose numbers are in little-endian order, as read in network order. */
const LITTLE: ReadonlySet<number> = new Set([0xd4c3b2a1, 0x4d3cb2a1]);
/** A record or block that says to be longer is broken. */
const MAX_RECORD = 16 << 20;
/** Octets of the section and interface blocks of a pcapng section. */
const MAX_PREAMBLE = 1 << 20;

/**
 * As `readFrames`, from a stream: holds at most one record more than the stream gives at a time. Nothing is read from the stream before what was read is used up. DecodeError when it is
 * no capture; what is broken later is a CaptureProblem.
 */
export async function* streamFrames(source: AsyncIterable<Uint8Array>): AsyncGenerator<CapturedFrame | CaptureProblem, void, undefined> {
  const cutter = new Cutter();
  for await (const chunk of source) {
    const part = cutter.push(chunk);
    if (part) yield* readPart(part);
    if (cutter.broken) break;
  }
  const rest = cutter.rest();
  if (rest) yield* readPart(rest);
}

/** A file of its own: what stands at its beginning, then whole records. */
interface Part {
  readonly bytes: Uint8Array;
  /** Octets of the beginning that earlier parts had. */
  readonly preamble: number;
  /** What to add to offsets behind the preamble. */
  readonly shift: number;
}

function* readPart({ bytes, preamble, shift }: Part): Generator<CapturedFrame | CaptureProblem, void, undefined> {
  for (const item of readFrames(bytes)) if (item.offset >= preamble) yield { ...item, offset: item.offset + shift };
}

/** Cuts a capture into parts between records. */
class Cutter {
  #waiting: Uint8Array = new Uint8Array(0);
  #preamble: Uint8Array = new Uint8Array(0);
  /** Octets of the file before what waits. */
  #done = 0;
  #started = false;
  #pcapng = false;
  #little = false;
  /** A record cannot be as long as it says. */
  broken = false;

  push(chunk: Uint8Array): Part | undefined {
    this.#waiting = join(this.#waiting, chunk);
    if (!this.#started && !this.#start()) return undefined;
    let preamble = this.#preamble;
    let at = 0;
    for (let length = this.#recordAt(at); length !== undefined && at + length <= this.#waiting.length; length = this.#recordAt(at)) {
      if (this.#pcapng) preamble = this.#learn(preamble, at, length);
      at += length;
    }
    return at === 0 ? undefined : this.#take(at, preamble);
  }

  /** What is left at the end, or from a broken record on. */
  rest(): Part | undefined {
    const over = this.#done > 0 && this.#waiting.length === 0;
    return over ? undefined : this.#take(this.#waiting.length, this.#preamble);
  }

  #start(): boolean {
    const bytes = this.#waiting;
    if (bytes.length < PCAP_HEADER) return false;
    const magic = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    this.#pcapng = magic === PCAPNG_SECTION;
    this.#little = LITTLE.has(magic);
    this.#started = true;
    if (this.#pcapng) return true;
    // A magic that is not known is told by whoever reads the first part.
    this.#preamble = bytes.slice(0, PCAP_HEADER);
    readFrames(this.#preamble).next();
    this.#waiting = bytes.subarray(PCAP_HEADER);
    this.#done = PCAP_HEADER;
    return true;
  }

  /** Length of the record at `at` of what waits; undefined when that cannot be said yet, or it is broken. */
  #recordAt(at: number): number | undefined {
    const bytes = this.#waiting;
    const left = bytes.length - at;
    if (left < (this.#pcapng ? PCAPNG_BLOCK : PCAP_RECORD)) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, left);
    let known = true;
    if (this.#pcapng && view.getUint32(0) === PCAPNG_SECTION) {
      const order = view.getUint32(8);
      this.#little = order === PCAPNG_SWAPPED;
      known = this.#little || order === PCAPNG_MAGIC;
    }
    const length = this.#pcapng ? view.getUint32(4, this.#little) : PCAP_RECORD + view.getUint32(8, this.#little);
    this.broken = !known || length > MAX_RECORD || length < PCAPNG_BLOCK || (this.#pcapng && length % 4 !== 0);
    return this.broken ? undefined : length;
  }

  /** The preamble of what comes after a block. */
  #learn(preamble: Uint8Array, at: number, length: number): Uint8Array {
    const view = new DataView(this.#waiting.buffer, this.#waiting.byteOffset + at, length);
    const type = view.getUint32(0, this.#little);
    const block = this.#waiting.slice(at, at + length);
    if (view.getUint32(0) === PCAPNG_SECTION) return block;
    if (type !== BLOCK_INTERFACE) return preamble;
    if (preamble.length + length > MAX_PREAMBLE) throw new DecodeError('too many interfaces are described', this.#done + at, 'interface');
    return join(preamble, block);
  }

  #take(length: number, preamble: Uint8Array): Part {
    const before = this.#preamble.length;
    const part = { bytes: join(this.#preamble, this.#waiting.subarray(0, length)), preamble: before, shift: this.#done - before };
    this.#waiting = this.#waiting.slice(length);
    this.#done += length;
    this.#preamble = preamble;
    return part;
  }
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  if (one.length === 0) return other;
  const out = new Uint8Array(one.length + other.length);
  out.set(one);
  out.set(other, one.length);
  return out;
}
