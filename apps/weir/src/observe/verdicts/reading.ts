import { BpfMap, PinDirectory, RingBuffer } from '@weir/ebpf/kernel';
import { Epoll } from '@weir/sys';
import type { VerdictEvent } from '../../model/verdict-event.ts';
import { EVENT_AT, EVENT_OCTETS } from '../../model/verdict-event-layout.ts';
import { InterfaceNames } from './interface-names.ts';
import { LogPrefixes, LogSource } from './log-source.ts';
import { READER_COUNT as COUNT, type LogScope, type ReaderAnswer, type ReaderCall, type RingPlace } from './reader-protocol.ts';
import { RecordBuffer } from './record-buffer.ts';

/** Records of one batch, and of one turn of the ring buffer. */
const BATCH = 4096;
/** Records on their way to the main thread: 25 MB; then they are dropped, and counted. */
export const MAX_WAITING = 262_144;
/** Where so many come in one turn, more are left to gather for a millisecond: programs then wake the reader once, not for each record. */
const MANY = 64;
const GATHER = 1;
/** What cannot be listened to is tried again after so many milliseconds. */
const RETRY = 10_000;

interface Ring {
  readonly map: BpfMap;
  readonly buffer: RingBuffer;
}

/** The reader of verdict events: sleeps until there are some, takes them out of the ring buffer and of nfnetlink_log, and posts them in batches. `run` blocks the thread. */
export class Reading {
  readonly #post: (answer: ReaderAnswer, transfer: readonly ArrayBuffer[]) => void;
  readonly #calls: () => readonly ReaderCall[];
  readonly #counts: BigInt64Array;
  readonly #epoll = new Epoll();
  readonly #records = new RecordBuffer(BATCH);
  readonly #prefixes = new LogPrefixes();
  readonly #namespaces = new Map<number, string | undefined>();
  readonly #interfaces = new InterfaceNames(this.#namespaces);
  readonly #sources = new Map<string, LogSource>();
  readonly #problems = new Set<string>();
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));
  #wanted: readonly LogScope[] = [];
  #retryAt = Number.POSITIVE_INFINITY;
  #ring: Ring | undefined;
  #now = 0;
  /** Records of the ring buffer that are not counted yet. */
  #fromRing = 0;
  #closing = false;

  /** `calls` gives what the main thread has asked for since the call before. */
  constructor(
    counts: SharedArrayBuffer,
    post: (answer: ReaderAnswer, transfer: readonly ArrayBuffer[]) => void,
    calls: () => readonly ReaderCall[],
  ) {
    this.#counts = new BigInt64Array(counts);
    this.#post = post;
    this.#calls = calls;
  }

  /** Returns when it is told to close. */
  run(): void {
    this.#post({ kind: 'ready', wake: this.#epoll.wakeDescriptor }, []);
    try {
      while (!this.#closing) {
        const { woken } = this.#epoll.wait(Math.min(60_000, Math.max(0, this.#retryAt - Date.now())));
        this.#now = Date.now();
        if (woken) for (const call of this.#calls()) this.#serve(call);
        if (this.#now >= this.#retryAt) this.#listen();
        while (this.#turn()) Atomics.wait(this.#pause, 0, 0, GATHER);
      }
    } finally {
      this.#closeRing();
      for (const source of this.#sources.values()) source.close();
      this.#epoll.close();
    }
  }

  /** Reads what waits and posts it; true when it was much, so that more is to be expected. */
  #turn(): boolean {
    let records = 0;
    if (this.#ring) {
      const { buffer } = this.#ring;
      let words: Int32Array | undefined;
      for (let left = buffer.size; left > 0 && buffer.waiting > 0; ) {
        const read = buffer.read((bytes, at, length) => {
          words ??= new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
          this.#record(words, at >>> 2, length);
        }, BATCH);
        records += read.records;
        left -= read.records * (EVENT_OCTETS + 8);
        if (read.records === 0) break;
      }
    }
    for (const source of this.#sources.values()) source.read((event, lost) => this.#logged(event, lost));
    this.#flush();
    return records >= MANY;
  }

  #record(words: Int32Array, word: number, length: number): void {
    if (length !== EVENT_OCTETS) {
      this.#count(COUNT.notOurs, 1);
      return;
    }
    this.#interfaces.see(0, words[word + EVENT_AT.input / 4] ?? 0, this.#now);
    this.#interfaces.see(0, words[word + EVENT_AT.output / 4] ?? 0, this.#now);
    this.#records.copy(words, word);
    this.#fromRing++;
    if (this.#records.full) this.#flush();
  }

  #logged(event: VerdictEvent | undefined, lost: number): void {
    if (lost > 0) this.#count(COUNT.logLost, lost);
    if (!event) {
      this.#count(COUNT.notOurs, 1);
      return;
    }
    this.#interfaces.see(event.scope, event.input ?? 0, this.#now);
    this.#interfaces.see(event.scope, event.output ?? 0, this.#now);
    this.#records.add(event);
    this.#count(COUNT.log, 1);
    if (this.#records.full) this.#flush();
  }

  #flush(): void {
    const { count } = this.#records;
    if (count === 0) return;
    this.#count(COUNT.ring, this.#fromRing);
    this.#fromRing = 0;
    const waiting = Number(Atomics.load(this.#counts, COUNT.posted) - Atomics.load(this.#counts, COUNT.taken));
    const records = this.#records.take();
    if (waiting + count > MAX_WAITING) {
      this.#count(COUNT.queueLost, count);
      return;
    }
    this.#count(COUNT.posted, count);
    const batch = { records, prefixes: this.#prefixes.takeFresh(), interfaces: this.#interfaces.takeFresh() };
    this.#post({ kind: 'batch', batch }, [records.buffer]);
  }

  #serve(call: ReaderCall): void {
    switch (call.kind) {
      case 'ring':
        this.#openRing(call.ring);
        return;
      case 'scopes':
        this.#wanted = call.scopes;
        this.#namespaces.clear();
        for (const { scope, netns } of call.scopes) this.#namespaces.set(scope, netns);
        this.#listen();
        return;
      case 'close':
        this.#closing = true;
        return;
    }
  }

  #openRing(place: RingPlace | undefined): void {
    this.#turn();
    this.#closeRing();
    if (!place) return;
    this.#attempt('ring buffer', () => {
      const map = place.kind === 'descriptor' ? BpfMap.borrow(place.fd) : PinDirectory.open(place.directory).map(place.name);
      if (!map) throw new Error('nothing is pinned there');
      try {
        this.#ring = { map, buffer: RingBuffer.open(map) };
        this.#epoll.add(map.fd);
      } catch (error) {
        map.close();
        throw error;
      }
    });
  }

  #closeRing(): void {
    if (!this.#ring) return;
    const { map, buffer } = this.#ring;
    this.#ring = undefined;
    this.#epoll.remove(map.fd);
    buffer.close();
    map.close();
  }

  /** Listens to what is wanted and to nothing else; what fails is tried again. */
  #listen(): void {
    const key = ({ scope, netns, group }: LogScope): string => JSON.stringify([scope, netns, group]);
    const wanted = new Map(this.#wanted.map((one) => [key(one), one]));
    for (const [name, source] of this.#sources) {
      if (wanted.has(name)) continue;
      this.#epoll.remove(source.descriptor);
      source.close();
      this.#sources.delete(name);
    }
    let failed = false;
    for (const [name, scope] of wanted) {
      if (this.#sources.has(name)) continue;
      failed =
        !this.#attempt(`nfnetlink_log group ${scope.group}${scope.netns === undefined ? '' : ` of ${scope.netns}`}`, () => {
          const source = new LogSource(scope, this.#prefixes);
          this.#sources.set(name, source);
          this.#epoll.add(source.descriptor);
        }) || failed;
    }
    this.#retryAt = failed ? this.#now + RETRY : Number.POSITIVE_INFINITY;
  }

  /** What fails is a problem, told once, until it succeeds. */
  #attempt(subject: string, action: () => void): boolean {
    try {
      action();
    } catch (error) {
      if (!this.#problems.has(subject))
        this.#post({ kind: 'problem', subject, message: error instanceof Error ? error.message : String(error) }, []);
      this.#problems.add(subject);
      return false;
    }
    if (this.#problems.delete(subject)) this.#post({ kind: 'problem-over', subject }, []);
    return true;
  }

  #count(index: number, by: number): void {
    Atomics.add(this.#counts, index, BigInt(by));
  }
}
