import { describe, expect, test } from 'vitest';
import { loadText, printAll } from './memory-files.ts';

const BGP = 'bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64512 }] }\n';
const SETS = 'sets: { spam: { kind: deny, communities: blackhole, guard: { peers: [core] } } }';
const POLICY = `default_action: deny
rules:
  - { name: spam, source_cidrs: $spam, action: deny }
  - { name: web, in_interface: veth0, protocol: tcp, destination_ports: 80, action: allow }
`;
const BLUE = `netns: blue\ninterfaces: [veth*]\n${SETS}\npolicy: blue-policy.yaml\n`;

function config(tenants: string, top = ''): string {
  return `${BGP}${top}tenants:\n${tenants}`;
}

test('tenants in the file and in files of their own, with sets of the same name', () => {
  const red = `  red: { netns: /run/netns/red, ${SETS}, policy: t/blue-policy.yaml }\n`;
  const loaded = loadText(config(`${red}  blue: { config: t/blue.yaml }\n`), {
    't/blue.yaml': BLUE,
    't/blue-policy.yaml': POLICY,
  });
  expect(printAll(loaded)).toBe('');
  const tenants = loaded.config?.tenants ?? [];
  expect(tenants.map(({ name, netns, interfaces }) => [name, netns, interfaces])).toEqual([
    ['red', '/run/netns/red', undefined],
    ['blue', 'blue', ['veth*']],
  ]);
  expect(tenants.map(({ sets, policy }) => [sets.map((set) => set.name), policy?.rules.length])).toEqual([
    [['spam'], 2],
    [['spam'], 2],
  ]);
  expect(loaded.config?.sets).toEqual([]);
});

describe('mistakes of tenants leave the others and the rest as they are', () => {
  const good = `  red: { netns: red, ${SETS}, firewall: {} }\n`;
  const rows: readonly {
    readonly name: string;
    readonly tenants: string;
    readonly top?: string;
    readonly files?: { readonly [path: string]: string };
    readonly want: string;
    readonly faulty: readonly string[];
  }[] = [
    {
      name: 'a file of its own that is not YAML',
      tenants: '  blue: { netns: blue, config: blue.yaml }\n',
      files: { 'blue.yaml': 'sets: "x\n' },
      want: [
        'blue.yaml:1:7 error[E008] sets must be a mapping from names, not the text "x"',
        'blue.yaml:2:1 error[E003] Missing closing "quote',
      ].join('\n'),
      faulty: ['blue'],
    },
    {
      name: 'a file that is not there',
      tenants: '  blue: { netns: blue, config: blue.yaml }\n',
      want: 'weir.yaml:4:32 error[E001] cannot read blue.yaml: no such file',
      faulty: ['blue'],
    },
    {
      name: 'a tenant without a namespace',
      tenants: '  blue: { interfaces: veth0 }\n',
      want: 'weir.yaml:4:3 error[E007] netns is missing in a tenant',
      faulty: ['blue'],
    },
    {
      name: 'one namespace for two',
      tenants: '  blue: { netns: /var/run/netns/red }\n',
      want: 'weir.yaml:4:18 error[E047] the namespace /var/run/netns/red is already that of a tenant on line 3',
      faulty: ['blue'],
    },
    {
      name: 'the namespace of the daemon',
      top: 'netns: host\n',
      tenants: '  blue: { netns: host }\n',
      want: 'weir.yaml:5:18 error[E047] host is the namespace that the daemon itself manages (netns)',
      faulty: ['blue'],
    },
    {
      name: 'interfaces of others in a border, a field and an expression',
      tenants:
        '  blue: { netns: blue, interfaces: [veth0, wg*], policy: p.yaml, firewall: { borders: [{ name: b, from: [wg1, eth0], to: local }] } }\n',
      files: {
        'p.yaml': `default_action: deny\nrules:\n  - { name: a, in_interface: eth1, action: allow }\n  - { name: b, hook: forward, expression: 'iif.name == "lo" and oif.name in {"wg2" "eth2"}', action: allow }\n`,
      },
      want: [
        'weir.yaml:4:111 error[E046] "eth0" is not an interface of the tenant',
        'p.yaml:3:13 error[E046] "eth1" is not an interface of the tenant',
        'p.yaml:4:13 error[E046] "eth2" is not an interface of the tenant',
      ].join('\n'),
      faulty: ['blue'],
    },
    {
      name: 'a set of another tenant, and a peer that is not there',
      tenants:
        '  blue: { netns: blue, policy: p.yaml, sets: { bad: { kind: deny, communities: blackhole, guard: { peers: [edge] } } } }\n  green: { netns: green, policy: p.yaml }\n',
      files: { 'p.yaml': 'default_action: deny\nrules:\n  - { name: a, source_cidrs: $spam, action: deny }\n' },
      want: [
        'weir.yaml:4:48 warning[W001] neither a border nor the policy uses the set "bad"',
        'weir.yaml:4:108 error[E023] no peer is named edge',
        'p.yaml:3:30 error[E036] no list or set is named spam',
        'p.yaml:3:30 error[E036] no list or set is named spam',
      ].join('\n'),
      faulty: ['blue', 'green'],
    },
    {
      name: 'no mapping',
      tenants: '  blue: 7\n',
      want: 'weir.yaml:4:9 error[E008] a tenant must be a mapping of keys, not the number 7',
      faulty: ['blue'],
    },
  ];
  for (const { name, tenants, top, files, want, faulty } of rows) {
    test(name, () => {
      const loaded = loadText(config(`${good}${tenants}`, top), files);
      const heads = printAll(loaded)
        .split('\n')
        .filter((line) => /(error|warning)\[/.test(line) && !line.includes('set "spam"'));
      expect(heads.join('\n')).toBe(want);
      expect(loaded.config).toBeUndefined();
      expect(loaded.usable?.tenants.map((t) => t.name)).toEqual(['red']);
      expect(loaded.usable?.faultyTenants.map((t) => t.name)).toEqual(faulty);
      for (const one of loaded.usable?.faultyTenants ?? [])
        expect([one.errors > 0, one.mistake]).toEqual([true, expect.stringMatching(/:\d+: ./)]);
    });
  }
});

test('a mistake of the top level refuses the whole', () => {
  const loaded = loadText(config('  blue: { netns: blue }\n', 'socket: 7:\n'));
  expect(loaded.usable).toBeUndefined();
  const name = loadText(config('  Blue: { netns: blue }\n'));
  expect([name.usable, printAll(name).split('\n', 1)[0]]).toEqual([undefined, 'weir.yaml:3:3 error[E018] "Blue" is not a tenant name']);
});

test('every file of tenants is among the texts, also one with mistakes', () => {
  const loaded = loadText(config('  blue: { netns: blue, config: blue.yaml }\n  red: { netns: red, policy: p.yaml }\n'), {
    'blue.yaml': 'wrong: 1\n',
    'p.yaml': 'default_action: allow\nrules: []\n',
  });
  expect([...loaded.sources.keys()]).toEqual(['weir.yaml', 'blue.yaml', 'p.yaml']);
});
