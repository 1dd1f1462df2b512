import { encodeRouteRefresh, encodeUpdate, type FamilyName, family, type PathAttributes, type SessionContext } from '@weir/bgp/codec';
import { encodeFlowActions, type FlowAction, type FlowRule, type FlowRun } from '@weir/bgp/flowspec';
import type { OutgoingSession } from '@weir/bgp/session';
import { Writer } from '@weir/wire/bytes';

/** A flow rule of our own. */
export interface OwnFlow {
  readonly rule: FlowRule;
  readonly actions: readonly FlowAction[];
  /** Names of the peers that get it. */
  readonly peers: readonly string[];
}

/** Subtypes of ROUTE-REFRESH (RFC 7313 section 3.2). */
const BEGIN = 1;
const END = 2;

/** Of what waits, so much is encoded at a time. */
const BATCH = 256;

/** Saying everything of a family once more. */
interface Refresh {
  readonly name: FamilyName;
  readonly begin: readonly Uint8Array[];
  readonly end: readonly Uint8Array[];
}

interface Outbox {
  readonly session: OutgoingSession;
  /** Rules whose present state the peer has not been told, by their key. */
  readonly pending: Set<string>;
  /** What the peer has been told. */
  readonly told: Map<string, FlowRule>;
  /** Encoded, and not taken by the session yet. */
  readonly backlog: Uint8Array[];
  readonly refreshes: Refresh[];
  refreshing: Refresh | undefined;
}

/**
 * Announces flow rules of our own: to each session after it is established, on route refresh, and as they come and go. A rule whose actions or peers change is announced anew. Several sources
 * may ask for one rule: a peer gets that of the lowest rank among those that are for it. For each session it holds one entry for each rule, and one batch of encoded messages.
 */
export class FlowAnnouncer {
  readonly #flows = new Map<string, Map<number, OwnFlow>>();
  readonly #outboxes = new Map<string, Outbox>();

  get flows(): readonly OwnFlow[] {
    return [...this.#flows.values()].flatMap((ranks) => [...ranks.values()]);
  }

  /** RangeError for what cannot be encoded; then nothing has changed. */
  announce(flow: OwnFlow, rank = 0): void {
    encodeFlowActions(flow.actions);
    const { key } = flow.rule;
    const ranks = [...(this.#flows.get(key) ?? []), [rank, flow] as const].sort(([a], [b]) => a - b);
    this.#flows.set(key, new Map(ranks));
    this.#changed(key);
  }

  /** @returns whether there was such a rule of this rank */
  withdraw(key: string, rank = 0): boolean {
    const ranks = this.#flows.get(key);
    if (!ranks?.delete(rank)) return false;
    if (ranks.size === 0) this.#flows.delete(key);
    this.#changed(key);
    return true;
  }

  /** The peers to which a rule has been announced in their present sessions. */
  toldTo(key: string): readonly string[] {
    return [...this.#outboxes.values()].filter(({ told }) => told.has(key)).map(({ session }) => session.peer);
  }

  /** Says all that there is; the end of the families is for who says the rest. */
  established(session: OutgoingSession): void {
    const pending = new Set(this.#flows.keys());
    const outbox: Outbox = { session, pending, told: new Map(), backlog: [], refreshes: [], refreshing: undefined };
    this.#outboxes.set(session.peer, outbox);
    this.#flush(outbox);
  }

  refresh(peer: string, name: FamilyName): void {
    const outbox = this.#outboxes.get(peer);
    // One that has not begun answers this request too.
    if (!outbox || outbox.refreshes.some((one) => one.name === name)) return;
    const mark = (subtype: number): readonly Uint8Array[] =>
      outbox.session.enhancedRefresh ? [bytesOf((w) => encodeRouteRefresh(w, { family: family(name), subtype }))] : [];
    outbox.refreshes.push({ name, begin: mark(BEGIN), end: mark(END) });
    this.#flush(outbox);
  }

  drained(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (outbox) this.#flush(outbox);
  }

  down(peer: string): void {
    this.#outboxes.delete(peer);
  }

  /** Whether the session of a peer has not taken everything yet. */
  waits(peer: string): boolean {
    const outbox = this.#outboxes.get(peer);
    return outbox !== undefined && (outbox.backlog.length > 0 || outbox.pending.size > 0 || outbox.refreshing !== undefined);
  }

  #changed(key: string): void {
    for (const outbox of this.#outboxes.values()) {
      outbox.pending.add(key);
      this.#flush(outbox);
    }
  }

  /** Says what waits until there is nothing left or the session takes no more. */
  #flush(outbox: Outbox): void {
    const { session, pending, backlog, refreshes } = outbox;
    for (;;) {
      let sent = 0;
      for (const message of backlog) {
        if (session.send(message) !== 'queued') break;
        sent++;
      }
      backlog.splice(0, sent);
      if (backlog.length > 0) return;
      if (pending.size > 0) this.#encode(outbox);
      else if (outbox.refreshing) {
        backlog.push(...outbox.refreshing.end);
        outbox.refreshing = undefined;
      } else {
        const next = refreshes.shift();
        if (!next) return;
        outbox.refreshing = next;
        backlog.push(...next.begin);
        for (const [key, ranks] of this.#flows) if ([...ranks.values()].some(({ rule }) => rule.family === next.name)) pending.add(key);
      }
    }
  }

  #encode({ session, pending, told, backlog }: Outbox): void {
    const { context, peer } = session;
    let taken = 0;
    for (const key of pending) {
      if (++taken > BATCH) break;
      pending.delete(key);
      const flow = [...(this.#flows.get(key)?.values() ?? [])].find(({ peers }) => peers.includes(peer));
      if (flow && context.families.includes(flow.rule.family)) {
        told.set(key, flow.rule);
        const attributes: PathAttributes = { ...originOf(context), ...encodeFlowActions(flow.actions) };
        backlog.push(...encodeUpdate({ attributes, announceFlows: [{ nextHop: undefined, run: runOf(context, flow.rule) }] }, context));
        continue;
      }
      const gone = told.get(key);
      if (gone && told.delete(key)) backlog.push(...encodeUpdate({ withdrawFlows: [runOf(context, gone)] }, context));
    }
  }
}

function runOf({ addPath }: SessionContext, rule: FlowRule): FlowRun {
  // With add-path every rule has one path (RFC 7911 section 3).
  return { family: rule.family, routes: [{ rule, pathId: addPath.includes(rule.family) ? 1 : undefined }] };
}

/** Where a rule of our own comes from. */
function originOf({ peerKind, localAs }: SessionContext): PathAttributes {
  return peerKind === 'ibgp'
    ? { origin: 'igp', asPath: [], localPref: 100 }
    : { origin: 'igp', asPath: [{ kind: 'sequence', asns: [localAs] }] };
}

function bytesOf(write: (w: Writer) => void): Uint8Array {
  const w = new Writer(128);
  write(w);
  return w.finish();
}
