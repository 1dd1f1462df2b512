export { type CommandOptions, type CommandResult, runCommand } from './command.ts';
export { LabError } from './error.ts';
export { Host, type NftObject } from './host.ts';
export { type HostOptions, Lab, type Link, type LinkEnd, type LinkOptions, removeNamespace } from './lab.ts';
export { memoryMiB } from './memory.ts';
export { startBird } from './peers/bird.ts';
export { startExabgp } from './peers/exabgp.ts';
export { startFrr } from './peers/frr.ts';
export { startGobgp } from './peers/gobgp.ts';
export { startOpenbgpd } from './peers/openbgpd.ts';
export {
  type AddressFamily,
  type AnnounceOptions,
  bothFamilies,
  type NeighborConfig,
  type Peer,
  type PeerConfig,
  type PeerKind,
  type ReceivedRoute,
  type SessionFamily,
  type SessionState,
  type StartPeer,
} from './peers/peer.ts';
export { LabProcess, type ProcessEnd, type ProcessOptions } from './process.ts';
export type {
  ConnectOptions,
  ConnectOutcome,
  ConnectStream,
  Datagram,
  HeldConnection,
  StreamOptions,
  StreamReport,
  TcpServer,
  UdpSocket,
} from './sockets.ts';
export { type WaitOptions, waitFor } from './wait.ts';
export type { TunnelEnd } from './wireguard.ts';
