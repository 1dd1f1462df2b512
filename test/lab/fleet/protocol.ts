import type { ClientConfig } from './client.ts';

export type ProcessConfig = Omit<ClientConfig, 'address'> & { readonly addresses: readonly string[] };

/** What is waited for at a client. */
export interface Wanted {
  /** So many prefixes, and End-of-RIB of both families. */
  readonly count?: number;
  /** One prefix of the universe is held with this (0: not held). */
  readonly value?: { readonly number: number; readonly is: number };
  readonly up?: boolean;
}

export type Request = { readonly id: number } & (
  | { readonly do: 'start' }
  /** Answered, with the time (ms, monotonic) for each client, when all of them have it. */
  | { readonly do: 'watch'; readonly wanted: Wanted; readonly clients?: readonly number[] }
  | { readonly do: 'pause' | 'resume'; readonly clients: readonly number[] }
  | { readonly do: 'summary' }
  | { readonly do: 'close' }
);

export interface ClientSummary {
  readonly count: number;
  readonly strange: number;
  readonly established: boolean;
  readonly complete: boolean;
  readonly sessions: number;
  readonly digest: string;
  readonly lastDown?: string;
}
