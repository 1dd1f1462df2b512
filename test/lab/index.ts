export { type CommandOptions, type CommandResult, runCommand } from './command.ts';
export { LabError } from './error.ts';
export { Host, type NftObject } from './host.ts';
export { type HostOptions, Lab, type Link, type LinkEnd, type LinkOptions, removeNamespace } from './lab.ts';
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
