import { setTimeout as sleep } from 'node:timers/promises';
import { BgpSpeaker, StaticRoutes } from '@weir/bgp/session';
import { asn, ip, prefix } from '@weir/wire/inet';
import { Weir } from '../../test/e2e/weir.ts';
import { Fleet, MARKS, printNumber, sizeOf, type Universe } from '../../test/lab/fleet/index.ts';
import { type Host, Lab, type PeerConfig, startBird, startOpenbgpd, waitFor } from '../../test/lab/index.ts';

const [AS, CLIENT_AS, FEED_AS] = [64512, 64513, 64514];
const [ADDRESS, FEED] = ['127.0.0.1', '127.2.0.1'];
const [NEXT_HOP, NEXT_HOP6] = ['192.0.2.1', '2001:db8:ffff:ffff::1'];
/** Prefixes of one request, which has at most 64 KiB. */
const PAGE = 2000;
/** Clients of one process at least. */
const FEW = 50;
/** What is held is in one table, what is added in another. */
const [ADDED, HELD] = [MARKS[0]?.text ?? '', MARKS[1]?.text ?? ''];

/** A server of tables with what it holds, ready for clients. */
export interface Server {
  /** Adds prefix 0 to what it holds, or takes it out. How is `Kind.how`. */
  readonly set: (there: boolean) => Promise<void>;
}

export interface Kind {
  readonly name: string;
  readonly program: string | undefined;
  /** What an add is. */
  readonly how: string;
  readonly start: (lab: Lab, host: Host, universe: Universe) => Promise<Server>;
}

function heldPrefixes(universe: Universe): readonly string[] {
  return Array.from({ length: sizeOf(universe) - 1 }, (_, i) => printNumber(universe, i + 1));
}

const weir: Kind = {
  name: 'Weir',
  program: undefined,
  how: 'on disk (fsync), control socket',
  async start(lab, host, universe) {
    const daemon = new Weir(
      lab,
      host,
      `bgp: { as: ${AS}, router_id: ${NEXT_HOP}, listen: [${ADDRESS}], peers: [] }
distribute:
  tables: { added: { communities: ["${ADDED}"] }, held: { communities: ["${HELD}"] } }
  clients: [{ name: fleet, from: 127.1.0.0/16, as: ${CLIENT_AS}, multihop: 8, max_sessions: 10000 }]
  next_hop: [${NEXT_HOP}, "${NEXT_HOP6}"]
`,
    );
    await daemon.start();
    await daemon.ask(async (client) => {
      const { load } = await client.call('network-load', { table: 'held' });
      const held = heldPrefixes(universe);
      for (let i = 0; i < held.length; i += PAGE) await client.call('network-load-page', { load, prefixes: held.slice(i, i + PAGE) });
      return await client.call('network-load-commit', { load });
    });
    const prefixes = [printNumber(universe, 0)];
    return {
      set: async (there) => {
        await daemon.ask((client) =>
          there ? client.call('network-add', { prefixes, tables: ['added'] }) : client.call('network-delete', { prefixes }),
        );
      },
    };
  },
};

/** What BIRD and OpenBGPD are told beside the clients. */
function peerConfig(extra: readonly string[], feed: boolean): PeerConfig {
  const neighbor = { address: FEED, as: FEED_AS, localAddress: ADDRESS, multihop: 8, families: ['ipv4 unicast'] } as const;
  return { as: AS, routerId: NEXT_HOP, neighbors: feed ? [neighbor] : [], extra };
}

