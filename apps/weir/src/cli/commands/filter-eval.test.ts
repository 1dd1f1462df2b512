import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const directory = mkdtempSync(join(tmpdir(), 'weir-filter-eval-'));
const scheme = join(directory, 'scheme.json');
writeFileSync(scheme, JSON.stringify({ 'http.host': 'Bytes', ports: 'Array(Int)' }));
afterAll(() => rmSync(directory, { recursive: true }));

async function run(args: readonly string[], stdin = ''): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo({ stdin });
  const code = await runProgram(['filter', 'eval', ...args], io, {});
  return { code, out: io.stdout, err: io.stderr };
}

describe('weir filter eval', () => {
  it.each([
    { name: 'true', args: ['tcp.dstport == 80', '--fields', '{"tcp.dstport": 80}'], out: 'true\n' },
    { name: 'false', args: ['tcp.dstport == 80', '--fields', '{"tcp.dstport": 81}'], out: 'false\n' },
    { name: 'a missing field', args: ['ip.src == 192.0.2.1', '--fields', '{}'], out: 'false\n' },
    {
      name: 'a scheme',
      args: ['http.host == "a" and any(ports[*] == 1)', '--fields', '{"http.host": "a", "ports": [0, 1]}', '--scheme', scheme],
      out: 'true\n',
    },
    { name: 'a country', args: ['ip.src.country == "NL"', '--fields', '{"ip.src.country": "NL"}'], out: 'true\n' },
  ])('$name', async ({ args, out }) => {
    expect(await run(args)).toEqual({ code: 0, out, err: '' });
  });

  it('reads the expression from standard input', async () => {
    expect(await run(['-', '--fields', '{"ip.ttl": 1}'], 'ip.ttl == 1\n')).toEqual({ code: 0, out: 'true\n', err: '' });
  });

  it('warns and goes on', async () => {
    expect(await run(['ip.ttl > 300', '--fields', '{}'])).toEqual({
      code: 0,
      out: 'false\n',
      err: 'warning: 300 is outside of `ip.ttl`, which is 0 to 255\n',
    });
  });

  it.each([
    {
      name: 'an expression that does not parse',
      args: ['tcp.dstport = 80', '--fields', '{}'],
      err: /^Filter parsing error \(1:13\):\ntcp\.dstport = 80\n {12}\^/,
    },
    {
      name: 'an unknown list',
      args: ['ip.ttl == 1 and ip.src in $x', '--fields', '{}'],
      err: /^Filter parsing error \(1:17\):\nip\.ttl == 1 and ip\.src in \$x\n {16}\^{12} there is no list `\$x`\n$/,
    },
    {
      name: 'a field of another type',
      args: ['ip.ttl == 1', '--fields', '{"ip.ttl": "x"}'],
      err: /fields do not fit the scheme\nip\.ttl is of type Int, not "x"\n$/,
    },
    {
      name: 'a field that must be there',
      args: ['meta.mark == 0', '--fields', '{}'],
      err: /fields do not fit the scheme\nevery packet has meta\.mark: give it a value\n$/,
    },
    { name: 'fields that are no JSON', args: ['ip.ttl == 1', '--fields', '{'], err: /--fields is not JSON/ },
  ])('refuses $name', async ({ args, err }) => {
    const result = await run(args);
    expect(result).toMatchObject({ code: 2, out: '' });
    expect(result.err).toMatch(err);
  });

  it('needs fields', async () => {
    expect((await run(['ip.ttl == 1'])).code).toBe(64);
  });
});
