import { family as describeFamily, type FamilyName, type Notification, sessionContext, type UpdateMessage } from '@weir/bgp/codec';
import type { DownReason, Negotiated, SessionState } from '@weir/bgp/fsm';
import type { SessionEvent } from '@weir/bgp/session';
import { ip4, printIp } from '@weir/wire/inet';
import type { Peer } from '../../model/config.ts';
import type { Agreement, Ending, ExabgpLine } from './line.ts';
import { EMPTY_UPDATE } from './update.ts';

/** Milliseconds in which a peer that is asked for its routes again must begin to send them. */
export const REFRESH_WAIT = 20_000;
/** Milliseconds that this may take from its beginning to its end (RFC 7313 section 4). */
const REFRESH_BOUND = 600_000;

/** What is known of the session that ExaBGP has with one configured peer. Times are milliseconds. */
export interface ExabgpSession {
  readonly state: SessionState;
  readonly since: number;
  /** What was last said of what both sides agreed on. */
  readonly agreement: Agreement | undefined;
  /**
   * Whether the session was heard from its beginning, so that the peer's whole table comes with it. Otherwise Weir came in the middle: `asked` until
   * the peer has begun to send its routes again in every family.
   */
  readonly origin: 'fresh' | 'resumed' | 'reset';
  /** Families in use whose End-of-RIB, or end of refresh, has not come. */
  readonly waiting: readonly FamilyName[];
  /** Of these, the ones that have begun to be sent again. */
  readonly begun: readonly FamilyName[];
  /** Families that can no longer be trusted in this session (RFC 4760 section 7). */
  readonly disabled: readonly FamilyName[];
  /** When what is waited for is given up. */
  readonly deadline: number | undefined;
}

/** What happens to a session: a line that names it, the loss of the process that printed them, or its deadline. */
export type SessionInput =
  | Extract<ExabgpLine, { kind: 'connected' | 'up' | 'down' | 'negotiated' | 'update' | 'refresh' | 'established' }>
  | { readonly kind: 'lost'; readonly text: string }
  | { readonly kind: 'tick' };

export type SessionOutput = SessionEvent | { readonly kind: 'command'; readonly text: string };

export interface SessionStep {
  readonly session: ExabgpSession;
  readonly out: readonly SessionOutput[];
}

/** What a step goes by besides the session. */
export interface StepContext {
  readonly peer: Peer;
  readonly at: number;
  /** Whether a session whose peer does not send its routes again is ended, so that it does. */
  readonly reset: boolean;
}

const NOTHING: readonly SessionOutput[] = [];

export function initialSession(at: number): ExabgpSession {
  return { state: 'Idle', since: at, agreement: undefined, origin: 'fresh', waiting: [], begun: [], disabled: [], deadline: undefined };
}

/**
 * One session of ExaBGP's as the session of a speaker of Weir's own: the same events in the same order. What ExaBGP does not tell is put so that nothing is
 * taken out too early:
 *
 * - it does not say whether the peer restarts gracefully, so End-of-RIB is waited for; where none comes within the configured restart time, it counts
 *   as sent;
 * - in a session that was up before Weir listened, the peer is asked for every family again and the end of that (RFC 7313) counts as End-of-RIB. Where it does not begin within 20 seconds
 *   the session is ended once, so that it comes up again and brings everything; with `reset` off it is complete after its next session.
 */
export function stepSession(session: ExabgpSession, input: SessionInput, context: StepContext): SessionStep {
  const up = session.state === 'Established';
  switch (input.kind) {
    case 'update':
      return update(session, input, context);
    case 'connected': {
      const before = up ? lose(session, 'a new connection', undefined, context, 'Idle') : { session, out: NOTHING };
      return enter(before, 'OpenSent', context);
    }
    case 'negotiated':
      return { session: { ...session, agreement: input.agreement }, out: NOTHING };
    case 'up':
      if (up && session.origin === 'fresh') return { session, out: NOTHING };
      // A session that was thought to be old begins now: its whole table comes.
      if (up) return { session: { ...session, ...awaited(session.waiting, context) }, out: NOTHING };
      return begin(session, context, true);
    case 'established':
      return up ? { session, out: NOTHING } : begin(session, context, false);
    case 'refresh':
      return refresh(session, input, context);
    case 'down':
      return lose(session, input.ending.text, input.ending.notification, context, 'Active');
    case 'lost':
      return up ? lose(session, input.text, undefined, context, 'Idle') : enter({ session, out: NOTHING }, 'Idle', context);
    case 'tick':
      return giveUp(session, context);
  }
}

