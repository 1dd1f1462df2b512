import { DecodeError, type Reader, Writer } from '@weir/wire/bytes';
import { asn, decodeIp, type Ip, ip4 } from '@weir/wire/inet';
import { AttributeFlag, type SessionContext, sessionContext, type UnicastFamily } from '../codec/index.ts';
import type { CaptureEntry, Endpoint } from './entry.ts';

const PEER_INDEX_TABLE = 1;
const MP_REACH_NLRI = 14;
/** UPDATEs made here may be longer than the longest plain message. */
const MAX_UPDATE = 65535;

interface RouteSubtype {
  readonly family: UnicastFamily;
  readonly addPath: boolean;
}

/** Subtypes of TABLE_DUMP_V2 that hold unicast routes (RFC 6396 section 4.3.2, RFC 8050 section 4.1). */
const ROUTES: Readonly<Record<number, RouteSubtype>> = {
  2: { family: 'ipv4 unicast', addPath: false },
  4: { family: 'ipv6 unicast', addPath: false },
  8: { family: 'ipv4 unicast', addPath: true },
  10: { family: 'ipv6 unicast', addPath: true },
};

/** Reads TABLE_DUMP_V2 records, which refer to the table of peers that came before them. Holds at most 65,535 peers. */
export class MrtTable {
  readonly #defaults: Partial<SessionContext>;
  #peers: readonly Endpoint[] = [];
  #collector: Ip = ip4(0);

  constructor(defaults: Partial<SessionContext>) {
    this.#defaults = defaults;
  }

  /** The entries of one record. Throws DecodeError where it is cut short. */
  *read(r: Reader, subtype: number, time: number, offset: number): Generator<CaptureEntry, void, undefined> {
    const form = ROUTES[subtype];
    if (subtype === PEER_INDEX_TABLE) this.#readPeers(r);
    else if (form) yield* this.#readRoutes(r, form, offset);
    else yield { kind: 'unsupported', time, offset, what: `TABLE_DUMP_V2 subtype ${subtype}` };
  }

  /** Collector 4 · view name · count 2 · { type 1 · BGP identifier 4 · address 4 or 16 · AS 2 or 4 }. */
  #readPeers(r: Reader): void {
    this.#collector = decodeIp(r, 4, 'collector');
    r.skip(r.u16('view name length'), 'view name');
    const count = r.u16('peer count');
    const peers: Endpoint[] = [];
    for (let i = 0; i < count; i++) {
      const type = r.u8('peer type');
      r.skip(4, 'peer BGP identifier');
      const address = decodeIp(r, (type & 1) !== 0 ? 6 : 4, 'peer address');
      peers.push({ address, asn: asn((type & 2) !== 0 ? r.u32('peer AS') : r.u16('peer AS')) });
    }
    this.#peers = peers;
  }

  /** Sequence 4 · prefix · count 2 · { peer 2 · originated 4 · [ path identifier 4 ] · length 2 · attributes }. */
  *#readRoutes(r: Reader, form: RouteSubtype, offset: number): Generator<CaptureEntry, void, undefined> {
    r.skip(4, 'sequence number');
    const bits = r.u8('prefix length');
    if (bits > (form.family === 'ipv4 unicast' ? 32 : 128)) throw new DecodeError(`prefix length ${bits}`, r.pos - 1, 'prefix length');
    const prefix = r.take((bits + 7) >> 3, 'prefix');
    const count = r.u16('entry count');
    for (let i = 0; i < count; i++) {
      const peerAt = r.pos;
      const peer = this.#peers[r.u16('peer index')];
      if (!peer) throw new DecodeError('peer that is not in the table of peers', peerAt, 'peer index');
      const time = r.u32('originated time') * 1e6;
      const nlri = new Writer(24);
      if (form.addPath) nlri.u32(r.u32('path identifier'));
      nlri.u8(bits).bytes(prefix);
      const update = updateOf(r.sub(r.u16('attribute length'), 'attributes'), form.family, nlri.finish());
      if (!update) {
        yield { kind: 'problem', time, offset: peerAt, message: 'attributes too long for an UPDATE' };
        continue;
      }
      const context = sessionContext({
        extendedNextHop: true,
        ...this.#defaults,
        ...(peer.asn === undefined ? {} : { peerAs: peer.asn }),
        fourOctetAs: true,
        extendedMessage: true,
        addPath: form.addPath ? [form.family] : [],
      });
      yield {
        kind: 'message',
        time,
        offset,
        source: peer,
        destination: { address: this.#collector },
        bytes: update,
        context,
        synthetic: true,
      };
    }
  }
}

/** An UPDATE that announces one route with these attributes; undefined when it would be too long. */
function updateOf(attributes: Reader, family: UnicastFamily, nlri: Uint8Array): Uint8Array | undefined {
  const w = new Writer(256);
  for (let i = 0; i < 4; i++) w.u32(0xffffffff);
  w.u16(0).u8(2).u16(0).u16(0);
  let reach = false;
  while (!attributes.done) {
    const at = attributes.pos;
    const flags = attributes.u8('attribute flags');
    const type = attributes.u8('attribute type');
    const length = (flags & AttributeFlag.extendedLength) !== 0 ? attributes.u16('attribute length') : attributes.u8('attribute length');
    const value = attributes.take(length, 'attribute');
    if (type !== MP_REACH_NLRI) w.bytes(attributes.bytes.subarray(at, attributes.pos));
    else if (!reach) {
      reach = true;
      writeReach(w, family, nextHopOf(value), nlri);
    }
  }
  const classic = !reach && family === 'ipv4 unicast';
  // An IPv6 route without a next hop of its own: the unspecified address says so.
  if (!reach && !classic) writeReach(w, family, new Uint8Array(16), nlri);
  const size = w.length - 23;
  if (classic) w.bytes(nlri);
  if (w.length > MAX_UPDATE) return undefined;
  w.setU16(21, size);
  w.setU16(16, w.length);
  return w.finish();
}

/** The next hop of an MP_REACH_NLRI as table dumps have it, length and address alone (RFC 6396 section 4.3.4), or of a whole one, which some write. */
function nextHopOf(value: Uint8Array): Uint8Array {
  if (value[0] === value.length - 1) return value.subarray(1);
  return value.subarray(4, 4 + (value[3] ?? 0));
}

function writeReach(w: Writer, family: UnicastFamily, hop: Uint8Array, nlri: Uint8Array): void {
  w.u8(AttributeFlag.optional | AttributeFlag.extendedLength)
    .u8(MP_REACH_NLRI)
    .u16(5 + hop.length + nlri.length)
    .u16(family === 'ipv4 unicast' ? 1 : 2)
    .u8(1)
    .u8(hop.length)
    .bytes(hop)
    .u8(0)
    .bytes(nlri);
}
