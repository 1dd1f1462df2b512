import { parseFlowAction } from '@weir/bgp/flowspec';
import type { Lists } from '@weir/filter/eval';
import { describe, expect, test } from 'vitest';
import type { Config } from '../model/config.ts';
import { testFlow } from '../model/test-flow.ts';
import { loadConfig } from '../sources/config/index.ts';
import { memoryFiles } from '../sources/yaml/memory-files.ts';
import { findLockouts } from './lockouts.ts';

// The namespace of the test itself stands for that of a tenant.
const HEAD = 'bgp: { as: 64512, router_id: 192.0.2.1 }\ntenants: { blue: { netns: /proc/self/ns/net, policy: p.yaml } }\n';
const NOBODY: Lists = { has: () => false };

function config(policy: string): Config {
  const { config: read } = loadConfig('weir.yaml', memoryFiles({ 'weir.yaml': HEAD, 'p.yaml': policy }));
  if (!read) throw new Error('the configuration has mistakes');
  return read;
}

const policy = (port: number): string => `default_action: deny
rules:
  - { name: ssh, protocol: tcp, destination_ports: ${port}, expression: 'not ip.src in {192.0.2.0/24}', action: allow }
`;

// The base lets in what is on the loopback: one row has it switched off.
describe.skipIf(process.getuid?.() !== 0)('lock-outs in the namespace of a tenant', () => {
  const none = { ...config(policy(22)), tenants: [] };
  const rows: readonly {
    readonly name: string;
    readonly ssh: string;
    readonly before: Config;
    readonly after: Config;
    readonly want: number;
  }[] = [
    { name: 'a session that does not end there', ssh: '192.0.2.7 40000 192.0.2.254 22', before: none, after: config(policy(23)), want: 0 },
    { name: 'one that the loopback lets in', ssh: '127.0.0.1 40000 127.0.0.1 22', before: none, after: config(policy(23)), want: 0 },
  ];
  test.each(rows)('$name', ({ ssh, before, after, want }) => {
    expect(findLockouts(before, after, { ssh, now: 0, lists: NOBODY })).toHaveLength(want);
  });

  test('a session that the new rules of the tenant would deny', () => {
    const closed = { ...config(`default_action: deny\nrules:\n  - { name: ssh, protocol: tcp, destination_ports: 23, action: allow }\n`) };
    const [tenant] = closed.tenants;
    const base = {
      loopback: false,
      established: true,
      neighbourDiscovery: true,
      multicastListener: true,
      pathMtu: true,
      dhcpClient: true,
      bgpPeers: true,
    };
    const after = { ...closed, tenants: tenant ? [{ ...tenant, firewall: { table: 'weir', base, borders: [] } }] : [] };
    expect(findLockouts(none, after, { ssh: '127.0.0.1 40000 127.0.0.1 22', now: 0, lists: NOBODY })).toEqual([
      'tenant blue: your SSH session: tcp 127.0.0.1 -> 127.0.0.1 port 22 would be denied by input <default>',
    ]);
  });
});

