import { describe, expect, it } from 'vitest';
import { runCommand } from './index.ts';

const node = (code: string): readonly string[] => [process.execPath, '-e', code];

describe('a command', () => {
  it.each([
    { name: 'that does its work', command: node('console.log("done")'), want: { exitCode: 0, outcome: 'exit code 0', log: 'done\n' } },
    {
      name: 'that does not',
      command: node('console.error("no"); process.exit(3)'),
      want: { exitCode: 3, outcome: 'exit code 3', log: 'no\n' },
    },
    {
      name: 'that is ended',
      command: node('process.kill(process.pid, "SIGTERM")'),
      want: { exitCode: undefined, outcome: 'ended by SIGTERM', log: '' },
    },
    { name: 'that is no shell', command: ['/bin/echo', '$HOME;', '>x'], want: { exitCode: 0, outcome: 'exit code 0', log: '$HOME; >x\n' } },
  ])('$name', async ({ command, want }) => {
    expect(await runCommand(command, 20_000)).toEqual(want);
  });

  it.each([['/nowhere/cl-acltool'], [''], []])('that is not there: %s', async (...command) => {
    expect(await runCommand(command, 20_000)).toMatchObject({ exitCode: undefined, outcome: expect.stringMatching(/ENOENT|no command/) });
  });

  it('that does not end is ended, with what it has started', async () => {
    const result = await runCommand(['/bin/sh', '-c', 'echo begun; sleep 1000 & sleep 1000'], 300);
    expect(result).toEqual({ exitCode: undefined, outcome: 'no end within 0.3 s', log: 'begun\n' });
  });

  it('that says much is heard to the end', async () => {
    const { log } = await runCommand(node('for (let i = 0; i < 20000; i++) console.log("line " + i)'), 20_000);
    expect(log.length).toBeLessThanOrEqual(8192);
    expect(log.endsWith('line 19999\n')).toBe(true);
  });
});
