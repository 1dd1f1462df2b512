import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXIT } from './exit.ts';
import { memoryIo } from './memory-io.ts';
import { runProgram } from './program.ts';

const GOOD = `bgp: { as: 64512, router_id: 192.0.2.1 }
sets:
  spammers: { kind: deny, communities: blackhole, nft: { table: fw, ipv4: spam } }
`;
const BAD = GOOD.replace('64512', '0');

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-cli-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function run(args: readonly string[], io = memoryIo()): Promise<{ code: number; stdout: string; stderr: string }> {
  const code = await runProgram(args, io, {});
  return { code, stdout: io.stdout, stderr: io.stderr };
}

describe('check', () => {
  test('a good file', async () => {
    const path = file('weir.yaml', GOOD);
    expect(await run(['check', path])).toEqual({ code: EXIT.ok, stdout: `${path}: ok\n`, stderr: '' });
  });

  test('a bad file: diagnostics on stderr, the verdict on stdout, exit code 2', async () => {
    const path = file('weir.yaml', BAD);
    expect(await run(['check', path])).toEqual({
      code: EXIT.finding,
      stdout: `${path}: 1 error\n`,
      stderr: `${path}:1:12 error[E011] AS 0 is not an AS that can speak BGP (RFC 7607)\nbgp: { as: 0, router_id: 192.0.2.1 }\n           ^\n`,
    });
  });

  test('several files, one of them missing', async () => {
    const result = await run(['check', file('a.yaml', GOOD), join(directory, 'none.yaml'), file('b.yaml', BAD)]);
    expect(result.code).toBe(EXIT.error);
    expect(result.stdout.split('\n').map((l) => l.slice(directory.length + 1))).toEqual([
      'a.yaml: ok',
      'none.yaml: 1 error',
      'b.yaml: 1 error',
      '',
    ]);
  });

  test('JSON', async () => {
    const path = file('weir.yaml', BAD);
    const result = await run(['check', '-o', 'json', path]);
    expect(JSON.parse(result.stdout)).toEqual({
      format_version: 1,
      files: [
        {
          file: path,
          ok: false,
          diagnostics: [
            {
              severity: 'error',
              code: 'E011',
              message: 'AS 0 is not an AS that can speak BGP (RFC 7607)',
              file: path,
              line: 1,
              column: 12,
              length: 1,
            },
          ],
        },
      ],
    });
    expect(result).toMatchObject({ code: EXIT.finding, stderr: '' });
  });

  test('SARIF', async () => {
    const path = file('weir.yaml', BAD);
    const sarif = JSON.parse((await run(['check', '--output', 'sarif', path])).stdout) as {
      version: string;
      runs: {
        results: { ruleId: string; level: string; locations: { physicalLocation: unknown }[] }[];
        tool: { driver: { rules: { id: string }[] } };
      }[];
    };
    expect(sarif.version).toBe('2.1.0');
    expect(sarif.runs[0]?.results[0]).toMatchObject({ ruleId: 'E011', level: 'error' });
    expect(sarif.runs[0]?.results[0]?.locations[0]?.physicalLocation).toEqual({
      artifactLocation: { uri: path },
      region: { startLine: 1, startColumn: 12, endColumn: 13 },
    });
    expect(sarif.runs[0]?.tool.driver.rules.map((r) => r.id)).toContain('E011');
  });

  test('colours: always, and never on a terminal with NO_COLOR', async () => {
    const path = file('weir.yaml', BAD);
    expect((await run(['--color', 'always', 'check', path])).stderr).toContain('\u001b[31merror[E011]\u001b[39m');
    expect((await run(['check', '--color', 'always', path])).stderr).toContain('\u001b[31m');
    expect((await run(['check', path], memoryIo({ terminal: true }))).stderr).toContain('\u001b[31m');
    expect((await run(['check', path], memoryIo({ terminal: true, env: { NO_COLOR: '1' } }))).stderr).not.toContain('\u001b');
    expect((await run(['check', path, '--color', 'never'], memoryIo({ terminal: true }))).stderr).not.toContain('\u001b');
  });
});

