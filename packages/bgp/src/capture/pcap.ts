import { DecodeError } from '@weir/wire/bytes';
import { readFrames, readsLinkType } from '@weir/wire/capture';
import { compareIp, printIp } from '@weir/wire/inet';
import { Conversation } from './conversation.ts';
import type { CaptureEntry, CaptureOptions } from './entry.ts';
import { decodeSegment, type Segment } from './segment.ts';

const BGP_PORT = 179;
/** Connections that are followed at once; the one that has been silent longest is given up first. */
const MAX_CONVERSATIONS = 1024;

interface Followed {
  readonly conversation: Conversation;
  /** Whether the conversation's first segment came from the lower of the two ends. */
  readonly lowFirst: boolean;
}

/**
 * Reads a packet capture: pcap in either byte order with micro- or nanoseconds, and pcapng; Ethernet (with VLAN tags), Linux cooked, raw IP and BSD loopback frames. TCP streams from and to the
 * BGP port are put together, each direction on its own; OPENs seen on the way decide how the messages after them are read. Memory: the file, 1,024 connections with
 * 1,024 waiting segments (views of the file) and one message each way. Throws DecodeError when the file is not a capture; all else that is broken is a `problem`.
 */
export function* readPcap(bytes: Uint8Array, options: CaptureOptions = {}): Generator<CaptureEntry, void, undefined> {
  const port = options.port ?? BGP_PORT;
  const followed = new Map<string, Followed>();
  const unread = new Set<number>();
  for (const packet of readFrames(bytes)) {
    if (packet.kind === 'problem') {
      yield { time: 0, ...packet };
      continue;
    }
    const { time, offset, linkType } = packet;
    if (!readsLinkType(linkType)) {
      if (!unread.has(linkType)) yield { kind: 'unsupported', time, offset, what: `link type ${linkType}` };
      unread.add(linkType);
      continue;
    }
    try {
      const segment = decodeSegment(packet.bytes, linkType);
      if (!segment || (segment.sourcePort !== port && segment.destinationPort !== port)) continue;
      yield* take(followed, segment, time, offset, options);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      yield { kind: 'problem', time, offset: offset + error.offset, message: error.message };
    }
  }
  for (const { conversation } of followed.values()) yield* conversation.finish();
}

function* take(
  followed: Map<string, Followed>,
  segment: Segment,
  time: number,
  offset: number,
  options: CaptureOptions,
): Generator<CaptureEntry, void, undefined> {
  const low = fromLow(segment);
  const key = low ? `${sourceKey(segment)} ${destinationKey(segment)}` : `${destinationKey(segment)} ${sourceKey(segment)}`;
  let found = followed.get(key);
  if (found) followed.delete(key);
  else {
    const [oldest] = followed;
    if (oldest && followed.size >= MAX_CONVERSATIONS) {
      followed.delete(oldest[0]);
      yield* oldest[1].conversation.finish();
    }
    found = { conversation: new Conversation(segment, options.defaults ?? {}), lowFirst: low };
  }
  followed.set(key, found);
  yield* found.conversation.push(segment, low === found.lowFirst, time, offset);
}

function fromLow(s: Segment): boolean {
  return (compareIp(s.source, s.destination) || s.sourcePort - s.destinationPort) <= 0;
}

function sourceKey(s: Segment): string {
  return `${printIp(s.source)}#${s.sourcePort}`;
}

function destinationKey(s: Segment): string {
  return `${printIp(s.destination)}#${s.destinationPort}`;
}
