import { FAMILY_NAMES, MessageType, type OpenMessage, type SessionContext, sessionContext } from '../codec/index.ts';
import { agreedContext, tryOpen } from './agreement.ts';
import type { CaptureEntry, Endpoint } from './entry.ts';
import { type Cut, MessageStream } from './message-stream.ts';
import { type Ordered, Reassembly } from './reassembly.ts';
import type { Segment } from './segment.ts';

class Direction {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly order: Reassembly = new Reassembly();
  readonly stream: MessageStream = new MessageStream();
  open: OpenMessage | undefined;
  /** Sequence number of the SYN seen last. */
  syn: number | undefined;

  constructor(source: Endpoint, destination: Endpoint) {
    this.source = source;
    this.destination = destination;
  }
}

/** Both directions of one TCP connection between a pair of endpoints; a SYN starts it anew. */
export class Conversation {
  readonly #defaults: Partial<SessionContext>;
  readonly #directions: readonly [Direction, Direction];
  #lastTime = 0;
  #lastOffset = 0;

  constructor(first: Segment, defaults: Partial<SessionContext>) {
    this.#defaults = defaults;
    const a = { address: first.source, port: first.sourcePort };
    const b = { address: first.destination, port: first.destinationPort };
    this.#directions = [new Direction(a, b), new Direction(b, a)];
  }

  /** Entries that this segment completes. `forward`: sent by the side whose segment made the conversation. */
  push(segment: Segment, forward: boolean, time: number, offset: number): CaptureEntry[] {
    const [here, there] = forward ? this.#directions : [this.#directions[1], this.#directions[0]];
    this.#lastTime = time;
    this.#lastOffset = offset;
    const out: CaptureEntry[] = [];
    let { sequence } = segment;
    if (segment.syn) {
      if (here.syn !== sequence) {
        here.order.restart(sequence);
        here.stream.begin();
        here.syn = sequence;
        here.open = undefined;
        if (!segment.ack) there.open = undefined;
      }
      sequence = (sequence + 1) >>> 0;
    }
    this.#take(here, there, here.order.push(sequence, segment.data), time, offset, out);
    return out;
  }

  /** Entries that waited for segments which never came, and what is left over. */
  finish(): CaptureEntry[] {
    const out: CaptureEntry[] = [];
    const [a, b] = this.#directions;
    for (const [here, there] of [
      [a, b],
      [b, a],
    ] as const) {
      for (let ordered = here.order.flush(); ordered.length > 0; ordered = here.order.flush()) {
        this.#take(here, there, ordered, this.#lastTime, this.#lastOffset, out);
      }
      if (here.stream.pending > 0) out.push(this.#problem(`${here.stream.pending} octets at the end that are no whole message`));
    }
    return out;
  }

  #problem(message: string): CaptureEntry {
    return { kind: 'problem', time: this.#lastTime, offset: this.#lastOffset, message };
  }

  #take(here: Direction, there: Direction, ordered: readonly Ordered[], time: number, offset: number, out: CaptureEntry[]): void {
    for (const part of ordered) {
      if (part.kind === 'gap') out.push(this.#problem(`${part.octets} octets are missing`));
      const cuts: Cut[] = part.kind === 'gap' ? here.stream.lose() : here.stream.push(part.data);
      for (const cut of cuts) {
        if (cut.kind === 'skipped') out.push(this.#problem(`${cut.octets} octets that are no message`));
        else out.push(this.#message(here, there, cut.bytes, time, offset));
      }
    }
  }

  #message(here: Direction, there: Direction, bytes: Uint8Array, time: number, offset: number): CaptureEntry {
    if (bytes[18] === MessageType.open && bytes.length > 19) here.open = tryOpen(bytes);
    const context =
      here.open && there.open
        ? agreedContext(here.open, there.open, this.#defaults)
        : sessionContext({ families: FAMILY_NAMES, extendedNextHop: true, ...this.#defaults, extendedMessage: true });
    return { kind: 'message', time, offset, source: here.source, destination: here.destination, bytes, context, synthetic: false };
  }
}
