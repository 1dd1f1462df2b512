/** BGP sessions over TCP: connecting, listening, timers, queues, and what peers say as events. */
export type { Announcer, OutgoingSession } from './announcer.ts';
export { type Clock, type ClockTimer, systemClock } from './clock.ts';
export {
  BGP_PORT,
  type ListenConfig,
  type MaxPrefixes,
  needsNewSession,
  type PeerConfig,
  SessionConfigError,
  type SpeakerConfig,
} from './config.ts';
export type { DynamicPeers } from './dynamic-peers.ts';
export type { SessionEvent } from './event.ts';
export type { RouteOptions } from './own-routes.ts';
export { PrefixCounts, type PrefixLevel } from './prefix-limit.ts';
export { BgpSpeaker, type ListenStatus, type StopOptions } from './speaker.ts';
export { StaticRoutes, type StaticRoutesOptions } from './static-routes.ts';
export { type LastError, type MessageCounts, PeerCounters, type PeerStatus } from './stats.ts';
