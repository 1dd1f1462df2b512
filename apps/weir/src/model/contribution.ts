import type { Asn, Ip } from '@weir/wire/inet';

/** Why something that a client announces is not put into a table. */
export const CONTRIBUTION_REFUSALS = [
  /** It may contribute nothing, or not to this table. */
  'not-allowed',
  /** No table has one of its communities. */
  'unknown-table',
  /** Its AS_PATH has our own AS: it has been here. */
  'loop',
  /** Its AS_PATH has another AS than the client's: the client has heard it from somebody. */
  'not-its-own',
  'default-route',
  'wrong-length',
  /** Loopback, link-local, multicast or unspecified addresses, or more addresses than any table takes at once. */
  'never',
  /** In none of the prefixes that it may contribute. */
  'outside',
  'protected',
  /** Beyond `max_prefixes` of what the client may contribute. */
  'too-many',
  /** Beyond `max_prefixes` of the table. */
  'table-full',
] as const;

export type ContributionRefusal = (typeof CONTRIBUTION_REFUSALS)[number];

/** What was refused since the daemon started: for each reason announcements times tables, and the last of them. */
export type ContributionRefusals = ReadonlyMap<ContributionRefusal, { readonly count: number; readonly last: string | undefined }>;

/** A session of a client, for as long as the client is known. */
export interface ClientSession {
  /** `NAME-ADDRESS`. */
  readonly name: string;
  readonly client: string;
  readonly address: Ip;
  /** Of the present session or of the one before; 0 before the first. */
  readonly as: Asn | 0;
  readonly established: boolean;
}
