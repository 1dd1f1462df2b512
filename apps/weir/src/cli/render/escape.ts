/** Text that came from a peer, a file or another process, safe for a terminal: control characters and bidirectional overrides as `\xHH` or `\u{HHHH}`. */
export function escapeControl(text: string): string {
  return text.replace(/[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (c) => {
    const code = c.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });
}
