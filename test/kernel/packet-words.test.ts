import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildFragments, buildPacket, describePacket, Packet, type PacketDescription } from '@weir/filter/packet';
import { encodePcap, LINKTYPE_ETHERNET, readFrames } from '@weir/wire/capture';
import { ip4, ip6 } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../lab/index.ts';

const v4 = { source: ip4(0xc0000201), destination: ip4(0xc6336407), ethernet: {} };
const v6 = { source: ip6(0x20010db8, 0, 0, 1), destination: ip6(0x20010db8, 1, 0, 7), ethernet: {} };
const payload = Uint8Array.from({ length: 33 }, (_, i) => i + 1);

/** Ports that tcpdump knows no protocol of. */
const ports = { sourcePort: 51_001, destinationPort: 51_002 };

function described(): PacketDescription[] {
  const out: PacketDescription[] = [];
  for (const base of [v4, v6]) {
    for (let flags = 0; flags < 256; flags += 3) out.push({ ...base, transport: { kind: 'tcp', ...ports, flags, window: flags, payload } });
    out.push({ ...base, transport: { kind: 'tcp', ...ports, flags: 2, options: Uint8Array.of(2, 4, 5, 180, 1, 3, 3, 7) } });
    for (let length = 0; length < 33; length++)
      out.push({ ...base, transport: { kind: 'udp', ...ports, payload: payload.subarray(0, length) } });
    for (const tags of [[{ id: 10 }], [{ id: 100, type: 0x88a8 }, { id: 4095 }]])
      out.push({ ...base, ethernet: { tags }, transport: { kind: 'udp', ...ports, payload } });
  }
  for (const type of [0, 8]) out.push({ ...v4, transport: { kind: 'icmp', type, code: 0, rest: 0x10002, payload } });
  for (const type of [128, 129]) out.push({ ...v6, transport: { kind: 'icmp', type, code: 0, rest: 0x10002, payload } });
  out.push({ ...v4, options: Uint8Array.of(0x94, 4, 0, 0), transport: { kind: 'udp', ...ports, payload } });
  out.push({ ...v6, extensions: [{ kind: 'hop-by-hop' }, { kind: 'destination-options' }], transport: { kind: 'udp', ...ports, payload } });
  return out;
}

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-words-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function tcpdump(frames: readonly Uint8Array[], ...args: readonly string[]): Promise<readonly string[]> {
  const file = join(directory, 'frames.pcap');
  writeFileSync(
    file,
    encodePcap(
      LINKTYPE_ETHERNET,
      frames.map((bytes, i) => ({ time: i * 1e6, bytes })),
    ),
  );
  const { stdout } = await runCommand('tcpdump', ['-nn', '-t', ...args, '-r', file]);
  return stdout.trimEnd().split('\n');
}

const FLAGS: Readonly<Record<string, string>> = { F: 'FIN', S: 'SYN', R: 'RST', P: 'PSH', '.': 'ACK', U: 'URG', E: 'ECE', W: 'CWR' };

/** Behind extension headers the ports come after them and not with the addresses. */
function beside(line: string): string {
  return line.replace(/^(IP6 \S+) > (\S+): .* (\d+) > (\d+): UDP/, '$1.$3 > $2.$4: UDP');
}

/** What tcpdump says of a packet, in our words. */
function translate(line: string): string {
  const [, from, to, rest] = /^IP6? .*?(\S+) > (\S+): (.*)$/.exec(beside(line)) ?? [];
  if (from === undefined || to === undefined || rest === undefined) return line;
  const withPort = (end: string): string => {
    const at = end.lastIndexOf('.');
    return end.includes(':') ? `[${end.slice(0, at)}]:${end.slice(at + 1)}` : `${end.slice(0, at)}:${end.slice(at + 1)}`;
  };
  const flags = /Flags \[(.*?)\]/.exec(rest)?.[1];
  if (flags !== undefined) {
    const names = flags === 'none' ? ['none'] : [...flags].map((letter) => FLAGS[letter] ?? letter);
    return `tcp ${withPort(from)} -> ${withPort(to)} ${names.sort().join(',')}`;
  }
  const udp = /UDP, length (\d+)/.exec(rest);
  if (udp) return `udp ${withPort(from)} -> ${withPort(to)} length ${udp[1]}`;
  const echo = /(ICMP6?),? echo (request|reply)/.exec(rest);
  return echo ? `${echo[1] === 'ICMP' ? 'icmp' : 'icmpv6'} ${from} -> ${to} echo-${echo[2]}` : line;
}

