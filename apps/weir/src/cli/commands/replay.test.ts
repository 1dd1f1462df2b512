import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildEthernet, buildFragments, buildPacket, TCP_FLAGS, type Transport } from '@weir/filter/packet';
import { encodePcap, type FrameToWrite, LINKTYPE_ETHERNET } from '@weir/wire/capture';
import { ip } from '@weir/wire/inet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type MemoryIo, memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';
import { missingCapabilities } from '../replay/privileges.ts';

const START = 1_767_225_600_000_000;

const POLICY = `default_action: deny
rules:
  - { name: web, ref: web-1, priority: 20, action: allow, protocol: tcp, destination_ports: [80, 443] }
  - { name: names, priority: 30, action: rate_limit, rate_limit_pps: 1, rate_limit_burst: 1, protocol: udp, destination_ports: 53 }
  - { name: pings, priority: 40, action: reject, protocol: icmp }
  - { name: transit, hook: forward, priority: 10, action: allow, in_interface: lan0, out_interface: wan0, expression: 'ip.ttl < 64' }
`;

let directory = '';
let policy = '';
let capture = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-replay-'));
  policy = join(directory, 'policy.yaml');
  capture = join(directory, 'capture.pcap');
  writeFileSync(policy, POLICY);
  writeFileSync(capture, encodePcap(LINKTYPE_ETHERNET, FRAMES));
});

afterEach(() => rmSync(directory, { recursive: true }));

function frame(transport: Transport, tags: readonly { readonly id: number }[] = []): Uint8Array {
  const packet = buildPacket({ source: ip('198.51.100.7'), destination: ip('203.0.113.5'), transport });
  return buildEthernet({ tags }, 0x0800, packet);
}

const SYN: Transport = { kind: 'tcp', sourcePort: 51_000, destinationPort: 443, flags: TCP_FLAGS.syn };
const QUESTION: Transport = { kind: 'udp', sourcePort: 5353, destinationPort: 53, payload: new Uint8Array(40) };
const fragments = buildFragments({ source: ip('198.51.100.7'), destination: ip('203.0.113.5'), id: 7, transport: QUESTION }, 24);
const FRAMES: readonly FrameToWrite[] = [
  frame(SYN),
  frame({ ...SYN, destinationPort: 22 }, [{ id: 7 }]),
  frame({ kind: 'icmp', type: 8, code: 0 }),
  frame(QUESTION),
  frame(QUESTION),
  ...fragments.map((one) => buildEthernet({}, 0x0800, one)),
  buildEthernet({}, 0x0806, new Uint8Array(28)),
  frame(SYN).subarray(0, 30),
].map((bytes, i) => ({ time: START + i, bytes }));

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[], io: MemoryIo = memoryIo()): Promise<Ran> {
  const code = await runProgram(['replay', ...args], io, {});
  const clean = (text: string): string => text.replaceAll(directory, '').replace(/\d+ packets a second/g, 'N packets a second');
  return { code, out: clean(io.stdout), err: clean(io.stderr) };
}

test('a line for each packet, and a summary', async () => {
  expect(await run([policy, '--pcap', capture])).toMatchInlineSnapshot(`
    {
      "code": 0,
      "err": "9 packets: 4 allow, 2 deny, 2 not judged, 1 reject (3 names#30, 2 <default>, 1 web#20 (web-1), 1 pings#40); N packets a second
    not judged: 1 a fragment: its packet is judged when it is complete, 1 not ip
    ",
      "out": "1 2026-01-01T00:00:00.000000Z tcp 198.51.100.7:51000 -> 203.0.113.5:443 SYN: ALLOW BY web#20 (web-1): tcp.dstport is 443
    2 2026-01-01T00:00:00.000001Z tcp 198.51.100.7:51000 -> 203.0.113.5:22 SYN vlan 7: DENY BY <default>
    3 2026-01-01T00:00:00.000002Z icmp 198.51.100.7 -> 203.0.113.5 echo-request: REJECT BY pings#40: ip.proto.num is 1
    4 2026-01-01T00:00:00.000003Z udp 198.51.100.7:5353 -> 203.0.113.5:53 length 40: ALLOW BY names#30: udp.dstport is 53
    5 2026-01-01T00:00:00.000004Z udp 198.51.100.7:5353 -> 203.0.113.5:53 length 40: ALLOW BY names#30: udp.dstport is 53
    6 2026-01-01T00:00:00.000005Z udp 198.51.100.7:5353 -> 203.0.113.5:53 length 16 fragment at 0 of more: not judged: a fragment: its packet is judged when it is complete
    7 2026-01-01T00:00:00.000006Z udp 198.51.100.7 -> 203.0.113.5 fragment at 24: ALLOW BY names#30: udp.dstport is 53
    8 2026-01-01T00:00:00.000007Z arp, 28 octets: not judged: not ip
    9 2026-01-01T00:00:00.000008Z ip header cut short: DENY BY <default>
    ",
    }
  `);
});

