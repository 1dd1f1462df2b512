import { spawnSync } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildPacket, TCP_FLAGS, type Transport } from '@weir/filter/packet';
import { encodePcap, LINKTYPE_RAW } from '@weir/wire/capture';
import { ip } from '@weir/wire/inet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { memoryIo } from '../../apps/weir/src/cli/memory-io.ts';
import { runProgram } from '../../apps/weir/src/cli/program.ts';
import { Random } from '../e2e/random.ts';
import { mixedCapture } from './mixed-capture.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const SEED = Number(process.env['WEIR_SEED'] ?? 7);

/** Actions, marks, skips, limits, states and fields of every kind, at each hook. */
const POLICY = `default_action: deny
lists: { some: [192.0.2.0/24, 198.51.100.99, "2001:db8:1::/48"] }
rules:
${[
  'name: invalid, priority: 1, state: invalid, protocol: tcp, action: mark, mark: 0x7',
  "name: marked, priority: 2, expression: 'meta.mark == 7 and tcp.dstport < 100', action: deny, log: true",
  "name: hops, priority: 3, expression: 'ip.ttl in {1 2 9}', protocol: udp, action: skip, skip_to: late",
  "name: length, priority: 4, expression: 'ip.len > 200 and not udp.dstport == 53', action: allow",
  'name: limited, priority: 5, protocol: udp, destination_ports: 53, action: rate_limit, rate_limit_pps: 1, rate_limit_burst: 1',
  'name: limited-rule, priority: 6, protocol: udp, destination_ports: 123, action: rate_limit, rate_limit_bps: 8, rate_limit_burst: 100, rate_limit_per: rule',
  'name: listed, priority: 7, source_cidrs: $some, state: [new], protocol: tcp, action: reject, reject_with: tcp-reset',
  'name: pings, priority: 8, protocol: icmp, action: reject, reject_with: admin-prohibited',
  "name: sctp, priority: 9, protocol: sctp, expression: 'sctp.dstport >= 1000 or ip.src == 203.0.113.5', action: allow",
  "name: late, priority: 20, protocol: udp, expression: 'bit_slice(udp, 64, 72) == 0x17 or meta.len == 48', action: allow",
  'name: audited, priority: 21, protocol: gre, action: deny, audit: true',
]
  .map((rule) => `  - { hook: [prerouting, input, forward, output], ${rule} }\n`)
  .join('')}`;

let directory = '';
let capture = '';
let rich = '';

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-replay-'));
  capture = join(directory, 'mixed.pcap');
  rich = join(directory, 'rich.yaml');
  writeFileSync(capture, mixedCapture(new Random(SEED), 4000));
  writeFileSync(rich, POLICY);
});
afterAll(() => rmSync(directory, { recursive: true }));

interface Ran {
  readonly code: number;
  readonly lines: readonly Record<string, unknown>[];
  readonly err: string;
}

async function replay(...args: readonly string[]): Promise<Ran> {
  const io = memoryIo();
  const code = await runProgram(['replay', ...args, '-o', 'json'], io, {});
  const lines = io.stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]));
  return { code, lines, err: io.stderr };
}

function write(name: string, packets: readonly Uint8Array[]): string {
  const file = join(directory, name);
  writeFileSync(
    file,
    encodePcap(
      LINKTYPE_RAW,
      packets.map((bytes) => ({ bytes })),
    ),
  );
  return file;
}

const example = (name: string): string => join(ROOT, 'examples/policy', name);

describe('kernel and interpreter on a capture of every kind of packet', () => {
  it.each([
    { policy: 'mail-server.yaml', more: [] },
    { policy: 'web-server.yaml', more: [] },
    { policy: 'tiers.yaml', more: [] },
    { policy: 'reflection.yaml', more: ['--hook', 'input'] },
    { policy: 'reflection.yaml', more: ['--hook', 'forward'] },
    { policy: 'payload.yaml', more: [] },
    { policy: 'border.yaml', more: ['-c', join(ROOT, 'examples/weir/policy.yaml'), '--iif', 'eth0', '--oif', 'wg0', '--hook', 'forward'] },
  ])('$policy', async ({ policy, more }) => {
    const { code, lines, err } = await replay(example(policy), '--pcap', capture, '--compare', ...more);
    expect(lines.filter((line) => 'difference' in line)).toEqual([]);
    expect(code, err).toBe(0);
    const judged = lines.filter((line) => line['verdict'] !== 'not-judged').length;
    expect(judged).toBeGreaterThan(lines.length / 3);
  });

  it.each(['prerouting', 'input', 'forward', 'output'])('every kind of rule at %s', async (hook) => {
    const { code, lines, err } = await replay(rich, '--pcap', capture, '--compare', '--hook', hook);
    expect(lines.filter((line) => 'difference' in line).slice(0, 3)).toEqual([]);
    expect(code, err).toBe(0);
    const rules = new Set(lines.map((line) => (line['rule'] as { ref: string } | undefined)?.ref));
    const decided = ['marked', 'limited', 'limited-rule', 'listed', 'pings', 'sctp', 'late', '<default>'];
    expect(decided.filter((ref) => !rules.has(ref))).toEqual([]);
    expect(new Set(lines.map((line) => line['verdict']))).toEqual(new Set(['allow', 'deny', 'reject', 'not-judged']));
    // What did not come to the hook is explained.
    expect(err).not.toContain('did not come');
  });
});

