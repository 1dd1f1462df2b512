import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { policyFromJson } from '../sources/policy/index.ts';
import { EXIT } from './exit.ts';
import { memoryIo } from './memory-io.ts';
import { runProgram } from './program.ts';

const POLICY = `default_action: deny
rules:
  - { name: web, protocol: tcp, destination_ports: [80, 443], action: allow }
`;
const BAD = POLICY.replace('tcp', 'tpc');
const CONFIG = `bgp: { as: 64512, router_id: 192.0.2.1 }
sets:
  spammers: { kind: deny, communities: blackhole }
policy: policy.d/*.yaml
`;
const SETS = `rules:
  - { name: spam, source_cidrs: $spammers, destination_ports: 25, protocol: tcp, action: deny }
`;

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-policy-'));
  mkdirSync(join(directory, 'policy.d'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function run(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const io = memoryIo();
  const code = await runProgram(args, io, {});
  const short = (text: string): string => text.replaceAll(`${directory}/`, '');
  return { code, stdout: short(io.stdout), stderr: short(io.stderr) };
}

describe('check', () => {
  test('a policy, a configuration and the policy that it names', async () => {
    file('policy.d/a.yaml', SETS);
    expect(await run('check', file('p.yaml', POLICY), file('weir.yaml', CONFIG))).toEqual({
      code: EXIT.ok,
      stdout: 'p.yaml: ok\nweir.yaml: ok\n',
      stderr: '',
    });
  });

  test('a policy with a mistake: text, JSON, SARIF', async () => {
    const path = file('p.yaml', BAD);
    expect(await run('check', path)).toEqual({
      code: EXIT.finding,
      stdout: 'p.yaml: 1 error\n',
      stderr: `p.yaml:3:28 error[E009] "tpc" is not a protocol
  - { name: web, protocol: tpc, destination_ports: [80, 443], action: allow }
                           ^^^
hint: did you mean tcp?
`,
    });
    expect(JSON.parse((await run('check', '-o', 'json', path)).stdout)).toMatchObject({
      files: [{ file: 'p.yaml', ok: false, diagnostics: [{ code: 'E009', line: 3, column: 28, length: 3 }] }],
    });
    expect(JSON.parse((await run('check', '-o', 'sarif', path)).stdout)).toMatchObject({ runs: [{ results: [{ ruleId: 'E009' }] }] });
  });

  test('a mistake in a policy is one of the configuration that names it', async () => {
    file('policy.d/a.yaml', BAD);
    const result = await run('check', file('weir.yaml', CONFIG));
    expect(result).toMatchObject({ code: EXIT.finding, stdout: 'weir.yaml: 1 error, 1 warning\n' });
    expect(result.stderr).toContain('policy.d/a.yaml:3:28 error[E009]');
    expect(result.stderr).toContain('warning[W001] neither a border nor the policy uses the set "spammers"');
  });

  test('the sets of a configuration', async () => {
    const path = file('p.yaml', SETS);
    expect((await run('check', path)).stderr).toContain('error[E036] no list or set is named spammers');
    file('policy.d/a.yaml', POLICY);
    expect(await run('check', '-c', file('weir.yaml', CONFIG), path)).toMatchObject({ code: EXIT.ok, stderr: '' });
    expect(await run('check', '-c', file('weir.yaml', 'sets: 1\n'), path)).toEqual({
      code: EXIT.finding,
      stdout: '',
      stderr: 'error: weir.yaml cannot be used: weir check weir.yaml says why\n',
    });
    expect(await run('check', '-c', join(directory, 'none'), path)).toMatchObject({ code: EXIT.error });
  });

  test('a policy that is one flow mapping, and one that is not there', async () => {
    expect(await run('check', file('p.json', '{ "default_action": "deny", "rules": [] }\n'))).toMatchObject({
      code: EXIT.ok,
      stdout: 'p.json: ok\n',
    });
    expect(await run('check', join(directory, 'none'))).toMatchObject({ code: EXIT.error });
  });
});

describe('compile --to ir', () => {
  test('a policy: what is judged before it, and its rules', async () => {
    const { code, stdout, stderr } = await run('compile', '--to', 'ir', file('p.yaml', POLICY));
    expect([code, stderr]).toEqual([EXIT.ok, '']);
    const json = JSON.parse(stdout) as { before_rules: { hook: string; name: string; expression: string }[] };
    expect(json).toMatchObject({
      format_version: 1,
      default_action: 'deny',
      files: ['p.yaml'],
      rules: [{ name: 'web', text: 'tcp.dstport in {80 443}', source: { file: 'p.yaml', line: 3, column: 13, length: 3 } }],
    });
    const before = json.before_rules.map((b) => `${b.hook} ${b.name}: ${b.expression}`);
    expect(before).toContain('input base loopback: iif.name == "lo"');
    expect(before).toContain('input established: (ct.established or ct.related)');
    expect(policyFromJson(json).rules[0]?.expression).toEqual({
      kind: 'literal',
      negated: false,
      test: {
        kind: 'int',
        operand: { kind: 'field', name: 'tcp.dstport' },
        set: [
          { first: 80, last: 80 },
          { first: 443, last: 443 },
        ],
      },
    });
  });

  test('several files are one policy, and a configuration is its policy', async () => {
    const files = [file('a.yaml', POLICY), file('policy.d/a.yaml', SETS), file('policy.d/b.yaml', 'default_action: allow\n')];
    const two = await run('compile', '--to', 'ir', '-c', file('weir.yaml', CONFIG), ...files.slice(0, 2));
    expect([two.code, (JSON.parse(two.stdout) as { files: string[] }).files]).toEqual([EXIT.ok, ['a.yaml', 'policy.d/a.yaml']]);
    const whole = await run('compile', '--to', 'ir', join(directory, 'weir.yaml'));
    expect(JSON.parse(whole.stdout)).toMatchObject({ default_action: 'allow', rules: [{ name: 'spam', source_cidrs: ['$spammers'] }] });
  });

  test('mistakes print nothing', async () => {
    expect(await run('compile', '--to', 'ir', file('p.yaml', BAD))).toMatchObject({ code: EXIT.finding, stdout: '' });
    expect(await run('compile', '--to', 'ir', join(directory, 'none'))).toMatchObject({ code: EXIT.error, stdout: '' });
    expect(await run('compile', '--to', 'ir', file('p.yaml', POLICY), join(directory, 'none'))).toMatchObject({
      code: EXIT.error,
      stdout: '',
    });
    const bare = CONFIG.replace(/policy:.*\n/, '').replace('blackhole }', 'blackhole, nft: { table: fw, ipv4: s } }');
    expect(await run('compile', '--to', 'ir', file('weir.yaml', bare))).toMatchObject({ code: EXIT.finding, stdout: '' });
    expect(await run('compile', file('p.yaml', POLICY))).toMatchObject({ code: EXIT.usage });
  });
});
