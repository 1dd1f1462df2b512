import { buildPacket } from './build.ts';
import { buildTransport } from './build-transport.ts';
import type { PacketDescription } from './description.ts';

/**
 * A packet in fragments, in order, with so many octets of data in each but the last: a multiple of eight. Extension headers and options are in every fragment. RangeError for
 * another size, and where the description names a fragment already.
 */
export function buildFragments(description: PacketDescription, size: number): readonly Uint8Array[] {
  if (!Number.isInteger(size) || size < 8 || size % 8 !== 0) throw new RangeError(`fragments of ${size} octets`);
  if (description.fragment !== undefined) throw new RangeError('the packet is a fragment already');
  const { protocol, bytes } = buildTransport(description.transport, description.source, description.destination);
  const out: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += size) {
    const payload = bytes.subarray(at, at + size);
    const fragment = { offset: at / 8, more: at + size < bytes.length, id: description.id };
    out.push(buildPacket({ ...description, fragment, transport: { kind: 'raw', protocol, payload } }));
  }
  return out;
}
