import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EXIT } from '../exit.ts';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const EXAMPLES = join(import.meta.dirname, '../../../../../examples');
const directory = mkdtempSync(join(tmpdir(), 'weir-compile-cumulus-'));
afterAll(() => rmSync(directory, { recursive: true }));

const policy = join(directory, 'policy.yaml');
writeFileSync(
  policy,
  `default_action: allow
rules:
  - { name: web, hook: forward, protocol: tcp, destination_ports: [23], action: deny }
  - { name: states, hook: input, state: [invalid], action: deny }
`,
);

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const io = memoryIo();
  const code = await runProgram(['compile', '--to', 'cumulus', ...args], io, {});
  return { code, out: io.stdout, err: io.stderr };
}

describe('weir compile --to cumulus', () => {
  it('prints the file of one hook', async () => {
    const { code, out } = await run(policy, '--hook', 'forward');
    expect(code).toBe(EXIT.ok);
    expect(out).toContain('# web\n-A FORWARD --in-interface swp+ -p tcp -m multiport --dports 23 -j DROP\n');
    expect(out.startsWith('# Written by weir (weir compile)')).toBe(true);
  });

  it('says what it cannot do, with its place', async () => {
    const { code, out, err } = await run(policy);
    expect({ code, out }).toEqual({ code: EXIT.finding, out: '' });
    expect(err).toMatch(/policy\.yaml:4:\d+ states: an ACL file cannot express ct\.invalid/);
  });

  it('knows the options of a configuration, and no members of its sets', async () => {
    const { code, err } = await run(join(EXAMPLES, 'cumulus/weir.yaml'));
    expect(code).toBe(EXIT.finding);
    expect(err).toContain('attackers: an ACL file cannot express $attackers, whose members are not known here');
  });

  it('writes the file, and has it committed where it has changed or was not', async () => {
    const out = join(directory, 'policy.d');
    mkdirSync(out);
    const to = ['--hook', 'forward', policy, '--out', out];
    expect(await run(...to, '--commit', '/bin/false')).toMatchObject({
      code: EXIT.error,
      err: expect.stringContaining('/bin/false: exit code 1'),
    });
    expect(await run(...to, '--commit', `/bin/cp ${policy} ${directory}/committed`)).toMatchObject({ code: EXIT.ok, out: '' });
    expect(readFileSync(join(directory, 'committed'), 'utf8')).toContain('web');
    expect(await run(...to, '--commit', '/bin/false')).toMatchObject({ code: EXIT.ok, err: expect.stringContaining('as it was') });
    expect(readdirSync(out)).toEqual(['60weir-policy.rules']);
  });

  it('a directory that is not there', async () => {
    expect(await run('--hook', 'forward', policy, '--out', join(directory, 'nowhere'))).toMatchObject({
      code: EXIT.error,
      err: expect.stringContaining('ENOENT'),
    });
  });

  it.each([
    { args: ['--hook', 'xdp'], message: '--hook xdp is not for --to cumulus' },
    { args: ['--commit', 'true'], message: '--commit is for --out' },
  ])('$message', async ({ args, message }) => {
    expect(await run(policy, ...args)).toMatchObject({ code: EXIT.usage, err: expect.stringContaining(message) });
  });

  it('is the only form that is written', async () => {
    const io = memoryIo();
    expect(await runProgram(['compile', '--to', 'nft', '--out', directory, policy], io, {})).toBe(EXIT.usage);
    expect(await runProgram(['compile', '--to', 'ebpf', '--hook', 'forward', policy], io, {})).toBe(EXIT.usage);
  });
});
