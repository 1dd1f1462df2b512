import {
  encodeEndOfRib,
  encodeRouteRefresh,
  encodeUpdate,
  type FamilyName,
  family,
  type PathAttributes,
  type SessionContext,
} from '@weir/bgp/codec';
import { encodeFlowActions, type FlowAction, type FlowRule, type FlowRun } from '@weir/bgp/flowspec';
import type { Announcer, OutgoingSession } from '@weir/bgp/session';
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

interface Outbox {
  readonly session: OutgoingSession;
  /** What the peer has been told. */
  readonly told: Map<string, FlowRule>;
  /** Encoded, and not taken by the session yet. */
  readonly backlog: Uint8Array[];
}

/**
 * Announces flow rules of our own: to each session after it is established, on route refresh, and as they come and go. A rule whose actions or peers change is announced anew. Weir announces
 * nothing else, so End-of-RIB of every family follows.
 */
export class FlowAnnouncer implements Announcer {
  readonly #flows = new Map<string, OwnFlow>();
  readonly #outboxes = new Map<string, Outbox>();

  get flows(): readonly OwnFlow[] {
    return [...this.#flows.values()];
  }

  /** RangeError for what cannot be encoded; then nothing has changed. */
  announce(flow: OwnFlow): void {
    encodeFlowActions(flow.actions);
    this.#flows.set(flow.rule.key, flow);
    for (const outbox of this.#outboxes.values()) {
      this.#tell(outbox, flow);
      this.#flush(outbox);
    }
  }

  /** @returns whether there was such a rule */
  withdraw(key: string): boolean {
    const had = this.#flows.delete(key);
    for (const outbox of this.#outboxes.values()) {
      this.#untell(outbox, key);
      this.#flush(outbox);
    }
    return had;
  }

  /** The peers to which a rule has been announced in their present sessions. */
  toldTo(key: string): readonly string[] {
    return [...this.#outboxes.values()].filter(({ told }) => told.has(key)).map(({ session }) => session.peer);
  }

  established(session: OutgoingSession): void {
    const outbox: Outbox = { session, told: new Map(), backlog: [] };
    this.#outboxes.set(session.peer, outbox);
    for (const flow of this.#flows.values()) this.#tell(outbox, flow);
    for (const name of session.context.families) outbox.backlog.push(bytesOf((w) => encodeEndOfRib(w, name)));
    this.#flush(outbox);
  }

  refresh(peer: string, name: FamilyName): void {
    const outbox = this.#outboxes.get(peer);
    if (!outbox) return;
    const mark = (subtype: number): void => {
      if (outbox.session.enhancedRefresh) outbox.backlog.push(bytesOf((w) => encodeRouteRefresh(w, { family: family(name), subtype })));
    };
    mark(BEGIN);
    for (const flow of this.#flows.values()) if (flow.rule.family === name) this.#tell(outbox, flow);
    mark(END);
    this.#flush(outbox);
  }

  drained(peer: string): void {
    const outbox = this.#outboxes.get(peer);
    if (outbox) this.#flush(outbox);
  }

  down(peer: string): void {
    this.#outboxes.delete(peer);
  }

  #tell(outbox: Outbox, { rule, actions, peers }: OwnFlow): void {
    const { session, told, backlog } = outbox;
    const { context } = session;
    if (!peers.includes(session.peer) || !context.families.includes(rule.family)) {
      this.#untell(outbox, rule.key);
      return;
    }
    told.set(rule.key, rule);
    const attributes: PathAttributes = { ...originOf(context), ...encodeFlowActions(actions) };
    backlog.push(...encodeUpdate({ attributes, announceFlows: [{ nextHop: undefined, run: runOf(context, rule) }] }, context));
  }

  #untell({ session: { context }, told, backlog }: Outbox, key: string): void {
    const rule = told.get(key);
    if (rule && told.delete(key)) backlog.push(...encodeUpdate({ withdrawFlows: [runOf(context, rule)] }, context));
  }

  #flush({ session, backlog }: Outbox): void {
    let sent = 0;
    for (const message of backlog) {
      if (session.send(message) !== 'queued') break;
      sent++;
    }
    backlog.splice(0, sent);
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
