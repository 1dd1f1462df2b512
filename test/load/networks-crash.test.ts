import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { after, type Line, type Members, membersOf, type Operation, ofWriter } from './networks/model.ts';

const CRASHES = Number(process.env['WEIR_CRASHES'] ?? '100');
const SEED = Number(process.env['WEIR_SEED'] ?? String(Date.now() % 1_000_000));

let directory = '';
let child = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-crash-'));
  child = join(import.meta.dirname, `../../apps/weir/crash-${process.pid}.mjs`);
  await build({
    entryPoints: [join(import.meta.dirname, 'networks/child.ts')],
    outfile: child,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['source'],
    external: ['koffi', 'yaml'],
    logLevel: 'error',
  });
});

afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
  rmSync(child, { force: true });
});

/** What a process said until it was killed: some milliseconds after it began, or when it had asked for and been told of so many changes, and then some. */
async function live(seed: number, lived: number | undefined, ms: number): Promise<readonly Line[]> {
  const running = spawn(process.execPath, [child, directory, String(seed)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const lines: Line[] = [];
  let problems = '';
  running.stderr.on('data', (chunk: Buffer) => {
    problems += chunk.toString();
  });
  const kill = async (): Promise<void> => {
    await sleep(ms);
    running.kill('SIGKILL');
  };
  if (lived === undefined) void kill();
  const closed = new Promise<NodeJS.Signals | null>((resolve) => running.once('close', (_code, signal) => resolve(signal)));
  for await (const text of createInterface({ input: running.stdout })) {
    // The last line may be cut off.
    if (!text.endsWith('}')) continue;
    const line = JSON.parse(text) as Line;
    lines.push(line);
    if (lines.length === lived) void kill();
  }
  if ((await closed) !== 'SIGKILL') throw new Error(`the process ended by itself: ${problems}`);
  return lines;
}

test(`tables of networks are whole after each of ${CRASHES} crashes (seed ${SEED})`, { timeout: 60_000 + CRASHES * 5000 }, async () => {
  let known: Members = new Map();
  /** Of each writer what was asked for and not acknowledged. */
  let open: readonly (Operation | undefined)[] = [undefined, undefined];
  let last = 0;
  let acknowledged = 0;
  let made = 0;
  let lives = 0;
  for (let crash = 0; crash <= CRASHES; crash++) {
    // Most die while they write, some while they read what there is.
    const early = crash % 8 === 7 && crash < CRASHES;
    const lines = await live(
      SEED + crash * 7919 + 1,
      early ? undefined : 1 + ((crash * 13) % 60),
      early ? (crash * 37) % 150 : (crash * 7) % 5,
    );
    const errors = lines.flatMap((line) =>
      line.kind === 'error' && !line.message.includes('a write was interrupted') ? [line.message] : [],
    );
    expect(errors).toEqual([]);
    const state = lines.find((line) => line.kind === 'state');
    if (!state) continue;
    lives++;
    const there = membersOf(state.members);
    // What was acknowledged is there; of what was not, each change is there whole or not at all.
    let in_doubt = 0;
    for (const writer of [0, 1]) {
      const one = open[writer];
      const without = ofWriter(known, writer);
      const seen = ofWriter(there, writer);
      if (one && JSON.stringify(seen) !== JSON.stringify(without)) {
        expect(seen).toEqual(ofWriter(after(known, one), writer));
        in_doubt++;
      } else expect(seen).toEqual(without);
    }
    const most = last + open.filter(Boolean).length;
    expect([state.last >= last + in_doubt, state.last <= most]).toEqual([true, true]);
    known = there;
    last = state.last;
    const begun: (Operation | undefined)[] = [undefined, undefined];
    for (const line of lines) {
      if (line.kind === 'begin') begun[line.writer] = line.operation;
      if (line.kind !== 'done') continue;
      const one = begun[line.writer];
      if (one) known = after(known, one);
      begun[line.writer] = undefined;
      acknowledged++;
      last++;
    }
    made += lines.filter(({ kind }) => kind === 'begin').length;
    open = begun;
  }
  console.log(
    `${CRASHES} crashes, ${lives} of them after the start, ${acknowledged} changes acknowledged, ${made - acknowledged} in doubt`,
  );
  expect(acknowledged).toBeGreaterThan(CRASHES);
});
