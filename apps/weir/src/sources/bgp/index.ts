/** BGP sessions as a source of routes. */

export { BgpSource, type BgpSourceOptions, type PeerView, type Speaker } from './bgp-source.ts';
export { type ClientListener, ClientSessions } from './client-sessions.ts';
export { FlowAnnouncer, type OwnFlow } from './flow-announcer.ts';
export { clientOfSession, NetworkAnnouncer } from './network-announcer.ts';
export { OwnAnnouncer, type OwnPrefix } from './own-announcer.ts';
export { PeerTables } from './peer-tables.ts';
export { type SpeakerOptions, speakerConfig } from './speaker-config.ts';