test('an object for each packet', async () => {
  const { code, out } = await run([policy, '--pcap', capture, '-o', 'json']);
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(code).toBe(0);
  expect(lines.map((line) => line['number'])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  expect(lines[0]).toEqual({
    format_version: 1,
    number: 1,
    time: '2026-01-01T00:00:00.000000Z',
    packet: 'tcp 198.51.100.7:51000 -> 203.0.113.5:443 SYN',
    verdict: 'allow',
    rule: { ref: 'web-1', name: 'web', label: 'web#20', stage: 'policy' },
    state: 'new',
    why: ['tcp.dstport is 443'],
  });
  expect(lines[7]).toEqual({
    format_version: 1,
    number: 8,
    time: '2026-01-01T00:00:00.000007Z',
    packet: 'arp, 28 octets',
    verdict: 'not-judged',
    reason: 'not ip',
  });
});

test('what packets have at another hook: interfaces, a state, one hop less', async () => {
  const at = [policy, '--pcap', capture, '--limit', '1'];
  const forward = [...at, '--hook', 'forward'];
  expect((await run(forward)).out).toContain('DENY BY <default>');
  expect((await run([...forward, '--iif', 'lan0', '--oif', 'wan0'])).out).toContain('ALLOW BY transit#10');
  expect((await run([...forward, '--state', 'established'])).out).toContain('ALLOW BY established (established:0)');
});

test('a limit of packets', async () => {
  const { out, err } = await run([policy, '--pcap', capture, '--limit', '2']);
  expect([out.split('\n').length - 1, err.startsWith('2 packets: 1 allow, 1 deny')]).toEqual([2, true]);
});

test('standard input', async () => {
  const io = memoryIo();
  const stdin = (async function* () {
    for (let at = 0; at < 600; at += 50) yield Buffer.from(encodePcap(LINKTYPE_ETHERNET, FRAMES).subarray(at, at + 50));
  })();
  const { code, out } = await run([policy, '--pcap', '-'], {
    ...io,
    stdin: stdin as never,
    get stdout() {
      return io.stdout;
    },
    get stderr() {
      return io.stderr;
    },
  });
  expect([code, out.split('\n').length > 3]).toEqual([2, true]);
});

test('a broken capture is judged up to where it breaks', async () => {
  const whole = encodePcap(LINKTYPE_ETHERNET, FRAMES);
  writeFileSync(capture, whole.subarray(0, whole.length - 5));
  const { code, out, err } = await run([policy, '--pcap', capture]);
  expect([code, out.split('\n').length - 1]).toEqual([2, 8]);
  expect(err).toMatch(/^\/capture\.pcap: offset \d+: packet of 30 octets, 25 left\n8 packets: /);
});

test('what is no capture, and what is not there', async () => {
  expect(await run([policy, '--pcap', policy])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/policy\.yaml is no capture: magic 0x64656661/),
  });
  expect(await run([policy, '--pcap', join(directory, 'none')])).toMatchObject({ code: 1, err: 'error: cannot read /none: ENOENT\n' });
});

test('a link type that is not known', async () => {
  writeFileSync(capture, encodePcap(147, [{ bytes: new Uint8Array(20) }]));
  expect((await run([policy, '--pcap', capture])).out).toBe('1 - not ip, 0 octets: not judged: link type 147 is not known\n');
});

