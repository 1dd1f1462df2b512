import { readlinkSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { BgpSpeaker, type PeerConfig, type SessionEvent, type SpeakerConfig } from '@weir/bgp/session';
import { closeFd, inNetworkNamespace, openTcp, openTcpListener, SystemError, setMd5Key } from '@weir/sys';
import { asn, ip, prefix } from '@weir/wire/inet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Host, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const FAST = { connectRetry: { initial: 100, max: 200 }, idleHold: { initial: 100, max: 200 } };

interface Running {
  readonly speaker: BgpSpeaker;
  readonly events: SessionEvent[];
}

/** A speaker inside a host's namespace, run by this process. */
function speak(host: Host, config: Omit<SpeakerConfig, 'namespace'>): Running {
  const events: SessionEvent[] = [];
  const speaker = new BgpSpeaker({ ...config, namespace: host.path }, (event) => events.push(event));
  onTestFinished(() => speaker.close());
  speaker.start();
  return { speaker, events };
}

/** AS 64512 at the first address connects to AS 64513 at the second, which listens. */
function two(
  hosts: readonly [Host, Host],
  addresses: readonly [string, string],
  options: { readonly a?: Partial<PeerConfig>; readonly b?: Partial<PeerConfig> },
): { readonly a: Running; readonly b: Running } {
  const families = ['ipv4 unicast'] as const;
  const b = speak(hosts[1], {
    localAs: asn(64513),
    routerId: ip('192.0.2.2'),
    listen: [{ address: ip(addresses[1].includes(':') ? '::' : '0.0.0.0') }],
    peers: [{ name: 'a', address: ip(addresses[0]), peerAs: asn(64512), families, passive: true, ...FAST, ...options.b }],
  });
  const a = speak(hosts[0], {
    localAs: asn(64512),
    routerId: ip('192.0.2.1'),
    peers: [{ name: 'b', address: ip(addresses[1]), peerAs: asn(64513), families, ...FAST, ...options.a }],
  });
  return { a, b };
}

async function comesUp({ a, b }: { readonly a: Running; readonly b: Running }): Promise<void> {
  await waitFor('the session', () => a.speaker.status('b').state === 'Established' && b.speaker.status('a').state === 'Established');
}

/** Long enough for several attempts. */
async function staysDown({ a, b }: { readonly a: Running; readonly b: Running }): Promise<void> {
  await sleep(1500);
  expect([a, b].flatMap(({ events }) => events.filter((e) => e.kind === 'established'))).toEqual([]);
}

async function neighbours(): Promise<readonly [Host, Host]> {
  const lab = labForTest();
  const a = await lab.host('a');
  const b = await lab.host('b');
  await lab.link({ host: a, addresses: ['192.0.2.1/24', '2001:db8::1/64'] }, { host: b, addresses: ['192.0.2.2/24', '2001:db8::2/64'] });
  return [a, b];
}

/** Two hosts with a router between them: every packet arrives with its time to live one less. */
async function oneHopAway(): Promise<readonly [Host, Host]> {
  const lab = labForTest();
  const a = await lab.host('a');
  const r = await lab.host('r', { forwarding: true });
  const b = await lab.host('b');
  await lab.link({ host: a, addresses: ['192.0.2.1/25', '2001:db8::1/64'] }, { host: r, addresses: ['192.0.2.126/25', '2001:db8::ff/64'] });
  await lab.link(
    { host: r, addresses: ['192.0.2.254/25', '2001:db8:1::ff/64'] },
    { host: b, addresses: ['192.0.2.130/25', '2001:db8:1::2/64'] },
  );
  for (const via of ['192.0.2.126', '2001:db8::ff']) await a.route('default', { via });
  for (const via of ['192.0.2.254', '2001:db8:1::ff']) await b.route('default', { via });
  return [a, b];
}

describe('TCP MD5 (RFC 2385)', () => {
  const families = [
    { name: 'IPv4', addresses: ['192.0.2.1', '192.0.2.2'] },
    { name: 'IPv6', addresses: ['2001:db8::1', '2001:db8::2'] },
  ] as const;
  for (const { name, addresses } of families) {
    test(`${name}: the same password on both sides`, async () => {
      const hosts = await neighbours();
      const running = two(hosts, addresses, { a: { password: 'a secret' }, b: { password: 'a secret' } });
      await comesUp(running);
      for (const host of hosts) {
        const { stdout } = await host.exec('ss', ['-tni', 'state', 'established']);
        expect(stdout).toContain('md5keys:');
        expect(stdout).toContain('a\\040secret');
      }
    });
    test(`${name}: different passwords`, async () =>
      staysDown(two(await neighbours(), addresses, { a: { password: 'x' }, b: { password: 'y' } })));
    test(`${name}: only the listening side`, async () => staysDown(two(await neighbours(), addresses, { b: { password: 'y' } })));
    test(`${name}: only the connecting side`, async () => staysDown(two(await neighbours(), addresses, { a: { password: 'x' } })));
  }

  test('a password changes while running, and goes', async () => {
    const { a, b } = two(await neighbours(), ['192.0.2.1', '192.0.2.2'], { a: { password: 'old' }, b: { password: 'old' } });
    await comesUp({ a, b });
    const set = ({ speaker }: Running, password: string | undefined): void => {
      const peers = speaker.config.peers.map(({ password: _old, ...peer }) => (password === undefined ? peer : { ...peer, password }));
      speaker.reconfigure({ ...speaker.config, peers });
    };
    for (const password of ['new', undefined]) {
      const before = b.speaker.status('a').sessions;
      set(b, password);
      set(a, password);
      await waitFor('a new session', () => b.speaker.status('a').sessions > before && b.speaker.status('a').state === 'Established');
    }
    expect([...a.events, ...b.events].filter((e) => e.kind === 'key-failed')).toEqual([]);
  });

  test('one key for a range of addresses', async () => {
    const [a, b] = await neighbours();
    const key = { address: ip('192.0.2.0'), length: 24, password: 'for all of them' };
    const fd = inNetworkNamespace(b.path, () => openTcpListener({ address: ip('0.0.0.0'), port: 1790, md5: [key] }));
    const server = net.createServer((socket) => socket.end('signed'));
    onTestFinished(() => void server.close());
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    const read = async (password: string): Promise<string> => {
      const client = inNetworkNamespace(a.path, () => openTcp({ family: 4, md5: [{ address: ip('192.0.2.2'), password }] }));
      const socket = new net.Socket({ fd: client, manualStart: true } as net.SocketConstructorOpts);
      onTestFinished(() => void socket.destroy());
      return await new Promise((resolve, reject) => {
        socket.on('data', (chunk) => resolve(String(chunk)));
        socket.on('error', reject);
        socket.connect({ host: '192.0.2.2', port: 1790 });
        setTimeout(() => resolve('nothing'), 700);
      });
    };
    expect(await read('for all of them')).toBe('signed');
    expect(await read('another')).toBe('nothing');
  });

  test('peers of a range with one password', async () => {
    const [a, b] = await neighbours();
    const families = ['ipv4 unicast'] as const;
    const range = prefix('192.0.2.0/24');
    const server = speak(b, {
      localAs: asn(64513),
      routerId: ip('192.0.2.2'),
      listen: [{ address: ip('0.0.0.0') }],
      peers: [],
      dynamic: [{ name: 'hosts', range, limit: 10, peer: { peerAs: asn(64512), families, password: 'for all' } }],
    });
    const client = (password: string): Running =>
      speak(a, {
        localAs: asn(64512),
        routerId: ip('192.0.2.1'),
        peers: [{ name: 'b', address: ip('192.0.2.2'), peerAs: asn(64513), families, password, ...FAST }],
      });
    const wrong = client('another');
    await sleep(1500);
    expect(server.speaker.peers).toEqual([]);
    await wrong.speaker.close();
    client('for all');
    await waitFor('the session', () =>
      server.speaker.peers.some(({ name, state }) => name === 'hosts-192.0.2.1' && state === 'Established'),
    );
  });

  test('what cannot be a key', () => {
    const fd = openTcp({ family: 4 });
    expect(() => setMd5Key(fd, { address: ip('192.0.2.1'), password: 'x'.repeat(81) })).toThrow(RangeError);
    expect(() => setMd5Key(fd, { address: ip('192.0.2.1'), password: '' })).toThrow(/ENOENT/);
    closeFd(fd);
  });
});

describe('time to live', () => {
  const addresses = ['192.0.2.1', '192.0.2.130'] as const;
  const addresses6 = ['2001:db8::1', '2001:db8:1::2'] as const;

  test('TTL security between neighbours, both families (RFC 5082)', async () => {
    const hosts = await neighbours();
    await comesUp(two(hosts, ['192.0.2.1', '192.0.2.2'], { a: { ttlSecurity: 1 }, b: { ttlSecurity: 1 } }));
    await comesUp(two(hosts, ['2001:db8::1', '2001:db8::2'], { a: { ttlSecurity: 1 }, b: { ttlSecurity: 1 } }));
  });
  test('TTL security of one hop keeps out who is two away', async () =>
    staysDown(two(await oneHopAway(), addresses, { a: { multihop: 255 }, b: { ttlSecurity: 1 } })));
  test('on the connecting side too', async () =>
    staysDown(two(await oneHopAway(), addresses, { a: { ttlSecurity: 1 }, b: { multihop: 255 } })));
  test('TTL security of two hops lets them in', async () =>
    comesUp(two(await oneHopAway(), addresses, { a: { ttlSecurity: 2 }, b: { ttlSecurity: 2 } })));
  test('IPv6: one hop keeps out, two let in', async () => {
    const hosts = await oneHopAway();
    const out = two(hosts, addresses6, { a: { multihop: 255 }, b: { ttlSecurity: 1 } });
    await staysDown(out);
    await Promise.all([out.a.speaker.close(), out.b.speaker.close()]);
    await comesUp(two(hosts, addresses6, { a: { ttlSecurity: 2 }, b: { ttlSecurity: 2 } }));
  });
  test('a peer without TTL security gets in beside one that has it', async () => {
    const [a, b] = await oneHopAway();
    const running = two([a, b], addresses, { a: { multihop: 2 }, b: { multihop: 2 } });
    running.b.speaker.addPeer({
      name: 'strict',
      address: ip('192.0.2.131'),
      peerAs: asn(64512),
      families: ['ipv4 unicast'],
      ttlSecurity: 1,
      passive: true,
    });
    await comesUp(running);
  });
  test('an external peer is directly connected unless told otherwise', async () => staysDown(two(await oneHopAway(), addresses, {})));
  test('multihop', async () => comesUp(two(await oneHopAway(), addresses, { a: { multihop: 2 }, b: { multihop: 2 } })));
});

describe('where sockets are', () => {
  test('link-local addresses with their devices', async () => {
    const [a, b] = await neighbours();
    await a.addAddress('b', 'fe80::a/64');
    await b.addAddress('a', 'fe80::b/64');
    await comesUp(two([a, b], ['fe80::a', 'fe80::b'], { a: { device: 'b', source: ip('fe80::a') }, b: { device: 'a' } }));
  });

  test('a source address', async () => {
    const [a, b] = await neighbours();
    await a.addAddress('b', '192.0.2.77/24');
    await comesUp(two([a, b], ['192.0.2.77', '192.0.2.2'], { a: { source: ip('192.0.2.77') } }));
  });

  test('control traffic is marked as such', async () => {
    const [a, b] = await neighbours();
    await b.nft(
      'table inet t { chain input { type filter hook input priority 0; tcp dport 179 ip dscp cs6 counter; tcp dport 179 ip dscp != cs6 counter; }; }',
    );
    const running = two([a, b], ['192.0.2.1', '192.0.2.2'], {});
    await comesUp(running);
    const list = await b.nftList();
    expect(list).toMatch(/dscp cs6 counter packets [1-9]/);
    expect(list).toMatch(/dscp != cs6 counter packets 0 /);
  });

  test('the thread is back home, also after a failure', async () => {
    const [a] = await neighbours();
    const home = readlinkSync('/proc/thread-self/ns/net');
    const there = inNetworkNamespace(a.path, () => readlinkSync('/proc/thread-self/ns/net'));
    expect(there).not.toBe(home);
    expect(() =>
      inNetworkNamespace(a.namespace, () => {
        throw new RangeError('inside');
      }),
    ).toThrow(RangeError);
    expect(() => inNetworkNamespace('no-such-namespace', () => 1)).toThrow(SystemError);
    expect(() => inNetworkNamespace('/dev/null', () => 1)).toThrow(/setns: EINVAL/);
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(home);
  });
});
