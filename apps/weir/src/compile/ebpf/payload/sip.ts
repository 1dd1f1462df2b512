/** Octets of a payload that are looked at: a start line that does not end before is none. */
export const SIP_SCAN_LIMIT = 512;

/** RFC 3261, 3262, 6665, 3428, 3903, 6086, 3515, 3311. */
export const SIP_METHODS: readonly string[] =
  'INVITE ACK BYE CANCEL OPTIONS REGISTER PRACK SUBSCRIBE NOTIFY PUBLISH INFO REFER MESSAGE UPDATE'.split(' ');

const VERSION = '(?i:SIP/2\\.0)';
const URI = '(?i:sips?|tel):[!-;=?-~\\x80-\\xff]+';

/** A regular expression for the start lines that `sip` takes: requests of one of the methods, and status lines unless told otherwise. */
export function sipPattern(methods: readonly string[], withStatus: boolean): Uint8Array {
  const lines = [
    ...(methods.length > 0 ? [`(?:${methods.join('|')}) ${URI} ${VERSION}`] : []),
    ...(withStatus ? [`${VERSION} [1-6][0-9][0-9] [^\\r\\n]*`] : []),
  ];
  return new TextEncoder().encode(`(?s-u)\\A(?:\\r\\n)*(?:${lines.join('|')})\\r\\n`);
}
