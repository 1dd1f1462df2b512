import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-analyze-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

async function run(policy: string, ...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const file = join(directory, 'policy.yaml');
  writeFileSync(file, policy);
  const io = memoryIo();
  const code = await runProgram(['analyze', file, ...args], io, {});
  return { code, out: io.stdout.replaceAll(`${directory}/`, ''), err: io.stderr };
}

const SHADOWED = `default_action: deny
rules:
  - { name: admins, source_cidrs: [192.0.2.0/25, 192.0.2.128/25], action: allow }
  - { name: ssh, source_cidrs: [192.0.2.64/26], protocol: tcp, destination_ports: [22], action: deny }
`;
const FINE = `default_action: deny
rules:
  - { name: web, protocol: tcp, destination_ports: [80, 443], action: allow }
`;

test('findings with their places and a packet', async () => {
  const { code, out } = await run(SHADOWED);
  expect(code).toBe(2);
  expect(out).toContain(
    'policy.yaml:4:13 warning[A001] every packet that ssh (policy.yaml:4) matches is decided before it by admins (policy.yaml:3)\n',
  );
  expect(out).toContain('hint: as with tcp 192.0.2.64 -> 203.0.113.5:22\n');
  expect(out).toContain(
    'warning[A006] source_cidrs of admins (policy.yaml:3): 192.0.2.0/25, 192.0.2.128/25: together they are 192.0.2.0/24\n',
  );
  expect(out).toMatch(/\n2 rules: 1 shadowed, 1 aggregate\n$/);
});

test('nothing found', async () => {
  expect(await run(FINE)).toMatchObject({ code: 0, out: '1 rule: nothing found\n' });
});

test('the threshold, and kinds that do not count', async () => {
  expect((await run(SHADOWED, '--threshold', '1')).code).toBe(0);
  expect((await run(SHADOWED.replace('192.0.2.64/26', '198.51.100.0/24').replace('deny }', 'allow }'))).code).toBe(0);
  expect((await run(FINE, '--threshold', 'many')).code).toBe(64);
});

test('as JSON', async () => {
  const { code, out } = await run(SHADOWED, '-o', 'json');
  expect(code).toBe(2);
  expect(JSON.parse(out)).toMatchObject({
    format_version: 1,
    rules: 2,
    threshold: 0,
    counted: 1,
    findings: [
      { code: 'A006', kind: 'aggregate', counts: false },
      {
        code: 'A001',
        kind: 'shadowed',
        counts: true,
        hooks: ['input'],
        rule: { ref: 'ssh', line: 4 },
        others: [{ ref: 'admins', line: 3 }],
        witness: { packet: 'tcp 192.0.2.64 -> 203.0.113.5:22', assumes: [] },
      },
    ],
    not_analysed: [],
  });
});

test('as SARIF', async () => {
  const { runs } = JSON.parse((await run(SHADOWED, '-o', 'sarif')).out) as { runs: { results: Record<string, unknown>[] }[] };
  expect(runs[0]?.results[1]).toMatchObject({
    ruleId: 'A001',
    level: 'warning',
    locations: [{ physicalLocation: { region: { startLine: 4, startColumn: 13 } } }],
    relatedLocations: [{ physicalLocation: { region: { startLine: 3 } } }],
  });
});

test('a file with mistakes, and one that is not there', async () => {
  const { code, out, err } = await run('rules: 1\n');
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('policy.yaml:1:');
  const io = memoryIo();
  expect(await runProgram(['analyze', join(directory, 'none.yaml')], io, {})).toBe(1);
});
