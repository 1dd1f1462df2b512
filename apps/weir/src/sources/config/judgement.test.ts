import { readFileSync } from 'node:fs';
import type { Lists } from '@weir/filter/eval';
import { buildPacket, type ConnectionState, Packet, type PacketDescription, TCP_FLAGS } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import { judge } from '../../compile/interpreter/index.ts';
import { judgement } from '../../compile/judgement/index.ts';
import type { Config } from '../../model/config.ts';
import type { Rule } from '../../model/rule.ts';
import { loadConfig } from './index.ts';
import { loadText } from './memory-files.ts';

const config = loadConfig('examples/owned-firewall.yaml').config as Config;
const hooks = judgement(config, 0);

const members: Readonly<Record<string, readonly string[]>> = {
  web_allowed: ['203.0.113.7', '2001:db8:80::7'],
  blackholed: ['198.51.100.66'],
};
const lists: Lists = {
  has: (list, value) =>
    typeof value === 'object' && 'w0' in value && (members[list] ?? []).some((m) => JSON.stringify(parseIp(m)) === JSON.stringify(value)),
};

interface Row {
  readonly name: string;
  readonly hook: 'input' | 'forward' | 'output';
  readonly from: string;
  readonly to: string;
  readonly transport: PacketDescription['transport'];
  readonly ttl?: number;
  readonly iif?: string;
  readonly oif?: string;
  readonly state?: ConnectionState;
  readonly want: string;
}

const syn = (destinationPort: number, sourcePort = 40_000): PacketDescription['transport'] => ({
  kind: 'tcp',
  sourcePort,
  destinationPort,
  flags: TCP_FLAGS.syn,
});

