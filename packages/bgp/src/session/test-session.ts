import { asn, type Ip, parseIp } from '@weir/wire/inet';
import type { Clock } from './clock.ts';
import { systemClock } from './clock.ts';
import type { PeerConfig, SpeakerConfig } from './config.ts';
import type { SessionEvent } from './event.ts';
import { BgpSpeaker } from './speaker.ts';

/** An address from text known to be one. */
export function address(text: string): Ip {
  const ip = parseIp(text);
  if (!ip) throw new RangeError(`not an address: ${text}`);
  return ip;
}

/** A speaker whose events are kept, for tests. */
export class TestSpeaker {
  readonly events: SessionEvent[] = [];
  readonly speaker: BgpSpeaker;
  #waiting: { readonly wanted: (event: SessionEvent) => boolean; readonly resolve: (event: SessionEvent) => void }[] = [];

  constructor(config: SpeakerConfig, clock: Clock = systemClock) {
    this.speaker = new BgpSpeaker(config, (event) => this.#take(event), clock);
  }

  #take(event: SessionEvent): void {
    this.events.push(event);
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

export const A: Ip = address('127.0.0.1');
export const B: Ip = address('127.0.0.2');
export const FAST = { connectRetry: { initial: 50, max: 200 }, idleHold: { initial: 50, max: 200 } } as const;

export interface PairOptions {
  readonly a?: Partial<PeerConfig>;
  readonly b?: Partial<PeerConfig>;
  readonly aSpeaker?: Partial<SpeakerConfig>;
  readonly bSpeaker?: Partial<SpeakerConfig>;
}

/** Two speakers on loopback addresses: A (AS 64512) connects to B (AS 64513), which only listens. A's peer is named `b` and B's `a`. */
export async function pair(
  options: PairOptions = {},
): Promise<{ readonly a: TestSpeaker; readonly b: TestSpeaker; readonly port: number }> {
  const b = new TestSpeaker({
    localAs: asn(64513),
    routerId: address('192.0.2.2'),
    listen: [{ address: B, port: 0 }],
    peers: [
      { name: 'a', address: A, peerAs: asn(64512), families: ['ipv4 unicast', 'ipv6 unicast'], passive: true, ...FAST, ...options.b },
    ],
    ...options.bSpeaker,
  });
  b.speaker.start();
  const { port } = await b.until('listening');
  const a = new TestSpeaker({
    localAs: asn(64512),
    routerId: address('192.0.2.1'),
    peers: [
      { name: 'b', address: B, port, source: A, peerAs: asn(64513), families: ['ipv4 unicast', 'ipv6 unicast'], ...FAST, ...options.a },
    ],
    ...options.aSpeaker,
  });
  a.speaker.start();
  return { a, b, port };
}
