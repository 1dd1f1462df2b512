import { DecodeError, Reader } from '@weir/wire/bytes';
import { asn, decodeIp, type Family, printIp } from '@weir/wire/inet';
import { FAMILY_NAMES, type FamilyName, HEADER_SIZE, MessageType, type SessionContext, sessionContext } from '../codec/index.ts';
import { sentPathIds, tryOpen } from './agreement.ts';
import type { CaptureEntry, CaptureOptions, Endpoint } from './entry.ts';
import { MrtTable } from './mrt-table.ts';

/** MRT types (RFC 6396 section 4). */
const TABLE_DUMP_V2 = 13;
const BGP4MP = 16;
const BGP4MP_ET = 17;

/** A record longer than this is taken for a sign that the file is not MRT. */
const MAX_RECORD = 16 * 1024 * 1024;

/** Speakers whose OPEN is remembered. */
const MAX_PEERS = 4096;

interface MessageSubtype {
  readonly as4: boolean;
  readonly addPath: boolean;
  /** Sent by the collector to its peer. */
  readonly local: boolean;
}

/** BGP4MP subtypes that hold a message (RFC 6396 section 4.4, RFC 8050 section 3). */
const MESSAGES: Readonly<Record<number, MessageSubtype>> = {
  1: { as4: false, addPath: false, local: false },
  4: { as4: true, addPath: false, local: false },
  6: { as4: false, addPath: false, local: true },
  7: { as4: true, addPath: false, local: true },
  8: { as4: false, addPath: true, local: false },
  9: { as4: true, addPath: true, local: false },
  10: { as4: false, addPath: true, local: true },
  11: { as4: true, addPath: true, local: true },
};

const STATE_CHANGE = 0;
const STATE_CHANGE_AS4 = 5;

/**
 * Reads an MRT file (RFC 6396, RFC 8050): BGP messages of BGP4MP and BGP4MP_ET in all their forms, and the unicast routes of TABLE_DUMP_V2 as one UPDATE an entry. Never throws:
 * a record that is broken is a `problem` and the next one is read; one that overruns the file is the last.
 *
 *     timestamp 4 · type 2 · subtype 2 · length 4 · [ microseconds 4, in _ET types ] · body
 */
export function* readMrt(bytes: Uint8Array, options: CaptureOptions = {}): Generator<CaptureEntry, void, undefined> {
  const r = new Reader(bytes);
  const table = new MrtTable(options.defaults ?? {});
  const opens = new PeerOpens();
  while (!r.done) {
    const offset = r.pos;
    if (r.remaining < 12) {
      yield { kind: 'problem', time: 0, offset, message: `${r.remaining} octets left, too few for a record` };
      return;
    }
    let time = r.u32() * 1e6;
    const type = r.u16();
    const subtype = r.u16();
    const length = r.u32();
    if (length > r.remaining || length > MAX_RECORD) {
      yield { kind: 'problem', time, offset, message: `record of ${length} octets, ${r.remaining} left` };
      return;
    }
    const body = r.sub(length);
    try {
      if (type === BGP4MP_ET) time += body.u32('microseconds');
      if (type === BGP4MP || type === BGP4MP_ET) yield readBgp4mp(body, subtype, time, offset, options, opens);
      else if (type === TABLE_DUMP_V2) yield* table.read(body, subtype, time, offset);
      else yield { kind: 'unsupported', time, offset, what: `MRT type ${type} subtype ${subtype}` };
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      yield { kind: 'problem', time, offset: error.offset, message: error.message };
    }
  }
}

/** Peer AS · local AS · interface 2 · AFI 2 · peer address · local address, then a message or two states. */
function readBgp4mp(r: Reader, subtype: number, time: number, offset: number, options: CaptureOptions, opens: PeerOpens): CaptureEntry {
  const form = MESSAGES[subtype];
  const isState = subtype === STATE_CHANGE || subtype === STATE_CHANGE_AS4;
  if (!form && !isState) return { kind: 'unsupported', time, offset, what: `BGP4MP subtype ${subtype}` };
  const as4 = form ? form.as4 : subtype === STATE_CHANGE_AS4;
  const peerAs = asn(as4 ? r.u32('peer AS') : r.u16('peer AS'));
  const localAs = asn(as4 ? r.u32('local AS') : r.u16('local AS'));
  r.skip(2, 'interface index');
  const afi = r.u16('address family');
  if (afi !== 1 && afi !== 2) throw new DecodeError(`address family ${afi}`, r.pos - 2, 'address family');
  const family: Family = afi === 1 ? 4 : 6;
  const peer: Endpoint = { address: decodeIp(r, family, 'peer address'), asn: peerAs };
  const local: Endpoint = { address: decodeIp(r, family, 'local address'), asn: localAs };
  if (!form) return { kind: 'state-change', time, offset, peer, local, from: r.u16('old state'), to: r.u16('new state') };
  const [source, destination] = form.local ? [local, peer] : [peer, local];
  const bytes = r.rest();
  opens.note(source, bytes);
  const context: SessionContext = sessionContext({
    families: FAMILY_NAMES,
    extendedNextHop: true,
    ...options.defaults,
    extendedMessage: true,
    peerKind: peerAs === localAs ? 'ibgp' : 'ebgp',
    peerAs: form.local ? localAs : peerAs,
    localAs: form.local ? peerAs : localAs,
    fourOctetAs: form.as4,
    addPath: form.addPath ? opens.addPath(source) : [],
  });
  return { kind: 'message', time, offset, source, destination, bytes, context, synthetic: false };
}

/**
 * Which families each speaker's OPEN offers to send path identifiers for: a record that says ADDPATH says it of the session, and not of every family. Remembers the
 * last 4,096 speakers.
 */
class PeerOpens {
  readonly #offers = new Map<string, readonly FamilyName[]>();

  note(source: Endpoint, bytes: Uint8Array): void {
    if (bytes[18] !== MessageType.open || bytes.length < HEADER_SIZE) return;
    const open = tryOpen(bytes);
    if (!open) return;
    const key = endpointKey(source);
    this.#offers.delete(key);
    this.#offers.set(key, sentPathIds(open));
    const [oldest] = this.#offers.keys();
    if (this.#offers.size > MAX_PEERS && oldest !== undefined) this.#offers.delete(oldest);
  }

  addPath(source: Endpoint): readonly FamilyName[] {
    return this.#offers.get(endpointKey(source)) ?? FAMILY_NAMES;
  }
}

function endpointKey(e: Endpoint): string {
  return `${printIp(e.address)} ${e.asn}`;
}