const rows: readonly Row[] = [
  {
    name: 'a service that is announced',
    hook: 'forward',
    from: '198.51.100.7',
    to: '203.0.113.7',
    transport: syn(443),
    iif: 'eth0',
    oif: 'wg0',
    want: 'allow: allow web_allowed tcp 80,443',
  },
  {
    name: 'the same in IPv6',
    hook: 'forward',
    from: '2001:db8::7',
    to: '2001:db8:80::7',
    transport: syn(443),
    iif: 'eth0',
    oif: 'wg0',
    want: 'allow: allow web_allowed tcp 80,443',
  },
  {
    name: 'another port of it',
    hook: 'forward',
    from: '198.51.100.7',
    to: '203.0.113.7',
    transport: syn(22),
    iif: 'eth0',
    oif: 'wg0',
    want: 'deny: default inbound',
  },
  {
    name: 'a service that is not announced',
    hook: 'forward',
    from: '198.51.100.7',
    to: '203.0.113.8',
    transport: syn(443),
    iif: 'eth0',
    oif: 'wg0',
    want: 'deny: default inbound',
  },
  {
    name: 'from an address that is blackholed',
    hook: 'forward',
    from: '198.51.100.66',
    to: '203.0.113.7',
    transport: syn(443),
    iif: 'eth0',
    oif: 'wg0',
    want: 'deny: deny blackholed',
  },
  {
    name: 'blackholed, though established',
    hook: 'forward',
    from: '198.51.100.66',
    to: '203.0.113.8',
    transport: syn(443),
    iif: 'eth0',
    oif: 'wg0',
    state: 'established',
    want: 'deny: deny blackholed',
  },
  {
    name: 'established',
    hook: 'forward',
    from: '198.51.100.7',
    to: '203.0.113.8',
    transport: syn(443),
    iif: 'eth0',
    oif: 'wg0',
    state: 'established',
    want: 'allow: established',
  },
  {
    name: 'another way through this host',
    hook: 'forward',
    from: '198.51.100.7',
    to: '203.0.113.8',
    transport: syn(443),
    iif: 'wg0',
    oif: 'eth0',
    want: 'allow: -',
  },
  {
    name: 'path MTU',
    hook: 'forward',
    from: '198.51.100.7',
    to: '203.0.113.8',
    transport: { kind: 'icmp', type: 3, code: 4 },
    iif: 'eth0',
    oif: 'wg0',
    want: 'allow: base path mtu',
  },
  {
    name: 'to this host',
    hook: 'input',
    from: '198.51.100.7',
    to: '192.0.2.1',
    transport: syn(22),
    iif: 'eth0',
    want: 'deny: default host',
  },
  {
    name: 'to this host by the other interface',
    hook: 'input',
    from: '198.51.100.7',
    to: '192.0.2.1',
    transport: syn(22),
    iif: 'wg7',
    want: 'deny: default host',
  },
  {
    name: 'by an interface that no border has',
    hook: 'input',
    from: '198.51.100.7',
    to: '192.0.2.1',
    transport: syn(22),
    iif: 'eth1',
    want: 'allow: -',
  },
  {
    name: 'neighbour discovery',
    hook: 'input',
    from: '2001:db8::2',
    to: '2001:db8::1',
    transport: { kind: 'icmp', type: 135, code: 0 },
    ttl: 255,
    iif: 'eth0',
    want: 'allow: base neighbour discovery',
  },
  {
    name: 'neighbour discovery that was routed',
    hook: 'input',
    from: '2001:db8::2',
    to: '2001:db8::1',
    transport: { kind: 'icmp', type: 135, code: 0 },
    ttl: 254,
    iif: 'eth0',
    want: 'deny: default host',
  },
  { name: 'a BGP peer', hook: 'input', from: '192.0.2.9', to: '192.0.2.1', transport: syn(179), iif: 'eth0', want: 'allow: base bgp core' },
  {
    name: 'a BGP peer that answers',
    hook: 'input',
    from: '192.0.2.9',
    to: '192.0.2.1',
    transport: { kind: 'tcp', sourcePort: 179, destinationPort: 40_000, flags: 18 },
    iif: 'eth0',
    want: 'allow: base bgp core',
  },
  {
    name: 'a new connection from the BGP port',
    hook: 'input',
    from: '192.0.2.9',
    to: '192.0.2.1',
    transport: syn(40_000, 179),
    iif: 'eth0',
    want: 'deny: default host',
  },
  {
    name: 'the rest of a connection that was cut',
    hook: 'forward',
    from: '203.0.113.8',
    to: '198.51.100.7',
    transport: { kind: 'tcp', sourcePort: 443, destinationPort: 40_000, flags: 16 },
    iif: 'wg0',
    oif: 'eth0',
    state: 'new',
    want: 'deny: cut web_allowed',
  },
  {
    name: 'the same of a service that is open',
    hook: 'forward',
    from: '203.0.113.7',
    to: '198.51.100.7',
    transport: { kind: 'tcp', sourcePort: 443, destinationPort: 40_000, flags: 16 },
    iif: 'wg0',
    oif: 'eth0',
    state: 'new',
    want: 'allow: -',
  },
];

describe('the example of an owned firewall', () => {
  test.each(rows)('$name', (row) => {
    const rules = hooks.find((hook) => hook.hook === row.hook);
    const bytes = buildPacket({ source: parseIp(row.from)!, destination: parseIp(row.to)!, ttl: row.ttl, transport: row.transport });
    const packet = Packet.fromNetwork(bytes, { iif: row.iif, oif: row.oif, state: row.state ?? 'new' });
    const { verdict, rule } = judge(rules!, packet, { lists });
    expect(`${verdict}: ${rule?.name ?? '-'}`).toBe(row.want);
  });

  test('refs are unique in each hook', () => {
    for (const { rules } of hooks) expect(new Set(rules.map((rule) => rule.ref)).size).toBe(rules.length);
  });

  test('stages come in the order of judgement', () => {
    const order = ['protected', 'deny', 'established', 'policy', 'default'];
    for (const { hook, rules } of hooks) {
      const stages = rules.map((rule) => order.indexOf(rule.stage)).filter((stage) => stage < 3);
      expect(stages, hook).toEqual([...stages].sort());
    }
  });

  test('as text', () => {
    expect(readFileSync('examples/owned-firewall.yaml', 'utf8')).toContain('blackholed');
    expect(
      hooks.flatMap(({ hook, rules }) => rules.map((rule) => `${hook} ${rule.stage} ${rule.name}: ${rule.action.kind} ${rule.text}`)),
    ).toMatchSnapshot();
  });
});

