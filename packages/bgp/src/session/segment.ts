/** Whole messages one behind the other, as all sessions get them that get the same octets. */
export interface Segment {
  readonly octets: Uint8Array;
  /** How many messages. */
  readonly count: number;
}

/** Octets of a segment at most; one message may be longer. */
const MOST = 65_536;

export function joinMessages(messages: readonly Uint8Array[]): readonly Segment[] {
  const out: Segment[] = [];
  for (let first = 0, end = 0; first < messages.length; first = end) {
    let length = 0;
    for (; end < messages.length; end++) {
      const more = (messages[end] as Uint8Array).length;
      if (end > first && length + more > MOST) break;
      length += more;
    }
    const octets = new Uint8Array(length);
    for (let i = first, at = 0; i < end; i++) {
      const message = messages[i] as Uint8Array;
      octets.set(message, at);
      at += message.length;
    }
    out.push({ octets, count: end - first });
  }
  return out;
}
