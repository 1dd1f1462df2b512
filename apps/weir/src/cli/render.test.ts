import { expect, test } from 'vitest';
import type { PeerSummary, SetSummary, StatusAnswer } from '../api/index.ts';
import { renderPeers } from './commands/peers.ts';
import { renderMember, renderRefused, renderSets } from './commands/sets.ts';
import { renderStatus } from './commands/status.ts';
import { escapeControl } from './render/escape.ts';
import { palette } from './render/paint.ts';
import { renderTable } from './render/table.ts';
import { humanDuration } from './render/units.ts';

const plain = palette('never', true, {});
const NOW = Date.parse('2026-01-01T00:10:00.000Z');

const STATUS: StatusAnswer = {
  format_version: 1,
  version: '0.1.0',
  pid: 12,
  started: '2026-01-01T00:00:00.000Z',
  uptime_ms: 600_000,
  config: {
    file: '/etc/weir/weir.yaml',
    loaded: '2026-01-01T00:05:00.000Z',
    reloads: 1,
    failed_reloads: 1,
    last_error: ['weir.yaml:1:1 error[E006] x\u001b[2J'],
  },
  bgp: {
    as: 64512,
    router_id: '192.0.2.1',
    listen: [{ address: '192.0.2.1 port 179', ok: false, message: 'EADDRINUSE' }],
    peers: 2,
    established: 1,
    converged: 1,
  },
  sets: [],
  routes: { kept: 3, prefixes: 3, attribute_sets: 1 },
  kernel: {
    commits: 4,
    failed_commits: 1,
    elements_sent: 9,
    repairs: 0,
    owned_table: { name: 'weir', owner: true, persist: true },
    ebpf: {
      directory: '/sys/fs/bpf/weir',
      places: [
        { hook: 'xdp', place: 'xdp of eth0', way: 'generic', why: 'the driver has none', generation: 3 },
        { hook: 'tc', place: 'tc ingress of eth1' },
      ],
      lists: [{ set: 'blocked', family: 'ipv4', members: 5, left_out: 2, memory: 1025 }],
      limits: [{ hook: 'xdp', admitted: 9, refused: 1 }],
    },
    rules: [
      { chain: 'border_in', rule: 'allow web', packets: 2, bytes: 100 },
      { chain: 'border_in', rule: 'allow web', packets: 1, bytes: 50 },
      { chain: 'xdp', rule: 'allow web', packets: 4, bytes: 400 },
    ],
    foreign_chains: [{ family: 'ip', table: 'filter', chain: 'INPUT', hook: 'input', priority: 0, policy: 'drop' }],
    problems: [
      {
        kind: 'set-missing',
        subject: 'web',
        message: 'there is no set',
        since: '2026-01-01T00:09:30.000Z',
        remedy: 'table inet fw {\n\tset web {\n\t}\n}\n',
      },
    ],
  },
  tenants: [
    { name: 'blue', netns: 'blue', open: true, sets: 2, members: 3, owned_table: { name: 'weir', owner: true, persist: true } },
    {
      name: 'red',
      netns: '/run/netns/red',
      open: false,
      sets: 1,
      members: 0,
      mistakes: { errors: 1, first: 'red.yaml:1:1: unknown key "x"' },
    },
    { name: 'new', open: false, sets: 0, members: 0, mistakes: { errors: 2, first: 'new.yaml:1:1: no' } },
  ],
  latency: { wire_to_kernel: { count: 2, p50_ms: 0.42, p99_ms: 15, max_ms: 15 }, commit: { count: 0, p50_ms: 0, p99_ms: 0, max_ms: 0 } },
  memory: { rss: 100 * 1048576, heap: 1 },
};

test('peers: what most of them do not have is below the table', () => {
  const peer: PeerSummary = {
    name: 'core',
    address: '192.0.2.2',
    port: 179,
    as: 64513,
    local_as: 64512,
    state: 'Established',
    since: '2026-01-01T00:09:00.000Z',
    converged: true,
    phases: { 'ipv4 unicast': 'converged' },
    families: ['ipv4 unicast'],
    routes: 2,
    stale_routes: 0,
    holds: [],
    not_kept: { unneeded: 0, blocked: 0, overflow: 0 },
    leaked: 0,
    capabilities: [],
    messages: { received: 3, sent: 2 },
    errors: 0,
  };
  const head = 'PEER  ADDRESS       AS  STATE        FOR  CONVERGED  ROUTES  STALE  LAST ERROR\n';
  const row = (name: string): string => `${name}  192.0.2.2  64513  Established   1m  yes             2      0\n`;
  expect(renderPeers([peer], plain, NOW)).toBe(head + row('core'));
  const both = renderPeers(
    [
      peer,
      {
        ...peer,
        name: 'edge',
        leaked: 4,
        long_lived: [
          { family: 'ipv4 unicast', stale_time: 60, asked: 3600, forwarding_preserved: false },
          { family: 'ipv6 unicast', stale_time: 60, asked: 60, forwarding_preserved: true },
        ],
      },
    ],
    plain,
    NOW,
  );
  expect(both).toBe(
    `${head}${row('core')}${row('edge')}edge: ipv4 unicast long-lived stale time 60s of the 3600s asked for
edge: ipv6 unicast long-lived stale time 60s, forwarding preserved
edge: 4 announcements were route leaks (RFC 9234) and give nothing
`,
  );
});

