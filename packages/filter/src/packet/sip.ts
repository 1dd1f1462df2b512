/** The start line of a SIP message (RFC 3261 section 7). */
export type SipStart =
  | { readonly kind: 'request'; readonly method: string; readonly uri: string }
  | { readonly kind: 'status'; readonly status: number; readonly reason: string }
  | { readonly kind: 'keepalive' };

export interface SipOptions {
  /** Take keepalives (CRLFCRLF, RFC 5626 section 3.5.1; four zero octets) for SIP. */
  readonly keepalives?: boolean | undefined;
}

/** Octets that are looked at: a start line that does not end before is none. */
const SIP_SCAN_LIMIT = 512;

/** RFC 3261, 3262, 6665, 3428, 3903, 6086, 3515, 3311. */
const METHODS: ReadonlySet<string> = new Set(
  'INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK SUBSCRIBE NOTIFY PUBLISH INFO REFER MESSAGE UPDATE'.split(' '),
);
const latin1 = new TextDecoder('latin1');
const CR = 13;
const LF = 10;
/** In the URI: no space, no control, neither < nor >. */
const REQUEST = /^([A-Z]+) ((?:sips?|tel):[!-;=?-~\u0080-\uffff]+) SIP\/2\.0$/i;
const STATUS = /^SIP\/2\.0 ([1-6][0-9]{2}) (.*)$/i;

/** The start line that a UDP payload begins with, after any CRLFs (RFC 3261 section 7.5); undefined when it is not SIP. */
export function readSip(payload: Uint8Array, options: SipOptions = {}): SipStart | undefined {
  if (options.keepalives && isKeepalive(payload)) return { kind: 'keepalive' };
  const limit = Math.min(payload.length, SIP_SCAN_LIMIT);
  let start = 0;
  while (start + 1 < limit && payload[start] === CR && payload[start + 1] === LF) start += 2;
  let end = start;
  while (end < limit && payload[end] !== CR && payload[end] !== LF) end++;
  if (end + 1 >= limit || payload[end] !== CR || payload[end + 1] !== LF) return undefined;
  return readLine(latin1.decode(payload.subarray(start, end)));
}

function readLine(line: string): SipStart | undefined {
  const [, method, uri] = REQUEST.exec(line) ?? [];
  if (method !== undefined && uri !== undefined) return METHODS.has(method) ? { kind: 'request', method, uri } : undefined;
  const [, status, reason] = STATUS.exec(line) ?? [];
  return status === undefined ? undefined : { kind: 'status', status: Number(status), reason: reason ?? '' };
}

function isKeepalive(payload: Uint8Array): boolean {
  if (payload.length !== 4) return false;
  const [a, b, c, d] = payload;
  return (a === CR && b === LF && c === CR && d === LF) || (a === 0 && b === 0 && c === 0 && d === 0);
}
