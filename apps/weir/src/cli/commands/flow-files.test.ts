import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';
// Loaded before the tests begin, not by the first of them.
import './compile.ts';
import './explain.ts';

let directory = '';
let files: Readonly<Record<string, string>> = {};

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-flow-files-'));
  const texts = {
    rules: 'flow4 { dst 203.0.113.7/32; proto 17; sport 123; } discard\nflow6 { dst 2001:db8::/48; } rate-packets 100\n',
    bytes: '\nflow4 { dst 203.0.113.0/24; } rate-bytes 1000000\n',
    redirect: 'flow4 { dst 203.0.113.0/24; } redirect rt:64512:80\n',
    bad: 'flow4 { dst 203.0.113.0/33; } discard\n',
    policy: 'default_action: deny\nrules:\n  - { name: dns, hook: forward, protocol: udp, destination_ports: 53, action: allow }\n',
    config: `bgp: { as: 64512, router_id: 192.0.2.1 }
flowspec: { protected: [203.0.113.1/32], redirects: [{ target: "64512:80", table: 100 }] }
policy: policy.yaml
`,
  };
  files = Object.fromEntries(Object.keys(texts).map((name) => [name, join(directory, `${name}.yaml`)]));
  for (const [name, text] of Object.entries(texts)) writeFileSync(files[name] ?? '', text);
});

afterAll(() => rmSync(directory, { recursive: true }));

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo();
  const code = await runProgram(
    args.map((arg) => (arg.startsWith('@') ? (files[arg.slice(1)] ?? arg) : arg)),
    io,
    {},
  );
  return { code, out: io.stdout, err: io.stderr.replaceAll(`${directory}/`, '') };
}

describe('weir compile --flows', () => {
  test.each([
    {
      name: 'iptables',
      args: ['--to', 'iptables'],
      want: ['*mangle', '-A weir_prerouting -d 203.0.113.7/32 -p udp -m udp --sport 123 -m comment --comment "flow4 { dst 203.0.113.7/32;'],
    },
    {
      name: 'ip6tables',
      args: ['--to', 'ip6tables'],
      want: ['-A weir_prerouting -d 2001:db8::/48 -m comment', '--hashlimit-above 100/sec'],
    },
    { name: 'nft', args: ['--to', 'nft'], want: ['203.0.113.7', 'limit rate over 100/second burst 10 packets'] },
    { name: 'programs', args: ['--to', 'ebpf', '--hook', 'xdp'], want: ['# xdp ', 'flow4 { dst 203.0.113.7/32; proto 17; sport 123; }'] },
    { name: 'switches', args: ['--to', 'cumulus'], want: ['-t mangle -A PREROUTING --in-interface swp+ -d 203.0.113.7/32 -p udp'] },
    {
      name: 'beside a policy',
      args: ['--to', 'iptables', '@policy'],
      want: ['*mangle', '*filter', '-A weir_forward', '--dport 53', '--sport 123'],
    },
    {
      name: 'with what is protected',
      args: ['--to', 'iptables', '-c', '@config'],
      want: ['-d 203.0.113.1/32 -m comment --comment "protected from flow rules"'],
    },
  ])('$name', async ({ args, want }) => {
    const { code, out, err } = await run('compile', '--flows', '@rules', ...args);
    expect([code, err]).toEqual([0, '']);
    for (const text of want) expect(out).toContain(text);
  });

  test.each([
    { name: 'a rate of octets by iptables', args: ['--flows', '@bytes', '--to', 'iptables'], code: 2, want: 'bytes.yaml:2:1 flow:flow4:' },
    { name: 'by a switch', args: ['--flows', '@bytes', '--to', 'cumulus'], code: 2, want: 'cannot express a rate of bytes' },
    {
      name: 'a redirect without a table',
      args: ['--flows', '@redirect', '--to', 'nft'],
      code: 2,
      want: 'redirect.yaml:1: the configuration (flowspec.redirects) cannot express a redirect to 64512:80',
    },
    { name: 'mistakes', args: ['--flows', '@bad', '--to', 'nft'], code: 2, want: 'bad.yaml:1: ' },
    { name: 'no file', args: ['--flows', '/nowhere', '--to', 'nft'], code: 1, want: 'cannot read /nowhere' },
    { name: 'nothing', args: ['--to', 'nft'], code: 64, want: 'policy files, a configuration or --flows are needed' },
    { name: 'programs without a place', args: ['--flows', '@rules', '--to', 'ebpf'], code: 64, want: '--hook says where' },
    { name: 'a policy as JSON', args: ['--flows', '@rules', '--to', 'ir', '@policy'], code: 64, want: '--to ir is of policies' },
  ])('refuses $name', async ({ args, code, want }) => {
    const found = await run('compile', ...args);
    expect(found).toMatchObject({ code, out: '', err: expect.stringContaining(want) });
  });

  test('a redirect into a table of the configuration', async () => {
    expect(await run('compile', '--flows', '@redirect', '--to', 'nft', '-c', '@config')).toMatchObject({ code: 0 });
  });
});

describe('weir explain with files', () => {
  const packet = ['udp', '198.51.100.7:123', '203.0.113.7:53', 'in', 'eth0', 'out', 'eth1'];

  test('says that flow rules of peers are not known', async () => {
    const { code, out, err } = await run('explain', '-f', '@config', ...packet, '--expect', 'allow');
    expect([code, out.includes('flow rules')]).toEqual([0, false]);
    expect(err).toContain('not known here: the flow rules that peers announce');
  });

  test.each(['@config', '@policy'])('judges by those of a file, with %s', async (file) => {
    const { code, out, err } = await run('explain', '-f', file, '--flows', '@rules', ...packet, '--expect', 'deny');
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`> flow4 { dst 203.0.113.7/32; proto 17; sport 123; } deny (${files['rules']}:1)`);
  });

  test('flow rules of a file are not those of the daemon', async () => {
    expect(await run('explain', '--flows', '@rules', ...packet)).toMatchObject({
      code: 64,
      err: expect.stringContaining('--flows goes with --file'),
    });
  });
});
