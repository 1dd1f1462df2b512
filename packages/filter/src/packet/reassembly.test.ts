import { printHex } from '@weir/wire/bytes';
import { ip4, ip6 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildFragments, buildPacket, Packet, type PacketDescription, Reassembly } from './index.ts';

const payload = Uint8Array.from({ length: 100 }, (_, i) => i);
const transport = { kind: 'udp', sourcePort: 7, destinationPort: 9, payload } as const;
const v4 = (id: number): PacketDescription => ({ source: ip4(0xc0000201), destination: ip4(0xc6336407), id, transport });
const v6 = (id: number): PacketDescription => ({ source: ip6(0x20010db8, 0, 0, 1), destination: ip6(0x20010db8, 0, 0, 2), id, transport });

/** What each packet becomes: hex of what goes on, or the kind. */
function story(packets: readonly Uint8Array[], reassembly = new Reassembly(), time = 0): readonly string[] {
  return packets.map((bytes) => {
    const result = reassembly.push(Packet.fromNetwork(bytes), time);
    return result.kind === 'goes-on' ? printHex(result.packet.bytes) : result.kind;
  });
}

describe.each([
  { name: 'IPv4', of: v4 },
  { name: 'IPv6', of: v6 },
])('fragments of $name', ({ of }) => {
  it('in any order are the packet that was cut', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 16 }), fc.infiniteStream(fc.nat()), (eights, keys) => {
        const parts = buildFragments(of(1), eights * 8).map((bytes) => ({ bytes, key: keys.next().value }));
        parts.sort((x, y) => x.key - y.key);
        const reassembly = new Reassembly();
        const kinds = story(
          parts.map(({ bytes }) => bytes),
          reassembly,
        );
        expect(kinds.slice(0, -1).every((kind) => kind === 'held')).toBe(true);
        expect(kinds.at(-1)).toBe(printHex(buildPacket(of(1))));
        expect(reassembly.size).toBe(0);
      }),
    );
  });

  it('are told apart by their identification', () => {
    const [a, b] = [buildFragments(of(1), 64), buildFragments(of(2), 64)];
    expect(story([a[0]!, b[0]!, a[1]!, b[1]!])).toEqual(['held', 'held', printHex(buildPacket(of(1))), printHex(buildPacket(of(2)))]);
  });

  it('that never become whole are given up: the oldest first, and after their time', () => {
    const reassembly = new Reassembly({ packets: 3 });
    const parts = Array.from({ length: 5 }, (_, id) => buildFragments(of(id), 64));
    story(
      parts.map(([first]) => first!),
      reassembly,
    );
    expect(reassembly.size).toBe(3);
    expect(story([parts[1]![1]!, parts[4]![1]!], reassembly)).toEqual(['held', printHex(buildPacket(of(4)))]);
    story([buildPacket(of(9))], reassembly, 61e6);
    expect(reassembly.size).toBe(0);
  });

  it('hold no more octets than they may', () => {
    const reassembly = new Reassembly({ octets: 1000 });
    story(
      Array.from({ length: 100 }, (_, id) => buildFragments(of(id), 64)[0]!),
      reassembly,
    );
    expect(reassembly.size).toBe(15);
  });

  it('that overlap discard the packet', () => {
    const [first, second] = buildFragments(of(1), 64);
    const over = buildFragments(of(1), 48)[1]!;
    expect(story([first!, over, second!])).toEqual(['held', 'dropped', 'held']);
  });
});

it('what is no fragment goes on as it is', () => {
  const packet = Packet.fromEthernet(buildPacket({ ...v4(1), ethernet: {} }));
  expect(new Reassembly().push(packet)).toEqual({ kind: 'goes-on', packet });
});

it('a fragment that a capture cut short goes on as it is', () => {
  const [first] = buildFragments(v4(1), 64);
  const packet = Packet.fromNetwork(first!.subarray(0, 40), { wireLength: first!.length });
  expect(new Reassembly().push(packet)).toEqual({ kind: 'goes-on', packet });
});

it('the context is that of the last fragment, but for what was cut from it', () => {
  const reassembly = new Reassembly();
  const [first, second] = buildFragments(v4(1), 64);
  reassembly.push(Packet.fromNetwork(first!, { iif: 'eth0' }));
  const result = reassembly.push(Packet.fromNetwork(second!, { iif: 'eth1', wireLength: second!.length }));
  expect(result.kind === 'goes-on' && result.packet.context).toEqual({ iif: 'eth1' });
});

it('no octets make it throw', () => {
  const head = fc.constantFrom('45', '60');
  fc.assert(
    fc.property(fc.array(fc.tuple(head, fc.uint8Array({ maxLength: 90 })), { maxLength: 20 }), (list) => {
      const reassembly = new Reassembly({ packets: 4 });
      for (const [first, rest] of list) {
        const bytes = Uint8Array.of(Number.parseInt(first, 16), ...rest);
        const view = new DataView(bytes.buffer);
        // Fragments with lengths that fit.
        if (bytes.length >= 20 && first === '45') view.setUint16(2, bytes.length);
        if (bytes.length >= 40 && first === '60') {
          view.setUint16(4, bytes.length - 40);
          bytes[6] = 44;
        }
        reassembly.push(Packet.fromNetwork(bytes));
        expect(reassembly.size).toBeLessThanOrEqual(4);
      }
    }),
  );
});