describe('setup', () => {
  test('prints the nft text of the user sets', async () => {
    const result = await run(['setup', '--print', '-c', file('weir.yaml', GOOD)]);
    expect(result).toEqual({
      code: EXIT.ok,
      stdout: 'table inet fw {\n\tset spam {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t}\n}\n',
      stderr: '',
    });
  });

  test('a bad file', async () => {
    expect(await run(['setup', '-c', file('weir.yaml', BAD)])).toMatchObject({ code: EXIT.finding, stdout: '' });
    expect(await run(['setup', '-c', join(directory, 'none')])).toMatchObject({ code: EXIT.error, stdout: '' });
  });
});

describe('usage', () => {
  const rows: readonly { readonly name: string; readonly input: readonly string[]; readonly want: number; readonly stderr: RegExp }[] = [
    { name: 'no command', input: [], want: EXIT.usage, stderr: /^Usage: weir/ },
    { name: 'an unknown command', input: ['chekc'], want: EXIT.usage, stderr: /unknown command 'chekc'\n\(Did you mean check\?\)/ },
    { name: 'an unknown option', input: ['check', '--colour', 'x'], want: EXIT.usage, stderr: /unknown option '--colour'/ },
    { name: 'a missing argument', input: ['check'], want: EXIT.usage, stderr: /missing required argument 'file'/ },
    { name: 'a wrong choice', input: ['check', '-o', 'xml', 'f'], want: EXIT.usage, stderr: /Allowed choices are text, json, sarif/ },
    { name: 'a number that is none', input: ['routes', '--limit', '0'], want: EXIT.usage, stderr: /a number from 1/ },
    { name: 'an argument with control characters', input: ['check', '-o', '\u001b[31mx', 'f'], want: EXIT.usage, stderr: /\\x1b\[31mx/ },
    { name: '--refused without a set', input: ['sets', '--refused'], want: EXIT.usage, stderr: /--refused needs the name of a set/ },
    {
      name: 'no daemon',
      input: ['status', '--socket', '/nonexistent/weir.sock'],
      want: EXIT.error,
      stderr: /no daemon answers on \/nonexistent\/weir.sock/,
    },
  ];
  for (const row of rows) {
    test(row.name, async () => {
      const result = await run(row.input);
      expect(result.code).toBe(row.want);
      expect(result.stderr).toMatch(row.stderr);
      expect(result.stderr).not.toContain('\u001b');
      expect(result.stdout).toBe('');
    });
  }

  test('help goes to stdout', async () => {
    const result = await run(['sets', '--help']);
    expect(result).toMatchObject({ code: EXIT.ok, stderr: '' });
    expect(result.stdout).toContain('--refused');
  });

  test('version', async () => {
    expect((await run(['version'])).stdout).toMatch(/^weir \d+\.\d+\.\d+\n$/);
    expect((await run(['--version'])).stdout).toMatch(/^weir \d+\.\d+\.\d+\n$/);
    expect(JSON.parse((await run(['version', '-o', 'json'])).stdout)).toMatchObject({ format_version: 1, node: process.versions.node });
  });
});

describe('decode bgp', () => {
  const MARKER = 'f'.repeat(32);
  const KEEPALIVE = `${MARKER}001304`;
  /** ORIGIN igp, AS_PATH 64513, NEXT_HOP 192.0.2.1, COMMUNITIES 64512:80; 203.0.113.0/24. */
  const UPDATE = `${MARKER}0036 02 0000 001b 40010100 40020602010000fc01 400304c0000201 c00804fc000050 18cb0071`.replaceAll(' ', '');

  async function decode(stdin: string, ...args: string[]): Promise<{ code: number; objects: Record<string, unknown>[]; stderr: string }> {
    const { code, stdout, stderr } = await run(['decode', 'bgp', ...args], memoryIo({ stdin }));
    return { code, objects: stdout.split('\n').flatMap((l) => (l === '' ? [] : [JSON.parse(l) as Record<string, unknown>])), stderr };
  }

  test('one object for each line of hex', async () => {
    const { code, objects, stderr } = await decode(`# two messages\n${KEEPALIVE}\n\n${UPDATE}`);
    expect([code, stderr]).toEqual([EXIT.ok, '']);
    expect(objects[0]).toEqual({
      type: 'keepalive',
      length: 19,
      outcome: 'accept',
      notification: null,
      announce: [],
      withdraw: [],
      eor: null,
      attributes: {},
      errors: [],
    });
    expect(objects[1]).toMatchObject({
      type: 'update',
      length: 54,
      outcome: 'accept',
      announce: [{ family: 'ipv4 unicast', prefix: '203.0.113.0/24', nextHop: '192.0.2.1' }],
      attributes: { origin: 'igp', nextHop: '192.0.2.1', communities: ['64512:80'] },
    });
  });

  test('flow rules, announced and withdrawn', async () => {
    const announced = `${MARKER}0040 02 0000 0029 800e0e 000185 00 00 08 0118cb0071 038111 40010100 40020602010000fc01 c01008 8006000000000000`;
    const withdrawn = `${MARKER}0023 02 0000 000c 800f09 000185 05 0118cb0071`;
    const { objects } = await decode(`${announced}\n${withdrawn}`.replaceAll(' ', ''));
    const rule = {
      flow: 'flow4 { dst 203.0.113.0/24; proto 17; }',
      components: [{ kind: 'destination', prefix: '203.0.113.0/24' }, { kind: 'protocol' }],
    };
    expect(objects[0]).toMatchObject({
      outcome: 'accept',
      announce: [{ family: 'ipv4 flow', ...rule, actions: [{ kind: 'rate-bytes', text: 'discard' }], nextHop: null }],
    });
    expect(objects[1]).toMatchObject({
      outcome: 'accept',
      withdraw: [{ family: 'ipv4 flow', flow: 'flow4 { dst 203.0.113.0/24; }', actions: [] }],
    });
  });

  test('options change how it is read', async () => {
    const two = await decode(UPDATE, '--as4', 'false');
    expect(two.objects[0]).not.toMatchObject({ outcome: 'accept' });
    const ibgp = await decode(UPDATE, '--session', 'ibgp');
    expect(ibgp.objects[0]).toMatchObject({ type: 'update' });
    const paths = await decode(`${MARKER}0017020000 0000`.replace(' ', ''), '--add-path', 'ipv4 unicast', '--add-path', 'ipv6-unicast');
    expect(paths.objects[0]).toMatchObject({ eor: 'ipv4 unicast' });
    expect((await decode('', '--add-path', 'ipv5')).code).toBe(EXIT.usage);
  });

  test('a line that is not hex is reported, the others are decoded', async () => {
    const { code, objects, stderr } = await decode(`${KEEPALIVE}\nxyz\n${KEEPALIVE}\n`);
    expect([code, objects.length, stderr]).toEqual([EXIT.finding, 2, 'line 2: not a pair of hex digits at column 1\n']);
  });

  test('a cut message is a session reset, not a failure', async () => {
    const { code, objects } = await decode(UPDATE.slice(0, -4));
    expect(code).toBe(EXIT.ok);
    expect(objects[0]).toMatchObject({ outcome: 'session-reset', notification: { code: 1, subcode: 2 } });
  });

  test('an MRT file', async () => {
    // BGP4MP_MESSAGE_AS4: timestamp, type 16, subtype 4, length; peer AS, local AS, interface, AFI 1, addresses, message.
    const body = `0000fc01 0000fc00 0000 0001 c0000209 c0000201 ${UPDATE}`.replaceAll(' ', '');
    const record = Buffer.from(`65000000 0010 0004 ${(body.length / 2).toString(16).padStart(8, '0')}${body}`.replaceAll(' ', ''), 'hex');
    const path = join(directory, 'updates.mrt');
    writeFileSync(path, record);
    const { code, objects, stderr } = await decode('', '--format', 'mrt', path);
    expect([code, stderr]).toEqual([EXIT.ok, '']);
    expect(objects).toMatchObject([
      {
        type: 'update',
        source: '192.0.2.9',
        destination: '192.0.2.1',
        time: '2023-09-12T06:06:56.000000Z',
        announce: [{ prefix: '203.0.113.0/24' }],
      },
    ]);
    writeFileSync(path, record.subarray(0, -2));
    expect(await decode('', '--format', 'mrt', path)).toMatchObject({ code: EXIT.finding });
    expect((await decode('not a capture', '--format', 'pcap')).code).toBe(EXIT.finding);
    expect((await decode('', join(directory, 'none'))).code).toBe(EXIT.error);
  });
});

describe('completion', () => {
  test('bash accepts the script, and completes commands, options, choices and files', async () => {
    const { code, stdout } = await run(['completion', 'bash']);
    expect(code).toBe(EXIT.ok);
    const script = file('weir.bash', stdout);
    execFileSync('bash', ['-n', script]);
    const complete = (words: readonly string[]): string[] => {
      const program = `source ${script}; COMP_WORDS=(${words.map((w) => `'${w}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _weir; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', program], { cwd: directory, encoding: 'utf8' })
        .split('\n')
        .filter((l) => l !== '');
    };
    expect(complete(['weir', 'ch'])).toEqual(['check']);
    expect(complete(['weir', 'decode', ''])).toEqual(expect.arrayContaining(['bgp']));
    expect(complete(['weir', 'decode', 'bgp', '--format', ''])).toEqual(['hex', 'mrt', 'pcap']);
    expect(complete(['weir', 'check', '-o', 's'])).toEqual(['sarif']);
    expect(complete(['weir', 'completion', ''])).toEqual(expect.arrayContaining(['bash', 'zsh', 'fish']));
    expect(complete(['weir', 'check', 'weir.b'])).toEqual(['weir.bash']);
    expect(complete(['weir', 'sets', '--ref'])).toEqual(['--refused']);
    expect(complete(['weir', 'status', '--color', 'al'])).toEqual(['always']);
  });

  for (const shell of ['zsh', 'fish'] as const) {
    const installed = spawnSync(shell, ['-c', 'true']).status === 0;
    test.skipIf(!installed)(`${shell} accepts the script`, async () => {
      execFileSync(shell, ['-n', file(`weir.${shell}`, (await run(['completion', shell])).stdout)]);
    });
    test(`the ${shell} script has every command`, async () => {
      const { stdout } = await run(['completion', shell]);
      for (const command of ['check', 'setup', 'status', 'peers', 'routes', 'sets', 'reload', 'decode', 'version'])
        expect(stdout).toContain(command);
      expect(stdout.split("'").length % 2).toBe(1);
    });
  }
});

