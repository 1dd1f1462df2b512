import {
  BgpError,
  decodeUpdate,
  encodeAttributes,
  type FamilyName,
  familyOf,
  HEADER_SIZE,
  MAX_EXTENDED_MESSAGE,
  type MessageError,
  MessageType,
  parseFamily,
  type UpdateMessage,
} from '@weir/bgp/codec';
import { Writer } from '@weir/wire/bytes';
import { contextOf } from './agreement.ts';
import { type KnownAttributes, readAttributes } from './attributes.ts';
import { readFlows, readFlowWithdrawals } from './flows.ts';
import { type JsonObject, type JsonValue, LineError, object, text } from './json.ts';
import type { Agreement, Neighbor } from './line.ts';
import { readAnnouncements, readWithdrawals } from './routes.ts';

/** An UPDATE that says nothing. */
export const EMPTY_UPDATE: UpdateMessage = {
  kind: 'update',
  withdraw: [],
  announce: [],
  withdrawFlows: [],
  announceFlows: [],
  attributes: {},
  rawAttributes: new Uint8Array(0),
  endOfRib: undefined,
  errors: [],
};

/**
 * `message` of an update line: an UPDATE, or an End-of-RIB; undefined where there is nothing for Weir in it. Attributes without routes are what ExaBGP
 * leaves of a message whose routes it could not read (a malformed flow): an error of the UPDATE, which then says nothing. Throws LineError.
 */
export function readMessage(message: JsonObject, neighbor: Neighbor, known?: KnownAttributes): UpdateMessage | undefined {
  if (message['eor'] !== undefined) return endOfRib(object(message['eor'], 'eor'));
  const { attribute, announce, withdraw } = object(message['update'], 'update');
  const attributes = attribute === undefined ? {} : object(attribute, 'attribute');
  if (announce === undefined && withdraw === undefined) return Object.keys(attributes).length > 0 ? unreadable() : undefined;
  const there = announce === undefined ? {} : object(announce, 'announce');
  const gone = withdraw === undefined ? {} : object(withdraw, 'withdraw');
  const unread: MessageError[] = [];
  const said = {
    announce: readAnnouncements(there),
    withdraw: readWithdrawals(gone),
    announceFlows: readFlows(there, unread),
    withdrawFlows: readFlowWithdrawals(gone, unread),
  };
  const announces = said.announce.length + said.announceFlows.length > 0;
  if (!announces && said.withdraw.length + said.withdrawFlows.length === 0)
    return unread.length > 0 ? { ...EMPTY_UPDATE, errors: unread } : undefined;
  // What RFC 7606 calls treat-as-withdraw.
  if (attributes['error'] !== undefined) return withdrawn(said, unread);
  if (!announces) return { ...EMPTY_UPDATE, ...said, errors: unread };
  const hop = said.announce.find(({ run }) => run.family === 'ipv4 unicast')?.nextHop?.address;
  const read = readAttributes(attributes, hop, contextOf(neighbor), known);
  if (read.withdrawn) return withdrawn(said, [...read.errors, ...unread]);
  return { ...EMPTY_UPDATE, ...said, attributes: read.attributes, rawAttributes: read.raw, errors: [...read.errors, ...unread] };
}

/** What was announced is withdrawn. */
function withdrawn(
  { announce, withdraw, announceFlows, withdrawFlows }: Pick<UpdateMessage, 'announce' | 'withdraw' | 'announceFlows' | 'withdrawFlows'>,
  errors: UpdateMessage['errors'],
): UpdateMessage {
  return {
    ...EMPTY_UPDATE,
    withdraw: [...withdraw, ...announce.map(({ run }) => run)],
    withdrawFlows: [...withdrawFlows, ...announceFlows.map(({ run }) => run)],
    errors,
  };
}

function endOfRib(value: JsonObject): UpdateMessage | undefined {
  const family = namedFamily(value);
  return family && { ...EMPTY_UPDATE, endOfRib: family };
}

/** `{ "afi": "ipv4", "safi": "unicast" }` */
export function namedFamily({ afi, safi }: JsonObject): FamilyName | undefined {
  return parseFamily(`${text(afi, 'afi')} ${text(safi, 'safi')}`);
}

function unreadable(): UpdateMessage {
  const message = 'attributes without routes: ExaBGP could not read the routes of the message';
  const error = { offset: 0, attribute: undefined, message, action: 'treat-as-withdraw', rfc: 'RFC 7606 section 2' } as const;
  return { ...EMPTY_UPDATE, errors: [error] };
}

/** The UPDATE in `body`, the octets behind the header, which ExaBGP adds with `consolidate`. Throws LineError, also where the codec would end the session. */
export function readBody(body: JsonValue, neighbor: Neighbor, agreement: Agreement): UpdateMessage {
  const octets = hex(text(body, 'body'));
  const length = HEADER_SIZE + octets.length;
  if (octets.length < 4 || length > MAX_EXTENDED_MESSAGE) throw new LineError('body has not the length of an UPDATE');
  const message = new Uint8Array(length);
  message.fill(0xff, 0, 16);
  message[16] = length >>> 8;
  message[17] = length & 0xff;
  message[18] = MessageType.update;
  message.set(octets, HEADER_SIZE);
  try {
    const update = decodeUpdate(message, contextOf(neighbor, agreement));
    // A family that ExaBGP has and Weir does not is nobody's mistake.
    const errors = update.errors.filter(({ family }) => {
      const name = family && familyOf(family.afi, family.safi)?.name;
      return family === undefined || (name !== undefined && agreement.families.includes(name));
    });
    return { ...update, errors, ...(agreement.fourOctetAs ? {} : { rawAttributes: widened(update, neighbor) }) };
  } catch (error) {
    if (error instanceof BgpError) throw new LineError(`body: ${error.message}`);
    throw error;
  }
}

/** Attributes with AS numbers of four octets, as those of all other lines are. */
function widened(update: UpdateMessage, neighbor: Neighbor): Uint8Array {
  const w = new Writer(512);
  encodeAttributes(w, update.attributes, contextOf(neighbor));
  return w.finish();
}

function hex(written: string): Uint8Array {
  if (!/^0x(?:[0-9A-Fa-f]{2})*$/.test(written)) throw new LineError('body is not hexadecimal');
  return Uint8Array.from(Buffer.from(written.slice(2), 'hex'));
}

/** `body` where a line has one, wherever it is: beside `header` (consolidate), or in `message` (packets). */
export function bodyOf(line: JsonObject, message: JsonObject): JsonValue | undefined {
  return line['body'] ?? message['body'];
}
