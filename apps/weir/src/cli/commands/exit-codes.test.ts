import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-exit-'));
afterAll(() => rmSync(directory, { recursive: true }));

const file = (name: string): string => join(directory, name);
writeFileSync(file('good.yaml'), 'rules: []\n');
writeFileSync(file('bad.yaml'), 'rules: [{ name: a, action: maybe }]\n');
writeFileSync(file('bytes.yaml'), Buffer.from([0x72, 0xff, 0xfe, 0x3a]));
writeFileSync(file('includes.yaml'), 'include: none.yaml\nrules: []\n');
writeFileSync(file('tests.yaml'), 'tests: [{ packet: "icmp 192.0.2.1 192.0.2.2", expect: deny }]\n');
writeFileSync(file('invariants.rego'), 'package x\n');

const PACKET = ['icmp', '192.0.2.1', '192.0.2.2'];

/** Everything that takes policy files, with one of them. */
const commands = (policy: string): readonly (readonly string[])[] => [
  ['check', policy],
  ['compile', policy, '--to', 'ir'],
  ['analyze', policy],
  ['explain', '-f', policy, ...PACKET],
  ['test', '-p', policy, file('tests.yaml')],
  ['replay', policy, '--pcap', file('none.pcap')],
  ['check', '-c', policy, file('good.yaml')],
];

test.each([
  { name: 'a file that is not there', policy: 'none.yaml', want: 1 },
  { name: 'a file with a mistake', policy: 'bad.yaml', want: 2 },
  { name: 'a file that is not text', policy: 'bytes.yaml', want: 2 },
  { name: 'a file that includes one that is not there', policy: 'includes.yaml', want: 2 },
])('$name: every command ends with $want', async ({ policy, want }) => {
  for (const args of commands(file(policy))) expect([args, await runProgram(args, memoryIo(), {})]).toEqual([args, want]);
});

test('names of files are URIs in SARIF', async () => {
  writeFileSync(file('a b#c.yaml'), 'rules: 5\n');
  const io = memoryIo();
  expect(await runProgram(['check', file('a b#c.yaml'), '-o', 'sarif'], io, {})).toBe(2);
  expect(io.stdout).toContain('/a%20b%23c.yaml"');
});

test('names of files bring no control characters to a terminal', async () => {
  const io = memoryIo();
  await runProgram(['check', file('a\u001b[31mb.yaml')], io, {});
  expect(io.stdout + io.stderr).not.toContain('\u001b');
});
