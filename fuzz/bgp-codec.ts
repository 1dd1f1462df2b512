// BGP messages, changed: each decodes to a message or a BgpError, what decodes is the same after it was encoded, and cutting the stream elsewhere changes nothing.
import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import {
  AttributeCache,
  BgpError,
  type DecodedMessageJson,
  decodeMessage,
  describeMessage,
  encodeMessage,
  FAMILY_NAMES,
  type Message,
  MessageFramer,
  parseExtendedCommunity,
  printExtendedCommunity,
  type SessionContext,
  sessionContext,
} from '@weir/bgp/codec';
import { DecodeError, parseHex, Writer } from '@weir/wire/bytes';
import { updateBytes } from '../conformance/bgp/build.ts';
import { ROWS } from '../conformance/bgp/rfc7606.ts';
import type { FuzzTarget } from './fuzz.ts';

interface Recorded {
  readonly hex?: string;
  readonly messages?: readonly string[];
}

const recorded = (name: string): readonly Recorded[] =>
  JSON.parse(readFileSync(new URL(`../conformance/bgp/${name}`, import.meta.url), 'utf8')) as readonly Recorded[];

/** The first octet of an input says how the session is, the rest is a message. */
const Bit = { ibgp: 1, as2: 2, addPath4: 4, addPath6: 8, extended: 16, keepHeader: 32, nextHop6: 64 } as const;

function contextOf(bits: number): SessionContext {
  const on = (bit: number): boolean => (bits & bit) !== 0;
  return sessionContext({
    families: FAMILY_NAMES,
    peerKind: on(Bit.ibgp) ? 'ibgp' : 'ebgp',
    fourOctetAs: !on(Bit.as2),
    addPath: [
      ...(on(Bit.addPath4) ? (['ipv4 unicast', 'ipv6 flow'] as const) : []),
      ...(on(Bit.addPath6) ? (['ipv6 unicast', 'ipv4 flow'] as const) : []),
    ],
    extendedMessage: on(Bit.extended),
    extendedNextHop: on(Bit.nextHop6),
  });
}

/** A marker and the length that is there, so that changes reach what is behind the header. */
function repairHeader(message: Uint8Array): void {
  if (message.length < 19 || message.length > 65535) return;
  message.fill(0xff, 0, 16);
  message[16] = message.length >> 8;
  message[17] = message.length & 255;
}

function decode(bytes: Uint8Array, context: SessionContext, cache?: AttributeCache): Message | undefined {
  try {
    return decodeMessage(bytes, context, cache);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    if (error instanceof BgpError && (error.notification.code < 1 || error.notification.code > 7))
      throw new Error('impossible notification');
    return undefined;
  }
}

/** Undefined where the message says nothing or has become too long for one message. */
function encode(message: Message, context: SessionContext): Uint8Array | undefined {
  const w = new Writer();
  try {
    encodeMessage(w, message, context);
    return w.finish();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}

/** What a message says, without how its octets were laid out and what was wrong with them. */
function meaning(json: DecodedMessageJson): unknown {
  const { length: _length, outcome: _outcome, errors: _errors, withdraw, ...rest } = json;
  return { ...rest, withdraw: withdraw.map((r) => `${r.family} ${r.prefix ?? r.flow} ${r.pathId}`).sort() };
}

/** Decodes a stream of the message twice over, cut at `at`; gives the lengths that came out and whether it ended in an error. */
function frame(message: Uint8Array, at: number, context: SessionContext): readonly (number | string)[] {
  const stream = new Uint8Array(2 * message.length);
  stream.set(message);
  stream.set(message, message.length);
  const framer = new MessageFramer({ extendedMessage: context.extendedMessage });
  const out: (number | string)[] = [];
  try {
    for (const part of [stream.subarray(0, at), stream.subarray(at)]) {
      framer.push(part);
      for (let m = framer.next(); m; m = framer.next()) out.push(m.length);
    }
  } catch (error) {
    if (!(error instanceof BgpError)) throw error;
    out.push(error.message);
  }
  return out;
}

interface Session {
  readonly context: SessionContext;
  readonly cache: AttributeCache;
}

const sessions = new Map<number, Session>();

/** One session for each kind, so that attributes are remembered from one input to the next. */
function sessionOf(bits: number, context: SessionContext): Session {
  const key = bits & 0x7f;
  const session = sessions.get(key) ?? { context, cache: new AttributeCache(64) };
  sessions.set(key, session);
  return session;
}

export const target: FuzzTarget = {
  name: 'bgp-codec',
  corpus() {
    const daemons = recorded('daemon-messages.json').flatMap((d) => d.messages ?? []);
    const captured = recorded('exabgp-messages.json').map((m) => m.hex ?? '');
    const rows = ROWS.map((row) => Uint8Array.of(Bit.ibgp | (row.as4 === false ? Bit.as2 : 0), ...updateBytes(row)));
    return [...daemons, ...captured].flatMap((hex, i) => [0, i & 0x5f].map((bits) => Uint8Array.of(bits, ...parseHex(hex)))).concat(rows);
  },
  run(input) {
    const bits = input[0] ?? 0;
    const message = input.subarray(1);
    if ((bits & Bit.keepHeader) === 0) repairHeader(message);
    const context = contextOf(bits);
    const json = describeMessage(message, context);
    JSON.stringify(json);
    const first = decode(message, context);
    if (first === undefined) {
      deepStrictEqual(json.outcome, 'session-reset');
      return;
    }
    const session = sessionOf(bits, context);
    deepStrictEqual(decode(message, session.context, session.cache), first);
    deepStrictEqual(frame(message, 1 + (bits % Math.max(1, 2 * message.length - 1)), context), [message.length, message.length]);
    const again = encode(first, context);
    if (first.kind === 'update') {
      for (const c of first.attributes.extendedCommunities ?? []) deepStrictEqual(parseExtendedCommunity(printExtendedCommunity(c)), c);
      const routes = first.withdraw.length + first.announce.length + first.withdrawFlows.length + first.announceFlows.length;
      const silent = first.endOfRib === undefined && routes + first.rawAttributes.length === 0;
      if (!again && !silent && message.length < 2000) throw new Error('a short message cannot be encoded again');
    } else if (!again) throw new Error(`${first.kind} cannot be encoded again`);
    if (!again) return;
    const second = decode(again, context);
    if (second === undefined) throw new Error('what was encoded does not decode');
    deepStrictEqual(meaning(describeMessage(again, context)), meaning(json));
    deepStrictEqual(encode(second, context), again);
  },
};
