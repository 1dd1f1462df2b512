import type { Asn, Ip } from '@weir/wire/inet';
import type { FamilyName } from '../codec/index.ts';

/** Which AS the peer may have: one, our own, any but our own, or any. */
export type PeerAs = Asn | 'internal' | 'external' | 'any';

/** Our side of a peering (RFC 9234 section 3). */
export type Role = 'provider' | 'rs' | 'rs-client' | 'customer' | 'peer';

/** A delay that doubles with every failure from `initial` up to `max`, in milliseconds. */
export interface BackOff {
  readonly initial: number;
  readonly max: number;
}

export interface GracefulRestartConfig {
  /** Seconds that we ask peers to keep our routes for, 0-4095. */
  readonly restartTime: number;
  /** The R bit: we have restarted and the peer need not wait for our End-of-RIB. */
  readonly restarting: boolean;
  /** The F bit of every family. */
  readonly forwardingPreserved: boolean;
}

/** What the state machine of one peer goes by. Everything but timers is settled when an OPEN is sent; a change afterwards needs a new session. */
export interface FsmConfig {
  readonly localAs: Asn;
  readonly peerAs: PeerAs;
  readonly routerId: Ip;
  readonly families: readonly FamilyName[];
  /** Seconds offered: 0 (no keepalives) or 3-65535. */
  readonly holdTime: number;
  /** Seconds: a negotiated time below it, other than 0, is refused. */
  readonly minHoldTime: number;
  /** Seconds without progress in sending after which the session ends (RFC 9687); undefined for the RFC's default. */
  readonly sendHoldTime: number | undefined;
  /** Never opens connections itself. */
  readonly passive: boolean;
  /** Milliseconds in which the peer's OPEN must arrive once the connection is up. */
  readonly openTime: number;
  /** DelayOpenTime in milliseconds; 0 sends OPEN at once. */
  readonly delayOpen: number;
  readonly connectRetry: BackOff;
  readonly idleHold: BackOff;
  /** Failures in a row from which incoming connections are refused until the idle hold is over. */
  readonly refuseAfter: number;
  /** Milliseconds in Established after which past failures are forgotten. */
  readonly stableAfter: number;
  readonly gracefulRestart: GracefulRestartConfig | undefined;
  /** Seconds of long-lived stale time that we offer for every family (RFC 9494); undefined does not offer it. */
  readonly longLivedStaleTime: number | undefined;
  readonly addPath: { readonly receive: readonly FamilyName[]; readonly send: readonly FamilyName[] };
  readonly extendedMessage: boolean;
  readonly extendedNextHop: boolean;
  readonly role: Role | undefined;
  /** Refuses a peer that sends no role (RFC 9234 section 4.2). */
  readonly strictRole: boolean;
  readonly hostname: string | undefined;
  readonly domain: string | undefined;
}

/** The delay after `failures` earlier ones, shortened by up to a quarter; `random` is in [0, 1) (RFC 4271 section 10). */
export function backOffDelay(backOff: BackOff, failures: number, random: number): number {
  return jittered(Math.min(backOff.initial * 2 ** Math.min(failures, 30), backOff.max), random);
}

/** 75 % to 100 % of `ms`. */
export function jittered(ms: number, random: number): number {
  return Math.round(ms * (0.75 + 0.25 * random));
}
