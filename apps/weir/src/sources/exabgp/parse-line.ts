import { parseIp } from '@weir/wire/inet';
import { readAgreement } from './agreement.ts';
import type { KnownAttributes } from './attributes.ts';
import { integer, type JsonObject, LineError, object, parseJson, text } from './json.ts';
import type { Ending, ExabgpLine, Neighbor } from './line.ts';
import { bodyOf, namedFamily, readBody, readMessage } from './update.ts';

const U32 = 0xffffffff;
const OTHER: ExabgpLine = { kind: 'other' };
/** Address, AS number, time, state and two counts, as `show neighbor summary` prints them. */
const SUMMARY = /^\s*([\da-fA-F.:]+)\s+(\d{1,10})\s+\S.*\s+established\s+\d+\s+\d+\s*$/;

/** One line of what ExaBGP 4.2 and 5.x write to their processes with the encoder `json`. `known` spares reading the same attributes again. Never throws. */
export function parseLine(line: string, known?: KnownAttributes): ExabgpLine {
  if (!line.startsWith('{')) return parseText(line.trim());
  try {
    return parseObject(parseJson(line), known);
  } catch (error) {
    if (error instanceof LineError) return { kind: 'bad', message: error.message };
    throw error;
  }
}

/** Answers to commands and what `show` prints come between the lines of JSON. */
function parseText(line: string): ExabgpLine {
  if (line === 'done') return { kind: 'answer', ok: true };
  if (line === 'error' || line.startsWith('error:')) return { kind: 'answer', ok: false };
  const row = SUMMARY.exec(line);
  const peer = row && parseIp(row[1] ?? '');
  if (peer && Number(row[2]) <= U32) return { kind: 'established', peer, peerAs: Number(row[2]) };
  return { kind: 'text', routes: /^neighbor \S+ (?:receive|up|connected|down)\b/.test(line) };
}

function parseObject(line: JsonObject, known: KnownAttributes | undefined): ExabgpLine {
  const type = text(line['type'], 'type');
  // Only the one that speaks for all neighbours is of use; a peer's own is told of by `down`.
  if (type === 'notification') return line['notification'] === 'shutdown' && line['neighbor'] === undefined ? { kind: 'shutdown' } : OTHER;
  if (type !== 'state' && type !== 'negotiated' && type !== 'update' && type !== 'refresh') return OTHER;
  const about = object(line['neighbor'], 'neighbor');
  // What ExaBGP sends itself is printed too where that was asked for.
  if (about['direction'] === 'send') return OTHER;
  const neighbor = readNeighbor(about);
  switch (type) {
    case 'state':
      return readState(about, neighbor);
    case 'negotiated':
      return { kind: 'negotiated', neighbor, agreement: readAgreement(about['negotiated']) };
    case 'update':
      return readUpdate(line, about, neighbor, known);
    case 'refresh':
      return readRefresh(about, neighbor);
  }
}

function readNeighbor(about: JsonObject): Neighbor {
  const address = object(about['address'], 'address');
  const as = object(about['asn'], 'asn');
  const peer = parseIp(text(address['peer'], 'address.peer'));
  if (!peer) throw new LineError('address.peer is not an address');
  return {
    peer,
    local: text(address['local'], 'address.local'),
    peerAs: integer(as['peer'], U32, 'asn.peer'),
    localAs: integer(as['local'], U32, 'asn.local'),
  };
}

function readState(about: JsonObject, neighbor: Neighbor): ExabgpLine {
  const state = text(about['state'], 'state');
  if (state === 'connected' || state === 'up') return { kind: state, neighbor };
  if (state !== 'down') return OTHER;
  const reason = about['reason'];
  return { kind: 'down', neighbor, ending: readEnding(typeof reason === 'string' ? reason : '') };
}

/** `peer reset, message (notification sent (6,4)) error(...)` in 4.2, `notification received (6,2)` in 5.x. */
function readEnding(reason: string): Ending {
  const found = /notification (sent|received) \((\d{1,3}),(\d{1,3})\)/.exec(reason);
  return {
    text: reason.slice(0, 500),
    notification: found
      ? { by: found[1] === 'sent' ? 'exabgp' : 'peer', code: Number(found[2]) & 0xff, subcode: Number(found[3]) & 0xff }
      : undefined,
  };
}

function readUpdate(line: JsonObject, about: JsonObject, neighbor: Neighbor, known: KnownAttributes | undefined): ExabgpLine {
  const message = object(about['message'], 'message');
  const agreement = about['negotiated'] === undefined ? undefined : readAgreement(about['negotiated']);
  const body = bodyOf(line, message);
  const raw = body !== undefined && agreement !== undefined;
  if (!raw && message['update'] === undefined && message['eor'] === undefined)
    throw new LineError('an update has neither routes nor octets that can be read');
  const update = raw ? readBody(body, neighbor, agreement) : readMessage(message, neighbor, known);
  const unread = body !== undefined && agreement === undefined;
  return update ? { kind: 'update', neighbor, update, agreement, ...(unread ? { octetsUnread: true } : {}) } : OTHER;
}

function readRefresh(about: JsonObject, neighbor: Neighbor): ExabgpLine {
  const refresh = object(about['route-refresh'], 'route-refresh');
  const family = namedFamily(refresh);
  const { subtype } = refresh;
  if (!family || (subtype !== 'begin' && subtype !== 'end')) return OTHER;
  return { kind: 'refresh', neighbor, family, subtype };
}
