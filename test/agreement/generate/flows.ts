import { Writer } from '@weir/wire/bytes';
import { fixIpv4Checksum } from './checksum.ts';

/** A connection that is tracked before packets are sent: they find `established` and `related` by it. */
export interface Flow {
  readonly family: 4 | 6;
  readonly protocol: 6 | 17;
  readonly source: bigint;
  readonly destination: bigint;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The beginning of a packet of it, as an ICMP error quotes it. */
  readonly quoted: Uint8Array;
}

export const FLOWS: readonly Flow[] = [
  flow(4, 17, 0xc0000221n, 0xcb007105n, 4000, 53),
  flow(4, 6, 0xc0000222n, 0xcb007105n, 4001, 443),
  flow(6, 17, 0x20010db8000000000000000000000021n, 0x20010db8000100000000000000000001n, 4002, 53),
  flow(6, 6, 0x20010db8000000000000000000000022n, 0x20010db8000100000000000000000001n, 4003, 443),
];

function flow(family: 4 | 6, protocol: 6 | 17, source: bigint, destination: bigint, sourcePort: number, destinationPort: number): Flow {
  const w = new Writer(80);
  if (family === 4) w.u16(0x4500).u16(48).u32(0).u8(64).u8(protocol).u16(0).u32(Number(source)).u32(Number(destination));
  else {
    w.u32(6 << 28)
      .u16(28)
      .u8(protocol)
      .u8(64);
    for (const address of [source, destination])
      for (let shift = 96n; shift >= 0n; shift -= 32n) w.u32(Number((address >> shift) & 0xffffffffn));
  }
  w.u16(sourcePort).u16(destinationPort).u32(0x001c0000).zeros(20);
  const quoted = w.finish();
  if (family === 4) fixIpv4Checksum(quoted, 0);
  return { family, protocol, source, destination, sourcePort, destinationPort, quoted };
}
