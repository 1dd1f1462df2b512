import { Writer } from '@weir/wire/bytes';
import {
  encodeEndOfRib,
  encodeKeepalive,
  encodeMessage,
  encodeRouteRefresh,
  type FamilyName,
  family,
  type KeepaliveMessage,
  type OpenMessage,
  sessionContext,
} from '../codec/index.ts';

function bytesOf(write: (w: Writer) => void): Uint8Array {
  const w = new Writer(128);
  write(w);
  return w.finish();
}

/** For messages that no agreement bears upon. */
const ANY = sessionContext();
const KEEPALIVE = bytesOf(encodeKeepalive);

export function openBytes(message: OpenMessage | KeepaliveMessage): Uint8Array {
  return message.kind === 'keepalive' ? KEEPALIVE : bytesOf((w) => encodeMessage(w, message, ANY));
}

export function endOfRibBytes(name: FamilyName): Uint8Array {
  return bytesOf((w) => encodeEndOfRib(w, name));
}

/** A ROUTE-REFRESH: subtype 0 asks, 1 and 2 mark beginning and end (RFC 7313 section 3). */
export function refreshBytes(name: FamilyName, subtype: 0 | 1 | 2): Uint8Array {
  const { afi, safi } = family(name);
  return bytesOf((w) => encodeRouteRefresh(w, { family: { afi, safi }, subtype }));
}
