import type { Int } from '../scheme/index.ts';

export type ConnectionState = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

/** What the bytes of a packet do not say. Everything is optional: what is absent is missing to expressions, but for `mark` (0) and `state` (false). */
export interface PacketContext {
  readonly iif?: string | undefined;
  readonly oif?: string | undefined;
  readonly mark?: number | undefined;
  readonly state?: ConnectionState | undefined;
  readonly uid?: number | undefined;
  readonly cgroup?: Int | undefined;
  /** Octets that the bytes had on the wire, when a capture cut them short: lengths are judged by it, what was cut off is missing. */
  readonly wireLength?: number | undefined;
  /** Whether `sip` takes keepalives (CRLFCRLF, four zero octets) for SIP; false when left out. */
  readonly sipKeepalives?: boolean | undefined;
}
