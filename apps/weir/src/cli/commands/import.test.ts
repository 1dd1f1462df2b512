import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../exit.ts';
import { type MemoryIo, memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const EXAMPLES = fileURLToPath(new URL('../../../../../examples/import/', import.meta.url));
const SAVE = '*filter\n:INPUT DROP [0:0]\n-A INPUT -p tcp --dport 22 -j ACCEPT\nCOMMIT\n';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-import-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function run(args: readonly string[], io: MemoryIo = memoryIo()): Promise<{ code: number; stdout: string; stderr: string }> {
  const code = await runProgram(['import', ...args], io, {});
  return { code, stdout: io.stdout, stderr: io.stderr };
}

describe('weir import iptables-save', () => {
  it('prints the policy, and what became of each line on stderr', async () => {
    const { code, stdout, stderr } = await run(['iptables-save', '-'], memoryIo({ stdin: SAVE }));
    expect(code).toBe(EXIT.ok);
    expect(stdout).toBe(`# Imported by weir from <stdin>.
# Hook input: the input says nothing about IPv6, so the first rule lets it through.
default_action: deny
rules:
  - name: input-ipv6-not-judged
    ref: input-501ecd47
    description: "IPv6 is not judged by what was imported"
    hook: input
    source_cidrs: ["::/0"]
    action: allow
  # <stdin>:3 -A INPUT -p tcp --dport 22 -j ACCEPT
  - name: input-allow-tcp-22
    ref: ${/ref: (input-(?!501ecd47)[0-9a-f]{8})/.exec(stdout)?.[1]}
    hook: input
    protocol: tcp
    destination_ports: [22]
    action: allow
`);
    expect(stderr).toBe(`<stdin>:2: translated: :INPUT DROP [0:0]
<stdin>:3: translated: -A INPUT -p tcp --dport 22 -j ACCEPT
note: the input says nothing about IPv6 at hook input; a rule lets it through
2 items: 2 translated, 0 approximated, 0 unsupported; 2 rules
`);
  });

  it('writes to a file with -f, and the report as JSON', async () => {
    const out = join(directory, 'policy.yaml');
    const { code, stdout, stderr } = await run(['iptables-save', file('rules', SAVE), '-f', out, '-o', 'json']);
    expect([code, stderr]).toEqual([EXIT.ok, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      format_version: 1,
      ok: true,
      counts: { translated: 2, approximated: 0, unsupported: 0, errors: 0, nothing: 2, rules: 2 },
      not_judged: [{ hook: 'input', family: 6 }],
      policy_file: out,
    });
    expect(readFileSync(out, 'utf8')).toContain('default_action: deny');
  });

  it('says with --strict that something is lost', async () => {
    const rules = file('rules', SAVE.replace('-p tcp', '-m mac --mac-source 02:00:00:00:00:01 -p tcp'));
    expect((await run(['iptables-save', rules])).code).toBe(EXIT.ok);
    const { code, stdout } = await run(['iptables-save', '--strict', rules]);
    expect(code).toBe(EXIT.finding);
    expect(stdout).toContain('a policy does not see Ethernet addresses');
  });

  it('imports nothing when a line is none', async () => {
    const rules = file('rules', SAVE.replace('--dport 22', '--dport 99999'));
    const out = join(directory, 'policy.yaml');
    const { code, stdout, stderr } = await run(['iptables-save', rules, '-f', out]);
    expect([code, stdout]).toEqual([EXIT.finding, '']);
    expect(stderr).toContain(
      `${rules}:3:25: error: -A INPUT -p tcp --dport 99999 -j ACCEPT\n    a port is a number from 0 to 65535, not "99999"\n`,
    );
    expect(stderr).toContain('nothing is imported while there is an error');
    expect(() => readFileSync(out)).toThrow();
  });

  it('takes both families', async () => {
    const { code, stdout } = await run(['iptables-save', join(EXAMPLES, 'web-server.v4'), '--ip6tables', join(EXAMPLES, 'web-server.v6')]);
    expect(code).toBe(EXIT.ok);
    expect(stdout).not.toContain('says nothing about');
    expect((await run(['iptables-save', '--family', '6', join(EXAMPLES, 'web-server.v6')])).stdout).toContain('says nothing about IPv4');
  });

  it('does not take both families as IPv6, a file that is not there, or control characters to the terminal', async () => {
    const rules = file('rules', SAVE.replace('ACCEPT', 'ACCEPT\n# \u001b[2J\n-A INPUT -j \u001b[2JX'));
    expect((await run(['iptables-save', rules, '--family', '6', '--ip6tables', rules])).code).toBe(EXIT.usage);
    expect((await run(['iptables-save', join(directory, 'none')])).code).toBe(EXIT.error);
    expect((await run(['iptables-save', rules])).stderr).not.toMatch(/[^\n\P{Cc}]/u);
  });
});

describe('weir import nft and networkpolicy', () => {
  it('takes the examples', async () => {
    const nft = await run(['nft', join(EXAMPLES, 'border.json'), '--strict']);
    expect(nft.code).toBe(EXIT.ok);
    expect(nft.stdout).toContain('lists:\n  admins: [192.0.2.10, 198.51.100.0/28]\n');
    const policies = await run(['networkpolicy', join(EXAMPLES, 'network-policies.yaml')]);
    expect(policies.code).toBe(EXIT.ok);
    expect(policies.stdout).toContain('#   $prod_app_web: addresses of the pods of namespace prod with app=web\n');
    expect(policies.stderr).toContain('rules on layer 7 (http) are not translated; nothing is allowed in their place');
  });

  it('says where JSON ends', async () => {
    const { code, stderr } = await run(['nft', file('rules.json', '{"nftables": [')]);
    expect(code).toBe(EXIT.finding);
    expect(stderr).toContain('rules.json:1:15: error: the file\n    not JSON: the text ends too early\n');
  });
});