describe('an eBPF program and the interpreter on the same capture', () => {
  it.each(['prerouting', 'input', 'forward', 'output'])('every kind of rule at %s', async (hook) => {
    const { code, lines, err } = await replay(rich, '--pcap', capture, '--compare', '--hook', hook, '--engine', 'ebpf');
    expect(lines.filter((line) => 'difference' in line).slice(0, 3)).toEqual([]);
    expect(code, err).toBe(0);
    const rules = new Set(lines.map((line) => (line['rule'] as { ref: string } | undefined)?.ref));
    const decided = ['limited', 'limited-rule', 'listed', 'pings', 'sctp', 'late', '<default>'];
    expect(decided.filter((ref) => !rules.has(ref))).toEqual([]);
    expect(new Set(lines.map((line) => line['verdict']))).toEqual(new Set(['allow', 'deny', 'reject', 'not-judged']));
  });

  it.each(['xdp', 'tc'])('rules at %s, run over packets and attached', async (hook) => {
    const policy = join(directory, `${hook}.yaml`);
    const rules = POLICY.replaceAll('[prerouting, input, forward, output]', hook)
      .replaceAll(/action: reject(?:, reject_with: [a-z-]+)?/g, 'action: deny')
      .split('\n')
      .filter((line) => !line.includes('mark'))
      .join('\n');
    writeFileSync(policy, rules);
    for (const more of [[], ['--live', '--limit', '800']]) {
      const { code, lines, err } = await replay(
        policy,
        '--pcap',
        capture,
        '--compare',
        '--hook',
        hook,
        ...(more.length > 0 ? ['--engine', 'ebpf'] : []),
        ...more,
      );
      expect(lines.filter((line) => 'difference' in line).slice(0, 3)).toEqual([]);
      expect(code, err).toBe(0);
      const decided = new Set(lines.map((line) => (line['rule'] as { ref: string } | undefined)?.ref));
      for (const ref of ['limited', 'listed', 'pings', '<default>']) expect([ref, decided.has(ref)]).toEqual([ref, true]);
    }
  });

  it('packets are sent to a program that is attached', async () => {
    const args = [rich, '--pcap', capture, '--compare', '--hook', 'prerouting', '--engine', 'ebpf', '--live', '--limit', '1500'];
    const { code, lines, err } = await replay(...args);
    expect(lines.filter((line) => 'difference' in line).slice(0, 3)).toEqual([]);
    expect(code, err).toBe(0);
    const verdicts = lines.map((line) => line['verdict']);
    for (const verdict of ['allow', 'deny', 'reject']) expect(verdicts.filter((one) => one === verdict).length).toBeGreaterThan(20);
  });

  it.each(['invalid', 'established'])('every packet is %s', async (state) => {
    const { code, lines, err } = await replay(
      rich,
      '--pcap',
      capture,
      '--compare',
      '--engine',
      'ebpf',
      '--hook',
      'prerouting',
      '--state',
      state,
    );
    expect(code, err).toBe(0);
    const rules = new Set(lines.map((line) => (line['rule'] as { ref: string } | undefined)?.ref));
    expect([rules.has('marked'), rules.has('listed')]).toEqual(state === 'invalid' ? [true, false] : [false, false]);
  });

  it('what a program cannot do is said', async () => {
    const policy = join(directory, 'payload.yaml');
    writeFileSync(policy, `rules:\n  - { name: token, expression: 'starts_with(udp.payload, tcp.payload)', action: allow }\n`);
    const { code, err } = await replay(policy, '--pcap', capture, '--engine', 'ebpf');
    expect(code).toBe(2);
    expect(err).toContain('payload.yaml:2');
    expect(err).toContain('starts_with');
  });
});