/** Families of the session that Weir is configured to hear. */
function familiesOf(agreement: Agreement | undefined, { peer }: StepContext): readonly FamilyName[] {
  return agreement ? peer.families.filter((name) => agreement.families.includes(name)) : peer.families;
}

function awaited(
  waiting: readonly FamilyName[],
  { peer, at }: StepContext,
): Pick<ExabgpSession, 'origin' | 'waiting' | 'begun' | 'deadline'> {
  return { origin: 'fresh', waiting, begun: [], deadline: waiting.length > 0 ? at + peer.restartTime * 1000 : undefined };
}

function begin(session: ExabgpSession, context: StepContext, fresh: boolean): SessionStep {
  const { peer, at } = context;
  const families = familiesOf(session.agreement, context);
  const next: ExabgpSession = {
    ...session,
    state: 'Established',
    since: at,
    disabled: [],
    ...(fresh ? awaited(families, context) : { origin: 'resumed', waiting: families, begun: [], deadline: at + REFRESH_WAIT }),
  };
  const negotiated = negotiatedOf(session.agreement, families, peer);
  const { peerOpen, gracefulRestart } = negotiated;
  return {
    session: next,
    out: [
      { kind: 'state', peer: peer.name, from: session.state, to: 'Established' },
      { kind: 'established', peer: peer.name, negotiated, peerOpen, gracefulRestart, localAddress: undefined },
      ...(fresh ? [] : families.map((name): SessionOutput => ({ kind: 'command', text: refreshCommand(peer, name) }))),
    ],
  };
}

/** Asks a peer for a family again (RFC 2918). */
export function refreshCommand(peer: Peer, name: FamilyName): string {
  return `neighbor ${printIp(peer.address)} announce route-refresh ${name}`;
}

/** Ends a session with Cease and that subcode (RFC 4486); ExaBGP brings it up again. */
export function teardownCommand(peer: Peer, subcode: number): string {
  return `neighbor ${printIp(peer.address)} teardown ${subcode}`;
}

/** Administrative Reset. */
export const RESET = 4;

function enter({ session, out }: SessionStep, to: SessionState, { peer, at }: StepContext): SessionStep {
  if (session.state === to) return { session, out };
  return {
    session: { ...session, state: to, since: at },
    out: [...out, { kind: 'state', peer: peer.name, from: session.state, to }],
  };
}

function lose(session: ExabgpSession, text: string, told: Ending['notification'], context: StepContext, to: SessionState): SessionStep {
  const { peer } = context;
  const notification: Notification | undefined = told && { code: told.code, subcode: told.subcode, data: new Uint8Array(0) };
  const reason: DownReason = told === undefined ? 'transport' : told.by === 'peer' ? 'notification-received' : 'notification-sent';
  const ending = { peer: peer.name, reason, notification, detail: text };
  const event: SessionOutput =
    session.state === 'Established' ? { kind: 'down', ...ending, graceful: false, retain: [] } : { kind: 'attempt-failed', ...ending };
  const next: ExabgpSession = {
    ...session,
    agreement: undefined,
    origin: 'fresh',
    waiting: [],
    begun: [],
    disabled: [],
    deadline: undefined,
  };
  return enter({ session: next, out: [event] }, to, context);
}

function update(session: ExabgpSession, input: Extract<SessionInput, { kind: 'update' }>, context: StepContext): SessionStep {
  if (session.state !== 'Established') {
    // The first that is heard of a session are its routes: it is older than Weir.
    const known = input.agreement ? { ...session, agreement: input.agreement } : session;
    const before = begin(known, context, false);
    const after = update(before.session, input, context);
    return { session: after.session, out: [...before.out, ...after.out] };
  }
  const { peer, at } = context;
  const { errors } = input.update;
  const families = peer.families.filter((name) => !session.disabled.includes(name));
  const said = only(input.update, families);
  const out: SessionOutput[] = [];
  if (errors.length > 0) out.push({ kind: 'error', peer: peer.name, errors });
  if (said) out.push({ kind: 'update', peer: peer.name, update: said, receivedAt: at });
  const broken = errors.flatMap(({ action, family }) =>
    action === 'afi-safi-disable' && family ? families.filter((name) => is(name, family)) : [],
  );
  for (const family of broken) out.push({ kind: 'family-disabled', peer: peer.name, family });
  if (broken.length === 0 && said?.endOfRib === undefined) return { session, out };
  const disabled = [...session.disabled, ...broken];
  return { session: { ...heard(session, [...broken, ...(said?.endOfRib === undefined ? [] : [said.endOfRib])]), disabled }, out };
}

