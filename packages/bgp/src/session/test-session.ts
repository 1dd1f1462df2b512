import { connect, type Socket } from 'node:net';
import { Writer } from '@weir/wire/bytes';
import { asn, type Ip, ip } from '@weir/wire/inet';
import {
  type Capability,
  decodeMessage,
  encodeMessage,
  type Message,
  MessageFramer,
  type OpenMessage,
  sessionContext,
} from '../codec/index.ts';
import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { PeerConfig, SpeakerConfig } from './config.ts';
import type { SessionEvent } from './event.ts';
import { BgpSpeaker } from './speaker.ts';

/** A speaker whose events are kept, for tests. */
export class TestSpeaker {
  readonly events: SessionEvent[] = [];
  readonly speaker: BgpSpeaker;
  /** Called inside the speaker's sink. */
  onEvent: (event: SessionEvent) => void = () => undefined;
  #waiting: { readonly wanted: (event: SessionEvent) => boolean; readonly resolve: (event: SessionEvent) => void }[] = [];

  constructor(config: SpeakerConfig, clock: Clock = systemClock) {
    this.speaker = new BgpSpeaker(config, (event) => this.#take(event), clock);
  }

  #take(event: SessionEvent): void {
    this.events.push(event);
    this.onEvent(event);
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((w) => !w.wanted(event));
    for (const w of waiting) if (w.wanted(event)) w.resolve(event);
  }

  /** Events of one kind so far. */
  all<K extends SessionEvent['kind']>(kind: K): Extract<SessionEvent, { kind: K }>[] {
    return this.events.filter((event): event is Extract<SessionEvent, { kind: K }> => event.kind === kind);
  }

  /** The first event of that kind, past or to come, that `test` accepts. */
  async until<K extends SessionEvent['kind']>(
    kind: K,
    test: (event: Extract<SessionEvent, { kind: K }>) => boolean = () => true,
    from = 0,
  ): Promise<Extract<SessionEvent, { kind: K }>> {
    const wanted = (event: SessionEvent): event is Extract<SessionEvent, { kind: K }> =>
      event.kind === kind && test(event as Extract<SessionEvent, { kind: K }>);
    const past = this.events.slice(from).find(wanted);
    if (past) return past;
    return new Promise((resolve) =>
      this.#waiting.push({ wanted, resolve: (event) => resolve(event as Extract<SessionEvent, { kind: K }>) }),
    );
  }
}

export const A: Ip = ip('127.0.0.1');
export const B: Ip = ip('127.0.0.2');
export const FAST = { connectRetry: { initial: 50, max: 200 }, idleHold: { initial: 50, max: 200 } } as const;

export interface PairOptions {
  readonly aClock?: Clock;
  readonly bClock?: Clock;
  readonly a?: Partial<PeerConfig>;
  readonly b?: Partial<PeerConfig>;
  readonly aSpeaker?: Partial<SpeakerConfig>;
  readonly bSpeaker?: Partial<SpeakerConfig>;
}

/** A speaker (AS 64513) that listens on B for one passive peer `a` (AS 64512) at A. */
export async function passiveSpeaker(
  peer: Partial<PeerConfig> = {},
  clock: Clock = systemClock,
  speaker: Partial<SpeakerConfig> = {},
): Promise<{ readonly test: TestSpeaker; readonly port: number }> {
  const test = new TestSpeaker(
    {
      localAs: asn(64513),
      routerId: ip('192.0.2.2'),
      listen: [{ address: B, port: 0 }],
      peers: [{ name: 'a', address: A, peerAs: asn(64512), families: ['ipv4 unicast'], passive: true, ...FAST, ...peer }],
      ...speaker,
    },
    clock,
  );
  test.speaker.start();
  const { port } = await test.until('listening');
  return { test, port };
}

