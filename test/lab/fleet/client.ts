import { createHash } from 'node:crypto';
import type { UpdateMessage } from '@weir/bgp/codec';
import { BgpSpeaker, type SessionEvent } from '@weir/bgp/session';
import { asn, ip } from '@weir/wire/inet';
import { MARKS, numberAt, OTHER, sizeOf, type Universe } from './universe.ts';

export interface ClientConfig {
  readonly address: string;
  readonly as: number;
  readonly server: { readonly address: string; readonly as: number };
  readonly universe: Universe;
  readonly holdTime?: number;
  readonly password?: string;
}

const FAMILIES = ['ipv4 unicast', 'ipv6 unicast'] as const;

/** One client: a speaker of its own with one session, and what that gave it. Without graceful restart: what a session gave goes with it. */
export class SimulatedClient {
  /** What each prefix of the universe is held with; 0 where it is not held. */
  readonly values: Uint8Array;
  /** How many are held. */
  count = 0;
  /** Prefixes that are not of the universe, and UPDATEs with errors. */
  strange = 0;
  established = false;
  sessions = 0;
  lastDown: string | undefined;
  readonly #ended = new Set<string>();
  readonly #universe: Universe;
  readonly #speaker: BgpSpeaker;
  readonly #changed: (client: SimulatedClient) => void;

  constructor(config: ClientConfig, changed: (client: SimulatedClient) => void) {
    this.#universe = config.universe;
    this.#changed = changed;
    this.values = new Uint8Array(sizeOf(config.universe));
    const source = ip(config.address);
    this.#speaker = new BgpSpeaker(
      {
        localAs: asn(config.as),
        routerId: source,
        peers: [
          {
            name: 'server',
            address: ip(config.server.address),
            peerAs: asn(config.server.as),
            source,
            families: FAMILIES,
            holdTime: config.holdTime ?? 90,
            gracefulRestart: {},
            multihop: 8,
            // The server is ended on purpose.
            idleHold: { initial: 200, max: 1000 },
            connectRetry: { initial: 500, max: 1000 },
            ...(config.password === undefined ? {} : { password: config.password }),
          },
        ],
      },
      (event) => this.#take(event),
    );
  }

  start(): void {
    this.#speaker.start();
  }

  /** Reads nothing more; KEEPALIVEs are sent all the same. */
  pause(): void {
    this.#speaker.pause('server');
  }

  resume(): void {
    this.#speaker.resume('server');
  }

  close(): Promise<void> {
    return this.#speaker.close();
  }

  /** Whether End-of-RIB of both families has come in this session. */
  get complete(): boolean {
    return this.#ended.size === FAMILIES.length;
  }

  get digest(): string {
    return digestOf(this.values);
  }

  #take(event: SessionEvent): void {
    switch (event.kind) {
      case 'update':
        this.#update(event.update);
        break;
      case 'established':
        this.established = true;
        this.sessions++;
        break;
      case 'down':
        this.established = false;
        this.lastDown = event.notification
          ? `${event.reason} ${event.notification.code}/${event.notification.subcode}`
          : [event.reason, event.detail].filter(Boolean).join(': ');
        this.#ended.clear();
        this.values.fill(0);
        this.count = 0;
        break;
      default:
        return;
    }
    this.#changed(this);
  }

  #update({ withdraw, announce, attributes, endOfRib, errors }: UpdateMessage): void {
    if (endOfRib !== undefined) this.#ended.add(endOfRib);
    this.strange += errors.length;
    for (const run of withdraw) for (let i = 0; i < run.count; i++) this.#set(numberAt(this.#universe, run, i), 0);
    if (announce.length === 0) return;
    const value = MARKS.reduce((sum, mark, bit) => (attributes.communities?.includes(mark.value) ? sum | (1 << bit) : sum), 0) || OTHER;
    for (const { run } of announce) for (let i = 0; i < run.count; i++) this.#set(numberAt(this.#universe, run, i), value);
  }

  #set(number: number, value: number): void {
    if (number < 0) {
      this.strange++;
      return;
    }
    const before = this.values[number] as number;
    this.values[number] = value;
    this.count += (value === 0 ? 0 : 1) - (before === 0 ? 0 : 1);
  }
}

/** What a client has that holds these. */
export function digestOf(values: Uint8Array): string {
  return createHash('sha1').update(values).digest('hex');
}
