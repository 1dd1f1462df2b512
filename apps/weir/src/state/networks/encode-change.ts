import { DecodeError, Reader, Writer } from '@weir/wire/bytes';
import { type Family, type Prefix, prefixFromWords } from '@weir/wire/inet';
import type { NetworkChange, NetworkEvent, NetworkNote, NetworkRecord, NetworkSource, Prefixes } from '../../model/network.ts';

const SET = 1;
const UNSET = 2;
/** What a payload of the journal is: changes as they were made, the state of tables, what was made before. */
const RECORD = 3;
const STATE = 4;
const EVENTS = 5;
const SOURCES = ['operator', 'client', 'feed'] as const;
const NO_TIME = 0n;
/** Prefixes between two points where other work may have its turn. */
const STEP = 2048;

/** What the journal holds. */
export type NetworkPayload =
  | { readonly kind: 'record'; readonly record: NetworkRecord }
  | { readonly kind: 'state'; readonly changes: readonly NetworkChange[] }
  | { readonly kind: 'events'; readonly events: readonly NetworkEvent[] };

/** Changes that are made together. Yields where other work may have its turn. */
export function* encodeRecord(record: NetworkRecord): Generator<void, Uint8Array> {
  const w = new Writer(256);
  w.u8(RECORD);
  encodeHead(w, record);
  for (const change of record.changes) yield* encodeChange(w, change);
  return w.finish();
}

/** Changes to nothing that come to what there is. */
export function encodeState(changes: readonly NetworkChange[]): Uint8Array {
  const w = new Writer(1 << 16);
  w.u8(STATE);
  for (const change of changes) drain(encodeChange(w, change));
  return w.finish();
}

/** One of those that `joinEvents` takes. */
export function encodeEvent(event: NetworkEvent): Uint8Array {
  const w = new Writer(128);
  encodeHead(w, event);
  w.u16(event.parts.length);
  for (const { kind, table, source, until, comment, count, prefixes } of event.parts) {
    w.u8(kind === 'set' ? SET : UNSET);
    text(w, table);
    encodeSource(w, source);
    encodeEnd(w, until, comment);
    w.u32(count);
    drain(encodePrefixes(w, prefixes));
  }
  return w.finish();
}

export function joinEvents(events: readonly Uint8Array[]): Uint8Array {
  const w = new Writer(1 << 16);
  w.u8(EVENTS).u32(events.length);
  for (const event of events) w.bytes(event);
  return w.finish();
}

/** Throws DecodeError for what was not written so. Prefixes of changes are views of the payload. */
export function decodePayload(payload: Uint8Array): NetworkPayload {
  const r = new Reader(payload);
  const kind = r.u8('payload');
  if (kind === STATE) return { kind: 'state', changes: readChanges(r) };
  if (kind === EVENTS) return { kind: 'events', events: Array.from({ length: r.u32('events') }, () => readEvent(r)) };
  if (kind !== RECORD) throw new DecodeError(`no kind of payload: ${kind}`, 0, 'payload');
  return { kind: 'record', record: { ...readHead(r), changes: readChanges(r) } };
}

/** What `encodeEvent` wrote. Throws DecodeError. */
export function decodeEvent(octets: Uint8Array): NetworkEvent {
  return readEvent(new Reader(octets));
}

type Head = Omit<NetworkRecord, 'changes'>;

function encodeHead(w: Writer, { number, at, by, added, updated, removed }: Head): void {
  w.u64(BigInt(number)).u64(BigInt(Math.round(at)));
  text(w, by);
  w.u32(added).u32(updated).u32(removed);
}

function readHead(r: Reader): Head {
  return {
    number: Number(r.u64('number')),
    at: Number(r.u64('at')),
    by: readText(r),
    added: r.u32('added'),
    updated: r.u32('updated'),
    removed: r.u32('removed'),
  };
}

function* encodeChange(w: Writer, change: NetworkChange): Generator<void> {
  w.u8(change.kind === 'set' ? SET : UNSET);
  text(w, change.table);
  if (change.kind === 'set') {
    const { source, by, since, until, comment } = change.note;
    encodeSource(w, source);
    text(w, by);
    w.u64(BigInt(Math.round(since)));
    encodeEnd(w, until, comment);
  } else encodeSource(w, change.source);
  yield* encodePrefixes(w, change.prefixes);
}

/** For each family how many octets and how many prefixes, and then the length and the address of each, as many words of it as it has. */
function* encodePrefixes(w: Writer, prefixes: Prefixes): Generator<void> {
  let seen = 0;
  for (const family of [4, 6] as const) {
    const own = new Writer(256);
    let count = 0;
    for (const prefix of prefixes) {
      if (++seen % STEP === 0) yield;
      if (prefix.family !== family) continue;
      count++;
      const { length } = prefix;
      own.u8(length);
      if (length > 0) own.u32(prefix.w0);
      if (length > 32) own.u32(prefix.w1);
      if (length > 64) own.u32(prefix.w2);
      if (length > 96) own.u32(prefix.w3);
    }
    w.u32(own.length).u32(count).bytes(own.finish());
  }
}