describe('lock-outs by eBPF programs', () => {
  const head = `bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64512, source: 192.0.2.254 }] }\npolicy: p.yaml\n`;
  const read = (ebpf: string, rules: string): Config => {
    const text = `${head}ebpf: ${ebpf}\n`;
    const { config: found } = loadConfig(
      'weir.yaml',
      memoryFiles({ 'weir.yaml': text, 'p.yaml': `default_action: allow\nrules: [${rules}]\n` }),
    );
    if (!found) throw new Error('the configuration has mistakes');
    return found;
  };
  const ALL = '{ xdp: { interfaces: eth0 }, tc: { ingress: eth0, egress: eth0 }, connect: {} }';
  const before = read(ALL, '');
  const rows: readonly { readonly name: string; readonly rule: string; readonly want: readonly string[] }[] = [
    { name: 'at xdp', rule: '{ name: ssh, hook: xdp, protocol: tcp, destination_ports: 22, action: deny }', want: ['xdp ssh'] },
    {
      name: 'of the answers, on their way out',
      rule: '{ name: out, hook: tc, out_interface: eth0, protocol: tcp, source_ports: 22, action: deny }',
      want: ['tc out'],
    },
    { name: 'at tc', rule: '{ name: clients, hook: tc, destination_cidrs: 198.51.100.0/24, action: deny }', want: ['tc clients'] },
    { name: 'of others', rule: '{ name: web, hook: [xdp, tc, connect], protocol: tcp, destination_ports: 80, action: deny }', want: [] },
    {
      name: 'of peers, which the base lets through',
      rule: '{ name: peers, hook: [tc, connect], destination_cidrs: 192.0.2.9, action: deny }',
      want: [],
    },
  ];
  // Whose interface an address of documentation is on cannot be told: the worst is assumed.
  test.each(rows)('$name', ({ rule, want }) => {
    const ssh = '198.51.100.7 40000 192.0.2.254 22';
    const found = findLockouts(before, read(ALL, rule), { ssh, now: 0, lists: NOBODY });
    expect(found.map((line) => line.split(' denied by ')[1])).toEqual(want);
  });

  test('what is attached to nothing denies nobody', () => {
    const ssh = '198.51.100.7 40000 192.0.2.254 22';
    const rule = '{ name: ssh, hook: connect, protocol: tcp, destination_ports: 22, action: deny }';
    expect(findLockouts(before, read('{ connect: {} }', rule), { ssh, now: 0, lists: NOBODY })).toEqual([]);
  });
});

describe('lock-outs by flow rules', () => {
  const read = (flowspec: string): Config => {
    const head = 'bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64512, source: 192.0.2.254 }] }\n';
    const { config: found } = loadConfig('weir.yaml', memoryFiles({ 'weir.yaml': `${head}flowspec: ${flowspec}\n` }));
    if (!found) throw new Error('the configuration has mistakes');
    return found;
  };
  const open = read('{ protected: [192.0.2.254/32], redirects: [{ target: "64512:80", table: 100 }] }');
  const exposed = read('{ redirects: [{ target: "64512:80", table: 100 }] }');
  const rows: readonly {
    readonly name: string;
    readonly text: string;
    readonly action: string;
    readonly before?: Config;
    readonly after?: Config;
    readonly want: readonly string[];
  }[] = [
    {
      name: 'what protected the session goes',
      text: 'flow4 { dst 192.0.2.0/24; }',
      action: 'discard',
      want: ['prerouting flow4 { dst 192.0.2.0/24; }'],
    },
    { name: 'it is protected as before', text: 'flow4 { dst 192.0.2.0/24; }', action: 'discard', after: open, want: [] },
    { name: 'it was denied already', text: 'flow4 { dst 192.0.2.0/24; }', action: 'discard', before: exposed, want: [] },
    { name: 'of others', text: 'flow4 { dst 192.0.2.0/24; proto 17; }', action: 'discard', want: [] },
    { name: 'a rate is no denial', text: 'flow4 { dst 192.0.2.0/24; }', action: 'rate-packets 1', want: [] },
    {
      name: 'what is redirected and for this host is delivered here all the same',
      text: 'flow4 { dst 192.0.2.0/24; }',
      action: 'redirect rt:64512:80',
      want: [],
    },
    { name: 'peers are never cut off', text: 'flow4 { src 192.0.2.9/32; }', action: 'discard', want: [] },
  ];
  test.each(rows)('$name', ({ text, action, before = open, after = exposed, want }) => {
    const asked = parseFlowAction(action);
    if (!asked) throw new Error(action);
    const flow = testFlow(text, asked);
    const flows = { before: [flow], after: [flow] };
    const found = findLockouts(before, after, { ssh: '198.51.100.7 40000 192.0.2.254 22', now: 0, lists: NOBODY, flows });
    expect(found.map((line) => line.split(' denied by ')[1])).toEqual(want);
  });
});
