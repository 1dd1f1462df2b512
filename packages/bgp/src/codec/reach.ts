import { DecodeError } from '@weir/wire/bytes';
import { ip4, ip6 } from '@weir/wire/inet';
import { wordAt } from './attribute/descriptor.ts';
import { type FamilyDescriptor, familyOf } from './family.ts';
import { type DecodedFlows, decodeFlows } from './flowspec/nlri.ts';
import type { AfiSafi, NextHop, NlriRun, SessionContext } from './types.ts';

/** MP_REACH_NLRI or MP_UNREACH_NLRI that cannot be parsed as far as its NLRI (RFC 7606 section 5.3). */
export class MpError extends DecodeError {
  override readonly code: string = 'BGP_MP';
  readonly rfc: string;

  constructor(message: string, offset: number, rfc: string) {
    super(message, offset, 'MP NLRI');
    this.name = 'MpError';
    this.rfc = rfc;
  }
}

/** A family that the session does not use: its routes are not looked at. */
export interface IgnoredFamily {
  readonly kind: 'ignored';
  readonly family: AfiSafi;
  /** Whether there is no NLRI, as in an End-of-RIB. */
  readonly empty: boolean;
}

/** Routes of a family that the session uses. */
export type DecodedUnreach = { readonly kind: 'prefixes'; readonly run: NlriRun } | (DecodedFlows & { readonly kind: 'flows' });

export type DecodedReach = DecodedUnreach & { readonly nextHop: NextHop | undefined };

/** AFI and SAFI at `at`, or undefined when fewer than three octets are there. */
export function afiSafiAt(bytes: Uint8Array, at: number, end: number): AfiSafi | undefined {
  if (end - at < 3) return undefined;
  return { afi: ((bytes[at] as number) << 8) | (bytes[at + 1] as number), safi: bytes[at + 2] as number };
}

/** The descriptor of a family that this session carries, or undefined. */
export function negotiated(f: AfiSafi, context: SessionContext): FamilyDescriptor | undefined {
  const found = familyOf(f.afi, f.safi);
  return found && context.families.includes(found.name) ? found : undefined;
}

/** Octets of the route distinguisher in front of a next hop of a VPN family. */
const DISTINGUISHER = 8;

/** The next hop of flow specifications: an address where there is one, behind a route distinguisher or not, and undefined for any other length. */
function flowNextHopAt(bytes: Uint8Array, at: number, length: number): NextHop | undefined {
  if (length === 4 || length === 16 || length === 32) return nextHopAt(bytes, at, length);
  if (length === 12 || length === 24) return nextHopAt(bytes, at + DISTINGUISHER, length - DISTINGUISHER);
  return undefined;
}

/** A next hop of 4, 16 or 32 octets at `at`. */
function nextHopAt(bytes: Uint8Array, at: number, length: number): NextHop {
  if (length === 4) return { address: ip4(wordAt(bytes, at)) };
  const address = ip6(wordAt(bytes, at), wordAt(bytes, at + 4), wordAt(bytes, at + 8), wordAt(bytes, at + 12));
  if (length === 16) return { address };
  const linkLocal = ip6(wordAt(bytes, at + 16), wordAt(bytes, at + 20), wordAt(bytes, at + 24), wordAt(bytes, at + 28));
  return { address, linkLocal };
}

/**
 * The value of MP_REACH_NLRI in [start, end): AFI 2 · SAFI 1 · next hop length 1 · next hop · reserved 1 · NLRI (RFC 4760 section 3).
 * Throws MpError, and NlriError for the NLRI.
 */
export function decodeMpReach(bytes: Uint8Array, start: number, end: number, context: SessionContext): DecodedReach | IgnoredFamily {
  const f = afiSafiAt(bytes, start, end);
  if (f === undefined || end - start < 5) throw new MpError(`${end - start} octets, at least 5`, start, 'RFC 7606 section 5.3');
  const found = negotiated(f, context);
  const length = bytes[start + 3] as number;
  const nlri = start + 5 + length;
  if (found === undefined) return { kind: 'ignored', family: f, empty: nlri >= end };
  if (!found.allowsNextHop(length, context) || nlri > end) {
    throw new MpError(`next hop of ${length} octets for ${found.name}`, start + 3, 'RFC 7606 section 7.11');
  }
  const addPath = context.addPath.includes(found.name);
  if (found.kind === 'flow') {
    return { kind: 'flows', nextHop: flowNextHopAt(bytes, start + 4, length), ...decodeFlows(bytes, nlri, end, addPath, found.name) };
  }
  return { kind: 'prefixes', nextHop: nextHopAt(bytes, start + 4, length), run: found.decodeNlri(bytes, nlri, end, addPath, found.name) };
}

/** The value of MP_UNREACH_NLRI in [start, end): AFI 2 · SAFI 1 · withdrawn routes (RFC 4760 section 4). Throws MpError, and NlriError for the routes. */
export function decodeMpUnreach(bytes: Uint8Array, start: number, end: number, context: SessionContext): DecodedUnreach | IgnoredFamily {
  const f = afiSafiAt(bytes, start, end);
  if (f === undefined) throw new MpError(`${end - start} octets, at least 3`, start, 'RFC 7606 section 5.3');
  const found = negotiated(f, context);
  if (found === undefined) return { kind: 'ignored', family: f, empty: end - start === 3 };
  const addPath = context.addPath.includes(found.name);
  if (found.kind === 'flow') return { kind: 'flows', ...decodeFlows(bytes, start + 3, end, addPath, found.name) };
  return { kind: 'prefixes', run: found.decodeNlri(bytes, start + 3, end, addPath, found.name) };
}