function readChanges(r: Reader): readonly NetworkChange[] {
  const out: NetworkChange[] = [];
  while (!r.done) {
    const kind = readKind(r);
    const table = readText(r);
    const source = readSource(r);
    if (kind === 'unset') {
      out.push({ kind, table, source, prefixes: readPrefixes(r) });
      continue;
    }
    const by = readText(r);
    const since = Number(r.u64('since'));
    const note: NetworkNote = { source, by, since, ...readEnd(r) };
    out.push({ kind, table, note, prefixes: readPrefixes(r) });
  }
  return out;
}

function readEvent(r: Reader): NetworkEvent {
  const head = readHead(r);
  const parts = Array.from({ length: r.u16('parts') }, () => {
    const kind = readKind(r);
    const table = readText(r);
    const source = readSource(r);
    const end = readEnd(r);
    const count = r.u32('count');
    return { kind, table, source, ...end, count, prefixes: [...readPrefixes(r)] };
  });
  return { ...head, parts };
}

function readKind(r: Reader): 'set' | 'unset' {
  const kind = r.u8('kind');
  if (kind !== SET && kind !== UNSET) throw new DecodeError(`no kind of change: ${kind}`, r.pos - 1, 'kind');
  return kind === SET ? 'set' : 'unset';
}

/** Prefixes as they stand in a payload, all of them looked at once. */
class EncodedPrefixes implements Prefixes {
  readonly length: number;
  readonly #octets: Readonly<Record<Family, Uint8Array>>;

  constructor(length: number, octets: Readonly<Record<Family, Uint8Array>>) {
    this.length = length;
    this.#octets = octets;
  }

  *[Symbol.iterator](): Generator<Prefix> {
    for (const family of [4, 6] as const) {
      const r = new Reader(this.#octets[family]);
      while (!r.done) yield readPrefix(r, family);
    }
  }
}

function readPrefixes(r: Reader): Prefixes {
  let length = 0;
  const read = (family: Family): Uint8Array => {
    const size = r.u32('octets');
    const count = r.u32('count');
    const octets = r.take(size);
    const own = new Reader(octets);
    let seen = 0;
    for (; !own.done; seen++) skipPrefix(own, family);
    if (seen !== count) throw new DecodeError(`${seen} prefixes where ${count} are said to be`, r.pos, 'count');
    length += count;
    return octets;
  };
  const octets = { 4: read(4), 6: read(6) };
  return new EncodedPrefixes(length, octets);
}

function skipPrefix(r: Reader, family: Family): void {
  const length = r.u8('length');
  if (length > (family === 4 ? 32 : 128)) throw new DecodeError(`a prefix of ${length} bits`, r.pos - 1, 'length');
  r.take(4 * Math.ceil(length / 32));
}

function readPrefix(r: Reader, family: Family): Prefix {
  const length = r.u8('length');
  const word = (i: number): number => (i * 32 < length ? r.u32('address') : 0);
  return prefixFromWords(family, word(0), word(1), word(2), word(3), length);
}

function encodeEnd(w: Writer, until: number | undefined, comment: string | undefined): void {
  w.u64(until === undefined ? NO_TIME : BigInt(Math.round(until)));
  w.u8(comment === undefined ? 0 : 1);
  text(w, comment ?? '');
}

function readEnd(r: Reader): { readonly until: number | undefined; readonly comment: string | undefined } {
  const until = r.u64('until');
  const hasComment = r.u8('comment') === 1;
  const comment = readText(r);
  return { until: until === NO_TIME ? undefined : Number(until), comment: hasComment ? comment : undefined };
}

function encodeSource(w: Writer, source: NetworkSource): void {
  w.u8(SOURCES.indexOf(source.kind));
  text(w, source.kind === 'operator' ? '' : source.name);
}

function readSource(r: Reader): NetworkSource {
  const kind = SOURCES[r.u8('source')];
  const name = readText(r);
  if (kind === undefined) throw new DecodeError('no kind of source', r.pos, 'source');
  return kind === 'operator' ? { kind } : { kind, name };
}

function text(w: Writer, value: string): void {
  const octets = new TextEncoder().encode(value);
  w.u16(octets.length).bytes(octets);
}

function readText(r: Reader): string {
  return new TextDecoder().decode(r.take(r.u16('length')));
}

function drain(work: Generator<void>): void {
  for (const _ of work);
}
