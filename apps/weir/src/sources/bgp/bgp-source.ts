import { CeaseSubcode, describeNotification, ErrorCode, type FamilyName, familyOf, type Notification } from '@weir/bgp/codec';
import { BgpSpeaker, type Clock, type PeerStatus, type SessionEvent, systemClock } from '@weir/bgp/session';
import type { Ip } from '@weir/wire/inet';
import type { Config } from '../../model/config.ts';
import type { EventSink } from '../../model/event.ts';
import { type ConfigureResult, type FamilyPhase, type RouteState, type SessionDown, samePeer } from '../../state/index.ts';
import type { ExabgpSpeaker } from '../exabgp/index.ts';
import type { ClientSessions } from './client-sessions.ts';
import { joinSpeakers } from './joined-speaker.ts';
import { PeerLink } from './peer-link.ts';
import { type SpeakerOptions, speakerConfig } from './speaker-config.ts';

/** Subtypes of ROUTE-REFRESH (RFC 7313 section 3.2). */
const REFRESH_BEGIN = 1;
const REFRESH_END = 2;

/** What the source uses of a speaker; `BgpSpeaker` is one. */
export type Speaker = Pick<
  BgpSpeaker,
  'start' | 'reconfigure' | 'recall' | 'requestRefresh' | 'resetPeer' | 'pause' | 'resume' | 'setPrefixCount' | 'peers' | 'close'
>;

export interface BgpSourceOptions extends SpeakerOptions {
  /** Already given to `state`. */
  readonly config: Config;
  readonly state: RouteState;
  readonly events: EventSink;
  readonly clock?: Clock;
  /** For tests: instead of a `BgpSpeaker`. */
  readonly speaker?: (sink: (event: SessionEvent) => void) => Speaker;
  /** Sessions that ExaBGP holds, of the peers with `via`. */
  readonly exabgp?: ExabgpSpeaker;
  /** Who follows the sessions of clients. */
  readonly clients?: ClientSessions;
}

/** A peer as its session and its convergence see it; what is stored of it is in `RouteState.counts`. */
export interface PeerView {
  readonly name: string;
  readonly status: PeerStatus;
  readonly families: readonly { readonly family: FamilyName; readonly phase: FamilyPhase['kind'] }[];
  /** Every configured family of the present session has converged. */
  readonly converged: boolean;
  /** Families that a reload wants to hear again from a peer that cannot be asked, or sent nothing: they are complete after the next session. */
  readonly unrefreshed: readonly FamilyName[];
}

/** How a session is ended when the daemon ends; see `BgpSpeaker.close`. */
type CloseOptions = Parameters<BgpSpeaker['close']>[0];

/**
 * The BGP sessions as a source of routes: runs the speaker, gives what peers say to `RouteState`, decides when they have converged, and asks for routes
 * again where a new configuration wants more than was stored.
 *
 * - A lost session leaves routes to the holds of their sets, whatever graceful restart would allow; a hard reset (RFC 8538) from either side and a
 *   session that we end because of `maxPrefixes` remove them at once.
 * - A family disabled by a malformed message (RFC 4760 section 7) loses its routes and does not converge in that session.
 * - `maxPrefixes` counts the routes announced in the present session and not withdrawn, before any guard. With `block` what exceeds the limit is not
 *   taken; when the count is well below it again, the peer is asked for the family again.
 * - While the kernel side lags, established peers are not read (`setLagging`): TCP makes them wait, and their silence is no convergence.
 */
export class BgpSource {
  readonly #state: RouteState;
  readonly #events: EventSink;
  readonly #clock: Clock;
  readonly #speaker: Speaker;
  readonly #options: BgpSourceOptions;
  readonly #links = new Map<string, PeerLink>();
  #config: Config;
  #lagging = false;
  #closing: Promise<void> | undefined;