test.each([
  { name: 'a hook without rules', args: ['--hook', 'output'], want: 'no rules at output, but at input, forward' },
  { name: 'a state in the kernel', args: ['--engine', 'nft', '--state', 'new'], want: '--state is for the interpreter and for eBPF' },
  { name: 'an interface that cannot be made', args: ['--compare', '--iif', 'lo'], want: 'cannot be made with the name "lo"' },
  { name: 'one interface for both', args: ['--compare', '--iif', 'a', '--oif', 'a'], want: '--iif and --oif are two interfaces' },
])('$name is refused', async ({ args, want }) => {
  const { code, err } = await run([policy, '--pcap', capture, ...args]);
  expect([code, err]).toEqual([64, expect.stringContaining(want)]);
});

test('the hook of a policy that has rules at one only', async () => {
  writeFileSync(policy, 'default_action: deny\nrules:\n  - { name: a, hook: output, action: allow }\n');
  expect((await run([policy, '--pcap', capture, '--limit', '1'])).out).toContain('ALLOW BY a#1000');
});

test('a slow reader slows it down', async () => {
  const many = Array.from({ length: 5000 }, (_, i) => ({ time: START + i, bytes: frame(SYN) }));
  writeFileSync(capture, encodePcap(LINKTYPE_ETHERNET, many));
  const inner = memoryIo();
  let waiting = 0;
  let most = 0;
  let longest = 0;
  const io: MemoryIo = {
    ...inner,
    get stdout() {
      return inner.stdout;
    },
    get stderr() {
      return inner.stderr;
    },
    out: async (text) => {
      waiting++;
      most = Math.max(most, waiting);
      longest = Math.max(longest, text.length);
      await new Promise((resolve) => setTimeout(resolve, 2));
      waiting--;
      await inner.out(text);
    },
  };
  expect((await run([policy, '--pcap', capture], io)).code).toBe(0);
  expect(inner.stdout.split('\n').length - 1).toBe(5000);
  // One write at a time, of the packets of one batch.
  expect([most, longest < 200_000]).toEqual([1, true]);
});

test('an interrupt ends it', async () => {
  const io = memoryIo();
  io.abort();
  expect((await run([policy, '--pcap', capture], io)).code).toBe(130);
});

test('what the kernel engine needs', () => {
  expect(missingCapabilities('CapEff:\t000001ffffffffff\n')).toEqual([]);
  expect(missingCapabilities('CapEff:\t0000000000000000\n')).toEqual(['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN']);
  expect(missingCapabilities('CapEff:\t0000000000203000\n')).toEqual([]);
});

test('at xdp and tc packets are judged as they come', async () => {
  writeFileSync(
    policy,
    `default_action: allow
rules:
  - { name: whole, hook: xdp, protocol: udp, destination_ports: 53, action: deny }
  - { name: parts, hook: xdp, expression: 'ip.frag', action: deny }
  - { name: in, hook: tc, in_interface: lan0, protocol: icmp, action: deny }
  - { name: out, hook: tc, out_interface: wan0, protocol: icmp, action: deny }
`,
  );
  const verdicts = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await run([policy, '--pcap', capture, ...args])).out
      .split('\n')
      .flatMap((line) => /(?:BY|NOT JUDGED).*/.exec(line)?.[0].split(':')[0] ?? []);
  const at = (hook: string, ...more: readonly string[]): Promise<readonly string[]> => verdicts('--hook', hook, ...more);
  expect((await at('xdp')).filter((one) => one !== 'BY <default>')).toEqual([
    'BY whole#1000',
    'BY whole#1000',
    'BY whole#1000',
    'BY parts#1000',
  ]);
  expect((await at('tc', '--iif', 'lan0')).filter((one) => /in#|out#/.test(one))).toEqual(['BY in#1000']);
  expect((await at('tc', '--oif', 'wan0')).filter((one) => /in#|out#/.test(one))).toEqual(['BY out#1000']);
  expect(await run([policy, '--pcap', capture, '--hook', 'xdp', '--engine', 'nft'])).toMatchObject({
    code: 64,
    err: 'error: nf_tables has no hook xdp: --engine ebpf\n',
  });
});
