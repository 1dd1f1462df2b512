import { Packet, type PacketContext } from '@weir/filter/packet';
import { parseHex } from '@weir/wire/bytes';
import { describe, expect, test } from 'vitest';
import { judge } from '../../compile/interpreter/index.ts';
import { judgement } from '../../compile/judgement/index.ts';
import type { Config } from '../../model/config.ts';
import { DEFAULT_EBPF } from '../../model/ebpf.ts';
import type { HookRules } from '../../model/rule.ts';
import { packetOf, parsePacketWords } from '../packets/index.ts';
import { loadPolicy } from '../policy/index.ts';
import { memoryFiles } from '../yaml/memory-files.ts';
import { loadText, printAll } from './memory-files.ts';

const BGP = 'bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.9, as: 64512 }] }\n';

describe('ebpf:', () => {
  test('what is attached, with every default', () => {
    const loaded = loadText(
      `${BGP}ebpf:\n  xdp: { interfaces: eth0 }\n  tc: { ingress: [eth0, eth1], egress: wan, on_exit: detach }\n  connect: {}\n`,
    );
    expect(printAll(loaded)).toBe('');
    expect(loaded.config?.ebpf).toEqual({
      xdp: { interfaces: [{ name: 'eth0', span: { file: 'weir.yaml', line: 3, column: 22, length: 4 } }], mode: 'auto', onExit: 'keep' },
      tc: {
        ingress: [
          { name: 'eth0', span: { file: 'weir.yaml', line: 4, column: 19, length: 4 } },
          { name: 'eth1', span: { file: 'weir.yaml', line: 4, column: 25, length: 4 } },
        ],
        egress: [{ name: 'wan', span: { file: 'weir.yaml', line: 4, column: 40, length: 3 } }],
        onExit: 'detach',
      },
      connect: { cgroup: '/sys/fs/cgroup', onExit: 'keep', span: expect.objectContaining({ line: 5 }) },
      pinDirectory: '/sys/fs/bpf/weir',
      eventBuffer: 4_194_304,
    });
  });

  test('without it nothing is attached', () => {
    expect(loadText(BGP).config?.ebpf).toEqual(DEFAULT_EBPF);
  });

  test('every mistake of it at once', () => {
    const text = `${BGP}ebpf:
  xdp: { interfaces: [eth0, "wg*", eth0], mode: fast }
  tc: { on_exit: stay }
  connect: { cgroup: user.slice }
  event_buffer: 5000
  pin_directory: weir
`;
    expect(printAll(loadText(text))).toBe(`weir.yaml:3:29 error[E018] "wg*" is not an interface
  xdp: { interfaces: [eth0, "wg*", eth0], mode: fast }
                            ^^^^^
hint: the whole name of an interface, at most 15 characters
weir.yaml:3:36 error[E020] eth0 is already among ebpf.xdp.interfaces on line 3
  xdp: { interfaces: [eth0, "wg*", eth0], mode: fast }
                                   ^^^^
weir.yaml:3:49 error[E009] "fast" is not a mode
  xdp: { interfaces: [eth0, "wg*", eth0], mode: fast }
                                                ^^^^
hint: it is one of auto, native, generic
weir.yaml:4:3 error[E012] ingress or egress is required: interfaces to attach to
  tc: { on_exit: stay }
  ^^
weir.yaml:4:18 error[E009] "stay" is not what the end of the daemon can do
  tc: { on_exit: stay }
                 ^^^^
hint: it is one of keep, detach
weir.yaml:5:22 error[E010] "user.slice" is no absolute path
  connect: { cgroup: user.slice }
                     ^^^^^^^^^^
hint: it begins with /
weir.yaml:6:17 error[E010] event_buffer must be a power of two, not 5000
  event_buffer: 5000
                ^^^^
hint: write 4096
weir.yaml:7:18 error[E010] "weir" is no absolute path
  pin_directory: weir
                 ^^^^
hint: it begins with /
`);
  });
});