  /** Throws SessionConfigError when the speaker cannot be run with this configuration. Nothing happens until `start`. */
  constructor(options: BgpSourceOptions) {
    this.#options = options;
    this.#config = options.config;
    this.#state = options.state;
    this.#events = options.events;
    this.#clock = options.clock ?? systemClock;
    const sink = (event: SessionEvent): void => this.#take(event);
    const own = options.speaker?.(sink) ?? new BgpSpeaker(speakerConfig(options.config, options), sink, this.#clock);
    options.exabgp?.listen(sink);
    this.#speaker = options.exabgp ? joinSpeakers(own, options.exabgp) : own;
    options.clients?.attach(this.#speaker);
    this.#link(options.config);
  }

  start(): void {
    this.#speaker.start();
  }

  /**
   * Applies a new configuration to state and sessions: only what differs is touched. Throws SessionConfigError and changes nothing when the
   * speaker cannot be run with it.
   */
  reconfigure(config: Config): ConfigureResult {
    const before = this.#config;
    const next = speakerConfig(config, this.#options);
    // A speaker that is never started only checks.
    new BgpSpeaker(next, () => undefined);
    // A peer that is only called otherwise, or is heard another way, gets a new session: its routes are held meanwhile.
    for (const peer of before.bgp.peers) {
      const renamed = config.bgp.peers.find((other) => samePeer(other, peer) && (other.name !== peer.name || other.via !== peer.via));
      const link = this.#links.get(peer.name);
      if (!renamed || !link?.negotiated) continue;
      this.#state.sessionDown(peer.name, { hard: false, retained: this.#retained(peer.name, link, link.negotiated.families) });
    }
    const result = this.#state.configure(config);
    this.#config = config;
    this.#link(config, before);
    this.#options.exabgp?.reconfigure(config);
    this.#speaker.reconfigure(next);
    for (const request of result.refresh) for (const family of request.families) this.#askAgain(request.peer, family);
    return result;
  }

  /** Asks a peer for the families of its session again; those that could be asked for. Empty for a peer that is not up. */
  refresh(peer: string): readonly FamilyName[] {
    const families = this.#links.get(peer)?.negotiated?.families ?? [];
    return families.filter((family) => this.#speaker.requestRefresh(peer, family));
  }

  /** Calls a client that was there before a restart; false where it is not to be called. */
  recall(address: Ip, source: Ip | undefined): boolean {
    return this.#speaker.recall(address, source);
  }

  /** Ends a peer's session with Cease/Administrative Reset; it comes up again at once. Throws SessionConfigError for an unknown peer. */
  reset(peer: string, message?: string): void {
    this.#speaker.resetPeer(peer, message);
  }

  /** Whether the kernel side is so far behind that peers should wait. */
  setLagging(lagging: boolean): void {
    if (lagging === this.#lagging) return;
    this.#lagging = lagging;
    for (const [name, link] of this.#links) {
      if (!link.negotiated) continue;
      if (lagging) this.#pause(name, link);
      else this.#resume(name, link);
    }
  }

  peers(): readonly PeerView[] {
    return this.#speaker.peers.flatMap((status) => {
      const link = this.#links.get(status.name);
      if (!link) return [];
      const families = [...link.convergence.phases].map(([family, phase]) => ({ family, phase: phase.kind }));
      return [
        {
          name: status.name,
          status,
          families,
          converged: families.every(({ phase }) => phase === 'converged'),
          unrefreshed: [...link.unrefreshed],
        },
      ];
    });
  }

  /** Ends the sessions. What they gave stays as it is: routes are not taken out because the daemon ends. Idempotent. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  async #close(options: CloseOptions): Promise<void> {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    await this.#speaker.close(options);
  }

  /** A link for each configured peer; those of peers that have to begin anew are made anew. */
  #link(config: Config, before?: Config): void {
    const names = new Set(config.bgp.peers.map((peer) => peer.name));
    for (const [name, link] of this.#links) {
      if (names.has(name)) continue;
      link.close();
      this.#links.delete(name);
    }
    for (const peer of config.bgp.peers) {
      const old = before?.bgp.peers.find((other) => other.name === peer.name);
      const same = old && samePeer(old, peer) && old.via === peer.via && old.families.join() === peer.families.join();
      const present = this.#links.get(peer.name);
      if (present && same) {
        present.times = config.convergence;
        present.maxPrefixes = peer.maxPrefixes;
        continue;
      }
      present?.close();
      const { name } = peer;
      const link = new PeerLink(peer.families, config.convergence, this.#clock, {
        converged: (families) => this.#converged(name, families),
        refreshTimedOut: (family) => this.#state.cancelRefresh(name, family),
      });
      link.maxPrefixes = peer.maxPrefixes;
      this.#links.set(name, link);
    }
  }

  #take(event: SessionEvent): void {
    if (this.#closing || this.#options.clients?.take(event)) return;
    if (event.kind === 'update') {
      this.#update(event);
      return;
    }
    const at = this.#clock.now();
    switch (event.kind) {
      case 'state': {
        const link = this.#links.get(event.peer);
        this.#events({ at, kind: 'peer-state', peer: event.peer, from: event.from, to: event.to, reason: link?.reason });
        if (link) link.reason = undefined;
        return;
      }
      case 'established': {
        const link = this.#links.get(event.peer);
        if (!link) return;
        link.reason = undefined;
        this.#state.sessionUp(event.peer, event.negotiated.peerRouterId);
        link.established(event.negotiated);
        if (this.#lagging) this.#pause(event.peer, link);
        return;
      }
      case 'route-refresh':
        this.#refreshed(event);
        return;
      case 'down': {
        const link = this.#links.get(event.peer);
        if (!link) return;
        link.reason = printReason(event.reason, event.notification, event.detail);
        const hard = event.reason === 'max-prefixes' || isHardReset(event.notification);
        if (this.#lagging) this.#speaker.resume(event.peer);
        const retained = this.#retained(event.peer, link, event.retain);
        link.down();
        this.#state.sessionDown(event.peer, { hard, retained });
        return;
      }
      case 'attempt-failed': {
        const link = this.#links.get(event.peer);
        if (link) link.reason = printReason(event.reason, event.notification, event.detail);
        return;
      }
      case 'error':
        this.#events({
          at,
          kind: 'message-errors',
          peer: event.peer,
          errors: event.errors.map(({ action, message, offset }) => ({ action, message, offset })),
        });
        return;
      case 'family-disabled': {
        const link = this.#links.get(event.peer);
        link?.endRefresh(event.family);
        link?.step({ kind: 'disabled', family: event.family });
        this.#state.dropFamily(event.peer, event.family);
        return;
      }
      case 'max-prefixes':
        this.#limit(event, at);
        return;
      case 'listening':
        this.#events({ at, kind: 'listen', address: `${event.address} port ${event.port}`, ok: true, message: undefined });
        return;
      case 'listen-failed':
        this.#events({ at, kind: 'listen', address: `${event.address} port ${event.port}`, ok: false, message: event.error.message });
        return;
      case 'key-failed':
        this.#events({ at, kind: 'listen', address: event.address, ok: false, message: `${event.peer}: ${event.error.message}` });
        return;
      case 'drain':
        return;
    }
  }

  #update(event: Extract<SessionEvent, { kind: 'update' }>): void {
    const { peer, update, receivedAt } = event;
    const link = this.#links.get(peer);
    if (!link?.negotiated) return;
    const { blocked } = this.#state.update(peer, update, { fourOctetAs: link.negotiated.receive.fourOctetAs, receivedAt });
    link.updated(update, receivedAt);
    if (!link.maxPrefixes) return;
    for (const family of link.negotiated.families) {
      const count = this.#state.announced(peer, family);
      // Of what is blocked nothing is kept that could be counted; that there is more than the limit is known.
      this.#speaker.setPrefixCount(peer, family, blocked.includes(family) ? link.maxPrefixes.limit + 1 : count);
    }
  }

