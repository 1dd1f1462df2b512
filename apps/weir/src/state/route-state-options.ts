import type { HashKey } from '@weir/wire/bytes';
import type { Ip, Prefix } from '@weir/wire/inet';
import type { EventSink } from '../model/event.ts';
import type { ActiveFlow, FlowConfig } from '../model/flow.ts';
import type { RefreshRequest } from './reconfigure.ts';
import type { RibLimits } from './rib-limits.ts';

/** Time, handed in so that tests can rule it. */
export interface StateClock {
  /** Milliseconds since the epoch, never stepping back. */
  now(): number;
  setTimer(ms: number, action: () => void): { cancel(): void };
}

export interface RouteStateOptions {
  readonly clock: StateClock;
  /** The own addresses of this host, and with a tenant's name of its namespace; deny sets never cover them. Asked at each configuration and at `hostAddressesChanged`. */
  readonly hostAddresses?: (tenant: string | undefined) => readonly Ip[];
  /** Gets `refused` (at most 10 a second for each set) and `member` (at most 256 for each drain). */
  readonly events?: EventSink;
  /** Who wants to know of every change of a set's members as it is drained. */
  readonly watcher?: (set: string) => ((prefix: Prefix, present: boolean) => void) | undefined;
  /** Key of the hash of attributes; random when absent. */
  readonly hashKey?: HashKey;
  readonly limits?: Partial<RibLimits>;
  /** Why what enforces flow rules cannot do what one asks for. */
  readonly unenforceable?: (flow: ActiveFlow, config: FlowConfig) => string | undefined;
}

export interface ConfigureResult {
  /** Peers to ask for route refresh; their `learned` starts anew. */
  readonly refresh: readonly RefreshRequest[];
  /** Names of sets that are new, gone or other than before. */
  readonly changedSets: readonly string[];
}
