import { connectionState, hookName, LogListener, type LogPacket } from '@weir/netlink/log';
import { KernelError } from '@weir/netlink/socket';
import { describe, expect, it } from 'vitest';
import type { Host } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const RULES = `table inet fw {
  chain input {
    type filter hook input priority 0; policy accept;
    udp dport 53 log group 5 prefix "dns query" accept
    ip6 nexthdr udp udp dport 54 meta mark set 7 log group 5 prefix "v6" accept
    tcp dport 1 log group 6 prefix "syn" reject with tcp reset
  }
}`;

async function collect(listener: LogListener, count: number): Promise<LogPacket[]> {
  const out: LogPacket[] = [];
  for (let tries = 0; tries < 100 && out.length < count; tries++) {
    await listener.waitReadable(100);
    expect(listener.read((packet) => out.push(packet))).toBe('empty');
  }
  return out;
}

async function build(): Promise<Host> {
  const host = await labForTest().host('logged');
  await host.nft(RULES);
  return host;
}

describe('packets that rules log', () => {
  it('come with what is known of them', async () => {
    const host = await build();
    const listener = new LogListener({ group: 5, netns: host.path, copy: 0xffff, sequence: true, delay: 10 });
    try {
      const v4 = await host.udpSocket('127.0.0.1', 53);
      const v6 = await host.udpSocket('::1', 54);
      await v4.send('127.0.0.1', 53, 'hello');
      await v6.send('::1', 54, 'six');
      await v4.send('127.0.0.1', 55, 'nobody logs this');
      const [first, second, ...rest] = await collect(listener, 2);
      if (!first?.payload || !second?.payload) throw new Error('two packets with their octets are wanted');
      expect(rest).toEqual([]);
      expect(first).toMatchObject({ family: 2, group: 5, protocol: 0x0800, prefix: 'dns query', input: 1, linkType: 772, sequence: 0 });
      expect(hookName(first.hook ?? -1)).toBe('input');
      expect(first.payload).toHaveLength(20 + 8 + 5);
      expect(Buffer.from(first.payload.subarray(28)).toString()).toBe('hello');
      expect(first.mark).toBeUndefined();
      expect(second).toMatchObject({ family: 10, group: 5, protocol: 0x86dd, prefix: 'v6', mark: 7, sequence: 1 });
      expect(Buffer.from(second.payload.subarray(48)).toString()).toBe('six');
    } finally {
      listener.close();
    }
  });

  it('say which connection they belong to, once something tracks them', async () => {
    const host = await build();
    await host.nft('table inet track {\n chain c { type filter hook input priority 1; ct state invalid counter; }\n}');
    const settings = { group: 5, netns: host.path, copy: 0, delay: 10 };
    let listener: LogListener;
    try {
      listener = new LogListener({ ...settings, conntrack: true });
    } catch (error) {
      // Kernels without CONFIG_NETFILTER_NETLINK_GLUE_CT cannot: they say so, and the rest works.
      if (!(error instanceof KernelError)) throw error;
      expect(error.code).toBe('EOPNOTSUPP');
      new LogListener(settings).close();
      return;
    }
    try {
      const echo = await host.udpSocket('127.0.0.1', 53, { echo: true });
      const client = await host.udpSocket('127.0.0.1', 0);
      for (let i = 0; i < 2; i++) {
        await client.send('127.0.0.1', echo.port, 'x');
        expect(await client.receive()).toBeDefined();
      }
      const packets = await collect(listener, 2);
      expect(packets.map(({ connection, payload }) => [connectionState(connection ?? -1), payload])).toEqual([
        ['new', undefined],
        ['established', undefined],
      ]);
      expect(packets[0]?.conntrack?.length).toBeGreaterThan(100);
    } finally {
      listener.close();
    }
  });

  it('are cut where less is asked for, of one group only', async () => {
    const host = await build();
    const listener = new LogListener({ group: 6, netns: host.path, copy: 24, delay: 10 });
    try {
      expect(await host.tcpConnect('127.0.0.1', 1)).toBe('refused');
      const packets = await collect(listener, 1);
      expect(packets.map(({ group, prefix, payload }) => [group, prefix, payload?.length])).toEqual([[6, 'syn', 24]]);
    } finally {
      listener.close();
    }
  });

  it('go to one listener; the group is free again when it closes', async () => {
    const host = await build();
    const open = (): LogListener => new LogListener({ group: 5, netns: host.path, copy: 64 });
    const first = open();
    expect(open).toThrow(KernelError);
    first.close();
    const second = open();
    expect(await second.waitReadable(0)).toBe(false);
    second.close();
    second.close();
  });

  it('that were lost are told of', async () => {
    const host = await build();
    const listener = new LogListener({ group: 5, netns: host.path, copy: 0xffff, threshold: 1, receiveBuffer: 4096 });
    try {
      const socket = await host.udpSocket('127.0.0.1', 53);
      for (let i = 0; i < 50; i++) await socket.send('127.0.0.1', 53, 'x'.repeat(1000));
      expect(listener.read(() => undefined)).toBe('overrun');
    } finally {
      listener.close();
    }
  });
});
