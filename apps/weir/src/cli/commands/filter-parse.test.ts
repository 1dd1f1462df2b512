import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../exit.ts';
import { type MemoryIo, memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-filter-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function file(content: string | Uint8Array): string {
  const path = join(directory, 'scheme.json');
  writeFileSync(path, content);
  return path;
}

async function run(args: readonly string[], io: MemoryIo = memoryIo()): Promise<{ code: number; stdout: string; stderr: string }> {
  const code = await runProgram(['filter', 'parse', ...args], io, {});
  return { code, stdout: io.stdout, stderr: io.stderr };
}

describe('weir filter parse', () => {
  it('prints the tree as JSON', async () => {
    expect(await run(['tcp.dstport in {80 443} and not tcp.flags.syn'])).toEqual({
      code: EXIT.ok,
      stdout:
        '{"op":"And","items":[{"lhs":"tcp.dstport","op":"OneOf","rhs":[{"start":80,"end":80},{"start":443,"end":443}]},{"op":"Not","arg":{"lhs":"tcp.flags.syn","op":"IsTrue"}}]}\n',
      stderr: '',
    });
  });

  it('reads standard input', async () => {
    const io = memoryIo({ stdin: 'sip\n or\n tcp.dstport eq80\n' });
    expect(await run(['-'], io)).toEqual({
      code: EXIT.ok,
      stdout: '{"op":"Or","items":[{"lhs":"sip","op":"IsTrue"},{"lhs":"tcp.dstport","op":"Equal","rhs":80}]}\n',
      stderr: '',
    });
  });

  it('prints what is wrong on stderr, with exit code 2', async () => {
    expect(await run(['tcp.dstport == 80 and\n  ssl'])).toEqual({
      code: EXIT.finding,
      stdout: '',
      stderr: 'Filter parsing error (2:3):\n  ssl\n  ^^^ unknown identifier ssl\n',
    });
  });

  it('takes another scheme', async () => {
    const scheme = file('{"ssl": "Bool", "http.cookies": "Array(Bytes)"}');
    expect(await run(['--scheme', scheme, 'ssl and any(http.cookies[*] == "a")'])).toEqual({
      code: EXIT.ok,
      stdout:
        '{"op":"And","items":[{"lhs":"ssl","op":"IsTrue"},{"op":"Any","arg":{"kind":"SimpleExpr","value":{"lhs":["http.cookies",{"kind":"MapEach"}],"op":"Equal","rhs":"a"}}}]}\n',
      stderr: '',
    });
  });

  it.each([
    {
      name: 'a scheme that is none',
      content: '{"ssl": "Boolean", "len": "Int"}',
      want: 'is not a scheme\nssl: "Boolean" is not a type: Bool, Int, Ip, Bytes, Array(T), Map(T)\nlen is the name of a function\n',
    },
    { name: 'a scheme that is not JSON', content: '{', want: 'is not JSON: ' },
    { name: 'a scheme that is not UTF-8', content: Uint8Array.of(0x22, 0xff, 0x22), want: 'is not UTF-8\n' },
    { name: 'a scheme that is too large', content: ' '.repeat(2 ** 20 + 1), want: 'is larger than 1048576 bytes\n' },
  ])('$name', async ({ content, want }) => {
    const path = file(content);
    const { code, stdout, stderr } = await run(['ssl', '--scheme', path]);
    expect({ code, stdout }).toEqual({ code: EXIT.finding, stdout: '' });
    expect(stderr.startsWith(`error: ${path} ${want}`)).toBe(true);
  });

  it('a scheme that cannot be read', async () => {
    const { code, stderr } = await run(['ssl', '--scheme', join(directory, 'none.json')]);
    expect(code).toBe(EXIT.error);
    expect(stderr).toContain('ENOENT');
  });

  it('standard input that is not UTF-8', async () => {
    const io = { ...memoryIo(), stdin: Readable.from([Uint8Array.of(0xff)]) };
    const written: string[] = [];
    const code = await runProgram(['filter', 'parse', '-'], { ...io, err: (text) => void written.push(text) }, {});
    expect({ code, stderr: written.join('') }).toEqual({ code: EXIT.finding, stderr: 'error: standard input is not UTF-8\n' });
  });

  it('no expression is a wrong command line', async () => {
    expect((await run([])).code).toBe(EXIT.usage);
  });

  it('control characters do not reach the terminal', async () => {
    const { stderr } = await run(['\u001b[2J']);
    expect(stderr).not.toContain('\u001b');
  });
});
