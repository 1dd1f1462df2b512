import { overlaps, type Prefix } from '@weir/wire/inet';
import type { NetworkEvent, NetworkRecord } from '../../model/network.ts';
import { decodeEvent, encodeEvent, joinEvents } from './encode-change.ts';

/** What is remembered at most: changes, octets of all of them, and prefixes of one. */
const MOST_EVENTS = 10_000;
const MOST_OCTETS = 4 << 20;
const MOST_PREFIXES = 100;
const MOST_PARTS = 64;
/** Octets of one step of a snapshot. */
const STEP = 1 << 18;

export interface HistoryFilter {
  readonly table?: string | undefined;
  /** What overlaps it. Changes with more prefixes than are remembered may have it, and so are among them. */
  readonly prefix?: Prefix | undefined;
  readonly limit: number;
  /** Only changes with a lower number. */
  readonly before?: number | undefined;
}

/** Who changed what when: the last 10,000 changes, and of those as many as there is room for in 4 MiB; of each the first 100 prefixes. */
export class NetworkHistory {
  /** Oldest first. */
  readonly #events: { readonly number: number; readonly octets: Uint8Array }[] = [];
  #first = 0;
  #octets = 0;
  #last = 0;

  /** The number of the last change. */
  get last(): number {
    return this.#last;
  }

  get size(): number {
    return this.#events.length - this.#first;
  }

  /** What was remembered before is not remembered twice. */
  add(event: NetworkEvent): void {
    if (event.number <= this.#last) return;
    this.#last = event.number;
    const octets = encodeEvent(event);
    this.#events.push({ number: event.number, octets });
    this.#octets += octets.length;
    while (this.size > MOST_EVENTS || this.#octets > MOST_OCTETS) this.#octets -= this.#events[this.#first++]?.octets.length ?? 0;
    if (this.#first <= MOST_EVENTS) return;
    this.#events.splice(0, this.#first);
    this.#first = 0;
  }

  /** The latest first. */
  list({ table, prefix, limit, before = Number.POSITIVE_INFINITY }: HistoryFilter): readonly NetworkEvent[] {
    const out: NetworkEvent[] = [];
    for (let i = this.#events.length - 1; i >= this.#first && out.length < limit; i--) {
      const one = this.#events[i];
      if (!one || one.number >= before) continue;
      const event = decodeEvent(one.octets);
      const meant = event.parts.some(
        (part) =>
          (table === undefined || part.table === table) &&
          (prefix === undefined || part.count > part.prefixes.length || part.prefixes.some((other) => overlaps(other, prefix))),
      );
      if (meant) out.push(event);
    }
    return out;
  }

  /** All of it, for a snapshot: what is added later may be in it or not. */
  *snapshot(): Iterable<Uint8Array> {
    let gathered: Uint8Array[] = [];
    let octets = 0;
    for (const one of this.#events.slice(this.#first)) {
      gathered.push(one.octets);
      octets += one.octets.length;
      if (octets < STEP) continue;
      yield joinEvents(gathered);
      gathered = [];
      octets = 0;
    }
    if (gathered.length > 0) yield joinEvents(gathered);
  }
}

/** What is remembered of changes. */
export function eventOf({ changes, ...head }: NetworkRecord): NetworkEvent {
  let room = MOST_PREFIXES;
  const parts = changes.slice(0, MOST_PARTS).map((change) => {
    const prefixes: Prefix[] = [];
    for (const prefix of change.prefixes) {
      if (room === 0) break;
      room--;
      prefixes.push(prefix);
    }
    const isSet = change.kind === 'set';
    return {
      kind: change.kind,
      table: change.table,
      source: isSet ? change.note.source : change.source,
      until: isSet ? change.note.until : undefined,
      comment: isSet ? change.note.comment : undefined,
      count: change.prefixes.length,
      prefixes,
    };
  });
  return { ...head, parts };
}
