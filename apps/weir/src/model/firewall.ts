import type { SourceSpan } from './provenance.ts';

/** Ports a rule opens: `from` to `to`, both included. */
export interface PortRange {
  readonly from: number;
  readonly to: number;
}

/** One line of a border: destinations in `set` are accepted on these ports. No ports means every port of the protocol. */
export interface BorderAllow {
  readonly set: string;
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'any';
  readonly ports: readonly PortRange[];
  readonly span: SourceSpan;
}

/** Sources in `set` are dropped before anything is accepted. */
export interface BorderDeny {
  readonly set: string;
  readonly span: SourceSpan;
}

/** Traffic from one side to another: interfaces by name (a trailing `*` is a wildcard), or `local` for this host itself (the input hook). */
export interface Border {
  readonly name: string;
  readonly from: readonly string[];
  readonly to: readonly string[] | 'local';
  readonly deny: readonly BorderDeny[];
  readonly allow: readonly BorderAllow[];
  readonly established: boolean;
  readonly default: 'drop' | 'accept';
  readonly span: SourceSpan;
}

/** The default-deny base: what a host needs to stay on the network, each switchable (DESIGN: order of judgement). */
export interface BaseRules {
  readonly loopback: boolean;
  readonly established: boolean;
  readonly neighbourDiscovery: boolean;
  readonly multicastListener: boolean;
  readonly pathMtu: boolean;
  readonly dhcpClient: boolean;
  readonly bgpPeers: boolean;
}

/** A table that Weir owns and writes whole (A4). */
export interface Firewall {
  readonly table: string;
  readonly base: BaseRules;
  readonly borders: readonly Border[];
}