const manual = fileURLToPath(new URL('../../../../docs/man/', import.meta.url));
const hasMan = spawnSync('man', ['--version']).status === 0 && spawnSync('groff', ['--version']).status === 0;
test.skipIf(!hasMan)('man and groff take the manual pages without a warning', () => {
  const pages = readdirSync(manual).map((page) => join(manual, page));
  const first = join(manual, 'weir.1');
  expect(pages).toContain(first);
  const show = (program: string, ...args: readonly string[]) => spawnSync(program, args, { encoding: 'utf8' });
  expect(show('man', '--warnings', '-E', 'UTF-8', '-Tutf8', '-P', 'cat', '-l', first)).toMatchObject({ status: 0, stderr: '' });
  // What man starts for each, once for all of them.
  const shown = show('groff', '-K', 'utf8', '-t', '-mandoc', '-Tutf8', '-P-cbou', '-wmac', ...pages);
  expect(shown).toMatchObject({ status: 0, stderr: '' });
  expect(shown.stdout.match(/^SYNOPSIS$/gm)).toHaveLength(pages.length);
});

test('the program as a process: exit code, streams, a reader that leaves', () => {
  const bin = fileURLToPath(new URL('../../bin/weir.mjs', import.meta.url));
  const bad = spawnSync(process.execPath, [bin, 'check', file('weir.yaml', BAD)], { encoding: 'utf8' });
  expect([bad.status, bad.stdout, bad.stderr.split('\n').length]).toEqual([2, `${join(directory, 'weir.yaml')}: 1 error\n`, 4]);
  const usage = spawnSync(process.execPath, [bin, 'check'], { encoding: 'utf8' });
  expect(usage.status).toBe(64);
  const daemon = spawnSync(process.execPath, [bin, 'run', '-c', join(directory, 'weir.yaml')], { encoding: 'utf8' });
  expect([daemon.status, daemon.stdout, daemon.stderr.split('\n').length]).toEqual([2, '', 4]);
  const absent = spawnSync(process.execPath, [bin, 'run'], {
    encoding: 'utf8',
    env: { ...process.env, WEIR_CONFIG: join(directory, 'none') },
  });
  expect([absent.status, absent.stderr.trim()]).toEqual([
    1,
    `${join(directory, 'none')}:1:1 error[E001] cannot read ${join(directory, 'none')}: no such file`,
  ]);
  const piped = spawnSync(
    'bash',
    ['-c', `'${process.execPath}' '${bin}' check -o json '${join(directory, 'weir.yaml')}' | true; echo \${PIPESTATUS[0]}`],
    { encoding: 'utf8' },
  );
  expect(['0', '2']).toContain(piped.stdout.trim());
  expect(piped.stderr).toBe('');
}, 300_000);
