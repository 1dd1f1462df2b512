import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { memoryIo } from '../memory-io.ts';
import { runProgram } from '../program.ts';

const CONFIG = fileURLToPath(new URL('../../../../../examples/tenants/weir.yaml', import.meta.url));

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const io = memoryIo();
  const code = await runProgram([...args], io, {});
  return { code, out: io.stdout, err: io.stderr };
}

const WORDS = ['tcp', '198.51.100.7', '203.0.113.10:80', 'in', 'up0'];

describe('commands and tenants', () => {
  test('explain goes through every namespace, or one', async () => {
    const all = await run('explain', '-f', CONFIG, ...WORDS);
    expect(all.out.split('\n').filter((line) => /^(\S| {2}(ALLOW|DENY))/.test(line) && !line.startsWith('tcp'))).toEqual(
      [
        "the daemon's own namespace:",
        'no rules at the hooks that it crosses',
        'tenant blue:',
        'input:',
        '  DENY BY <default>',
        'tenant red:',
        'input:',
        '  ALLOW BY web',
      ].map((line) => expect.stringContaining(line)),
    );
    expect((await run('explain', '-f', CONFIG, '--expect', 'allow', ...WORDS)).code).toBe(2);
    expect((await run('explain', '-f', CONFIG, '--tenant', 'red', '--expect', 'allow', ...WORDS)).code).toBe(0);
    const elsewhere = await run('explain', '-f', CONFIG, '--tenant', 'red', '-o', 'json', ...WORDS.slice(0, 3), 'in', 'eth0');
    expect(JSON.parse(elsewhere.out).packets[0]).toMatchObject({
      verdict: 'allow',
      hooks: [],
      not_there: [{ tenant: 'red', interface: 'eth0' }],
    });
  });

  test('compile takes one', async () => {
    const nft = await run('compile', CONFIG, '--to', 'nft', '--tenant', 'red');
    expect(nft.out).toContain('comment "web"');
    expect(nft.out).not.toContain('comment "ping"');
    const none = await run('compile', CONFIG, '--to', 'nft');
    expect([none.code, none.out]).toEqual([2, '']);
    expect(none.err).toContain('tenants are looked at one by one, with --tenant: blue, red');
    const unknown = await run('compile', CONFIG, '--to', 'nft', '--tenant', 'green');
    expect([unknown.code === 0, unknown.err]).toEqual([false, expect.stringContaining('there is no tenant green: there are blue, red')]);
  });

  test('check knows the sets of one', async () => {
    const policy = CONFIG.replace('weir.yaml', 'blue/policy.yaml');
    expect((await run('check', policy, '-c', CONFIG, '--tenant', 'blue')).code).toBe(0);
    expect((await run('check', policy, '-c', CONFIG)).code).toBe(2);
    expect((await run('check', policy, '--tenant', 'blue')).err).toContain('--config names it');
  });

  test('analyze and setup as well', async () => {
    expect((await run('analyze', CONFIG, '--tenant', 'blue')).out).toContain('nothing found');
    expect((await run('setup', '--print', '-c', CONFIG, '--tenant', 'blue')).out).toContain('friends_v4');
  });
});
