import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseFlow } from '@weir/bgp/flowspec';
import { printHex } from '@weir/wire/bytes';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Backend, ControlServer, type FlowSummary, type FlowsAnswer } from '../../api/index.ts';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';
// Loaded before the tests begin, not by the first of them.
import './explain.ts';
import './rules.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-flows-'));
const socket = join(directory, 'weir.sock');
let server: ControlServer | undefined;
let at = 'prerouting';
let flows: readonly FlowSummary[] = [];

const texts = (): Record<string, string> => ({
  'weir.yaml': `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers: [{ name: core, address: 192.0.2.9, as: 64513, families: [ipv4 unicast, ipv4 flow] }]
flowspec:
  at: ${at}
  guards: [{ peers: [core], actions: [discard, rate, sample, mark] }]
  protected: [203.0.113.1/32]
${at === 'prerouting' ? '' : 'ebpf: { xdp: { interfaces: [eth0] } }'}
policy: policy.yaml
`,
  'policy.yaml': `default_action: deny
rules:
  - { name: dns, hook: forward, priority: 20, protocol: udp, destination_ports: [53, 123], action: allow }
`,
});

function summary(text: string, ...treatment: readonly string[]): FlowSummary {
  const parsed = parseFlow(text);
  if (!parsed.ok) throw new Error(parsed.problem.message);
  return {
    flow: text,
    family: parsed.rule.family,
    octets: printHex(parsed.rule.octets),
    peer: 'core',
    state: 'enforced',
    actions: treatment,
    notes: [],
    treatment,
    communities: ['64513:666', 'generic:0x80060000:0x00000000'],
    as_path: [64513],
    since: new Date().toISOString(),
    stale: false,
    counters: [{ step: treatment.some((one) => one.startsWith('rate-packets')) ? 'packets' : '', packets: 7, bytes: 700 }],
  };
}

const ATTACK = summary('flow4 { dst 203.0.113.7/32; src 198.51.100.7/32; proto 17; }', 'discard');
const LIMIT = summary('flow4 { dst 203.0.113.0/24; proto 17; }', 'rate-packets 100', 'mark 10', 'continue');
const LATER = summary('flow4 { dst 203.0.113.0/24; }', 'sample');

beforeAll(async () => {
  const backend = {
    generation: async (): Promise<unknown> => ({ format_version: 1, generation: 1, digest: '', file: 'weir.yaml', texts: texts() }),
    flows: async ({ limit = 1000, cursor = '0' }): Promise<FlowsAnswer> => {
      const [from, total] = [Number(cursor), flows.length];
      const next = from + limit < total ? { next: String(from + limit) } : {};
      return { format_version: 1, at: 'prerouting', peers: [], announced: [], flows: flows.slice(from, from + limit), total, ...next };
    },
    lookup: async (): Promise<unknown> => ({ format_version: 1, members: [] }),
    status: async (): Promise<unknown> => ({ kernel: { foreign_chains: [] } }),
  };
  server = await ControlServer.open({ path: socket, backend: backend as unknown as Backend, onError: () => undefined });
});

beforeEach(() => {
  at = 'prerouting';
  flows = [ATTACK, LIMIT, LATER];
});

afterAll(async () => {
  await server?.close();
  rmSync(directory, { recursive: true });
});

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo();
  const code = await runProgram([...args, '--socket', socket], io, {});
  return { code, out: io.stdout, err: io.stderr };
}

const explain = (packet: string, ...args: readonly string[]): ReturnType<typeof run> => run('explain', ...packet.split(' '), ...args);
/** What flow rules say, without what protects from them. */
const said = (out: string): string =>
  out
    .split('\n')
    .filter((line) => !/ - base /.test(line))
    .join('\n')
    .replaceAll(/ for \d+\w+$/gm, '');

