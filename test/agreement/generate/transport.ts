import { Writer } from '@weir/wire/bytes';
import type { Random } from '../../e2e/random.ts';
import type { Hints } from './hints.ts';

/** A transport header with what follows it. `checksumAt` is where its checksum over the pseudo header goes, if it has one. */
export interface Segment {
  readonly protocol: number;
  readonly bytes: Uint8Array;
  readonly checksumAt: number | undefined;
}

export const TCP = 6;
const UDP = 17;
export const ICMP = 1;
export const ICMPV6 = 58;
const SCTP = 132;
const GRE = 47;
const ESP = 50;

const PORTS = [0, 22, 53, 80, 443, 1024, 5060, 65535] as const;

export interface Ports {
  readonly source: number;
  readonly destination: number;
}

export function tcp(random: Random, hints: Hints, ports?: Ports): Segment {
  const w = new Writer(64);
  const options = random.below(4) === 0 ? 4 * random.below(11) : 0;
  const offset = random.below(20) === 0 ? random.below(16) : 5 + options / 4;
  w.u16(ports?.source ?? hints.int(random, 'tcp.srcport', 16, PORTS));
  w.u16(ports?.destination ?? hints.int(random, 'tcp.dstport', 16, PORTS));
  w.u32(random.below(2 ** 32 - 1)).u32(random.below(2 ** 32 - 1));
  w.u8((offset << 4) | (random.below(10) === 0 ? random.below(16) : 0));
  w.u8(hints.int(random, 'tcp.flags', 8, [2, 2, 0x12, 0x10, 0x18, 4, 1, 0, 0xff]));
  w.u16(hints.int(random, 'tcp.window', 16, [0, 1024, 65535])).u16(0);
  w.u16(random.below(5) === 0 ? random.below(65536) : 0);
  for (let i = 0; i < options; i++) w.u8(random.below(20) === 0 ? random.below(256) : 1);
  w.bytes(hints.payload(random));
  return { protocol: TCP, bytes: w.finish(), checksumAt: 16 };
}

export function udp(random: Random, hints: Hints, ports?: Ports): Segment {
  const payload = hints.payload(random);
  const w = new Writer(64);
  w.u16(ports?.source ?? hints.int(random, 'udp.srcport', 16, PORTS));
  w.u16(ports?.destination ?? hints.int(random, 'udp.dstport', 16, PORTS));
  const right = payload.length + 8;
  w.u16(random.below(6) === 0 ? hints.int(random, 'udp.length', 16, [0, 7, 8, 9, right + 1]) : right);
  w.u16(0).bytes(payload);
  return { protocol: UDP, bytes: w.finish(), checksumAt: 6 };
}

export function icmp(random: Random, hints: Hints, quoted?: Uint8Array): Segment {
  const w = new Writer(64);
  const type = quoted ? random.pick([3, 11, 12]) : hints.int(random, 'icmp.type', 8, [0, 3, 5, 8, 11, 13]);
  w.u8(type).u8(hints.int(random, 'icmp.code', 8, [0, 1, 3, 4]));
  w.u16(0).u32(random.below(3) === 0 ? random.below(2 ** 32 - 1) : 0);
  w.bytes(quoted ?? hints.payload(random));
  return { protocol: ICMP, bytes: w.finish(), checksumAt: 2 };
}

export function icmpv6(random: Random, hints: Hints, quoted?: Uint8Array): Segment {
  const w = new Writer(64);
  const type = quoted ? random.pick([1, 2, 3, 4]) : hints.int(random, 'icmpv6.type', 8, [1, 2, 3, 128, 129, 133, 134, 135, 136, 143]);
  w.u8(type).u8(hints.int(random, 'icmpv6.code', 8, [0, 1, 4]));
  w.u16(0).u32(random.below(3) === 0 ? random.below(2 ** 32 - 1) : 0);
  w.bytes(quoted ?? hints.payload(random));
  return { protocol: ICMPV6, bytes: w.finish(), checksumAt: 2 };
}

export function sctp(random: Random, hints: Hints): Segment {
  const w = new Writer(64);
  w.u16(hints.int(random, 'sctp.srcport', 16, PORTS)).u16(hints.int(random, 'sctp.dstport', 16, PORTS));
  w.u32(random.below(2 ** 32 - 1))
    .u32(0)
    .u8(1)
    .u8(0)
    .u16(4);
  w.bytes(hints.payload(random));
  return { protocol: SCTP, bytes: w.finish(), checksumAt: undefined };
}

/** GRE, ESP, or a protocol that nothing is known of: octets. */
export function other(random: Random, hints: Hints): Segment {
  const w = new Writer(64);
  const known = random.below(3) > 0;
  const protocol = known ? random.pick([GRE, ESP]) : hints.int(random, 'ip.proto.num', 8, [2, 4, 41, 89, 103, 112, 136, 255]);
  for (let words = random.below(5); words > 0; words--) w.u32(random.below(4) === 0 ? 0 : random.below(2 ** 32 - 1));
  return { protocol, bytes: w.bytes(hints.payload(random)).finish(), checksumAt: undefined };
}
