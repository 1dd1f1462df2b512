import { PacketSocket, RawIpSocket, SystemError } from '@weir/sys';
import { ip } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixIpv4Checksum } from '../agreement/generate/checksum.ts';
import { type Host, Lab } from '../lab/index.ts';

let lab: Lab;
let host: Host;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('frames');
  await host.ip('link', 'add', 'one', 'type', 'veth', 'peer', 'name', 'two');
  for (const name of ['one', 'two']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
    await host.ip('link', 'set', name, 'up');
  }
  await host.nft(`table inet seen {
  chain in { type filter hook prerouting priority 0; policy accept
    iifname "two" meta mark 7 counter comment "marked"
    iifname "two" meta mark 0 counter comment "plain"
  }
  chain out { type filter hook output priority 0; policy accept
    ip daddr 192.0.2.9 meta mark 5 counter comment "v4"
    ip6 daddr 2001:db8::9 counter comment "v6"
    ip daddr 192.0.2.10 counter drop
  }
}`);
  await host.ip('address', 'add', '192.0.2.1/24', 'dev', 'one');
});
afterAll(() => lab.dispose());

/** To everybody, with an EtherType that nobody listens to unless `ip`. */
function frame(number: number, length: number, ip = false): Uint8Array {
  const out = new Uint8Array(length);
  out.set([255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, ...(ip ? [8, 0] : [0x88, 0xb5]), number >>> 8, number & 0xff]);
  if (ip) {
    out.set([0x45, 0, 0, 20, 0, 0, 0, 0, 64, 253, 0, 0, 192, 0, 2, 3, 192, 0, 2, 4], 14);
    fixIpv4Checksum(out, 14);
  }
  return out;
}

async function packets(comment: string): Promise<number> {
  for (const { rule } of await host.nftJson('table', 'inet', 'seen')) {
    if (rule?.['comment'] !== comment) continue;
    const counter = (rule['expr'] as readonly { readonly counter?: { readonly packets: number } }[]).find((one) => one.counter);
    return counter?.counter?.packets ?? -1;
  }
  return -1;
}

describe('packet sockets', () => {
  it('send thousands of frames in order, and receive them', () => {
    const sender = PacketSocket.open({ interface: 'one', netns: host.path });
    const receiver = PacketSocket.open({ interface: 'two', netns: host.path, receive: true, receiveBuffer: 32 << 20 });
    try {
      const frames = Array.from({ length: 3000 }, (_, i) => frame(i, 60 + (i % 1400)));
      expect(sender.send(frames)).toBe(3000);
      const buffer = new Uint8Array(2048);
      const got: string[] = [];
      for (let one = receiver.receive(buffer); one; one = receiver.receive(buffer)) {
        if (one[12] === 0x88) got.push(`${((one[14] ?? 0) << 8) | (one[15] ?? 0)} ${one.length}`);
      }
      // The receiving side's backlog may drop some under load; what comes is in order and as it was.
      expect(got.length).toBeGreaterThan(500);
      const sent = new Set(frames.map((one, i) => `${i} ${one.length}`));
      expect(got.every((one) => sent.has(one))).toBe(true);
      const numbers = got.map((one) => Number(one.split(' ')[0]));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    } finally {
      sender.close();
      receiver.close();
    }
  });

  it('mark frames, receive nothing unless asked to, and not what they send', async () => {
    const sender = PacketSocket.open({ interface: 'one', netns: host.path, receive: true });
    const deaf = PacketSocket.open({ interface: 'two', netns: host.path });
    try {
      sender.setMark(7);
      sender.send([frame(0, 60, true), frame(0, 60, true)]);
      sender.setMark(0);
      sender.send([frame(0, 60, true)]);
      expect([await packets('marked'), await packets('plain')]).toEqual([2, 1]);
      expect(sender.receive(new Uint8Array(64))).toBeUndefined();
      expect(deaf.receive(new Uint8Array(64))).toBeUndefined();
    } finally {
      sender.close();
      deaf.close();
      deaf.close();
    }
  });

  it('say which frame the kernel refuses, and which interface is not there', () => {
    const sender = PacketSocket.open({ interface: 'one', netns: host.path });
    try {
      expect(sender.send([])).toBe(0);
      expect(() => sender.send([frame(0, 60), new Uint8Array(3)])).toThrow(SystemError);
      expect(() => sender.send([frame(0, 9000)])).toThrow(/EMSGSIZE/);
      expect(() => sender.send([new Uint8Array(2 << 20)])).toThrow(RangeError);
    } finally {
      sender.close();
    }
    expect(() => sender.send([frame(0, 60)])).toThrow(/EBADF/);
    expect(() => PacketSocket.open({ interface: 'three', netns: host.path })).toThrow(/ENODEV/);
  });
});

describe('raw IP sockets', () => {
  it('send packets with their headers, which pass the output hook', async () => {
    await host.ip('route', 'add', '192.0.2.9/32', 'dev', 'lo');
    await host.ip('-6', 'route', 'add', '2001:db8::9/128', 'dev', 'lo');
    const v4 = RawIpSocket.open({ family: 4, netns: host.path });
    const v6 = RawIpSocket.open({ family: 6, netns: host.path });
    try {
      v4.setMark(5);
      const bytes = new Uint8Array([0x45, 0, 0, 20, 0, 1, 0, 0, 64, 253, 0, 0, 192, 0, 2, 1, 192, 0, 2, 9]);
      expect(v4.send({ bytes, to: ip('192.0.2.9') })).toBe(true);
      const header = new Uint8Array(40);
      header.set([0x60, 0, 0, 0, 0, 0, 59, 64]);
      header.set([0x20, 1, 0xd, 0xb8], 8);
      header.set([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], 24);
      expect(v6.send({ bytes: header, to: ip('2001:db8::9') })).toBe(true);
      expect([await packets('v4'), await packets('v6')]).toEqual([1, 1]);
      bytes[19] = 10;
      expect(v4.send({ bytes, to: ip('192.0.2.10') })).toBe(false);
      expect(() => v4.send({ bytes, to: ip('203.0.113.1') })).toThrow(/ENETUNREACH/);
      expect(() => v4.send({ bytes: bytes.subarray(0, 10), to: ip('192.0.2.9') })).toThrow(/EINVAL/);
    } finally {
      v4.close();
      v6.close();
    }
  });
});