describe('explain', () => {
  test('judges by flow rules first, with who announced them', async () => {
    const { code, out } = await explain('udp 198.51.100.7:123 203.0.113.7:53 in eth0 out eth1', '--expect', 'deny');
    expect(code).toBe(0);
    expect(said(out)).toMatchInlineSnapshot(`
      "udp 198.51.100.7:123 -> 203.0.113.7:53 length 0 in eth0 out eth1
      prerouting, flow rules:
        - protected from flow rules no flow rule touches it (weir.yaml:5): ip.dst is 203.0.113.7, not ip.dst == 203.0.113.1, ip.src is 198.51.100.7, not ip.src == 203.0.113.1
        > flow4 { dst 203.0.113.7/32; src 198.51.100.7/32; proto 17; } deny: ip.src is 198.51.100.7, ip.dst is 203.0.113.7, ip.proto.num is 17
            ip.src == 198.51.100.7 and ip.dst == 203.0.113.7 and ip.proto == "udp"
            flow4 { dst 203.0.113.7/32; src 198.51.100.7/32; proto 17; }
            discard, from core via AS 64513 with 64513:666 generic:0x80060000:0x00000000
        DENY BY flow4 { dst 203.0.113.7/32; src 198.51.100.7/32; proto 17; }
      "
    `);
  });

  test('a rate lets go on what is under it, and the next rule is looked at where the rule is not terminal', async () => {
    const { out } = await explain('udp 198.51.100.8:5000 203.0.113.7:53 in eth0 out eth1', '--expect', 'allow');
    expect(said(out)).toMatchInlineSnapshot(`
      "udp 198.51.100.8:5000 -> 203.0.113.7:53 length 0 in eth0 out eth1
      prerouting, flow rules:
        - protected from flow rules no flow rule touches it (weir.yaml:5): ip.dst is 203.0.113.7, not ip.dst == 203.0.113.1, ip.src is 198.51.100.8, not ip.src == 203.0.113.1
        - flow4 { dst 203.0.113.7/32; src 198.51.100.7/32; proto 17; } deny: ip.src is 198.51.100.8, not ip.src == 198.51.100.7
        + flow4 { dst 203.0.113.0/24; proto 17; } packets police 100 packets/s (burst 10) per rule: ip.src is 198.51.100.8, ip.dst is 203.0.113.7, ip.proto.num is 17
            ip.src in {0.0.0.0/0} and ip.dst in {203.0.113.0/24} and ip.proto == "udp"
            only what is over the rate is dropped: the packet is taken to be under it
            flow4 { dst 203.0.113.0/24; proto 17; }
            rate-packets 100, mark 10, continue, from core via AS 64513 with 64513:666 generic:0x80060000:0x00000000
        + flow4 { dst 203.0.113.0/24; proto 17; } mark dscp 10: ip.src is 198.51.100.8, ip.dst is 203.0.113.7, ip.proto.num is 17
            ip.src in {0.0.0.0/0} and ip.dst in {203.0.113.0/24} and ip.proto == "udp"
        + flow4 { dst 203.0.113.0/24; } sample log: ip.src is 198.51.100.8, ip.dst is 203.0.113.7
            ip.src in {0.0.0.0/0} and ip.dst in {203.0.113.0/24}
            flow4 { dst 203.0.113.0/24; }
            sample, from core via AS 64513 with 64513:666 generic:0x80060000:0x00000000
        + flow4 { dst 203.0.113.0/24; } no later flow rule looks at it: ip.src is 198.51.100.8, ip.dst is 203.0.113.7
            ip.src in {0.0.0.0/0} and ip.dst in {203.0.113.0/24}
        GOES ON: no flow rule denies it
      forward:
        - established allow: ct.established is false, ct.related is false
        > dns#20 allow (policy.yaml:3): udp.dstport is 53
            udp.dstport in {53 123}
        ALLOW BY dns#20
      "
    `);
  });

  test('what is protected is not touched', async () => {
    flows = [summary('flow4 { dst 203.0.113.0/24; }', 'discard')];
    const { code, out } = await explain('udp 198.51.100.7:5000 203.0.113.1:53 in eth0 out eth1', '--expect', 'allow');
    expect(code).toBe(0);
    expect(out).toContain('+ protected from flow rules no flow rule touches it');
  });

  test('at a hook of programs flow rules are behind the deny sets', async () => {
    at = 'xdp';
    flows = [ATTACK];
    const { out } = await explain('udp 198.51.100.7:123 203.0.113.7:53 in eth0 out eth1', '--hook', 'xdp', '-o', 'json');
    const { verdict, hooks } = JSON.parse(out).packets[0];
    expect([verdict, hooks[0].rule.name]).toEqual(['deny', ATTACK.flow]);
    expect(hooks[0].rules.at(-1)).toMatchObject({
      matches: true,
      flow: { peer: 'core', communities: ATTACK.communities, treatment: ['discard'] },
    });
  });

  test('many that do not match are one line', async () => {
    flows = Array.from({ length: 2100 }, (_, i) => summary(`flow4 { dst 192.0.${2 + (i >> 8)}.${i & 255}/32; }`, 'discard'));
    const { out } = await explain('udp 198.51.100.7:5000 203.0.113.7:53 in eth0 out eth1');
    expect(out).toContain('  - 2100 flow rules that do not match: weir flow show\n');
    expect(out.length).toBeLessThan(10_000);
    const json = JSON.parse((await explain('udp 198.51.100.7:5000 203.0.113.7:53 in eth0 out eth1', '-o', 'json')).out);
    expect(json.packets[0].hooks[0].flow_rules_passed).toBe(2100);
  });
});

describe('rules', () => {
  test('a few are listed with what they have counted', async () => {
    const { out } = await run('rules', '--hook', 'prerouting');
    expect(out.split('\n').filter((line) => !line.startsWith('  base '))).toMatchInlineSnapshot(`
      [
        "prerouting, priority -450:",
        "  protected from flow rules no flow rule touches it: ip.dst == 203.0.113.1 or ip.src == 203.0.113.1 (weir.yaml:5)",
        "  flow4 { dst 203.0.113.7/32; src 198.51.100.7/32; proto 17; } deny; 7 packets, 700 bytes (from core)",
        "  flow4 { dst 203.0.113.0/24; proto 17; } packets police 100 packets/s (burst 10) per rule; 7 packets, 700 bytes (from core)",
        "  flow4 { dst 203.0.113.0/24; proto 17; } mark dscp 10 (from core)",
        "  flow4 { dst 203.0.113.0/24; } sample log, log, at most 100/s (from core)",
        "  flow4 { dst 203.0.113.0/24; } no later flow rule looks at it; 7 packets, 700 bytes (from core)",
        "",
      ]
    `);
  });

  test('of many it is told how many', async () => {
    flows = Array.from({ length: 51 }, (_, i) => summary(`flow4 { dst 192.0.2.${i}/32; }`, i < 2 ? 'rate-packets 5' : 'discard'));
    const { out } = await run('rules', '--hook', 'prerouting');
    expect(out).toContain('  51 flow rules of peers (2 rate-packets, 49 discard), 357 packets, 35700 bytes: weir flow show\n');
    const { hooks } = JSON.parse((await run('rules', '--hook', 'prerouting', '-o', 'json')).out);
    const mine = hooks[0].rules.filter((rule: { flow?: unknown }) => rule.flow !== undefined);
    expect(mine.at(-1)).toMatchObject({ action: 'deny', packets: 7, bytes: 700, flow: { peer: 'core', actions: ['discard'] } });
    expect(mine.length).toBe(53);
  });
});
