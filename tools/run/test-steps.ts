import { join } from 'node:path';
import { listBenches } from '../../bench/bench.ts';
import { listTargets } from '../../fuzz/fuzz.ts';
import { installPeers } from '../peers/install.ts';
import { checkLeftovers, listNamespaces } from './leftovers.ts';
import { runCommand } from './run-command.ts';
import { failure, type Outcome, type Step, success } from './steps.ts';
import { runVitest } from './vitest-step.ts';

const minute = 60_000;

/** Steps of which `width` run at a time. */
export interface Group {
  readonly width: number;
  readonly steps: readonly Step[];
}

/**
 * What follows `npm run check` in `npm test`, one group after the other. The kernel, interop and end-to-end tests mostly wait, each in
 * namespaces of its own: they run several files at a time (vitest.config.ts) and beside each other, the longest first, with the agreement
 * tests, which compute, at the end. Those under load have the machine for themselves.
 * `root` is the checkout, `privileged` whether this is root on Linux.
 */
export function testGroups(root: string, privileged: boolean, print: (text: string) => void): readonly Group[] {
  const before = listNamespaces();
  const project = (name: string, minutes: number): Step => ({
    name: `test/${name}`,
    run: () => rootOnly(privileged, `test/${name}`, () => runVitest(root, name, minutes * minute)),
  });
  return [
    { width: 1, steps: [{ name: 'peers and oracles', run: () => rootOnly(privileged, 'peers and oracles', () => installPeers(print)) }] },
    {
      width: 2,
      steps: [project('kernel', 25), project('interop', 25), project('e2e', 25), project('agreement', 20)],
    },
    { width: 1, steps: [project('load', 20)] },
    {
      // Nothing is measured here: that the benches run and print is enough.
      width: 2,
      steps: [
        ...listBenches().map((name) => ({ name: `bench ${name} (smoke)`, run: () => bench(root, name, privileged) })),
        ...listTargets().map((name) => ({ name: `fuzz ${name}`, run: () => fuzz(root, name) })),
      ],
    },
    { width: 1, steps: [{ name: 'nothing left behind', run: () => checkLeftovers(before) }] },
  ];
}

async function rootOnly(privileged: boolean, name: string, run: () => Promise<Outcome>): Promise<Outcome> {
  if (privileged) return await run();
  return { passed: 0, failed: 0, skipped: [`${name}: needs root and network namespaces`], output: '' };
}

const source: readonly string[] = ['--conditions=source', '--import', 'tsx'];

async function fuzz(root: string, name: string): Promise<Outcome> {
  const ran = await runCommand(process.execPath, ['--expose-gc', ...source, join(root, 'fuzz/run.ts'), name, '--seconds', '4'], minute);
  return ran.code === 0 ? success() : failure(ran.output);
}

/** A bench passes when it ends and prints an object with rows. */
async function bench(root: string, name: string, privileged: boolean): Promise<Outcome> {
  const ran = await runCommand(process.execPath, [...source, join(root, 'bench/run.ts'), name, '--smoke', '--json'], 2 * minute);
  if (ran.code === 4 && !privileged) return { passed: 0, failed: 0, skipped: [`bench ${name}: needs root`], output: '' };
  if (ran.code !== 0) return failure(ran.output);
  const printed = JSON.parse(ran.stdout) as { readonly name?: unknown; readonly machine?: unknown; readonly rows?: unknown };
  const good = printed.name === name && typeof printed.machine === 'object' && Array.isArray(printed.rows) && printed.rows.length > 0;
  return good ? success() : failure(`not { name, machine, rows }: ${ran.stdout}`);
}
