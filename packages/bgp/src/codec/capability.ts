import { type Reader, Writer } from '@weir/wire/bytes';
import { type Asn, asn } from '@weir/wire/inet';
import type { Capability } from './types.ts';

/** Capability codes (IANA), by the kind that Weir gives them. */
export const CapabilityCode = {
  multiprotocol: 1,
  'route-refresh': 2,
  'extended-next-hop': 5,
  'extended-message': 6,
  role: 9,
  'graceful-restart': 64,
  'four-octet-as': 65,
  'add-path': 69,
  'enhanced-route-refresh': 70,
  'long-lived-graceful-restart': 71,
  fqdn: 73,
} as const;

/** Role values (RFC 9234 section 4.1). */
export const ROLES: readonly string[] = ['provider', 'rs', 'rs-client', 'customer', 'peer'];

type Decode = (r: Reader) => Capability | undefined;

/** Reads the value of one capability from a reader that covers it alone; undefined when its length or layout is not the specified one. */
const DECODERS: Readonly<Record<number, Decode>> = {
  [CapabilityCode.multiprotocol]: (r) => {
    if (r.remaining !== 4) return undefined;
    const afi = r.u16();
    r.skip(1);
    return { kind: 'multiprotocol', family: { afi, safi: r.u8() } };
  },
  [CapabilityCode['route-refresh']]: (r) => (r.done ? { kind: 'route-refresh' } : undefined),
  [CapabilityCode['enhanced-route-refresh']]: (r) => (r.done ? { kind: 'enhanced-route-refresh' } : undefined),
  [CapabilityCode['extended-message']]: (r) => (r.done ? { kind: 'extended-message' } : undefined),
  [CapabilityCode['four-octet-as']]: (r) => (r.remaining === 4 ? { kind: 'four-octet-as', asn: asn(r.u32()) } : undefined),
  [CapabilityCode['graceful-restart']]: (r) => {
    if (r.remaining % 4 !== 2) return undefined;
    const head = r.u16();
    const families = rows(r, () => ({ afi: r.u16(), safi: r.u8(), forwardingPreserved: (r.u8() & 0x80) !== 0 }));
    return {
      kind: 'graceful-restart',
      restarting: (head & 0x8000) !== 0,
      notification: (head & 0x4000) !== 0,
      restartTime: head & 0xfff,
      families,
    };
  },
  [CapabilityCode['long-lived-graceful-restart']]: (r) => {
    if (r.remaining % 7 !== 0) return undefined;
    const families = rows(r, () => {
      const [afi, safi, flags] = [r.u16(), r.u8(), r.u8()];
      return { afi, safi, forwardingPreserved: (flags & 0x80) !== 0, staleTime: r.u8() * 65536 + r.u16() };
    });
    return { kind: 'long-lived-graceful-restart', families };
  },
  [CapabilityCode['add-path']]: (r) => {
    if (r.remaining % 4 !== 0 || r.done) return undefined;
    const families = rows(r, () => {
      const [afi, safi, mode] = [r.u16(), r.u8(), r.u8()];
      // RFC 7911 section 4: any other value means that the tuple is to be ignored.
      const known = mode >= 1 && mode <= 3;
      return { afi, safi, receive: known && (mode & 1) !== 0, send: known && (mode & 2) !== 0 };
    });
    return { kind: 'add-path', families };
  },
  [CapabilityCode['extended-next-hop']]: (r) => {
    if (r.remaining % 6 !== 0) return undefined;
    return { kind: 'extended-next-hop', entries: rows(r, () => ({ afi: r.u16(), safi: r.u16(), nextHopAfi: r.u16() })) };
  },
  [CapabilityCode.role]: (r) => (r.remaining === 1 ? { kind: 'role', role: r.u8() } : undefined),
  [CapabilityCode.fqdn]: (r) => {
    const text = (): string | undefined => {
      if (r.done) return undefined;
      const length = r.u8();
      return length > r.remaining ? undefined : decodeText(r.take(length));
    };
    const hostname = text();
    const domain = text();
    return hostname === undefined || domain === undefined || !r.done ? undefined : { kind: 'fqdn', hostname, domain };
  },
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function rows<T>(r: Reader, row: () => T): readonly T[] {
  const out: T[] = [];
  while (!r.done) out.push(row());
  return out;
}

/** Capabilities whose meaning decides how the rest of the session is read: an ill-formed one cannot be passed over. */
export function isEssential(code: number): boolean {
  return code === CapabilityCode.multiprotocol || code === CapabilityCode['four-octet-as'];
}

/**
 * One capability's value. One that Weir does not know, or whose value is not laid out as its specification says, is kept as `unknown`:
 * RFC 5492 section 3 asks that what is not understood be ignored.
 */
export function decodeCapability(code: number, value: Reader): Capability {
  const start = value.pos;
  const known = DECODERS[code]?.(value);
  if (known) return known;
  return { kind: 'unknown', code, value: value.bytes.slice(start, value.end) };
}

function encodeValue(w: Writer, c: Capability): void {
  switch (c.kind) {
    case 'multiprotocol':
      w.u16(c.family.afi).u8(0).u8(c.family.safi);
      return;
    case 'route-refresh':
    case 'enhanced-route-refresh':
    case 'extended-message':
      return;
    case 'four-octet-as':
      w.u32(c.asn);
      return;
    case 'graceful-restart':
      w.u16((c.restarting ? 0x8000 : 0) | (c.notification ? 0x4000 : 0) | (c.restartTime & 0xfff));
      for (const f of c.families)
        w.u16(f.afi)
          .u8(f.safi)
          .u8(f.forwardingPreserved ? 0x80 : 0);
      return;
    case 'long-lived-graceful-restart':
      for (const f of c.families) {
        w.u16(f.afi)
          .u8(f.safi)
          .u8(f.forwardingPreserved ? 0x80 : 0);
        w.u8(f.staleTime >>> 16).u16(f.staleTime);
      }
      return;
    case 'add-path':
      for (const f of c.families)
        w.u16(f.afi)
          .u8(f.safi)
          .u8((f.receive ? 1 : 0) | (f.send ? 2 : 0));
      return;
    case 'extended-next-hop':
      for (const e of c.entries) w.u16(e.afi).u16(e.safi).u16(e.nextHopAfi);
      return;
    case 'role':
      w.u8(c.role);
      return;
    case 'fqdn':
      for (const text of [c.hostname, c.domain]) {
        const bytes = new TextEncoder().encode(text);
        if (bytes.length > 255) throw new RangeError(`FQDN capability: a name of ${bytes.length} octets, at most 255`);
        w.u8(bytes.length).bytes(bytes);
      }
      return;
    case 'unknown':
      w.bytes(c.value);
      return;
  }
}

/** Code, length and value. RangeError when the value is longer than a length octet can say. */
export function encodeCapability(w: Writer, c: Capability): void {
  const value = new Writer(32);
  encodeValue(value, c);
  if (value.length > 255) throw new RangeError(`capability ${c.kind} is ${value.length} octets long, at most 255`);
  w.u8(c.kind === 'unknown' ? c.code : CapabilityCode[c.kind])
    .u8(value.length)
    .bytes(value.view());
}

/** The AS number a speaker really has: that of its four-octet-as capability, else `myAs` (RFC 6793 section 4.1). */
export function trueAs(myAs: number, capabilities: readonly Capability[]): Asn {
  for (const c of capabilities) if (c.kind === 'four-octet-as') return c.asn;
  return asn(myAs);
}
