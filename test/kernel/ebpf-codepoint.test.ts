import { buildPacket, Packet, type PacketDescription } from '@weir/filter/packet';
import { PacketSocket } from '@weir/sys';
import { ip4, ip6 } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Rule } from '../../apps/weir/src/model/rule.ts';
import { checksum } from '../agreement/generate/checksum.ts';
import { type Host, Lab } from '../lab/index.ts';
import { allow, engine, mountBpf, pinDirectory, rule, tc, wanted, xdp } from './ebpf-runtime-bed.ts';

mountBpf();

let lab: Lab;
let host: Host;
let there: PacketSocket;
let here: PacketSocket;

/** Programs are attached to `here`; `there` is its peer. */
beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('codepoint');
  await host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
  for (const name of ['here', 'there']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, name === 'there' ? 1 : 0);
    await host.ip('link', 'set', name, 'up');
  }
  await host.ip('address', 'add', '192.0.2.1/24', 'dev', 'here');
  await host.ip('address', 'add', '2001:db8::1/64', 'dev', 'here', 'nodad');
  await host.ip('link', 'set', 'here', 'address', '02:00:00:00:00:01');
  for (const address of ['192.0.2.2', '2001:db8::2']) await host.ip('neigh', 'add', address, 'lladdr', '02:00:00:00:00:02', 'dev', 'here');
  // What comes to a socket, with a codepoint and its ECN bits; the kernel has looked at the checksum before.
  await host.nft(`table inet oracle { chain come { type filter hook input priority 0; policy accept;
    meta nfproto ipv4 udp dport 53 ip dscp 10 ip ecn ce counter
    meta nfproto ipv6 udp dport 53 ip6 dscp 10 ip6 ecn ce counter
  }
  }
  `);
  there = PacketSocket.open({ interface: 'there', netns: host.path, receive: true });
  here = PacketSocket.open({ interface: 'here', netns: host.path, receive: true });
});
afterAll(async () => {
  there.close();
  here.close();
  await lab.dispose();
});

const MARK: Rule = rule('mark', 'udp.dstport == 53', { kind: 'dscp', dscp: 10 });
const SEEN: Rule = rule('seen', 'ip.dscp == 10', { kind: 'log' });
const transport = { kind: 'udp', sourcePort: 4000, destinationPort: 53, payload: new Uint8Array(30) } as const;
const V4 = { source: ip4(0xc0000202), destination: ip4(0xc0000201), tos: 3, ttl: 64, transport } satisfies PacketDescription;
const V6 = {
  source: ip6(0x20010db8, 0, 0, 2),
  destination: ip6(0x20010db8, 0, 0, 1),
  tos: 3,
  ttl: 64,
  transport,
} satisfies PacketDescription;

function frame(description: PacketDescription): Uint8Array {
  const bytes = buildPacket({ ...description, ethernet: {} } as PacketDescription);
  bytes.set([2, 0, 0, 0, 0, 1], 0);
  return bytes;
}

async function arrived(): Promise<readonly number[]> {
  const { stdout } = await host.exec('nft', ['list', 'table', 'inet', 'oracle']);
  return [...stdout.matchAll(/packets (\d+)/g)].map((found) => Number(found[1]));
}

/** Waits until something holds, for a second. */
async function soon(holds: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 100; tries++) {
    if (await holds()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}

describe('a codepoint', () => {
  it.each([
    { name: 'native XDP', hook: 'xdp', place: () => xdp('here', 'native') },
    { name: 'generic XDP', hook: 'xdp', place: () => xdp('here', 'generic') },
    // The packet socket here holds the same packet: it is written into a copy.
    { name: 'tc ingress', hook: 'tc', place: () => tc('here', 'ingress') },
  ] as const)('is in what comes in, with a right checksum: $name', async ({ hook, place }) => {
    const one = engine(pinDirectory(host.path), host);
    expect(one.configure([wanted(hook, [MARK, SEEN, allow], place())]).problems).toEqual([]);
    const [four = 0, six = 0] = await arrived();
    there.send([frame(V4), frame(V6)]);
    expect(await soon(async () => (await arrived()).join() === [four + 1, six + 1].join())).toBe(true);
    one.close(new Set([hook]));
  });

  it('is in what goes out: tc egress', async () => {
    const one = engine(pinDirectory(host.path), host);
    expect(one.configure([wanted('tc', [MARK, SEEN, allow], tc('here', 'egress'))]).problems).toEqual([]);
    for (const address of ['192.0.2.2', '2001:db8::2']) await host.exec('bash', ['-c', `printf weir > /dev/udp/${address}/53`]);
    const seen = new Map<number | undefined, Packet>();
    const buffer = new Uint8Array(2048);
    await soon(async () => {
      for (let bytes = there.receive(buffer); bytes; bytes = there.receive(buffer)) {
        const packet = Packet.fromEthernet(bytes.slice());
        if (packet.field('udp.dstport') === 53) seen.set(packet.headers.family, packet);
      }
      return seen.size === 2;
    });
    expect([4, 6].map((family) => seen.get(family)?.field('ip.tos'))).toEqual([0x28, 0x28]);
    const four = seen.get(4);
    // The sum over a right header.
    expect(four && checksum(four.bytes, four.headers.network, four.headers.network + 20)).toBe(0);
    one.close(new Set(['tc']));
  });
});