it('connection tracking says the state of each packet', async () => {
  const turn = (back: boolean, flags: number, sequence: number, acknowledgement: number): Uint8Array => {
    const [client, server] = [ip('198.51.100.7'), ip('203.0.113.5')];
    const [sourcePort, destinationPort] = back ? [443, 51_000] : [51_000, 443];
    const transport: Transport = { kind: 'tcp', sourcePort, destinationPort, flags, sequence, acknowledgement };
    return buildPacket({ source: back ? server : client, destination: back ? client : server, transport });
  };
  const { syn, ack, rst } = TCP_FLAGS;
  const file = write('connection.pcap', [
    turn(false, syn, 1000, 0),
    turn(true, syn | ack, 9000, 1001),
    turn(false, ack, 1001, 9001),
    turn(false, syn | rst, 5, 5),
    buildPacket({
      source: ip('203.0.113.5'),
      destination: ip('198.51.100.7'),
      transport: { kind: 'icmp', type: 3, code: 3, payload: turn(false, ack, 1001, 9001) },
    }),
  ]);
  const policy = join(directory, 'web.yaml');
  writeFileSync(
    policy,
    'default_action: deny\nrules:\n  - { name: web, protocol: tcp, destination_ports: 443, state: new, action: allow }\n',
  );
  for (const hook of ['--engine', '--compare']) {
    const { code, lines } = await replay(policy, '--pcap', file, ...(hook === '--engine' ? ['--engine', 'nft'] : ['--compare']));
    expect(code).toBe(0);
    expect(lines.map(({ verdict, state }) => [verdict, state])).toEqual([
      ['allow', 'new'],
      ['allow', 'established'],
      ['allow', 'established'],
      ['deny', 'invalid'],
      ['allow', 'related'],
    ]);
    expect(lines[0]).toMatchObject({
      rule: { ref: 'web', label: 'web#1000' },
      why: expect.arrayContaining(['tcp.dstport is 443', 'ct.new is true']),
    });
  }
});

it('a difference is shown, with the packet', async () => {
  // The kernel writes its address into the option before input sees it, and moves the pointer (RFC 791, record route).
  const options = new Uint8Array([7, 7, 4, 0, 0, 0, 0, 0]);
  const transport: Transport = { kind: 'udp', sourcePort: 5, destinationPort: 53 };
  const packet = buildPacket({ source: ip('198.51.100.7'), destination: ip('203.0.113.5'), options, transport });
  const policy = join(directory, 'option.yaml');
  writeFileSync(policy, "default_action: deny\nrules:\n  - { name: fresh, expression: 'bit_slice(ip, 176, 184) == 4', action: allow }\n");
  const { code, lines, err } = await replay(policy, '--pcap', write('option.pcap', [packet]), '--compare');
  expect(code, err).toBe(2);
  expect(lines).toMatchObject([
    {
      verdict: 'deny',
      rule: { ref: '<default>' },
      difference: { interpreter: { verdict: 'allow', rule: { ref: 'fresh' } }, hex: Buffer.from(packet).toString('hex') },
    },
  ]);
  expect(err).toContain('1 difference between the kernel and the interpreter');
});

it('what nf_tables cannot express is refused', async () => {
  const policy = join(directory, 'refused.yaml');
  writeFileSync(
    policy,
    "default_action: deny\nrules:\n  - { name: search, expression: 'starts_with(udp.payload, tcp.payload)', action: allow }\n",
  );
  const { code, err } = await replay(policy, '--pcap', capture, '--engine', 'nft');
  expect([code, err]).toEqual([2, expect.stringContaining('search: nf_tables cannot express')]);
});

it('nothing of this namespace is touched, and nothing is left', async () => {
  const namespaces = (): string => spawnSync('lsns', ['-t', 'net', '-n', '-o', 'NS'], { encoding: 'utf8' }).stdout;
  const here = (): string =>
    `${readlinkSync('/proc/thread-self/ns/net')} ${spawnSync('ip', ['-o', 'link'], { encoding: 'utf8' }).stdout.split('\n').length}`;
  const before = here();
  await replay(rich, '--pcap', capture, '--compare', '--limit', '100', '--hook', 'input');
  expect(here()).toBe(before);
  expect(namespaces()).toContain(readlinkSync('/proc/self/ns/net').replace(/\D/g, ''));
});

it('without the privileges it says what is missing', () => {
  const weir = ['--conditions=source', '--import', 'tsx', join(ROOT, 'apps/weir/src/main.ts')];
  const args = [...weir, 'replay', example('web-server.yaml'), '--pcap', capture, '--compare'];
  const { status, stderr } = spawnSync('setpriv', ['--bounding-set=-sys_admin', process.execPath, ...args], {
    encoding: 'utf8',
    cwd: ROOT,
  });
  expect([status, stderr]).toEqual([4, expect.stringContaining('the process needs CAP_SYS_ADMIN')]);
});
