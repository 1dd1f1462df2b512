import { parseCommunity } from '@weir/bgp/codec';
import { BgpSpeaker, StaticRoutes } from '@weir/bgp/session';
import { asn, ip, prefix } from '@weir/wire/inet';
import { waitFor } from '../lab/index.ts';

export interface SpeakerPeerConfig {
  /** Path of the namespace. */
  readonly namespace: string;
  /** Listens here and waits for Weir. */
  readonly address: string;
  readonly as: number;
  /** Weir's address and AS as this side sees them. */
  readonly weir: { readonly address: string; readonly as: number };
  readonly holdTime?: number;
  readonly gracefulRestart?: boolean;
}

/** A neighbour of Weir: Weir's own speaker in another namespace, with routes that are announced and withdrawn one by one. */
export class SpeakerPeer {
  readonly #config: SpeakerPeerConfig;
  readonly #routes = new StaticRoutes();
  #speaker: BgpSpeaker | undefined;

  constructor(config: SpeakerPeerConfig) {
    this.#config = config;
  }

  /** Listens; Weir comes by itself. */
  start(): void {
    const { namespace, address, as, weir, holdTime = 90, gracefulRestart = true } = this.#config;
    this.#speaker = new BgpSpeaker(
      {
        localAs: asn(as),
        routerId: ip(address),
        namespace,
        listen: [{ address: ip(address) }],
        peers: [
          {
            name: 'weir',
            address: ip(weir.address),
            peerAs: asn(weir.as),
            families: ['ipv4 unicast', 'ipv6 unicast'],
            passive: true,
            // The other side is killed on purpose: no waiting between its attempts.
            idleHold: { initial: 10, max: 10 },
            holdTime,
            ...(gracefulRestart ? {} : { gracefulRestart: false }),
          },
        ],
        announcer: this.#routes,
      },
      () => undefined,
    );
    this.#speaker.start();
  }

  get established(): boolean {
    return this.#speaker?.status('weir').state === 'Established';
  }

  async up(): Promise<void> {
    await waitFor('the session with weir', () => this.established, { timeoutMs: 60_000, intervalMs: 5 });
  }

  announce(prefixes: readonly string[], communities: readonly string[]): void {
    const values = communities.map((text) => parseCommunity(text) ?? 0);
    const next = { 4: ip('192.0.2.254'), 6: ip('2001:db8:ffff::1') };
    for (const family of [4, 6] as const) {
      const some = prefixes.map(prefix).filter((one) => one.family === family);
      if (some.length > 0) this.#routes.announce(some, { attributes: { communities: values }, nextHop: { address: next[family] } });
    }
  }

  withdraw(prefixes: readonly string[]): void {
    this.#routes.withdraw(prefixes.map(prefix));
  }

  /** Ends the session with a NOTIFICATION; it comes up again. */
  reset(): void {
    this.#speaker?.resetPeer('weir');
  }

  /** Ends the session and stops listening; `start` begins again with the same routes. */
  async stop(options: { readonly silent?: boolean } = {}): Promise<void> {
    const speaker = this.#speaker;
    this.#speaker = undefined;
    await speaker?.close(options);
  }
}