const bird: Kind = {
  name: 'BIRD',
  program: 'bird',
  how: 'in memory, a BGP session that announces it',
  async start(lab, host, universe) {
    const clients = [
      'protocol bgp clients {',
      `  local ${ADDRESS} as ${AS};`,
      `  neighbor range 127.1.0.0/16 as ${CLIENT_AS};`,
      '  dynamic name "client";',
      '  multihop 8; passive; hold time 90;',
      `  ipv4 { import none; export all; next hop address ${NEXT_HOP}; };`,
      `  ipv6 { import none; export all; next hop address ${NEXT_HOP6}; };`,
      '}',
    ];
    const daemon = await startBird(lab, host, peerConfig(clients, true));
    await daemon.announceMany(heldPrefixes(universe), { communities: [HELD] });
    const routes = new StaticRoutes();
    const speaker = feed(host, routes);
    lab.onDispose(() => speaker.close());
    await daemon.waitEstablished(FEED, 60_000);
    const routes4 = `${universe.v4 - 1} of`;
    const routes6 = `${universe.v6} of`;
    const holdsAll = async (): Promise<boolean> =>
      (await daemon.command('show route count table master4')).includes(routes4) &&
      (await daemon.command('show route count table master6')).includes(routes6);
    await waitFor('BIRD to hold it', holdsAll, { timeoutMs: 60_000 });
    const one = [prefix(printNumber(universe, 0))];
    const options = { attributes: { communities: [MARKS[0]?.value ?? 0] }, nextHop: { address: ip(NEXT_HOP) } };
    return {
      set: async (there) => {
        if (there) routes.announce(one, options);
        else routes.withdraw(one);
      },
    };
  },
};

const openbgpd: Kind = {
  name: 'OpenBGPD',
  program: 'bgpd',
  how: 'in memory, bgpctl network add',
  async start(lab, host, universe) {
    const clients = [
      'neighbor 127.1.0.0/16 {',
      `  remote-as ${CLIENT_AS}`,
      `  local-address ${ADDRESS}`,
      '  multihop 8',
      '  passive',
      '  announce IPv4 unicast',
      '  announce IPv6 unicast',
      '  announce restart yes',
      '}',
    ];
    const daemon = await startOpenbgpd(lab, host, { ...peerConfig(clients, false), listen: [ADDRESS] });
    await daemon.announceMany(heldPrefixes(universe), { communities: [HELD] });
    const one = printNumber(universe, 0);
    return { set: async (there) => void (await daemon.command(there ? `network add ${one} community ${ADDED}` : `network delete ${one}`)) };
  },
};

export const KINDS: readonly Kind[] = [weir, bird, openbgpd];

/** A server of a kind with so many prefixes less one, all IPv4 or half of them IPv6, and clients that have not started. All of it is gone when `measure` has ended. */
export async function serve<T>(
  kind: Kind,
  { clients, prefixes, ipv6 = false }: { readonly clients: number; readonly prefixes: number; readonly ipv6?: boolean | undefined },
  measure: (server: Server, fleet: Fleet) => Promise<T>,
): Promise<T> {
  const v6 = ipv6 ? Math.floor(prefixes / 2) : 0;
  const universe: Universe = { v4: prefixes - v6, v6 };
  const lab = new Lab();
  try {
    const host = await lab.host('server');
    await host.addAddress('lo', `${NEXT_HOP}/24`);
    await host.addAddress('lo', `${NEXT_HOP6}/64`);
    const server = await kind.start(lab, host, universe);
    const processes = clients < FEW ? 1 : 2;
    const fleet = await Fleet.launch(host, { clients, processes, as: CLIENT_AS, server: { address: ADDRESS, as: AS }, universe });
    return await measure(server, fleet);
  } catch (error) {
    process.stderr.write(`${lab.report()}\n`);
    throw error;
  } finally {
    await lab.dispose();
  }
}

/** Undefined where it took longer than so many milliseconds. */
export async function within<T>(ms: number, seen: Promise<T>): Promise<T | undefined> {
  return await Promise.race([seen, sleep(ms, undefined, { ref: false })]);
}

function feed(host: Host, announcer: StaticRoutes): BgpSpeaker {
  const speaker = new BgpSpeaker(
    {
      localAs: asn(FEED_AS),
      routerId: ip('192.0.2.2'),
      namespace: host.path,
      announcer,
      peers: [{ name: 'server', address: ip(ADDRESS), source: ip(FEED), peerAs: asn(AS), families: ['ipv4 unicast'], multihop: 8 }],
    },
    () => undefined,
  );
  speaker.start();
  return speaker;
}
