import { printPrefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import { protectedDrafts } from '../../compile/judgement/base.ts';
import { speakerConfig } from '../bgp/speaker-config.ts';
import { loadText } from './memory-files.ts';

const BGP = `bgp:
  as: 64512
  router_id: 192.0.2.1
  listen: [0.0.0.0]
  peers: [{ name: core, address: 192.0.2.9, as: 64512 }]
`;

const load = (distribute: string, bgp = BGP): ReturnType<typeof loadText> => loadText(`${bgp}distribute: ${distribute}\n`);
const wrong = (distribute: string, bgp = BGP): readonly string[] =>
  load(distribute, bgp).diagnostics.map(({ code, message }) => `${code} ${message}`);

const TABLES = 'tables: { admins: { communities: ["65000:1"] }, spammers: { communities: ["65000:2", "64512:1:2"], max_prefixes: 5 } }';

describe('distribute', () => {
  it('has tables with communities, and clients that get all of them unless told otherwise', () => {
    const { config, diagnostics } = load(
      `{ ${TABLES}, clients: [{ name: hosts, from: [192.0.2.0/24, "2001:db8::/64"], multihop: 4 }, { name: mail, from: 198.51.100.1, as: 64513, tables: spammers, max_sessions: 1 }], next_hop: 192.0.2.1 }`,
    );
    expect(diagnostics).toEqual([]);
    const { tables = [], clients = [], nextHop } = config?.distribute ?? {};
    expect(
      tables.map(({ name, communities, maxPrefixes, allowProtected }) => [name, communities.length, maxPrefixes, allowProtected]),
    ).toEqual([
      ['admins', 1, 1_000_000, false],
      ['spammers', 2, 5, false],
    ]);
    expect(
      clients.map(({ name, ranges, as, tables: own, maxSessions, multihop }) => [
        name,
        ranges.map(printPrefix),
        as,
        own,
        maxSessions,
        multihop,
      ]),
    ).toEqual([
      ['hosts', ['192.0.2.0/24', '2001:db8::/64'], 'any', ['admins', 'spammers'], 1000, 4],
      ['mail', ['198.51.100.1/32'], 64513, ['spammers'], 1, undefined],
    ]);
    expect([nextHop?.[4]?.w0, nextHop?.[6]]).toEqual([0xc0000201, undefined]);
  });

  it('asks clients to keep what they have for as long as it says', () => {
    const { config, diagnostics } = load(
      `{ ${TABLES}, clients: [{ name: hosts, from: 192.0.2.0/24 }, { name: reflectors, from: 198.51.100.0/24, graceful_restart: { restart_time: 600, long_lived_stale_time: 7d } }] }`,
    );
    expect(diagnostics).toEqual([]);
    expect(config?.distribute?.clients.map(({ restartTime, longLivedStaleTime }) => [restartTime, longLivedStaleTime])).toEqual([
      [120, undefined],
      [600, 604_800_000],
    ]);
    const dynamic = config ? (speakerConfig(config, { restarting: true }).dynamic ?? []) : [];
    expect(dynamic.map(({ peer }) => [peer.gracefulRestart, peer.longLivedStaleTime])).toEqual([
      [{ restartTime: 120, forwardingPreserved: true }, undefined],
      [{ restartTime: 600, forwardingPreserved: true }, 604_800],
    ]);
  });

  it('lets clients through the base, and only to where they may call', () => {
    const { config } = load(`{ ${TABLES}, clients: [{ name: hosts, from: 192.0.2.0/24 }] }`);
    const base = config?.firewall?.base ?? {
      loopback: false,
      established: false,
      neighbourDiscovery: false,
      multicastListener: false,
      pathMtu: false,
      dhcpClient: false,
      bgpPeers: true,
    };
    const drafts = config ? protectedDrafts('input', base, config.bgp) : [];
    expect(drafts.filter(({ name }) => name === 'base bgp hosts')).toEqual([
      { name: 'base bgp hosts', text: 'ip.src in {192.0.2.0/24} and tcp.dstport == 179' },
    ]);
  });

  it('says what clients may contribute, and which peers get tables', () => {
    const { config, diagnostics } = load(
      `{ ${TABLES}, clients: [{ name: hosts, from: 192.0.2.0/24, contribute: [{ table: spammers, prefixes: 0.0.0.0/0 }, { table: admins, prefixes: ["2001:db8::/32"], lengths: { ipv6: 64 }, max_prefixes: 7, lifetime: 10m }] }], peers: [{ peer: core, tables: spammers }] }`,
    );
    expect(diagnostics).toEqual([]);
    const { clients = [], peers } = config?.distribute ?? {};
    expect(
      clients.flatMap(({ contribute }) =>
        contribute.map(({ span: _span, prefixes, ...rest }) => ({ ...rest, prefixes: prefixes.map(printPrefix) })),
      ),
    ).toEqual([
      {
        table: 'spammers',
        prefixes: ['0.0.0.0/0'],
        lengths: { 4: { min: 24, max: 32 }, 6: { min: 48, max: 128 } },
        maxPrefixes: 1000,
        lifetime: 86_400_000,
      },
      {
        table: 'admins',
        prefixes: ['2001:db8::/32'],
        lengths: { 4: { min: 24, max: 32 }, 6: { min: 64, max: 64 } },
        maxPrefixes: 7,
        lifetime: 600_000,
      },
    ]);
    expect(peers).toMatchObject([{ peer: 'core', tables: ['spammers'] }]);
    expect(load(`{ ${TABLES}, peers: [{ peer: core }] }`).config?.distribute?.peers).toMatchObject([{ tables: ['admins', 'spammers'] }]);
    expect(load(`{ ${TABLES}, clients: [{ name: hosts, from: 192.0.2.0/24 }] }`).config?.distribute).toMatchObject({
      clients: [{ contribute: [] }],
      peers: [],
    });
  });

  it('tells where a mistake in it is', () => {
    const text = `${BGP}distribute:
  tables: { spammers: { communities: ["65000:2"] } }
  clients:
    - name: hosts
      from: 192.0.2.0/24
      contribute:
        - { table: spammer, prefixes: 0.0.0.0/0, lifetime: 1s }
`;
    expect(loadText(text).diagnostics.map(({ code, span }) => `${code} ${span.line}:${span.column}`)).toEqual(['E054 12:20', 'E010 12:60']);
  });

  it.each([
    { name: 'a table that is not there', contribute: '{ table: admin, prefixes: 0.0.0.0/0 }', want: ['E054 no table is named "admin"'] },
    { name: 'no prefixes', contribute: '{ table: admins }', want: ['E007 prefixes is missing in a table to contribute to'] },
    {
      name: 'a table twice',
      contribute: '{ table: admins, prefixes: 0.0.0.0/0 }, { table: admins, prefixes: "::/0" }',
      want: ['E055 what it may contribute to admins is said twice'],
    },
    {
      name: 'lengths that nothing has',
      contribute: '{ table: admins, prefixes: 192.0.2.1, lengths: { ipv4: 24 } }',
      want: ['E026 nothing in 192.0.2.1/32 has at most 24 bits, as lengths asks'],
    },
    {
      name: 'prefixes in others',
      contribute: '{ table: admins, prefixes: [192.0.2.0/24, 192.0.2.0/25] }',
      want: ['E055 192.0.2.0/24 has all of 192.0.2.0/25'],
    },
    {
      name: 'a lifetime too short',
      contribute: '{ table: admins, prefixes: "::/0", lifetime: 1s }',
      want: ['E010 lifetime must be 10s to 366d, not 1s'],
    },
  ])('refuses contributions with $name', ({ contribute, want }) => {
    expect(wrong(`{ ${TABLES}, clients: [{ name: hosts, from: 192.0.2.0/24, contribute: [${contribute}] }] }`)).toEqual(want);
  });

  it.each([
    { name: 'that is not there', peers: '{ peer: cor }', want: ['E023 there is no peer "cor"'] },
    { name: 'twice', peers: '{ peer: core }, { peer: core }', want: ['E055 core has tables already'] },
    { name: 'for a table that is not there', peers: '{ peer: core, tables: x }', want: ['E054 no table is named "x"'] },
    { name: 'that is told no prefixes', peers: '{ peer: flows }', want: ['E026 no prefixes are spoken of with flows'] },
  ])('refuses a peer $name', ({ peers, want }) => {
    const bgp = BGP.replace('as: 64512 }]', 'as: 64512 }, { name: flows, address: 192.0.2.8, as: 64512, families: [ipv4 flow] }]');
    expect(wrong(`{ ${TABLES}, peers: [${peers}] }`, bgp)).toEqual(want);
  });

  it.each([
    {
      name: 'a name that is none',
      distribute: '{ tables: { Admins: { communities: ["65000:1"] } } }',
      want: ['E018 not a name of a table: "Admins"'],
    },
    { name: 'no communities', distribute: '{ tables: { a: {} } }', want: ['E007 communities is missing in a table'] },
    {
      name: 'tables that cannot be told apart',
      distribute: '{ tables: { a: { communities: ["65000:1"] }, b: { communities: ["65000:1"] } } }',
      want: ['E055 the table a has this community'],
    },
    {
      name: 'more communities than a route has room for',
      distribute: `{ tables: { a: { communities: [${Array.from({ length: 701 }, (_, i) => `"65000:${i}"`).join(', ')}] } } }`,
      want: ['E010 communities of all tables take more than 2800 octets: one route may have them all'],
    },
    {
      name: 'a table that is not there',
      distribute: `{ ${TABLES}, clients: [{ name: x, from: 192.0.2.0/24, tables: [admin] }] }`,
      want: ['E054 no table is named "admin"'],
    },
    {
      name: 'the name of a peer',
      distribute: '{ clients: [{ name: core, from: 192.0.2.0/24 }] }',
      want: ['E020 the name "core" is used twice'],
    },
    {
      name: 'a range of another',
      distribute: '{ clients: [{ name: x, from: 192.0.2.0/24 }, { name: y, from: 192.0.2.0/24 }] }',
      want: ['E055 x has this range'],
    },
    {
      name: 'two ways to bound hops',
      distribute: '{ clients: [{ name: x, from: 192.0.2.0/24, multihop: 2, ttl_security: 2 }] }',
      want: ['E026 ttl_security and multihop exclude each other'],
    },
  ])('refuses $name', ({ distribute, want }) => {
    expect(wrong(distribute)).toEqual(want);
  });

  it('needs somewhere to listen', () => {
    const bgp = BGP.replace('  listen: [0.0.0.0]\n', '');
    expect(wrong('{ clients: [{ name: x, from: 192.0.2.0/24 }] }', bgp)).toEqual(['E012 bgp.listen is required: clients connect']);
  });
});
