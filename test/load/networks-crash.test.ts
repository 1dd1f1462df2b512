import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Doomed, type Fate } from './networks/doomed.ts';
import { after, type Line, type Members, membersOf, type Operation, SETS, textOf, WRITERS } from './networks/model.ts';

const CRASHES = Number(process.env['WEIR_CRASHES'] ?? '100');
const SEED = Number(process.env['WEIR_SEED'] ?? String(Date.now() % 1_000_000));
/** Crashes of one directory: with what is remembered of changes grows what is read after each. */
const ROUND = 100;
/** Processes that live at a time, each with a directory of its own. */
const LANES = 2;

let directory = '';
let program = '';

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'weir-crash-'));
  program = join(directory, 'program.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'networks/child.ts')],
    outfile: program,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['source'],
    external: ['koffi', 'yaml'],
    logLevel: 'error',
  });
  symlinkSync(join(import.meta.dirname, '../../node_modules'), join(directory, 'node_modules'));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Most die while they write, some while they read what there is. */
function fateOf(crash: number): Fate {
  return crash % 8 === 7 ? { line: undefined, ms: (crash * 37) % 60 } : { line: 1 + ((crash * 53) % 160), ms: (crash * 7) % 5 };
}

/** What must be there, and what may be. */
class Expected {
  /** Of each writer. */
  #members: Members[] = Array.from({ length: WRITERS }, () => new Map());
  /** Of each writer what was asked for and not acknowledged. */
  #open: readonly (Operation | undefined)[] = new Array<undefined>(WRITERS).fill(undefined);
  #last: readonly number[] = new Array<number>(SETS).fill(0);
  acknowledged = 0;
  inDoubt = 0;
  madeInDoubt = 0;

  /** What was acknowledged is there; of what was not, each change is there whole or not at all. */
  check(state: Extract<Line, { readonly kind: 'state' }>): void {
    const there = membersOf(state.members);
    const made = this.#open.map((one, writer) => {
      const [seen, without, whole] = [there[writer], this.#members[writer], one && after(this.#members[writer], one)].map(textOf);
      const isMade = one !== undefined && seen !== without;
      expect(seen).toBe(isMade ? whole : without);
      return isMade ? 1 : 0;
    });
    for (const [set, last] of state.last.entries()) {
      const before = this.#last[set] ?? 0;
      const own = [2 * set, 2 * set + 1];
      // A change that leaves everything as it was has a number too.
      const least = before + own.reduce((sum, writer) => sum + (made[writer] ?? 0), 0);
      const most = before + own.filter((writer) => this.#open[writer]).length;
      expect({ set, last, fits: last >= least && last <= most }).toEqual({ set, last, fits: true });
    }
    this.madeInDoubt += made.filter((one) => one === 1).length;
    this.#members = [...there];
    this.#last = state.last;
  }

  /** What a process said after its state. */
  follow(lines: readonly Line[]): void {
    const open = new Array<Operation | undefined>(WRITERS).fill(undefined);
    const last = [...this.#last];
    for (const line of lines) {
      if (line.kind === 'begin') open[line.writer] = line.operation;
      if (line.kind !== 'done') continue;
      const one = open[line.writer];
      if (one) this.#members[line.writer] = after(this.#members[line.writer], one);
      open[line.writer] = undefined;
      this.acknowledged++;
      const set = line.writer >> 1;
      last[set] = (last[set] ?? 0) + 1;
    }
    this.#open = open;
    this.#last = last;
    this.inDoubt += open.filter(Boolean).length;
  }
}

/** Crashes of one directory, and once more a start. */
async function crash(round: number, crashes: number): Promise<Expected> {
  const expected = new Expected();
  const at = join(directory, String(round));
  const start = (n: number): Doomed => new Doomed(program, at, SEED + round * 1_000_003 + n * 7919 + 1);
  let next = start(0);
  try {
    for (let n = 0; n <= crashes; n++) {
      const doomed = next;
      next = start(n + 1);
      const lines = await doomed.live(n === crashes ? { line: 1, ms: 0 } : fateOf(n + round * 101));
      const errors = lines.flatMap((line) =>
        line.kind === 'error' && !line.message.includes('a write was interrupted') ? [line.message] : [],
      );
      expect(errors).toEqual([]);
      const state = lines.find((line) => line.kind === 'state');
      if (!state) continue;
      expected.check(state);
      expected.follow(lines);
    }
  } finally {
    await next.close();
  }
  rmSync(at, { recursive: true });
  return expected;
}

test(`tables of networks are whole after each of ${CRASHES} crashes (seed ${SEED})`, { timeout: 60_000 + CRASHES * 5000 }, async () => {
  const directories = Math.ceil(CRASHES / LANES / ROUND) * LANES;
  const rounds = Array.from({ length: directories }, (_, round) => ({ round, crashes: Math.floor((CRASHES + round) / directories) }));
  const done: Expected[] = [];
  const lanes = Array.from({ length: LANES }, async () => {
    for (let next = rounds.shift(); next; next = rounds.shift()) {
      done.push(await crash(next.round, next.crashes));
      // For who waits for thousands.
      if (done.length % 10 === 0) console.log(`${done.length} of ${directories} directories`);
    }
  });
  await Promise.all(lanes);
  const sum = (of: (one: Expected) => number): number => done.reduce((total, one) => total + of(one), 0);
  const acknowledged = sum((one) => one.acknowledged);
  console.log(
    `${CRASHES} crashes of ${SETS} sets of tables each: ${acknowledged} changes acknowledged, ${sum((one) => one.inDoubt)} under way, of which ${sum((one) => one.madeInDoubt)} were made`,
  );
  expect(acknowledged).toBeGreaterThan(CRASHES);
});
