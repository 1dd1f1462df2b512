import { CeaseSubcode, type FamilyName } from '@weir/bgp/codec';
import type { Negotiated } from '@weir/bgp/fsm';
import { PeerCounters, type PeerStatus, PrefixCounts, SessionConfigError, type SessionEvent } from '@weir/bgp/session';
import { type Ip, printIp } from '@weir/wire/inet';
import type { Config, Peer } from '../../model/config.ts';
import type { EventSink } from '../../model/event.ts';
import type { StateClock } from '../../state/index.ts';
import { KnownAttributes } from './attributes.ts';
import { type FeedCounts, LineCounter } from './feed-counts.ts';
import type { ExabgpLine, Neighbor } from './line.ts';
import { LineCutter } from './line-cutter.ts';
import { parseLine } from './parse-line.ts';
import {
  type ExabgpSession,
  initialSession,
  refreshCommand,
  type SessionInput,
  type SessionOutput,
  stepSession,
  teardownCommand,
} from './session.ts';

/** Processes of ExaBGP that are heard at a time. */
const MAX_FEEDS = 16;
/** Neighbours that are not configured and are told of by name. */
const MAX_TOLD = 64;
/** Least time between two events about the same mistake. */
const TELL_PERIOD_MS = 10_000;

export interface ExabgpSpeakerOptions {
  readonly config: Config;
  readonly clock: StateClock;
  readonly events: EventSink;
}

/** One process of ExaBGP. `push` takes what it prints, wherever that is cut; `close` ends its sessions. */
export interface ExabgpFeed {
  push(chunk: Uint8Array): void;
  close(why: string): void;
}

interface Feed {
  readonly send: (command: string) => void;
  readonly cutter: LineCutter;
}

interface Entry {
  peer: Peer;
  session: ExabgpSession;
  readonly counters: PeerCounters;
  readonly prefixes: PrefixCounts;
  /** Which process last spoke of it. */
  feed: Feed | undefined;
  local: string | undefined;
  negotiated: Negotiated | undefined;
  timer: { cancel(): void } | undefined;
}

/**
 * The sessions that ExaBGP holds, as a speaker: lines come in, events of sessions go out. Peers with `via: exabgp` are known by their address; a process's lines
 * about others are counted. Nothing is queued: a line is worked off when it comes, and what comes of it is in the bounded tables of the state.
 */
export class ExabgpSpeaker {
  readonly #clock: StateClock;
  readonly #events: EventSink;
  readonly #entries = new Map<string, Entry>();
  readonly #feeds = new Set<Feed>();
  readonly #count = new LineCounter();
  readonly #known = new KnownAttributes();
  readonly #told = new Map<string, number>();
  #sink: (event: SessionEvent) => void = () => undefined;
  #reset = true;

  constructor({ config, clock, events }: ExabgpSpeakerOptions) {
    this.#clock = clock;
    this.#events = events;
    this.reconfigure(config);
  }

  /** Who is told. Set once, before the first line. */
  listen(sink: (event: SessionEvent) => void): void {
    this.#sink = sink;
  }