/** Two speakers on loopback addresses: A (AS 64512) connects to B (AS 64513), which only listens. A's peer is named `b` and B's `a`. */
export async function pair(
  options: PairOptions = {},
): Promise<{ readonly a: TestSpeaker; readonly b: TestSpeaker; readonly port: number }> {
  const b = new TestSpeaker(
    {
      localAs: asn(64513),
      routerId: ip('192.0.2.2'),
      listen: [{ address: B, port: 0 }],
      peers: [
        { name: 'a', address: A, peerAs: asn(64512), families: ['ipv4 unicast', 'ipv6 unicast'], passive: true, ...FAST, ...options.b },
      ],
      ...options.bSpeaker,
    },
    options.bClock,
  );
  b.speaker.start();
  const { port } = await b.until('listening');
  const a = new TestSpeaker(
    {
      localAs: asn(64512),
      routerId: ip('192.0.2.1'),
      peers: [
        { name: 'b', address: B, port, source: A, peerAs: asn(64513), families: ['ipv4 unicast', 'ipv6 unicast'], ...FAST, ...options.a },
      ],
      ...options.aSpeaker,
    },
    options.aClock,
  );
  a.speaker.start();
  return { a, b, port };
}

/** Time that passes when told to. Input is real. */
export class FakeClock implements Clock {
  #now = 1_000_000;
  #timers = new Set<{ readonly at: number; readonly action: () => void }>();

  now(): number {
    return this.#now;
  }

  setTimer(ms: number, action: () => void): { cancel(): void } {
    const timer = { at: this.#now + ms, action };
    this.#timers.add(timer);
    return { cancel: () => this.#timers.delete(timer) };
  }

  afterInput(action: () => void): void {
    systemClock.afterInput(action);
  }

  random(): number {
    return 0.5;
  }

  /** Lets time pass, timer by timer in order. */
  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const [next] = [...this.#timers].filter((t) => t.at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.action();
    }
    this.#now = end;
  }
}

/** A peer made of bytes, for saying what no speaker would. */
export class RawPeer {
  readonly socket: Socket;
  readonly messages: Message[] = [];
  readonly closed: Promise<void>;
  readonly #framer = new MessageFramer({ extendedMessage: true });
  #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      this.#framer.push(chunk);
      for (let bytes = this.#framer.next(); bytes; bytes = this.#framer.next()) this.messages.push(decodeMessage(bytes, sessionContext()));
      this.#wake();
    });
    socket.on('error', () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true;
        this.#wake();
        resolve();
      });
    });
  }

  /** A connection from A to what listens on B. */
  static async connect(port: number, from = '127.0.0.1'): Promise<RawPeer> {
    const socket = connect({ host: '127.0.0.2', port, localAddress: from });
    const peer = new RawPeer(socket);
    await new Promise<void>((resolve) => {
      socket.once('connect', resolve);
      socket.once('close', () => resolve());
    });
    return peer;
  }

  #wake(): void {
    for (const resume of this.#waiting.splice(0)) resume();
  }

  send(message: Message): void {
    const w = new Writer(128);
    encodeMessage(w, message, sessionContext());
    this.socket.write(w.finish());
  }

  open(change: Partial<OpenMessage> = {}): void {
    const capabilities: Capability[] = [
      { kind: 'multiprotocol', family: { afi: 1, safi: 1 } },
      { kind: 'route-refresh' },
      { kind: 'four-octet-as', asn: asn(64512) },
    ];
    this.send({ kind: 'open', version: 4, myAs: 64512, holdTime: 90, routerId: ip('192.0.2.1'), capabilities, ...change });
  }

  keepalive(): void {
    this.send({ kind: 'keepalive' });
  }

  /** The next message of that kind, past or to come; undefined once the connection is closed. */
  async until<K extends Message['kind']>(kind: K): Promise<Extract<Message, { kind: K }> | undefined> {
    for (;;) {
      const found = this.messages.find((m): m is Extract<Message, { kind: K }> => m.kind === kind);
      if (found || this.#isClosed) return found;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** `code/subcode` of the NOTIFICATION that ends the connection, with its data. */
  async verdict(): Promise<string> {
    await this.closed;
    const n = this.messages.find((m) => m.kind === 'notification');
    return n ? [`${n.code}/${n.subcode}`, ...n.data].join(' ') : 'closed';
  }
}
