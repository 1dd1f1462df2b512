import { buildEthernet, buildFragments, buildPacket, type PacketDescription, TCP_FLAGS, type Transport } from '@weir/filter/packet';
import { encodePcap, type FrameToWrite, LINKTYPE_ETHERNET } from '@weir/wire/capture';
import { type Ip, parseIp } from '@weir/wire/inet';
import type { Random } from '../e2e/random.ts';

const HOSTS: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['198.51.100.7', '198.51.100.99', '192.0.2.10', '203.0.113.5', '203.0.113.80', '10.1.2.3'],
  6: ['2001:db8::1', '2001:db8:1::9', '2001:db8:bad::1', '2001:db8:80::80', 'fd00::7'],
};
const GROUPS: Readonly<Record<4 | 6, readonly string[]>> = {
  4: ['224.0.0.251', '239.255.255.250', '255.255.255.255'],
  6: ['ff02::fb', 'ff05::2', 'ff02::1'],
};
const PORTS: readonly number[] = [19, 22, 25, 53, 80, 123, 389, 443, 465, 587, 993, 1900, 3306, 4190, 5432, 8080, 11211];
const START = 1_767_225_600_000_000;

/** A capture of about `count` packets of every kind: connections in both directions, single packets, fragments, VLANs, broken and cut packets, what is not IP. */
export function mixedCapture(random: Random, count: number): Uint8Array {
  const frames: FrameToWrite[] = [];
  const add = (bytes: Uint8Array, wireLength?: number): void => {
    frames.push({ time: START + frames.length * 1000, bytes, ...(wireLength === undefined ? {} : { wireLength }) });
  };
  while (frames.length < count) {
    const family = random.below(2) === 0 ? 4 : 6;
    const ip = (packet: Uint8Array): Uint8Array => ethernet(random, family, packet);
    const one = single(random, family);
    switch (random.below(12)) {
      case 0:
        for (const description of conversation(random, family)) add(ip(buildPacket(description)));
        break;
      case 1:
        for (const fragment of fragments(random, family)) add(ip(fragment));
        break;
      case 2:
        add(ip(buildPacket({ ...one, cut: 20 + random.below(40) })));
        break;
      case 3:
        add(ip(buildPacket({ ...one, captured: random.below(50) })));
        break;
      case 4:
        add(ip(buildPacket({ ...one, wrong: wrong(random) })));
        break;
      case 5: {
        const whole = ip(
          buildPacket({ ...one, transport: { kind: 'udp', sourcePort: 53, destinationPort: 999, payload: new Uint8Array(600) } }),
        );
        add(whole.slice(0, 96), whole.length);
        break;
      }
      case 6:
        add(buildEthernet({}, random.below(2) === 0 ? 0x0806 : 0x88cc, new Uint8Array(28)));
        break;
      case 7:
        add(
          ip(
            buildPacket({
              ...one,
              destination: address(random, GROUPS[family]),
              transport: { kind: 'udp', sourcePort: 5353, destinationPort: 1900 },
            }),
          ),
        );
        break;
      case 8:
        add(
          ip(
            buildPacket({
              ...one,
              ttl: random.below(3),
              source: address(random, [family === 4 ? '0.0.0.0' : 'fe80::1', ...HOSTS[family]]),
            }),
          ),
        );
        break;
      default:
        add(ip(buildPacket(one)));
    }
  }
  return encodePcap(LINKTYPE_ETHERNET, frames);
}

function ethernet(random: Random, family: 4 | 6, packet: Uint8Array): Uint8Array {
  const tags = random.below(5) === 0 ? [{ id: 1 + random.below(4000) }] : [];
  const frame = buildEthernet({ tags }, family === 4 ? 0x0800 : 0x86dd, packet);
  if (frame.length >= 60 || random.below(2) === 0) return frame;
  const padded = new Uint8Array(60);
  padded.set(frame);
  return padded;
}

function address(random: Random, from: readonly string[]): Ip {
  const ip = parseIp(random.pick(from));
  if (!ip) throw new Error('an address of the lists is none');
  return ip;
}

function single(random: Random, family: 4 | 6): PacketDescription {
  return {
    source: address(random, HOSTS[family]),
    destination: address(random, HOSTS[family]),
    transport: transport(random),
    ...(family === 4 && random.below(8) === 0 ? { options: new Uint8Array([148, 4, 0, 0]) } : {}),
    ...(family === 6 && random.below(6) === 0 ? { extensions: [{ kind: 'destination-options' as const }] } : {}),
  };
}

function transport(random: Random): Transport {
  const ports = { sourcePort: random.pick([...PORTS, 40_000 + random.below(5)]), destinationPort: random.pick(PORTS) };
  const payload = new Uint8Array(random.below(40)).fill(random.pick([0, 0x17, 0x97, 0x48]));
  switch (random.below(8)) {
    case 0:
      return { kind: 'icmp', type: random.pick([0, 3, 8, 11, 128, 129, 133, 135, 136]), code: random.below(5), payload };
    case 1:
      return { kind: 'sctp', ...ports };
    case 2:
      return { kind: 'gre', protocol: 0x0800, payload };
    case 3:
      return { kind: 'esp', spi: 7, sequence: 1, payload };
    case 4:
    case 5:
      return { kind: 'udp', ...ports, payload };
    default:
      // Also with a checksum that the network card would have written.
      return { kind: 'tcp', ...ports, flags: random.below(256), payload, ...(random.below(3) === 0 ? { checksum: 0x1234 } : {}) };
  }
}

function conversation(random: Random, family: 4 | 6): readonly PacketDescription[] {
  const client = address(random, HOSTS[family]);
  const server = address(random, HOSTS[family]);
  const [here, there] = [50_000 + random.below(1000), random.pick(PORTS)];
  const { syn, ack, psh } = TCP_FLAGS;
  const turn = (back: boolean, flags: number, sequence: number, acknowledgement: number): PacketDescription => ({
    source: back ? server : client,
    destination: back ? client : server,
    transport: {
      kind: 'tcp',
      sourcePort: back ? there : here,
      destinationPort: back ? here : there,
      flags,
      sequence,
      acknowledgement,
      payload: new Uint8Array(flags & psh ? 10 : 0),
    },
  });
  return [
    turn(false, syn, 1000, 0),
    turn(true, syn | ack, 9000, 1001),
    turn(false, ack, 1001, 9001),
    turn(false, ack | psh, 1001, 9001),
    turn(true, ack, 9001, 1011),
  ];
}

/** Sometimes in another order, sometimes not all. */
function fragments(random: Random, family: 4 | 6): readonly Uint8Array[] {
  const description: PacketDescription = {
    ...single(random, family),
    id: 1 + random.below(60_000),
    transport: { kind: 'udp', sourcePort: 53, destinationPort: random.pick(PORTS), payload: new Uint8Array(100 + random.below(200)) },
  };
  const all = [...buildFragments(description, 8 * (5 + random.below(10)))];
  if (random.below(3) === 0) all.reverse();
  if (random.below(5) === 0) all.pop();
  return all;
}

function wrong(random: Random): NonNullable<PacketDescription['wrong']> {
  return random.pick([{ version: 5 }, { headerLength: 3 }, { length: 4000 }, { checksum: 0x1234 }, { length: 7 }]);
}
