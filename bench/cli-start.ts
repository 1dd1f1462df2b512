// A whole process: `weir check` on a small file, beside what an empty Node process needs and what ExaBGP and BIRD need to check the same session.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';

const root = join(import.meta.dirname, '..');
const weir = join(root, 'apps/weir/dist/weir.mjs');
const BUDGET_MS = 200;

/** The session of examples/core.yaml as each peer's configuration writes it. */
const BIRD = `router id 192.0.2.1;
protocol device {}
protocol bgp core { local as 64512; neighbor 127.0.0.1 as 64512; ipv4 { import all; export none; }; ipv6 { import all; export none; }; }
`;
const EXABGP = `neighbor 127.0.0.1 {
  router-id 192.0.2.1;
  local-address 127.0.0.1;
  local-as 64512;
  peer-as 64512;
  family { ipv4 unicast; ipv6 unicast; }
}
`;

/** Milliseconds from start to exit, `runs` times, after one run that fills the page cache. */
function measure(command: string, args: readonly string[], runs: number): { readonly p50: number; readonly p95: number } {
  const samples: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const started = performance.now();
    const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    if (error) throw error;
    if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`);
    if (i > 0) samples.push(performance.now() - started);
  }
  return { p50: quantile(samples, 0.5), p95: quantile(samples, 0.95) };
}

export const bench: Bench = {
  name: 'cli-start',
  summary: 'start to exit of small commands, beside an empty Node process, ExaBGP and BIRD',
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const runs = smoke ? 1 : 40;
    const built = spawnSync(process.execPath, [join(root, 'tools/bundle.mjs')], { cwd: root, encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
    const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'));
    try {
      const small = join(directory, 'weir.yaml');
      writeFileSync(small, readFileSync(join(root, 'examples/core.yaml')));
      const bird = join(directory, 'bird.conf');
      writeFileSync(bird, BIRD);
      const exabgp = join(directory, 'exabgp.conf');
      writeFileSync(exabgp, EXABGP);
      const node = measure(process.execPath, ['-e', '0'], runs);
      const row = (what: string, budget: string, m: { readonly p50: number; readonly p95: number }): Row => ({
        what,
        'p50 ms': Math.round(m.p50),
        'p95 ms': Math.round(m.p95),
        budget,
        'times node': Number((m.p50 / node.p50).toFixed(2)),
      });
      const rows = [
        row('weir check, small file', `${BUDGET_MS} ms`, measure(process.execPath, [weir, 'check', small], runs)),
        row(
          'weir check through bin/weir.mjs',
          `${BUDGET_MS} ms`,
          measure(process.execPath, [join(root, 'apps/weir/bin/weir.mjs'), 'check', small], runs),
        ),
        row('weir version', '', measure(process.execPath, [weir, 'version'], runs)),
        row('node -e 0', '', node),
      ];
      return [
        ...rows,
        ...(await beside('exabgp --validate', 'exabgp', async () =>
          row('exabgp --validate', '', measure('exabgp', ['--validate', exabgp], runs)),
        )),
        ...(await beside('bird -p', 'bird', async () => row('bird -p', '', measure('bird', ['-p', '-c', bird], runs)))),
      ];
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