/** Flags in the order of the alphabet, no VLANs: tcpdump prints those only with -e. */
function plain(words: string): string {
  return words.replace(/ vlan .*/, '').replace(/ ([A-Z,]+)$/, (_, flags: string) => ` ${flags.split(',').sort().join(',')}`);
}

describe('a packet in words, beside tcpdump', () => {
  it('is the same packet', async () => {
    const frames = described().map(buildPacket);
    const lines = await tcpdump(frames);
    expect(lines.map(translate)).toEqual(frames.map((frame) => plain(describePacket(Packet.fromEthernet(frame)))));
  });

  it('has the VLANs that it has', async () => {
    const frames = described()
      .filter(({ ethernet }) => ethernet?.tags)
      .map(buildPacket);
    const lines = await tcpdump(frames, '-e');
    const vlans = (line: string): readonly string[] => [...line.matchAll(/vlan (\d+)/g)].map(([, id]) => id ?? '');
    expect(lines.map(vlans)).toEqual(frames.map((frame) => vlans(describePacket(Packet.fromEthernet(frame)))));
    expect(lines.map(vlans)).toContainEqual(['100', '4095']);
  });
});

describe('a packet that is built', () => {
  it('has the checksums and lengths that tcpdump finds right', async () => {
    const lines = (await tcpdump(described().map(buildPacket), '-vv')).join('\n');
    expect(lines).not.toMatch(/incorrect|bad|wrong|truncated|invalid/i);
    expect(lines.match(/\((correct|udp sum ok)\)|udp sum ok|icmp6 sum ok/g)?.length).toBeGreaterThan(200);
  });

  it('in fragments is what tcpdump takes for fragments', async () => {
    const transport = { kind: 'udp', ...ports, payload: new Uint8Array(100) } as const;
    const frames = [v4, v6].flatMap((base) => buildFragments({ ...base, id: 77, transport }, 48));
    const lines = await tcpdump(frames, '-v');
    const seen = lines.join('\n');
    expect([...seen.matchAll(/offset (\d+), flags \[(.*?)\]/g)].map(([, offset, flags]) => [offset, flags])).toEqual([
      ['0', '+'],
      ['48', '+'],
      ['96', 'none'],
    ]);
    expect([...seen.matchAll(/frag \(0x0000004d:(\d+)\|(\d+)\)/g)].map(([, offset, length]) => [offset, length])).toEqual([
      ['0', '48'],
      ['48', '48'],
      ['96', '12'],
    ]);
    expect(frames.map((frame) => describePacket(Packet.fromEthernet(frame)).replace(/.* fragment/, 'fragment'))).toEqual([
      'fragment at 0 of more',
      'fragment at 48 of more',
      'fragment at 96',
      'fragment at 0 of more',
      'fragment at 48 of more',
      'fragment at 96',
    ]);
  });
});

it('a capture that tcpdump wrote again is the one that was written', async () => {
  const frames = described().map(buildPacket);
  await tcpdump(frames, '-w', join(directory, 'again.pcap'));
  const again = [...readFrames(readFileSync(join(directory, 'again.pcap')))];
  expect(again.map((one) => (one.kind === 'frame' ? Buffer.from(one.bytes).toString('hex') : one.message))).toEqual(
    frames.map((frame) => Buffer.from(frame).toString('hex')),
  );
});
