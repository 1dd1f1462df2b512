import type { Asn, Ip } from '@weir/wire/inet';
import type { SessionContext } from '../codec/index.ts';

/** One end of a session. MRT files name the AS and no port, packet captures the port. */
export interface Endpoint {
  readonly address: Ip;
  readonly port?: number;
  readonly asn?: Asn;
}

/** What a capture file holds, in the order of the file. Times are microseconds since 1970; `offset` counts from the start of the file. */
export type CaptureEntry =
  | {
      readonly kind: 'message';
      readonly time: number;
      readonly offset: number;
      readonly source: Endpoint;
      readonly destination: Endpoint;
      /** One message with its header, for `decodeMessage` and `describeMessage`; a header alone where that is what is wrong. */
      readonly bytes: Uint8Array;
      /** How to read it: from the OPENs seen before it, or from what the file says of it, and the defaults for the rest. */
      readonly context: SessionContext;
      /** Whether an UPDATE was made from an entry of a table dump, which is not a message. */
      readonly synthetic: boolean;
    }
  /** A change of state that a collector noted (RFC 6396 section 4.4.1); states as RFC 4271 numbers them, 1 Idle to 6 Established. */
  | {
      readonly kind: 'state-change';
      readonly time: number;
      readonly offset: number;
      readonly peer: Endpoint;
      readonly local: Endpoint;
      readonly from: number;
      readonly to: number;
    }
  /** Well-formed, and of a kind that is not read. */
  | { readonly kind: 'unsupported'; readonly time: number; readonly offset: number; readonly what: string }
  /** Broken or missing octets; what can be read goes on after it. */
  | { readonly kind: 'problem'; readonly time: number; readonly offset: number; readonly message: string };

export interface CaptureOptions {
  /** For what neither the file nor an OPEN says. Without it: external, 4-octet AS numbers, both unicast families, no add-path. */
  readonly defaults?: Partial<SessionContext>;
  /** The TCP port of BGP in packet captures; 179 when absent. */
  readonly port?: number;
}
