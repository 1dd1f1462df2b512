import { BgpSpeaker, type SessionEvent, StaticRoutes } from '@weir/bgp/session';
import { asn, ip, prefix, printIp } from '@weir/wire/inet';
import { afterEach, describe, expect, it } from 'vitest';
import { readAddress } from '../commands/network-sync.ts';
import { fromSession, type SessionOptions } from './from-session.ts';
import { KnownTables } from './known-tables.ts';

const TABLES = [
  { table: 'admins', communities: ['65000:1'], max: 10 },
  { table: 'spammers', communities: ['64512:1:2'], max: 10 },
];

let open: BgpSpeaker[] = [];
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()));
  open = [];
});

interface Distributor {
  readonly port: number;
  readonly routes: StaticRoutes;
  readonly seen: string[];
}

/** Who gives tables to whoever connects from 127.0.0.0/8 with AS 64513. */
async function distributor(): Promise<Distributor> {
  const routes = new StaticRoutes();
  const seen: string[] = [];
  let port = 0;
  const sink = (event: SessionEvent): void => {
    if (event.kind === 'listening') port = event.port;
    if (event.kind === 'down') seen.push(`${event.reason} ${event.notification?.code}`);
  };
  const speaker = new BgpSpeaker(
    {
      localAs: asn(64512),
      routerId: ip('192.0.2.1'),
      listen: [{ address: ip('127.0.0.1'), port: 0 }],
      peers: [],
      dynamic: [
        {
          name: 'hosts',
          range: prefix('127.0.0.0/8'),
          limit: 5,
          peer: {
            peerAs: asn(64513),
            families: ['ipv4 unicast', 'ipv6 unicast'],
            gracefulRestart: { forwardingPreserved: true },
            multihop: 8,
          },
        },
      ],
      announcer: routes,
    },
    sink,
  );
  open.push(speaker);
  speaker.start();
  await expect.poll(() => port).toBeGreaterThan(0);
  return { port, routes, seen };
}

function read({ port }: Distributor, more: Partial<SessionOptions> = {}): ReturnType<typeof fromSession> {
  const known = new KnownTables(TABLES, { only: [], unnamed: false });
  const options: SessionOptions = {
    as: asn(64513),
    source: undefined,
    password: undefined,
    quiet: 50,
    timeout: 30_000,
    maxRoutes: 100,
    signal: new AbortController().signal,
    ...more,
  };
  return fromSession({ address: ip('127.0.0.1'), device: undefined, port }, known, options);
}

const attributes = { communities: [0xfde8_0001], largeCommunities: [{ global: 64512, local1: 1, local2: 2 }] };

describe('what a distributor has', () => {
  it('is read over a session, which ends when all of it is there', async () => {
    const from = await distributor();
    from.routes.announce([prefix('203.0.113.1/32')], { attributes, nextHop: { address: ip('192.0.2.1') } });
    from.routes.announce([prefix('2001:db8::/48')], { attributes: { communities: [7] }, nextHop: { address: ip('2001:db8::1') } });
    const { tables, families } = await read(from);
    expect([...tables.all()].map(({ memberships }) => memberships.map(({ table }) => table))).toEqual([['admins', 'spammers'], ['0:7']]);
    expect(families).toEqual([4, 6]);
    await expect.poll(() => from.seen).toEqual(['notification-received 6']);
  });

  it('may be nothing', async () => {
    expect((await read(await distributor())).tables.size).toBe(0);
  });

  it('is not read where it is more than is taken', async () => {
    const from = await distributor();
    const many = Array.from({ length: 101 }, (_, i) => prefix(`203.0.113.${i}/32`));
    from.routes.announce(many, { attributes, nextHop: { address: ip('192.0.2.1') } });
    await expect(read(from)).rejects.toThrow('127.0.0.1: more than 100 routes: nothing is changed');
  });

  it('is not known where no session comes about, and why is said', async () => {
    const from = await distributor();
    await expect(read(from, { as: asn(64514) })).rejects.toThrow(
      /it refuses the session \(OPEN Message Error\/Bad Peer AS.*AS 64514 \(--as\)/,
    );
    await expect(read({ ...from, port: 1 })).rejects.toThrow(/no session \(.*ECONNREFUSED/);
    const controller = new AbortController();
    controller.abort();
    await expect(read(from, { signal: controller.signal })).rejects.toThrow('interrupted');
  });

  it('is refused beside a session of the same address, which goes on', async () => {
    const from = await distributor();
    const client = new BgpSpeaker(
      {
        localAs: asn(64513),
        routerId: ip('192.0.2.2'),
        peers: [{ name: 'hub', address: ip('127.0.0.1'), port: from.port, peerAs: 'any', families: ['ipv4 unicast'], multihop: 8 }],
      },
      () => undefined,
    );
    open.push(client);
    client.start();
    await expect.poll(() => client.status('hub').state, { timeout: 20_000 }).toBe('Established');
    await expect(read(from)).rejects.toThrow('it has a session from this address already, and keeps it');
    expect((await read(from, { source: ip('127.0.0.2') })).tables.size).toBe(0);
    expect([client.status('hub').state, client.status('hub').sessions]).toEqual(['Established', 1]);
  });
});

describe('an address', () => {
  it.each([
    { text: '192.0.2.2', want: '192.0.2.2 179' },
    { text: '192.0.2.2:1179', want: '192.0.2.2 1179' },
    { text: '2001:db8::2', want: '2001:db8::2 179' },
    { text: '[2001:db8::2]:1179', want: '2001:db8::2 1179' },
    { text: 'fe80::2%eth0', want: 'fe80::2 179 eth0' },
    { text: 'dump.txt', want: undefined },
    { text: '-', want: undefined },
    { text: './192.0.2.2', want: undefined },
  ])('$text', ({ text, want }) => {
    const found = readAddress(text);
    expect(found && [printIp(found.address), found.port, ...(found.device === undefined ? [] : [found.device])].join(' ')).toBe(want);
  });

  it('has a port that there is', () => {
    expect(() => readAddress('192.0.2.2:70000')).toThrow('a port is 1-65535');
  });
});
