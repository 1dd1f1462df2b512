import {
  decodeMessage,
  type FamilyName,
  type Message,
  MessageFramer,
  type OpenMessage,
  type SessionContext,
  sessionContext,
} from '@weir/bgp/codec';
import type { Negotiated } from '@weir/bgp/fsm';
import type { OutgoingSession, SessionEvent } from '@weir/bgp/session';
import { asn, type Ip, ip } from '@weir/wire/inet';
import type { Speaker } from './bgp-source.ts';

/** The BGP identifier of the other side. */
export const ROUTER_ID: Ip = ip('192.0.2.1');
const FAMILIES: readonly FamilyName[] = ['ipv4 unicast', 'ipv6 unicast'];

/** A session with AS 64513 comes up, for tests: both unicast families and route refresh, but for what is given. */
export function established(peer: string, given: Partial<Negotiated> = {}): Extract<SessionEvent, { kind: 'established' }> {
  const peerOpen: OpenMessage = { kind: 'open', version: 4, myAs: 64513, holdTime: 90, routerId: ROUTER_ID, capabilities: [] };
  const { families = FAMILIES } = given;
  const negotiated: Negotiated = {
    receive: sessionContext({ families }),
    send: sessionContext({ families }),
    peerAs: asn(64513),
    peerRouterId: ROUTER_ID,
    holdTime: 90,
    keepaliveTime: 30_000,
    sendHoldTime: 480_000,
    families,
    missingFamilies: [],
    routeRefresh: true,
    enhancedRouteRefresh: false,
    gracefulRestart: undefined,
    longLived: [],
    peerOpen,
    ...given,
  };
  return { kind: 'established', peer, negotiated, peerOpen, gracefulRestart: negotiated.gracefulRestart, localAddress: undefined };
}

/** A session that takes so many sends, and each message of them. */
export abstract class TestOutgoing implements OutgoingSession {
  abstract readonly context: SessionContext;
  readonly enhancedRefresh: boolean = false;
  readonly localAddress: string | undefined = undefined;
  readonly peer: string;
  room: number = Number.POSITIVE_INFINITY;

  constructor(peer: string) {
    this.peer = peer;
  }

  protected abstract take(message: Message): void;

  send(bytes: Uint8Array): 'queued' | 'full' {
    if (this.room === 0) return 'full';
    this.room--;
    const framer = new MessageFramer();
    framer.push(bytes);
    for (let one = framer.next(); one; one = framer.next()) this.take(decodeMessage(one, this.context));
    return 'queued';
  }
}

/** A speaker without sessions. */
export const NO_SESSIONS: Speaker = {
  start: () => undefined,
  reconfigure: () => undefined,
  recall: () => false,
  requestRefresh: () => false,
  resetPeer: () => undefined,
  pause: () => undefined,
  resume: () => undefined,
  setPrefixCount: () => undefined,
  peers: [],
  close: async () => undefined,
};
