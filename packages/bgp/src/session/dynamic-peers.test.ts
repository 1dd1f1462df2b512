import { asn, ip, prefix } from '@weir/wire/inet';
import { afterEach, describe, expect, it } from 'vitest';
import type { PeerConfig, SpeakerConfig } from './config.ts';
import type { DynamicPeers } from './dynamic-peers.ts';
import { B, FAST, FakeClock, TestSpeaker } from './test-session.ts';

let open: TestSpeaker[] = [];

afterEach(async () => {
  await Promise.all(open.map(({ speaker }) => speaker.close()));
  open = [];
});

const hosts: DynamicPeers = {
  name: 'hosts',
  range: prefix('127.0.0.16/28'),
  limit: 2,
  peer: { peerAs: 'any', families: ['ipv4 unicast'] },
};
const SERVER: SpeakerConfig = {
  localAs: asn(64513),
  routerId: ip('192.0.2.2'),
  listen: [{ address: B, port: 0 }],
  peers: [],
  dynamic: [hosts],
};

async function serve(more: Partial<SpeakerConfig> = {}, clock?: FakeClock): Promise<{ server: TestSpeaker; port: number }> {
  const server = new TestSpeaker({ ...SERVER, ...more }, clock);
  open.push(server);
  server.speaker.start();
  const { port } = await server.until('listening');
  return { server, port };
}

function client(from: string, port: number, more: Partial<PeerConfig> = {}): TestSpeaker {
  const made = new TestSpeaker({
    localAs: asn(64512),
    routerId: ip(from),
    peers: [{ name: 'server', address: B, port, source: ip(from), peerAs: asn(64513), families: ['ipv4 unicast'], ...FAST, ...more }],
  });
  open.push(made);
  made.speaker.start();
  return made;
}

const names = ({ speaker }: TestSpeaker): readonly string[] => speaker.peers.map(({ name }) => name).sort();

