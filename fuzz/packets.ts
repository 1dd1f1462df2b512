// Packets and captures of them, changed: no octets make a field throw, none lies outside its range, and the frames of a file are inside the file.
import { buildFragments, buildPacket, describePacket, inputRefusal, Packet, type PacketDescription } from '@weir/filter/packet';
import { PACKET_SCHEME, SLICE_PROTOCOLS } from '@weir/filter/scheme';
import { DecodeError } from '@weir/wire/bytes';
import { encodePcap, LINKTYPE_ETHERNET, LINKTYPE_RAW, readFrames } from '@weir/wire/capture';
import { ip4, ip6 } from '@weir/wire/inet';
import type { FuzzTarget } from './fuzz.ts';

const v4 = { source: ip4(0xc0000201), destination: ip4(0xc6336407) };
const v6 = { source: ip6(0x20010db8, 0, 0, 1), destination: ip6(0x20010db8, 0, 0, 2) };
const ports = { sourcePort: 51_000, destinationPort: 53 };
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const query = Uint8Array.of(0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 0, 0, 1, 0, 1);

const descriptions: readonly PacketDescription[] = [
  { ...v4, transport: { kind: 'tcp', ...ports, flags: 2, options: new Uint8Array(8), payload: text('GET /') } },
  { ...v4, options: Uint8Array.of(0x94, 4, 0, 0), transport: { kind: 'udp', ...ports, payload: query } },
  { ...v4, transport: { kind: 'udp', ...ports, payload: text('INVITE sip:a@example.net SIP/2.0\r\n') } },
  { ...v4, transport: { kind: 'udp', ...ports, payload: new Uint8Array(48).fill(0x23) } },
  { ...v4, transport: { kind: 'icmp', type: 8, code: 0 } },
  { ...v6, transport: { kind: 'icmp', type: 128, code: 0 } },
  { ...v6, transport: { kind: 'sctp', ...ports } },
  {
    ...v6,
    extensions: [{ kind: 'hop-by-hop' }, { kind: 'routing', type: 4, segmentsLeft: 1 }, { kind: 'destination-options' }],
    transport: { kind: 'tcp', ...ports },
  },
  { ...v6, extensions: [{ kind: 'ah', spi: 1, sequence: 1 }], transport: { kind: 'esp', spi: 1, sequence: 1 } },
];

const packets = descriptions.flatMap((one) => [buildPacket(one), ...buildFragments(one, 16)]);
const frames = descriptions.map((one) => buildPacket({ ...one, ethernet: { tags: [{ id: 7 }] } }));

function check(packet: Packet): void {
  for (const [name, { range }] of PACKET_SCHEME.fields) {
    const value = packet.field(name);
    if (range && typeof value === 'number' && !(value >= range.min && value <= range.max)) throw new Error(`${name} is ${value}`);
  }
  for (const word of SLICE_PROTOCOLS)
    for (const start of [0, 3, 300, 2040]) {
      const value = packet.slice(word, start, start + 32);
      if (value !== undefined && !(value >= 0 && value < 2 ** 32)) throw new Error(`bit_slice(${word}, ${start}) is ${value}`);
    }
  if (!/^[ -~]+$/.test(describePacket(packet))) throw new Error(`not printable: ${describePacket(packet)}`);
  inputRefusal(packet);
}

export const target: FuzzTarget = {
  name: 'packets',
  corpus: () => [
    ...packets,
    ...frames,
    encodePcap(
      LINKTYPE_ETHERNET,
      frames.map((bytes) => ({ bytes })),
    ),
    encodePcap(
      LINKTYPE_RAW,
      packets.map((bytes) => ({ bytes, wireLength: 100 })),
    ),
  ],
  run(input) {
    check(Packet.fromNetwork(input));
    check(Packet.fromEthernet(input));
    try {
      for (const frame of readFrames(input)) {
        if (frame.kind === 'problem') continue;
        const { bytes, linkType, wireLength, offset } = frame;
        if (offset < 0 || offset + bytes.length > input.length || wireLength < bytes.length)
          throw new Error(`a frame outside the file at ${offset}`);
        const packet = Packet.fromCapture(bytes, linkType, { wireLength });
        if (packet) check(packet);
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
    }
  },
};