  #refreshed(event: Extract<SessionEvent, { kind: 'route-refresh' }>): void {
    const { peer, message } = event;
    const link = this.#links.get(peer);
    const family = familyOf(message.family.afi, message.family.safi)?.name;
    if (!link?.negotiated?.enhancedRouteRefresh || !family || !link.negotiated.families.includes(family)) return;
    if (message.subtype === REFRESH_BEGIN) {
      // A beginning within a refresh starts it anew (RFC 7313 section 4).
      this.#state.beginRefresh(peer, family);
      link.beginRefresh(family);
    } else if (message.subtype === REFRESH_END && link.endRefresh(family)) this.#state.endRefresh(peer, family);
  }

  #limit(event: Extract<SessionEvent, { kind: 'max-prefixes' }>, at: number): void {
    const { peer, family, count, limit, level, action } = event;
    const link = this.#links.get(peer);
    if (!link) return;
    if (level !== 'clear') this.#events({ at, kind: 'max-prefixes', peer, count, limit, action: level === 'warning' ? 'warn' : action });
    if (level === 'exceeded') {
      if (action === 'block') link.blocked.add(family);
    } else if (link.blocked.delete(family)) this.#askAgain(peer, family);
  }

  #askAgain(peer: string, family: FamilyName): void {
    const link = this.#links.get(peer);
    if (!link?.negotiated) return;
    // A family that the session does not carry has nothing to say, and converges anew like at the beginning of a session.
    if (link.negotiated.families.includes(family)) {
      if (this.#speaker.requestRefresh(peer, family)) link.asked(family);
      else this.#notRefreshed(peer, link, family, false);
    }
    link.step({ kind: 'refresh', at: this.#clock.now(), family });
  }

  #notRefreshed(peer: string, link: PeerLink, family: FamilyName, asked: boolean): void {
    link.unrefreshed.add(family);
    this.#events({ at: this.#clock.now(), kind: 'not-refreshed', peer, family, asked });
  }

  #converged(peer: string, families: readonly FamilyName[]): void {
    const link = this.#links.get(peer);
    for (const family of families) {
      this.#state.converged(peer, family);
      // Silence says nothing of a peer all of whose routes are kept.
      if (link?.endAsked(family) && this.#state.unneeded(peer) > 0) this.#notRefreshed(peer, link, family, true);
    }
    const phases = [...(link?.convergence.phases ?? [])];
    if (!phases.every(([, phase]) => phase.kind === 'converged')) return;
    const routes = phases.reduce((sum, [family]) => sum + this.#state.announced(peer, family), 0);
    this.#events({ at: this.#clock.now(), kind: 'peer-converged', peer, routes });
  }

  /** How long sets that go by the peer keep what it gave: its restart time, then its long-lived stale time as far as our own allows. */
  #retained(name: string, { negotiated }: PeerLink, families: readonly FamilyName[]): NonNullable<SessionDown['retained']> {
    const peer = this.#config.bgp.peers.find((p) => p.name === name);
    const restart = negotiated?.gracefulRestart;
    return families.map((family) => ({
      family,
      restart: restart?.families.some((f) => f.family === family) ? restart.restartTime * 1000 : 0,
      longLived: Math.min((negotiated?.longLived.find((f) => f.family === family)?.staleTime ?? 0) * 1000, peer?.longLivedStaleTime ?? 0),
    }));
  }

  #pause(name: string, link: PeerLink): void {
    this.#speaker.pause(name);
    link.step({ kind: 'pause', at: this.#clock.now() });
  }

  #resume(name: string, link: PeerLink): void {
    this.#speaker.resume(name);
    link.step({ kind: 'resume', at: this.#clock.now() });
  }
}

/** RFC 8538 section 3.1. */
function isHardReset(n: Notification | undefined): boolean {
  return n?.code === ErrorCode.cease && n.subcode === CeaseSubcode.hardReset;
}

/** Why a session ended, in one line: `notification-received: Cease/Administrative Shutdown`. */
function printReason(reason: string, notification: Notification | undefined, detail: string | undefined): string {
  const more = notification ? describeNotification(notification) : detail;
  return more === undefined ? reason : `${reason}: ${more}`;
}