describe('peers of a range', () => {
  it('are there once they connect, as many as there may be', async () => {
    const { server, port } = await serve();
    const a = client('127.0.0.17', port);
    client('127.0.0.18', port);
    await server.until('established', ({ peer }) => peer === 'hosts-127.0.0.17');
    await server.until('established', ({ peer }) => peer === 'hosts-127.0.0.18');
    expect(
      server
        .all('peer-added')
        .map(({ peer, group }) => [peer, group])
        .sort(),
    ).toEqual([
      ['hosts-127.0.0.17', 'hosts'],
      ['hosts-127.0.0.18', 'hosts'],
    ]);
    const c = client('127.0.0.19', port);
    await c.until('attempt-failed');
    expect(names(server)).toEqual(['hosts-127.0.0.17', 'hosts-127.0.0.18']);
    expect(server.speaker.unknownConnections).toBeGreaterThan(0);
    // Who has no session makes room.
    await a.speaker.close();
    await server.until('down', ({ peer }) => peer === 'hosts-127.0.0.17');
    await server.until('established', ({ peer }) => peer === 'hosts-127.0.0.19');
    expect(names(server)).toEqual(['hosts-127.0.0.18', 'hosts-127.0.0.19']);
    expect(server.all('peer-forgotten')).toEqual([{ kind: 'peer-forgotten', peer: 'hosts-127.0.0.17' }]);
  });

  it('are not those outside of it, nor those that have a name of their own', async () => {
    const named: PeerConfig = {
      name: 'own',
      address: ip('127.0.0.20'),
      peerAs: asn(64512),
      families: ['ipv4 unicast'],
      passive: true,
    };
    const { server, port } = await serve({ peers: [named] });
    const outside = client('127.0.0.40', port);
    await outside.until('attempt-failed');
    client('127.0.0.20', port);
    await server.until('established', ({ peer }) => peer === 'own');
    expect(names(server)).toEqual(['own']);
  });

  it('belong to the longest range', async () => {
    const { server, port } = await serve({ dynamic: [{ ...hosts, name: 'all', range: prefix('127.0.0.0/8') }, hosts] });
    client('127.0.0.17', port);
    client('127.0.0.40', port);
    await server.until('established', ({ peer }) => peer === 'hosts-127.0.0.17');
    await server.until('established', ({ peer }) => peer === 'all-127.0.0.40');
  });

  it('are forgotten when they have had no session for a minute', async () => {
    const clock = new FakeClock();
    const { server, port } = await serve({}, clock);
    const a = client('127.0.0.17', port);
    await server.until('established');
    clock.advance(30_000);
    await a.speaker.close();
    await server.until('down');
    clock.advance(59_000);
    expect(names(server)).toEqual(['hosts-127.0.0.17']);
    clock.advance(2_000);
    expect(names(server)).toEqual([]);
    expect(server.all('peer-forgotten')).toHaveLength(1);
  });

  it('are told of a restart where they come soon after it', async () => {
    const clock = new FakeClock();
    const { port } = await serve({ restarting: true }, clock);
    const soon = await client('127.0.0.17', port).until('established');
    clock.advance(301_000);
    const late = await client('127.0.0.18', port).until('established');
    expect([soon, late].map(({ gracefulRestart }) => gracefulRestart?.restarting)).toEqual([true, false]);
  });

  it('are called when a session is lost that they did not end, from the address that they know, and not when they ended it', async () => {
    const address17 = ip('127.0.0.17');
    const listener = (port: number): TestSpeaker => {
      const made = new TestSpeaker({
        localAs: asn(64512),
        routerId: address17,
        listen: [{ address: address17, port }],
        peers: [{ name: 'server', address: B, peerAs: asn(64513), families: ['ipv4 unicast'], ...FAST, passive: true }],
      });
      open.push(made);
      made.speaker.start();
      return made;
    };
    const first = listener(0);
    const { port: callPort } = await first.until('listening');
    const { server } = await serve({ dynamic: [{ ...hosts, callPort }] });
    expect(server.speaker.recall(ip('127.0.0.40'), undefined)).toBe(false);
    expect(server.speaker.recall(address17, B)).toBe(true);
    expect(server.speaker.recall(address17, B)).toBe(false);
    await first.until('established');
    await server.until('established');
    await first.speaker.close({ silent: true });
    await server.until('down');
    const second = listener(callPort);
    await second.until('established');
    const from = server.events.length;
    await second.speaker.close();
    await server.until('down', ({ reason }) => reason === 'notification-received', from);
    const third = listener(callPort);
    // It is waited for: nothing comes by itself.
    expect(server.speaker.status('hosts-127.0.0.17').state).toBe('Idle');
    await server.until('state', ({ to }) => to === 'Active', from);
    expect(third.all('established')).toEqual([]);
  });

  it('are kept for as long as they may keep routes of ours, where they are called', async () => {
    const clock = new FakeClock();
    const { server } = await serve(
      { dynamic: [{ ...hosts, callPort: 9, peer: { ...hosts.peer, gracefulRestart: { restartTime: 300 } } }] },
      clock,
    );
    server.speaker.recall(ip('127.0.0.17'), undefined);
    clock.advance(299_000);
    expect(names(server)).toEqual(['hosts-127.0.0.17']);
    clock.advance(2_000);
    expect(names(server)).toEqual([]);
  });

  it('are not called where there is no port for it', async () => {
    const { server } = await serve();
    expect(server.speaker.recall(ip('127.0.0.17'), undefined)).toBe(false);
    expect(names(server)).toEqual([]);
  });

  it('are what another configuration makes of them', async () => {
    const { server, port } = await serve();
    client('127.0.0.17', port);
    await server.until('established');
    const from = server.events.length;
    server.speaker.reconfigure({ ...SERVER, dynamic: [{ ...hosts, limit: 5 }] });
    expect(server.events.slice(from)).toEqual([]);
    server.speaker.reconfigure({ ...SERVER, dynamic: [{ ...hosts, peer: { ...hosts.peer, holdTime: 30 } }] });
    await server.until('down', ({ reason }) => reason === 'reconfigured', from);
    await server.until('established', ({ negotiated }) => negotiated.holdTime === 30, from);
    server.speaker.reconfigure({ ...SERVER, dynamic: [] });
    await server.until('peer-forgotten');
    expect(names(server)).toEqual([]);
    server.speaker.reconfigure(SERVER);
    await server.until('established', () => true, server.events.length);
    const named = { name: 'own', address: ip('127.0.0.17'), peerAs: asn(64512), families: ['ipv4 unicast'], passive: true } as const;
    server.speaker.addPeer(named);
    expect(names(server)).toEqual(['own']);
    await server.until('established', ({ peer }) => peer === 'own');
  });

  it.each([
    { name: 'twice the same range', dynamic: [hosts, { ...hosts, name: 'b' }], want: /b: has the range 127\.0\.0\.16\/28 of hosts/ },
    { name: 'no peers at all', dynamic: [{ ...hosts, limit: 0 }], want: /limit of peers is 1-100000/ },
    { name: 'what no peer could be', dynamic: [{ ...hosts, peer: { ...hosts.peer, families: [] } }], want: /no address families/ },
  ])('are refused: $name', ({ dynamic, want }) => {
    expect(() => new TestSpeaker({ ...SERVER, dynamic })).toThrow(want);
  });

  it('may be the whole address space', () => {
    new TestSpeaker({ ...SERVER, dynamic: [{ ...hosts, range: prefix('0.0.0.0/0') }] });
    new TestSpeaker({ ...SERVER, dynamic: [{ ...hosts, range: prefix('::/0') }] });
  });
});