function is(name: FamilyName, { afi, safi }: { readonly afi: number; readonly safi: number }): boolean {
  const described = describeFamily(name);
  return described.afi === afi && described.safi === safi;
}

/** The part of an UPDATE that is about these families; undefined when there is none. */
function only(message: UpdateMessage, families: readonly FamilyName[]): UpdateMessage | undefined {
  const { endOfRib } = message;
  if (endOfRib !== undefined) return families.includes(endOfRib) ? message : undefined;
  const withdraw = message.withdraw.filter((run) => families.includes(run.family));
  const announce = message.announce.filter(({ run }) => families.includes(run.family));
  const withdrawFlows = message.withdrawFlows.filter((run) => families.includes(run.family));
  const announceFlows = message.announceFlows.filter(({ run }) => families.includes(run.family));
  if (withdraw.length + announce.length + withdrawFlows.length + announceFlows.length === 0) return undefined;
  return { ...message, withdraw, announce, withdrawFlows, announceFlows };
}

/** Families are not waited for any more. */
function heard(session: ExabgpSession, families: readonly FamilyName[]): ExabgpSession {
  const waiting = session.waiting.filter((name) => !families.includes(name));
  return { ...session, waiting, deadline: waiting.length === 0 ? undefined : session.deadline };
}

function refresh(
  session: ExabgpSession,
  { family, subtype }: Extract<SessionInput, { kind: 'refresh' }>,
  context: StepContext,
): SessionStep {
  const { peer, at } = context;
  if (session.state !== 'Established' || !peer.families.includes(family)) return { session, out: NOTHING };
  const { afi, safi } = describeFamily(family);
  const message = { kind: 'route-refresh', family: { afi, safi }, subtype: subtype === 'begin' ? 1 : 2 } as const;
  const event: SessionOutput = { kind: 'route-refresh', peer: peer.name, message, receivedAt: at };
  if (session.origin === 'fresh' || !session.waiting.includes(family)) return { session, out: [event] };
  if (subtype === 'begin') {
    const begun = session.begun.includes(family) ? session.begun : [...session.begun, family];
    const all = session.waiting.every((name) => begun.includes(name));
    return { session: { ...session, begun, deadline: all ? at + REFRESH_BOUND : session.deadline }, out: [event] };
  }
  if (!session.begun.includes(family)) return { session, out: [event] };
  return { session: heard(session, [family]), out: [event, endOfRib(family, context)] };
}

function endOfRib(family: FamilyName, { peer, at }: StepContext): SessionOutput {
  return { kind: 'update', peer: peer.name, update: { ...EMPTY_UPDATE, endOfRib: family }, receivedAt: at };
}

function giveUp(session: ExabgpSession, context: StepContext): SessionStep {
  const { deadline, origin, waiting, begun } = session;
  if (deadline === undefined || deadline > context.at) return { session, out: NOTHING };
  const silent = waiting.some((name) => !begun.includes(name));
  if (origin === 'fresh' || !silent)
    return { session: { ...session, waiting: [], deadline: undefined }, out: waiting.map((name) => endOfRib(name, context)) };
  const next: ExabgpSession = { ...session, origin: 'reset', deadline: undefined };
  const ask = context.reset && origin === 'resumed';
  return { session: next, out: ask ? [{ kind: 'command', text: teardownCommand(context.peer, RESET) }] : NOTHING };
}

/**
 * What a speaker of Weir's own would have agreed on. Routes come as ExaBGP prints them: AS numbers have four octets. Graceful restart is there in name, so
 * that End-of-RIB is waited for, and holds no routes: how long a peer asks for is not known.
 */
function negotiatedOf(agreement: Agreement | undefined, families: readonly FamilyName[], peer: Peer): Negotiated {
  const shared = sessionContext({
    peerKind: peer.as === peer.localAs ? 'ibgp' : 'ebgp',
    localAs: peer.localAs,
    peerAs: peer.as,
    families,
    extendedMessage: true,
  });
  const holdTime = agreement?.holdTime ?? 0;
  return {
    receive: shared,
    send: shared,
    peerAs: peer.as,
    peerRouterId: ip4(0),
    holdTime,
    keepaliveTime: (holdTime * 1000) / 3,
    sendHoldTime: 0,
    families,
    missingFamilies: peer.families.filter((name) => !families.includes(name)),
    routeRefresh: agreement?.routeRefresh ?? true,
    enhancedRouteRefresh: true,
    gracefulRestart: { restarting: false, notification: false, restartTime: 0, families: [] },
    longLived: [],
    peerOpen: { kind: 'open', version: 4, myAs: peer.as > 0xffff ? 23456 : peer.as, holdTime, routerId: ip4(0), capabilities: [] },
  };
}