test('status', () => {
  expect(renderStatus(STATUS, plain, NOW)).toBe(`weir     0.1.0, up 10m, pid 12, 100 MB
config   /etc/weir/weir.yaml, loaded 5m ago, 1 reload; the last reload was refused
         weir.yaml:1:1 error[E006] x\\x1b[2J
bgp      AS 64512, router id 192.0.2.1; 1 of 2 peers established, 1 converged; 3 routes
         cannot listen on 192.0.2.1 port 179: EADDRINUSE
sets     0, with 0 members
kernel   4 commits, 1 failed, 0 repairs, 9 elements sent
table    inet weir (owner, persist)
ebpf     1 of 2 places attached; /sys/fs/bpf/weir
  xdp of eth0: generic, generation 3 (the driver has none)
  tc ingress of eth1: not attached
  xdp: 4 packets judged, 9 buckets of limits; 1 packet shared a bucket of a limit, for want of room
  tc: 0 packets judged
  $blocked (ipv4): 5 members, 2 kB; no room for 2 members
tenant   blue: netns blue; 2 sets, 3 members; table inet weir
tenant   red: netns /run/netns/red, not managed now; 1 set, 0 members
         1 mistake in its files, so it is as it was: red.yaml:1:1: unknown key "x"
tenant   new: never without mistakes, not managed now; 0 sets, 0 members
         2 mistakes in its files, so it is as it was: new.yaml:1:1: no
latency  wire to kernel p50 0.42ms, p99 15ms of 2; commit not measured yet
  allow web: 3 packets, 150 bytes
  allow web (xdp): 4 packets, 400 bytes
  not Weir's: ip filter INPUT at input, priority 0: what it drops is dropped
problem  web: there is no set (set-missing, for 30s)
           table inet fw {
             set web {
             }
           }
`);
});

test('sets', () => {
  const target = {
    family: 'ipv4',
    kernel_set: 'inet fw web4',
    wanted: 5,
    installed: 3,
    covered: 1,
    foreign: 2,
    representation: 'interval',
    conflicts: ['192.0.2.1/32'],
    unfit: [],
  } as const;
  const set: SetSummary = {
    name: 'web',
    kind: 'allow',
    members: 5,
    max_members: 10,
    waiting: 0,
    stale: 1,
    refused: { length: 2, peer: 1 },
    targets: [
      target,
      { ...target, family: 'ipv6', kernel_set: 'inet fw web6', installed: 0, representation: 'absent', foreign: 0, conflicts: [] },
    ],
  };
  expect(renderSets([set], plain)).toBe(`SET  KIND   MEMBERS  STALE  REFUSED  KERNEL SET    INSTALLED  AS        NOTES
web  allow     5/10      1        3  inet fw web4          3  interval  5 wanted, 1 covered, 2 of others, 1 conflicts
                                     inet fw web6          0  absent    5 wanted
`);
  expect(renderSets([], plain)).toBe('');
});

test('members and refusals: what a peer can choose is escaped', () => {
  const why = {
    kind: 'route',
    peer: 'core',
    communities: ['64512:80'],
    as_path: [64513, 64514],
    since: '2026-01-01T00:09:00.000Z',
    stale: true,
    path_id: 7,
  } as const;
  expect(renderMember({ prefix: '203.0.113.1/32', why: [why, { kind: 'ledger' }] }, plain, NOW)).toBe(
    '203.0.113.1/32\n  from core path 7 with 64512:80 via AS 64513 64514 for 1m (stale)\n  found at start, not heard of yet\n',
  );
  expect(
    renderRefused(
      {
        format_version: 1,
        set: 'web',
        counts: { prefix: 2, peer: 0 },
        waiting: 0,
        recent: [{ prefix: '192.0.2.0/24', peer: 'a\u001b[m', reason: 'prefix', at: '2026-01-01T00:09:59.000Z' }],
      },
      plain,
      NOW,
    ),
  ).toBe('web: 2 prefix\nPREFIX        PEER     REASON   AGO\n192.0.2.0/24  a\\x1b[m  prefix  1.0s\n');
});

test('escaping', () => {
  const rows = [
    { input: 'plain ü', want: 'plain ü' },
    { input: 'a\u001b[31m\r\n\t\u0000\u007f\u009b', want: 'a\\x1b[31m\\x0d\\x0a\\x09\\x00\\x7f\\x9b' },
    { input: 'a\u202eb\u2066', want: 'a\\u{202e}b\\u{2066}' },
  ];
  for (const { input, want } of rows) expect(escapeControl(input)).toBe(want);
  expect(renderTable(['A'], [['x\ny']])).toBe('A\nx\\x0ay\n');
});

test('durations', () => {
  const rows = [
    { input: 0.4217, want: '0.42ms' },
    { input: 15.4, want: '15ms' },
    { input: 1500, want: '1.5s' },
    { input: 59_400, want: '59s' },
    { input: 60_000, want: '1m' },
    { input: 130_000, want: '2m10s' },
    { input: 3_600_000, want: '1h' },
    { input: 90_000_000, want: '1d1h' },
  ];
  for (const { input, want } of rows) expect(humanDuration(input)).toBe(want);
});
