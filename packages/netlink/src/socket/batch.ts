import { Reader, Writer } from '@weir/wire/bytes';
import {
  beginMessage,
  eachAttribute,
  encodeNetfilterHeader,
  endMessage,
  HEADER_LENGTH,
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NLM_F_ACK,
  NLM_F_REQUEST,
  putU32,
} from '../message/index.ts';

/** A list inside a message: the attribute that holds it, and which of the caller's items an attribute in it belongs to, by its position from 0. */
export interface ItemList {
  readonly attribute: number;
  itemOf(position: number): number;
}

/** One message of a transaction. */
export interface BatchMessage<Tag> {
  /** Subsystem << 8 | message. */
  readonly type: number;
  /** Besides NLM_F_REQUEST. */
  readonly flags: number;
  readonly family: number;
  /** What it does, for errors: `add rule`. */
  readonly operation: string;
  readonly tag?: Tag | undefined;
  readonly list?: ItemList | undefined;
}

interface Sent<Tag> extends BatchMessage<Tag> {
  readonly at: number;
}

const GENERATION_AT = HEADER_LENGTH + 4 + 4;

/**
 * The messages of one transaction, encoded as they are added into one buffer. The layout is BATCH_BEGIN (with the generation it was made for, 0 for any), the messages,
 * BATCH_END. `reset` makes it empty again and keeps the buffer.
 */
export class Batch<Tag = unknown> {
  readonly #writer: Writer;
  readonly #subsystem: number;
  readonly #messages: Sent<Tag>[] = [];
  #sealed = false;

  constructor(subsystem: number, capacity = 4096) {
    this.#subsystem = subsystem;
    this.#writer = new Writer(capacity);
    this.#begin();
  }

  #begin(): void {
    const at = beginMessage(this.#writer, NFNL_MSG_BATCH_BEGIN, NLM_F_REQUEST, 0);
    encodeNetfilterHeader(this.#writer, 0, this.#subsystem);
    putU32(this.#writer, 1, 0);
    endMessage(this.#writer, at);
  }

  /** Messages added so far, BATCH_BEGIN and BATCH_END not counted. */
  get count(): number {
    return this.#messages.length;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#writer.length;
  }

  /** Adds a message; `encode` writes what follows the netfilter header. When it throws, nothing is added. */
  add(message: BatchMessage<Tag>, encode: (w: Writer) => void): void {
    if (this.#sealed) throw new Error('the transaction was already sent; reset it first');
    const w = this.#writer;
    const at = beginMessage(w, message.type, message.flags | NLM_F_REQUEST, 0);
    try {
      encodeNetfilterHeader(w, message.family, 0);
      encode(w);
      endMessage(w, at);
    } catch (error) {
      w.truncate(at);
      throw error;
    }
    this.#messages.push({ ...message, at });
  }

  /** Forgets the messages. */
  reset(): void {
    this.#messages.length = 0;
    this.#sealed = false;
    this.#writer.reset();
    this.#begin();
  }

  /**
   * The whole datagram for sequence numbers from `sequence` on: BATCH_BEGIN has the first, message `i` has `sequence + 1 + i`. The last message asks for
   * an acknowledgement. Valid until the next call of any method.
   */
  seal(sequence: number, generation: number): Uint8Array {
    const w = this.#writer;
    const last = this.#messages[this.#messages.length - 1];
    if (!this.#sealed) {
      const at = beginMessage(w, NFNL_MSG_BATCH_END, NLM_F_REQUEST, 0);
      encodeNetfilterHeader(w, 0, this.#subsystem);
      endMessage(w, at);
      if (last) w.setU16LE(last.at + 6, last.flags | NLM_F_REQUEST | NLM_F_ACK);
      this.#sealed = true;
    }
    w.setU32LE(8, sequence);
    w.setU32(GENERATION_AT, generation);
    let next = sequence;
    for (const message of this.#messages) w.setU32LE(message.at + 8, ++next >>> 0);
    w.setU32LE(w.length - 12, (next + 1) >>> 0);
    return w.view();
  }

  /** Message `index` as it was added. */
  message(index: number): BatchMessage<Tag> | undefined {
    return this.#messages[index];
  }

  /** Which of the caller's items the attribute at `offset` in message `index` belongs to; undefined when it lies in no list. */
  itemAt(index: number, offset: number): number | undefined {
    const message = this.#messages[index];
    const list = message?.list;
    if (!message || !list) return undefined;
    const end = this.#messages[index + 1]?.at ?? this.#writer.length - (this.#sealed ? HEADER_LENGTH + 4 : 0);
    const target = message.at + offset;
    let found: number | undefined;
    eachAttribute(new Reader(this.#writer.view(), message.at + HEADER_LENGTH + 4, end), (type, value) => {
      if (type !== list.attribute || target < value.pos || target >= value.end) return;
      let position = 0;
      eachAttribute(value, (_type, item, at) => {
        if (target >= at && target < item.end) found = list.itemOf(position);
        position++;
      });
    });
    return found;
  }
}