describe('policies', () => {
  const head = 'bgp: { as: 64512, router_id: 192.0.2.1 }\npolicy: policy.yaml\n';
  const rulesOf = (policy: string, hook: string, more = '', now = 0): readonly Rule[] => {
    const loaded = loadText(head + more, { 'policy.yaml': policy });
    expect(loaded.diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
    return judgement(loaded.config as Config, now).find((one) => one.hook === hook)?.rules ?? [];
  };
  const target = (rules: readonly Rule[]): unknown => rules.map((rule) => rule.action).find((action) => action.kind === 'skip');

  test('a skip to a rule out of force goes on at the next one in force', () => {
    const policy = `default_action: deny
rules:
  - { name: jump, priority: 1, protocol: tcp, action: skip, skip_to: gone }
  - { name: between, priority: 2, action: deny }
  - { name: gone, priority: 3, action: allow, enabled: false, protocol: tcp }
  - { name: next, priority: 4, action: allow, protocol: tcp }
`;
    expect(target(rulesOf(policy, 'input'))).toEqual({ kind: 'skip', to: 'next' });
    expect(
      target(
        rulesOf(
          policy.replace(', protocol: tcp }\n  - { name: next', ' }\n  - { name: next').replace(/ {2}- { name: next.*\n/, ''),
          'input',
        ),
      ),
    ).toEqual({
      kind: 'skip',
      to: '<default>',
    });
  });

  test('a skip without a target goes on behind the rules of the policy', () => {
    const policy = 'default_action: allow\nrules:\n  - { name: jump, hook: forward, protocol: tcp, action: skip }\n';
    const border = 'firewall: { borders: [{ name: in, from: eth0, to: wg0 }] }\n';
    expect(target(rulesOf(policy, 'forward'))).toEqual({ kind: 'skip', to: '<default>' });
    const rules = rulesOf(policy, 'forward', border);
    expect(target(rules)).toEqual({ kind: 'skip', to: 'border:in:default' });
    expect(rules.map((rule) => rule.ref)).toContain('border:in:default');
  });

  test('what a host needs is let through wherever a policy judges what is for it', () => {
    for (const hook of ['prerouting', 'input', 'output']) {
      const rules = rulesOf(
        `default_action: deny\nrules:\n  - { name: web, hook: ${hook}, protocol: tcp, destination_ports: 80, action: allow }\n`,
        hook,
      );
      const names = new Set(rules.map((rule) => rule.name));
      for (const name of ['base loopback', 'base neighbour discovery', 'base dhcp client', 'base path mtu', 'established'])
        expect([hook, name, names.has(name)]).toEqual([hook, name, true]);
    }
  });

  test('a border that does not accept established traffic does not with a policy at its hook either', () => {
    const policy = 'default_action: deny\nrules:\n  - { name: web, hook: forward, protocol: tcp, destination_ports: 80, action: allow }\n';
    const borders = `firewall:
  borders:
    - { name: strict, from: [eth0, eth1], to: wg0, established: false }
    - { name: usual, from: eth2, to: wg0 }
    - { name: both, from: eth1, to: wg0, default: accept }
`;
    const rules = rulesOf(policy, 'forward', borders);
    const verdict = (iif: string, oif: string, state: ConnectionState): string => {
      const [source, destination] = [parseIp('198.51.100.7'), parseIp('203.0.113.7')];
      if (!source || !destination) throw new Error('no address');
      const bytes = buildPacket({ source, destination, transport: syn(443) });
      const judged = judge({ hook: 'forward', priority: 0, rules }, Packet.fromNetwork(bytes, { state, iif, oif }), { lists });
      return `${judged.verdict}: ${judged.rule?.name}`;
    };
    expect(verdict('eth0', 'wg0', 'established')).toBe('deny: default strict');
    expect(verdict('eth0', 'wg0', 'related')).toBe('deny: default strict');
    for (const [iif, oif] of [
      ['eth2', 'wg0'],
      ['wg0', 'eth0'],
      ['eth1', 'wg0'],
    ] as const)
      expect([iif, verdict(iif, oif, 'established')]).toEqual([iif, 'allow: established']);
    expect(verdict('eth2', 'wg0', 'new')).toBe('deny: default usual');
  });
});