test.each([
  { path: '/sys/fs/bpf/my.weir', want: '"/sys/fs/bpf/my.weir" cannot be made: a name on a BPF file system has no dot' },
  { path: '/sys/fs/bpf/../weir', want: '"/sys/fs/bpf/../weir" is no plain path' },
  { path: '/sys/fs/bpf/weir/', want: '"/sys/fs/bpf/weir/" is no plain path' },
])('pin_directory: $path is no directory of pins', ({ path, want }) => {
  expect(printAll(loadText(`${BGP}ebpf: { pin_directory: ${path}, tc: { ingress: eth0 } }\n`))).toContain(`error[E010] ${want}`);
});

test('a BPF file system may be mounted below a name with a dot', () => {
  const { config } = loadText(`${BGP}ebpf: { pin_directory: /run/my.fs/weir, tc: { ingress: eth0 } }\n`);
  expect(config?.ebpf.pinDirectory).toBe('/run/my.fs/weir');
});

describe('rules at hooks of eBPF programs', () => {
  const POLICY = `default_action: allow
rules:
  - { name: block, hook: [xdp, tc, connect], destination_cidrs: 198.51.100.0/24, action: deny }
`;

  test('E032: nothing is attached', () => {
    const loaded = loadText(`${BGP}policy: policy.yaml\nebpf: { tc: { ingress: eth0 } }\n`, { 'policy.yaml': POLICY });
    expect(printAll(loaded)).toBe(`policy.yaml:3:27 error[E032] a rule at the hook xdp judges nothing, because ebpf.xdp names no interface
  - { name: block, hook: [xdp, tc, connect], destination_cidrs: 198.51.100.0/24, action: deny }
                          ^^^
hint: write ebpf: { xdp: { interfaces: [eth0] } } in the configuration
policy.yaml:3:36 error[E032] a rule at the hook connect judges nothing, because ebpf.connect is not given
  - { name: block, hook: [xdp, tc, connect], destination_cidrs: 198.51.100.0/24, action: deny }
                                   ^^^^^^^
hint: write ebpf: { connect: { cgroup: /sys/fs/cgroup } } in the configuration
`);
  });

  test('E032: in a tenant', () => {
    const text = `${BGP}ebpf: { xdp: { interfaces: eth0 } }\ntenants: { blue: { netns: blue, policy: policy.yaml } }\n`;
    const loaded = loadText(text, { 'policy.yaml': POLICY.replace('[xdp, tc, connect]', 'xdp') });
    expect(
      printAll(loaded),
    ).toBe(`policy.yaml:3:26 error[E032] a tenant has no rules at the hook xdp: eBPF programs are attached in the daemon's own namespace
  - { name: block, hook: xdp, destination_cidrs: 198.51.100.0/24, action: deny }
                         ^^^
hint: judge the packets at prerouting, input, forward or output
`);
  });

  const hooksOf = (text: string): readonly HookRules[] => {
    const { policy, diagnostics } = loadPolicy(['policy.yaml'], memoryFiles({ 'policy.yaml': text }), { now: 0 });
    expect(diagnostics.filter((d) => d.severity === 'error')).toEqual([]);
    return judgement({ ...(loadText(BGP).config as Config), policy }, 0);
  };
  const verdict = (hooks: readonly HookRules[], hook: string, packet: Packet): string => {
    const rules = hooks.find((one) => one.hook === hook);
    if (!rules) throw new Error(`nothing is judged at ${hook}`);
    const { verdict: found, rule } = judge(rules, packet, { lists: { has: () => false } });
    return `${found}: ${rule?.name}`;
  };
  const packet = (words: string, context: PacketContext = {}): Packet => {
    const parsed = parsePacketWords(words.split(' '));
    if (!parsed.ok) throw new Error(parsed.message);
    const { description, context: own } = parsed.packet;
    return packetOf({ description, context: { ...own, ...context } });
  };
  const IN = { iif: 'eth0' };
  const OUT = { oif: 'eth0' };
  const DENY = `default_action: deny
rules:
  - { name: web, hook: [xdp, tc, connect], protocol: tcp, destination_ports: 443, action: allow }
`;
  /** An ARP request, and an LLDP frame. */
  const ARP = 'ffffffffffff02000000000108060001080006040001020000000001c000020100000000000ac0000205';
  const LLDP = '0180c200000e02000000000188cc020704020000000001';

  const rows: readonly { readonly name: string; readonly hook: string; readonly packet: Packet; readonly want: string }[] = [
    { name: 'ARP', hook: 'xdp', packet: Packet.fromEthernet(parseHex(ARP), IN), want: 'allow: base not ip' },
    { name: 'LLDP', hook: 'tc', packet: Packet.fromEthernet(parseHex(LLDP), OUT), want: 'allow: base not ip' },
    { name: 'what a rule allows', hook: 'xdp', packet: packet('tcp 198.51.100.1:5000 192.0.2.1:443', IN), want: 'allow: web' },
    { name: 'the rest', hook: 'xdp', packet: packet('udp 198.51.100.1:5000 192.0.2.1:53', IN), want: 'deny: <default>' },
    {
      name: 'replies to this host',
      hook: 'xdp',
      packet: packet('udp 198.51.100.1:53 192.0.2.1:5000', { ...IN, state: 'established' }),
      want: 'allow: established',
    },
    { name: 'a BGP peer', hook: 'xdp', packet: packet('tcp 192.0.2.9:5000 192.0.2.1:179', IN), want: 'allow: base bgp core' },
    { name: 'a BGP peer', hook: 'tc', packet: packet('tcp 192.0.2.9:5000 192.0.2.1:179', IN), want: 'allow: base bgp core' },
    { name: 'to a BGP peer', hook: 'tc', packet: packet('tcp 192.0.2.1:5000 192.0.2.9:179', OUT), want: 'allow: base bgp core' },
    {
      name: 'what only looks like it went to a BGP peer',
      hook: 'tc',
      packet: packet('tcp 198.51.100.1:5000 192.0.2.9:179', IN),
      want: 'deny: <default>',
    },
    { name: 'to a BGP peer', hook: 'connect', packet: packet('tcp 192.0.2.1:5000 192.0.2.9:179'), want: 'allow: base bgp core' },
    { name: 'to itself', hook: 'connect', packet: packet('tcp 127.0.0.1:5000 127.0.0.1:5432'), want: 'allow: base loopback' },
    { name: 'elsewhere', hook: 'connect', packet: packet('tcp 192.0.2.1:5000 198.51.100.1:25'), want: 'deny: <default>' },
  ];
  test.each(rows)('a default deny at $hook: $name', ({ hook, packet: one, want }) => {
    expect(verdict(hooksOf(DENY), hook, one)).toBe(want);
  });

  test('a default allow asks nothing of connections: what is denied is dropped at once', () => {
    const hooks = hooksOf(POLICY);
    const reply = packet('tcp 192.0.2.1:80 198.51.100.1:5000', { ...OUT, state: 'established' });
    expect(verdict(hooks, 'tc', reply)).toBe('deny: block');
    const asks = hooks.flatMap(({ rules }) => rules.filter(({ text }) => text.includes('ct.')));
    expect(asks).toEqual([]);
  });

  test('a default of its own for a hook', () => {
    const hooks = hooksOf(`default_action_at: { xdp: allow }\n${DENY}`);
    const other = packet('udp 198.51.100.1:5000 192.0.2.1:53', IN);
    expect([verdict(hooks, 'xdp', other), verdict(hooks, 'tc', other)]).toEqual(['allow: <default>', 'deny: <default>']);
    const place = hooks.find(({ hook }) => hook === 'xdp')?.rules.at(-1)?.provenance;
    expect(place).toEqual({ kind: 'file', span: { file: 'policy.yaml', line: 1, column: 27, length: 5 } });
  });

  test('nf_tables is not asked about them', () => {
    const policy = POLICY.replace('destination_cidrs: 198.51.100.0/24', "protocol: udp, expression: 'udp.dstport == 7'");
    const loaded = loadText(`${BGP}policy: policy.yaml\nebpf: { xdp: { interfaces: eth0 }, tc: { ingress: eth0 }, connect: {} }\n`, {
      'policy.yaml': policy,
    });
    expect(printAll(loaded)).toBe('');
  });
});
