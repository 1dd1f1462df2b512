import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Backend, ControlServer } from '../../api/index.ts';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-rules-'));
const socket = join(directory, 'weir.sock');
let server: ControlServer | undefined;

const texts = {
  'weir.yaml': 'bgp: { as: 64512, router_id: 192.0.2.1, peers: [] }\nfirewall: { base: { loopback: false } }\npolicy: policy.yaml\n',
  'policy.yaml': `default_action: deny
rules:
  - { name: web, priority: 20, protocol: tcp, destination_ports: [80, 443], action: allow }
  - { name: watched, priority: 10, source_cidrs: 192.0.2.0/24, action: deny, log: true, audit: true }
  - { name: through, hook: forward, protocol: udp, action: reject }
`,
};

beforeAll(async () => {
  const generation = async (): Promise<unknown> => ({ format_version: 1, generation: 1, digest: '', file: 'weir.yaml', texts });
  const flows = async (): Promise<unknown> => ({ format_version: 1, peers: [], announced: [], flows: [], total: 0 });
  server = await ControlServer.open({ path: socket, backend: { generation, flows } as unknown as Backend, onError: () => undefined });
});

afterAll(async () => {
  await server?.close();
  rmSync(directory, { recursive: true });
});

async function run(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo();
  const code = await runProgram(['rules', '--socket', socket, ...args], io, {});
  return { code, out: io.stdout, err: io.stderr };
}

test('the rules of each hook, in the order of judgement', async () => {
  const { code, out } = await run();
  expect(code).toBe(0);
  expect(out.split('\n').filter((line) => !line.startsWith('  base '))).toEqual([
    'input, priority 0:',
    '  established allow: (ct.established or ct.related)',
    '  watched#10 deny, log, audit: ip.src in {192.0.2.0/24} (policy.yaml:4)',
    '  web#20 allow: tcp.dstport in {80 443} (policy.yaml:3)',
    '  <default> deny: everything (policy.yaml:1)',
    'forward, priority 0:',
    '  established allow: (ct.established or ct.related)',
    '  through#1000 reject with port-unreachable: ip.proto == "udp" (policy.yaml:5)',
    '  <default> deny: everything (policy.yaml:1)',
    '',
  ]);
});

test('of one hook, as JSON', async () => {
  const { hooks, format_version } = JSON.parse((await run('--hook', 'forward', '-o', 'json')).out);
  expect(format_version).toBe(1);
  expect(hooks).toMatchObject([{ hook: 'forward', priority: 0 }]);
  expect(hooks[0].rules.at(-2)).toEqual({
    ref: 'through',
    name: 'through',
    stage: 'policy',
    priority: 1000,
    action: 'reject with port-unreachable',
    expression: 'ip.proto == "udp"',
    source: 'policy.yaml:5',
    log: false,
    audit: false,
  });
});

test.each([
  { args: ['--hook', 'ingress'], want: 64 },
  { args: ['--tenant', 'nobody'], want: 64 },
  { args: ['--socket', join(directory, 'none')], want: 1 },
])('$args ends with $want', async ({ args, want }) => expect((await run(...args)).code).toBe(want));
