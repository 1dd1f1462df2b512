import { asn, parseIp } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { BgpConfig, Peer } from '../../model/config.ts';
import type { BaseRules, Border, Firewall } from '../../model/firewall.ts';
import type { NamedSet } from '../../model/named-set.ts';
import { judgement } from '../judgement/index.ts';
import { compileRules } from './policy/index.ts';
import { printTable } from './print.ts';

const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 } as never;
const BASE: BaseRules = {
  loopback: true,
  established: true,
  neighbourDiscovery: true,
  multicastListener: true,
  pathMtu: true,
  dhcpClient: true,
  bgpPeers: true,
};

function peer(name: string, address: string): Peer {
  return { name, address: parseIp(address), port: 179, as: asn(64513), localAs: asn(64512) } as unknown as Peer;
}

const bgp = {
  as: asn(64512),
  routerId: parseIp('192.0.2.1'),
  hostname: undefined,
  listen: [],
  peers: [peer('core', '192.0.2.2'), peer('core6', '2001:db8::2')],
} as unknown as BgpConfig;

function set(name: string, maxMembers = 10_000): NamedSet {
  return { name, kind: 'allow', target: { kind: 'owned' }, guard: { maxMembers }, onWithdraw: 'keep' } as unknown as NamedSet;
}

const allow = (ports: readonly (number | readonly [number, number])[], protocol: Border['allow'][number]['protocol'] = 'tcp') =>
  ({
    set: 'web',
    protocol,
    span,
    ports: ports.map((p) => (typeof p === 'number' ? { from: p, to: p } : { from: p[0], to: p[1] })),
  }) as const;

const forwarded: Border = {
  name: 'uplink',
  from: ['eth0'],
  to: ['wg0'],
  deny: [{ set: 'bad', span }],
  allow: [allow([80, 443])],
  established: true,
  default: 'drop',
  span,
};
const local: Border = { ...forwarded, name: 'host', from: ['eth*'], to: 'local', deny: [], allow: [allow([22])] };

const rows: readonly {
  readonly name: string;
  readonly borders: readonly Border[];
  readonly base?: Partial<BaseRules>;
  readonly sets?: readonly NamedSet[];
}[] = [
  { name: 'forwarded', borders: [forwarded] },
  { name: 'local', borders: [local] },
  { name: 'local-and-forwarded', borders: [local, forwarded] },
  { name: 'several-interfaces', borders: [{ ...forwarded, from: ['eth0', 'ppp*'], to: ['wg0', 'br0'] }] },
  { name: 'default-accept', borders: [{ ...forwarded, default: 'accept', established: false }] },
  {
    name: 'services',
    borders: [
      {
        ...forwarded,
        allow: [allow([[8000, 8100], 8050, 8101, 80]), allow([53], 'udp'), allow([], 'tcp'), allow([], 'icmp'), allow([], 'any')],
      },
    ],
  },
  { name: 'large-sets', borders: [forwarded], sets: [set('web', 1_000_000), set('bad', 65_537)] },
  { name: 'no-borders', borders: [] },
  ...(Object.keys(BASE) as (keyof BaseRules)[]).map((entry) => ({
    name: `base-without-${entry}`,
    borders: [local],
    base: { [entry]: false },
  })),
  {
    name: 'base-nothing',
    borders: [local],
    base: Object.fromEntries(Object.keys(BASE).map((entry) => [entry, false])) as unknown as Partial<BaseRules>,
  },
];

function compile({ borders, base, sets }: (typeof rows)[number]) {
  const firewall: Firewall = { table: 'weir_fw', base: { ...BASE, ...base }, borders };
  const all = sets ?? [set('web'), set('bad')];
  return compileRules(judgement({ firewall, sets: all, bgp }, 0), all, { table: firewall.table }).table;
}

describe('a firewall as nft text', () => {
  // `vitest -u` writes the files anew.
  it.each(rows)('$name', async (row) => {
    await expect(printTable(compile(row))).toMatchFileSnapshot(`golden/${row.name}.nft`);
  });

  it.each(rows)('$name is compiled the same twice', (row) => {
    expect(compile(row)).toEqual(compile(row));
  });

  it('each base entry that is switched off takes its own rules and no other', () => {
    const rulesOf = (base: Partial<BaseRules>): string[] =>
      compile({ name: '', borders: [local], base }).chains.flatMap((chain) => chain.rules.map((rule) => rule.name));
    const all = rulesOf({});
    const gone = Object.fromEntries(
      (Object.keys(BASE) as (keyof BaseRules)[]).map((entry) => {
        const left = rulesOf({ [entry]: false });
        return [entry, [...new Set(all.filter((rule) => !left.includes(rule)))]];
      }),
    );
    expect(gone).toEqual({
      loopback: ['base loopback'],
      established: ['established'],
      neighbourDiscovery: ['base neighbour discovery'],
      multicastListener: ['base multicast listener'],
      pathMtu: ['base path mtu'],
      dhcpClient: ['base dhcp client'],
      bgpPeers: ['base bgp core', 'base bgp core6'],
    });
  });
});
