import { decodeNotification, defineSet, NftClient, NftTransaction, type Notification } from '@weir/netlink/nftables';
import { NetfilterMonitor, NFNLGRP_NFTABLES, NFNLGRP_NFTRACE } from '@weir/netlink/socket';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';

let lab: Lab;
let host: Host;
let client: NftClient;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('mon');
  client = new NftClient({ netns: host.path });
});

afterAll(async () => {
  client?.close();
  await lab?.dispose();
});

beforeEach(async () => {
  await host.nft('flush ruleset');
});

/** What waits now. */
function drain(monitor: NetfilterMonitor): Notification[] {
  const out: Notification[] = [];
  const outcome = monitor.read((header, netfilter, r) => {
    const notification = decodeNotification(header, netfilter, r);
    if (notification) out.push(notification);
  });
  expect(outcome).toBe('empty');
  return out;
}

describe('notifications', () => {
  it('tell what another process changed, and who it was', async () => {
    const monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], netns: host.path });
    expect(await monitor.waitReadable(20)).toBe(false);
    const woken = monitor.waitReadable(10_000);
    await host.nft(`table inet t {
  counter k { }
  set s { type ipv4_addr; elements = { 192.0.2.1 } }
  chain c {
    ip daddr @s accept
  }
}`);
    expect(await woken).toBe(true);
    const seen = drain(monitor);
    expect(seen.map((n) => n.kind).sort()).toEqual([
      'generation',
      'new-chain',
      'new-elements',
      'new-object',
      'new-rule',
      'new-set',
      'new-table',
    ]);
    const generation = seen.at(-1);
    expect(generation).toMatchObject({ kind: 'generation', generation: { id: client.generation().id, processName: 'nft' } });
    expect(seen.find((n) => n.kind === 'new-elements')).toMatchObject({
      family: 'inet',
      table: 't',
      set: 's',
      elements: [{ key: Uint8Array.of(192, 0, 2, 1) }],
    });
    await host.exec('nft', ['delete', 'element', 'inet', 't', 's', '{ 192.0.2.1 }']);
    expect(drain(monitor)).toMatchObject([
      { kind: 'delete-elements', set: 's', elements: [{ key: Uint8Array.of(192, 0, 2, 1) }] },
      { kind: 'generation' },
    ]);
    await host.exec('nft', ['delete', 'table', 'inet', 't']);
    const gone = drain(monitor).map((n) => n.kind);
    expect(new Set(gone)).toEqual(new Set(['delete-rule', 'delete-set', 'delete-object', 'delete-chain', 'delete-table', 'generation']));
    monitor.close();
    monitor.close();
    expect(await monitor.waitReadable(10).catch((error: Error) => error.message)).toMatch(/closed/);
  });

  it('of our own commits carry our process', () => {
    const monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], netns: host.path });
    client.commitOrThrow(new NftTransaction().addTable({ family: 'ip', name: 'mine' }));
    expect(drain(monitor)).toMatchObject([{ kind: 'new-table' }, { kind: 'generation', generation: { processId: process.pid } }]);
    monitor.close();
  });

  it('that do not fit the receive buffer are told as an overrun, and then go on', () => {
    const set = defineSet({ family: 'inet', table: 't', name: 's', key: 'ipv4_addr' });
    client.commitOrThrow(new NftTransaction().addTable({ family: 'inet', name: 't' }).addSet(set));
    const monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], netns: host.path, receiveBuffer: 4096 });
    const words = Uint32Array.from({ length: 20_000 }, (_, i) => i + 1);
    client.commitOrThrow(new NftTransaction().addElementColumns(set, { shape: 'single', keyLength: 4, words, count: words.length }));
    expect(monitor.wait(1_000)).toBe(true);
    expect(monitor.read(() => undefined)).toBe('overrun');
    client.commitOrThrow(new NftTransaction().addTable({ family: 'inet', name: 'after' }));
    expect(drain(monitor).map((n) => n.kind)).toEqual(['new-table', 'generation']);
    monitor.close();
  });

  it('of 20,000 elements in one commit arrive whole with the buffer that is usual', () => {
    const set = defineSet({ family: 'inet', table: 't', name: 's', key: 'ipv4_addr' });
    client.commitOrThrow(new NftTransaction().addTable({ family: 'inet', name: 't' }).addSet(set));
    const monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], netns: host.path });
    const words = Uint32Array.from({ length: 20_000 }, (_, i) => i + 1);
    client.commitOrThrow(new NftTransaction().addElementColumns(set, { shape: 'single', keyLength: 4, words, count: words.length }));
    let elements = 0;
    for (let more = true; more; ) {
      const outcome = monitor.read((header, netfilter, r) => {
        const n = decodeNotification(header, netfilter, r);
        if (n?.kind === 'new-elements') elements += n.elements.length;
      });
      expect(outcome).not.toBe('overrun');
      more = outcome === 'more';
    }
    expect(elements).toBe(20_000);
    monitor.close();
  });
});

describe('traces', () => {
  it('tell the rules that a packet met and its verdict', async () => {
    await host.nft(`table inet t {
  chain out { type filter hook output priority 0;
  udp dport 9 meta nftrace set 1
  udp dport 9 drop
  }
}`);
    const monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTRACE], netns: host.path });
    await host.exec('bash', ['-c', 'echo x > /dev/udp/127.0.0.1/9'], { allowFailure: true });
    expect(monitor.wait(2_000)).toBe(true);
    const traces = drain(monitor).flatMap((n) => (n.kind === 'trace' ? [n.trace] : []));
    const drop = traces.find((trace) => trace.verdict?.kind === 'drop');
    expect(drop).toMatchObject({ family: 'inet', type: 'rule', table: 't', chain: 'out' });
    const rule = client.rules({ family: 'inet', table: 't', chain: 'out' })[1];
    expect(drop?.ruleHandle).toBe(rule?.handle);
    expect(traces.every((trace) => trace.id === drop?.id)).toBe(true);
    monitor.close();
  });
});
