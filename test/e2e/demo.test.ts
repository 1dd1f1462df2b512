import { mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { LabProcess, runCommand, waitFor } from '../lab/index.ts';

const program = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;
const demo = [process.execPath, program, 'demo'] as const;

/** Namespaces, directories and processes of demos, of anybody's. */
async function leftovers(): Promise<readonly string[]> {
  const namespaces = (await runCommand('ip', ['netns', 'list'])).stdout.split('\n').filter((line) => line.includes('weir-demo-'));
  const directories = readdirSync(tmpdir()).filter((name) => name.startsWith('weir-demo-'));
  const processes = (await runCommand('ps', ['-eo', 'pid,stat,args'])).stdout.split('\n').filter((line) => line.includes('/weir-demo-'));
  return [...namespaces, ...directories, ...processes.filter((line) => !/^\s*\d+\s+Z/.test(line))];
}

interface Answer {
  readonly ok: boolean;
  readonly timeline: readonly { readonly text: string; readonly ok?: boolean }[];
  readonly measured: {
    readonly announce_to_kernel_ms: number;
    readonly restart: { readonly connections: number; readonly failed: number };
  };
  readonly sets: { readonly sets: readonly { readonly members: number }[] };
}

function judge(stdout: string): Answer {
  const answer = JSON.parse(stdout) as Answer;
  expect(answer.timeline.filter((entry) => entry.ok === false)).toEqual([]);
  expect(answer.timeline.filter((entry) => entry.ok === true).length).toBeGreaterThan(10);
  expect(answer).toMatchObject({ ok: true, measured: { restart: { failed: 0 } } });
  expect(answer.measured.announce_to_kernel_ms).toBeGreaterThan(0);
  expect(answer.sets.sets[0]?.members).toBe(2);
  return answer;
}

describe('weir demo', () => {
  afterEach(async () => {
    expect(await leftovers()).toEqual([]);
  });

  test('with FRR and GoBGP', async () => {
    const { stdout } = await runCommand(demo[0], [...demo.slice(1), '-o', 'json'], { timeoutMs: 180_000 });
    expect(judge(stdout).timeline.map((entry) => entry.text)).toEqual(
      expect.arrayContaining([expect.stringMatching(/^cluster: gobgpd \d/), expect.stringMatching(/^core: FRR \d/)]),
    );
  });

  test('with Node and iproute2 alone', async () => {
    const path = mkdtempSync(`${tmpdir()}/weir-path-`);
    onTestFinished(() => rmSync(path, { recursive: true }));
    symlinkSync(process.execPath, `${path}/node`);
    symlinkSync((await runCommand('sh', ['-c', 'command -v ip'])).stdout.trim(), `${path}/ip`);
    const { stdout } = await runCommand(demo[0], [...demo.slice(1), '--peers', 'own', '-o', 'json'], {
      timeoutMs: 180_000,
      env: { PATH: path },
    });
    judge(stdout);
  });

  test('as an ordinary user', async () => {
    const user = ['--reuid', '65534', '--regid', '65534', '--clear-groups', ...demo, '--peers', 'own', '-o', 'json'];
    judge((await runCommand('setpriv', user, { timeoutMs: 180_000, cwd: '/' })).stdout);
  });

  test('what it prints for a person', async () => {
    const { stdout } = await runCommand(demo[0], [...demo.slice(1), '--peers', 'own', '--color', 'never'], { timeoutMs: 180_000 });
    expect(stdout).toMatch(/the kernel has both elements \S+ after the announcement/);
    expect(stdout).toContain('$ weir status');
    expect(stdout).toContain('203.0.113.80/32');
    expect(stdout).toMatch(/Everything as it should be\. \S+ s; all of it is removed now\.\n$/);
    expect(stdout).not.toContain('✗');
  });

  const moments = [
    { signal: 'SIGINT', after: 0 },
    { signal: 'SIGINT', after: 400 },
    { signal: 'SIGINT', after: 3000 },
    { signal: 'SIGTERM', after: 1000 },
    { signal: 'SIGHUP', after: 1500 },
  ] as const;

  test.each(moments)('$signal, $after ms after it began to build, removes everything', async ({ signal, after }) => {
    const running = new LabProcess(demo[0], [...demo.slice(1), '--peers', 'own'], { name: 'demo' });
    await running.waitForOutput(/Four hosts/);
    await sleep(after);
    running.signal(signal);
    expect(await running.exited).toEqual({ code: 130, signal: null });
  });

  test('SIGKILL of a demo of an ordinary user leaves no process; of root, the next demo removes what is left', async () => {
    const user = new LabProcess('setpriv', ['--reuid', '65534', '--regid', '65534', '--clear-groups', ...demo, '--peers', 'own'], {
      cwd: '/',
    });
    await user.waitForOutput(/weir run: BGP session up/);
    await user.kill();
    await waitFor('its processes to end', async () => !(await leftovers()).some((one) => one.includes('weir run') || / run /.test(one)));
    const root = new LabProcess(demo[0], [...demo.slice(1), '--peers', 'own']);
    await root.waitForOutput(/weir run: BGP session up/);
    await root.kill();
    expect((await leftovers()).some((one) => one.includes('-core'))).toBe(true);
    await runCommand(demo[0], [...demo.slice(1), '--peers', 'own', '-o', 'json'], { timeoutMs: 180_000 });
    // Directories of a demo that was killed stay: they are the user's own, below the directory for temporary files.
    for (const name of readdirSync(tmpdir())) if (name.startsWith('weir-demo-')) rmSync(`${tmpdir()}/${name}`, { recursive: true });
  });
});
