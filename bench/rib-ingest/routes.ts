import { encodeUpdate, type PathAttributes, sessionContext } from '@weir/bgp/codec';
import { asn, ip4 } from '@weir/wire/inet';

/** The workload: host routes in 10.0.0.0/8, five to an UPDATE, each UPDATE with attributes of its own; the community of the set (64512:80) is in all. */
export const PER_UPDATE = 5;
export const FEEDER = { address: '192.0.2.2', as: 64513 } as const;
export const RECEIVER = { address: '192.0.2.1', as: 64512 } as const;

function attributesOf(i: number): PathAttributes {
  const path = [FEEDER.as, 64520 + (i % 97), 65000 + (i % 401), 4_200_000_000 + i];
  return {
    origin: 'igp',
    asPath: [{ kind: 'sequence', asns: path.map(asn) }],
    communities: [((64512 << 16) | 80) >>> 0, ((64512 << 16) | (1000 + (i % 60_000))) >>> 0],
  };
}

/** `count` routes as UPDATEs, whole messages. */
export function encodeRoutes(count: number): Uint8Array[] {
  const context = sessionContext();
  const nextHop = { address: ip4(0xc0000202) };
  const messages: Uint8Array[] = [];
  for (let i = 0; i * PER_UPDATE < count; i++) {
    const size = Math.min(PER_UPDATE, count - i * PER_UPDATE);
    const words = new Uint32Array(size);
    for (let k = 0; k < size; k++) words[k] = 0x0a000000 + (i * PER_UPDATE + k) * 8 + 1;
    const run = { family: 'ipv4 unicast', count: size, words, lengths: new Uint8Array(size).fill(32), pathIds: undefined } as const;
    messages.push(...encodeUpdate({ attributes: attributesOf(i), announce: [{ nextHop, run }] }, context));
  }
  return messages;
}