  /** A peer that is another one now begins anew: its session is known when ExaBGP has told of it again. */
  reconfigure(config: Config): void {
    const peers = config.bgp.peers.filter(({ via }) => via === 'exabgp');
    this.#reset = config.exabgp?.onNoRefresh !== 'wait';
    const wanted = new Map(peers.map((peer) => [printIp(peer.address), peer]));
    let added = false;
    for (const [address, entry] of this.#entries) {
      const peer = wanted.get(address);
      if (peer && isSame(peer, entry.peer)) {
        entry.peer = peer;
        continue;
      }
      entry.timer?.cancel();
      this.#entries.delete(address);
    }
    for (const [address, peer] of wanted) {
      if (this.#entries.has(address)) continue;
      added = true;
      const session = initialSession(this.#clock.now());
      this.#entries.set(address, {
        peer,
        session,
        counters: new PeerCounters(),
        prefixes: new PrefixCounts(),
        feed: undefined,
        local: undefined,
        negotiated: undefined,
        timer: undefined,
      });
    }
    if (added) for (const feed of this.#feeds) feed.send(SUMMARY);
  }

  /** Whether another process can be heard. */
  get hasRoom(): boolean {
    return this.#feeds.size < MAX_FEEDS;
  }

  /** Begins to hear a process. `send` gives it a command, without its line break. Sessions that it has already are asked for. */
  openFeed(send: (command: string) => void): ExabgpFeed {
    const feed: Feed = { send, cutter: new LineCutter() };
    this.#feeds.add(feed);
    send(SUMMARY);
    return {
      push: (chunk) => {
        if (this.#feeds.has(feed)) this.#push(feed, chunk);
      },
      close: (why) => {
        if (this.#feeds.delete(feed)) this.#lose(feed, why);
      },
    };
  }

  /** Asks a peer for a family again; false when it cannot be asked. */
  requestRefresh(name: string, family: FamilyName): boolean {
    const entry = this.#byName(name);
    if (entry?.session.state !== 'Established' || !entry.feed || entry.session.agreement?.routeRefresh === false) return false;
    entry.feed.send(refreshCommand(entry.peer, family));
    return true;
  }

  /** Ends a session with Cease/Administrative Reset. Throws SessionConfigError for a peer that is not ExaBGP's. */
  resetPeer(name: string): void {
    const entry = this.#byName(name);
    if (!entry) throw new SessionConfigError(`no peer is named ${name}`);
    entry.feed?.send(teardownCommand(entry.peer, CeaseSubcode.administrativeReset));
  }

  setPrefixCount(name: string, family: FamilyName, count: number): void {
    const entry = this.#byName(name);
    const max = entry?.peer.maxPrefixes;
    if (!entry) return;
    const level = entry.prefixes.set(family, count, max && { limit: max.limit, warnAt: Math.round(max.warnAt * 100), action: max.action });
    if (max && level) this.#sink({ kind: 'max-prefixes', peer: name, family, count, limit: max.limit, level, action: max.action });
  }

  has(name: string): boolean {
    return this.#byName(name) !== undefined;
  }

  get peers(): readonly PeerStatus[] {
    return [...this.#entries.values()].map(({ peer, session, counters, prefixes, local, negotiated }) => ({
      ...counters.copy(),
      name: peer.name,
      address: printIp(peer.address),
      state: session.state,
      since: session.since,
      negotiated,
      localAddress: session.state === 'Established' ? local : undefined,
      prefixes: prefixes.all,
      sendPending: 0,
      paused: false,
    }));
  }

  /** Processes that are heard now, and what came from all of them. */
  get counts(): FeedCounts & { readonly feeds: number } {
    return { ...this.#count.counts, feeds: this.#feeds.size };
  }

  close(): void {
    this.#feeds.clear();
    for (const { timer } of this.#entries.values()) timer?.cancel();
  }

  #byName(name: string): Entry | undefined {
    for (const entry of this.#entries.values()) if (entry.peer.name === name) return entry;
    return undefined;
  }

  #push(feed: Feed, chunk: Uint8Array): void {
    const before = feed.cutter.tooLong;
    for (const line of feed.cutter.push(chunk)) this.#take(feed, line);
    if (feed.cutter.tooLong > before) this.#bad('a line is too long', '');
  }

  #take(feed: Feed, text: string): void {
    if (text === '') return;
    this.#count.lines++;
    const line = parseLine(text, this.#known);
    switch (line.kind) {
      case 'other':
        return;
      case 'text':
        if (line.routes) this.#tell('encoder', 'the process is given text, which cannot be read: it needs `encoder json`');
        return;
      case 'answer':
        if (!line.ok) {
          this.#count.refusedCommands++;
          this.#tell(
            'refused',
            'ExaBGP refuses a command: a session that is to be asked for its routes is not up, or has no route-refresh',
          );
        }
        return;
      case 'bad':
        this.#bad(line.message, text);
        return;
      case 'shutdown':
        this.#lose(feed, 'ExaBGP is ending');
        return;
      case 'established': {
        const entry = this.#entries.get(printIp(line.peer));
        if (entry?.peer.as === line.peerAs) this.#step(feed, printIp(line.peer), entry, line);
        return;
      }
      default:
        this.#about(feed, line);
    }
  }

  #about(feed: Feed, line: Extract<ExabgpLine, { readonly neighbor: Neighbor }>): void {
    const { neighbor } = line;
    const address = printIp(neighbor.peer);
    const entry = this.#entries.get(address);
    const why = entry ? mismatch(entry.peer, neighbor) : 'it is not among the peers with `via: exabgp`';
    if (!entry || why !== undefined) {
      this.#count.unknownNeighbors++;
      this.#tell(`neighbor ${address}`, `lines about ${address} are passed over: ${why}`);
      return;
    }
    entry.local = neighbor.local;
    if (line.kind === 'update') {
      if (line.octetsUnread)
        this.#tell(
          'octets',
          'octets of messages are passed over and their words read: `negotiated` belongs into `api` beside `consolidate`',
        );
      this.#count.updates++;
      entry.counters.receive('update', 0);
    }
    this.#step(feed, address, entry, line);
  }

  #step(feed: Feed, address: string, entry: Entry, input: SessionInput): void {
    if (entry.feed && entry.feed !== feed && entry.session.state === 'Established') {
      this.#run(address, entry, { kind: 'lost', text: 'another process of ExaBGP speaks of it' });
    }
    entry.feed = feed;
    this.#run(address, entry, input);
  }

  #run(address: string, entry: Entry, input: SessionInput): void {
    const before = entry.session;
    const { session, out } = stepSession(before, input, { peer: entry.peer, at: this.#clock.now(), reset: this.#reset });
    entry.session = session;
    for (const one of out) this.#emit(entry, one);
    // A timer may fire a little early.
    if (session.deadline !== before.deadline || input.kind === 'tick') this.#arm(address);
  }

  #emit(entry: Entry, output: SessionOutput): void {
    if (output.kind === 'command') {
      entry.feed?.send(output.text);
      return;
    }
    if (output.kind === 'established') {
      entry.counters.sessions++;
      entry.negotiated = output.negotiated;
      entry.prefixes.clear();
    } else if (output.kind === 'down' || output.kind === 'attempt-failed') {
      const { reason, notification, detail } = output;
      entry.negotiated = undefined;
      entry.counters.lastError = { at: this.#clock.now(), reason, notification, detail };
    } else if (output.kind === 'error') for (const { action } of output.errors) entry.counters.errors[action]++;
    this.#sink(output);
  }

  #arm(address: string): void {
    const entry = this.#entries.get(address);
    if (!entry) return;
    entry.timer?.cancel();
    entry.timer = undefined;
    const { deadline } = entry.session;
    if (deadline === undefined) return;
    entry.timer = this.#clock.setTimer(Math.max(0, deadline - this.#clock.now()), () => {
      entry.timer = undefined;
      this.#run(address, entry, { kind: 'tick' });
    });
  }

  #lose(feed: Feed, text: string): void {
    for (const [address, entry] of this.#entries) {
      if (entry.feed !== feed) continue;
      this.#run(address, entry, { kind: 'lost', text });
      entry.feed = undefined;
    }
  }

  #bad(message: string, line: string): void {
    this.#count.bad(this.#clock.now(), message, line);
    this.#tell('bad', `a line of ExaBGP's cannot be read: ${message}: ${line.slice(0, 120)}`);
  }

  /** Says the same at most every ten seconds. */
  #tell(about: string, message: string): void {
    const at = this.#clock.now();
    const last = this.#told.get(about);
    if (last !== undefined && at - last < TELL_PERIOD_MS) return;
    if (last === undefined && this.#told.size >= MAX_TOLD) return;
    this.#told.set(about, at);
    this.#events({ at, kind: 'exabgp', message });
  }
}

const SUMMARY = 'show neighbor summary';

function isSame(a: Peer, b: Peer): boolean {
  return a.name === b.name && a.as === b.as && a.localAs === b.localAs && a.families.join() === b.families.join();
}

/** Why lines about an address are not about the configured peer. */
function mismatch(peer: Peer, { peerAs, localAs, local }: Neighbor): string | undefined {
  if (peer.as !== peerAs) return `ExaBGP has it as AS ${peerAs}, and ${peer.name} is AS ${peer.as}`;
  if (peer.localAs !== localAs) return `ExaBGP is AS ${localAs} there, and ${peer.name} has local AS ${peer.localAs}`;
  const source: Ip | undefined = peer.source;
  if (source && printIp(source) !== local) return `ExaBGP has it from ${local}, and ${peer.name} from ${printIp(source)}`;
  return undefined;
}
