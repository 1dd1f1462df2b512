import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../exit.ts';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-compile-ebpf-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const policy = file(
  'policy.yaml',
  `default_action: allow
rules:
  - { name: block, hook: [xdp, input], source_cidrs: 198.51.100.0/24, action: deny }
  - { name: guest, hook: tc, in_interface: guest, protocol: udp, action: deny }
  - { name: smtp, hook: connect, protocol: tcp, destination_ports: 25, action: deny }
`,
);
const config = file(
  'weir.yaml',
  `bgp: { as: 64512, router_id: 192.0.2.1 }
policy: policy.yaml
ebpf: { xdp: { interfaces: [eth0, wan] }, tc: { ingress: guest, egress: guest }, connect: {} }
`,
);

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly out: readonly string[]; readonly err: string }> {
  const io = memoryIo();
  const code = await runProgram(['compile', '--to', 'ebpf', ...args], io, {});
  return { code, out: io.stdout.replaceAll(`${directory}/`, '').split('\n'), err: io.stderr.replaceAll(`${directory}/`, '') };
}

const titles = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => /^# [^m]/.test(line)).map((line) => line.replace(/: \d+ instructions$/, ''));

describe('weir compile --to ebpf', () => {
  it('prints a program for everything that is attached, with the rule and its line before its instructions', async () => {
    const { code, out, err } = await run(config);
    expect([code, err]).toEqual([EXIT.ok, '']);
    expect(titles(out)).toEqual(
      ['xdp eth0', 'xdp wan', 'tc ingress guest', 'tc egress guest', 'connect4', 'connect6', 'sendmsg4', 'sendmsg6'].map((t) => `# ${t}`),
    );
    expect(out).toContain('; policy.yaml:3 block#1000: ip.src in {198.51.100.0/24}');
    expect(out).toContain('; policy.yaml:5 smtp#1000: tcp.dstport == 25');
    expect(out.filter((line) => line.startsWith('# map[counters]'))).toHaveLength(8);
    expect(out.filter((line) => / exit$/.test(line)).length).toBeGreaterThanOrEqual(8);
  });

  it('an interface that a rule asks for is known when its program is made', async () => {
    const { out } = await run(config, '--hook', 'tc');
    const [, ingress = '', egress = ''] = out.join('\n').split('# tc ');
    const instructions = (part: string): number => (/guest#1000.*\n((?: .*\n)*)/.exec(part)?.[1] ?? '').split('\n').length - 1;
    expect([instructions(ingress) > 1, instructions(egress)]).toEqual([true, 1]);
  });

  it('takes policy files alone, and one hook', async () => {
    const { out } = await run(policy, '--hook', 'xdp');
    expect(titles(out)).toEqual(['# xdp eth0, whose name is assumed']);
  });

  it('says when there is nothing', async () => {
    const { code, err } = await run(file('input.yaml', 'rules:\n  - { name: web, protocol: tcp, action: deny }\n'));
    expect([code, err]).toEqual([EXIT.finding, 'error: no rule is judged at xdp, tc or connect: there is no program to print\n']);
  });

  it('the other forms say what they leave out or refuse it', async () => {
    const nft = memoryIo();
    expect(await runProgram(['compile', '--to', 'nft', policy], nft, {})).toBe(EXIT.ok);
    expect(nft.stderr).toBe('rules at xdp, tc and connect are no rules of nf_tables: --to ebpf prints their programs\n');
    expect(nft.stdout).toContain('198.51.100.0/24');
    expect(nft.stdout).not.toContain('xdp');
    const iptables = memoryIo();
    expect(await runProgram(['compile', '--to', 'iptables', policy], iptables, {})).toBe(EXIT.finding);
    expect(iptables.stderr).toContain('iptables has no hook xdp');
  });
});
