// `weir check` on a policy, as a whole process and in its parts, beside the yaml package's parser and `nft -c` on rules that say the same.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SourceText, systemFiles } from '../apps/weir/src/sources/config/index.ts';
import { loadPolicy } from '../apps/weir/src/sources/policy/index.ts';
import { parseAnyTree } from '../apps/weir/src/sources/yaml/tree.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';

const root = join(import.meta.dirname, '..');
const weir = join(root, 'apps/weir/dist/weir.mjs');
const BUDGET = '2,000 ms for 10,000';

interface Texts {
  readonly yaml: string;
  readonly nft: string;
}

/** Rules as people write them: sources, ports, an expression in every second one. */
function makeRules(count: number): Texts {
  let yaml = 'default_action: deny\nlists: { admins: [192.0.2.0/24, "2001:db8::/48"] }\nrules:\n';
  let nft = 'table inet t {\n\tchain input {\n\t\ttype filter hook input priority 0; policy drop;\n';
  for (let i = 0; i < count; i++) {
    const net = `10.${(i >> 8) & 255}.${i & 255}`;
    const port = (i % 60_000) + 1;
    const ttl = (i % 200) + 10;
    const action = i % 3 === 0 ? 'deny' : i % 3 === 1 ? 'allow' : 'rate_limit';
    yaml += `  - name: rule-${i}\n    priority: ${i % 60_000}\n    source_cidrs: [${net}.0/24, ${net}.128/32, $admins]\n    destination_ports: [${port}, 61000-62000]\n    protocol: tcp\n    action: ${action}\n`;
    if (i % 3 === 2) yaml += '    rate_limit_pps: 100\n';
    if (i % 2 === 1) yaml += `    expression: 'tcp.flags.syn and ip.ttl < ${ttl}'\n`;
    const match = `tcp dport { ${port}, 61000-62000 }${i % 2 === 1 ? ` tcp flags & syn != 0 ip ttl < ${ttl}` : ''}`;
    nft += `\t\tip saddr { ${net}.0/24, 192.0.2.0/24 } ${match} counter ${action === 'deny' ? 'drop' : 'accept'} comment "rule-${i}"\n`;
  }
  return { yaml, nft: `${nft}\t}\n}\n` };
}

/** Milliseconds of each run after the first, which fills caches. */
function measure(runs: number, run: () => void): { readonly p50: number; readonly p95: number } {
  const samples: number[] = [];
  for (let i = 0; i <= runs; i++) {
    const started = performance.now();
    run();
    if (i > 0) samples.push(performance.now() - started);
  }
  return { p50: quantile(samples, 0.5), p95: quantile(samples, 0.95) };
}

function spawn(command: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'], encoding: 'utf8' });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}: ${stderr}`);
}

export const bench: Bench = {
  name: 'policy-check',
  summary: 'a policy of 10,000 rules checked, beside the yaml package and nft -c',
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const runs = smoke ? 1 : 7;
    const count = smoke ? 100 : 10_000;
    const built = spawnSync(process.execPath, [join(root, 'tools/bundle.mjs')], { cwd: root, encoding: 'utf8' });
    if (built.status !== 0) throw new Error(built.stderr);
    const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'));
    try {
      const { yaml, nft } = makeRules(count);
      const policy = join(directory, 'policy.yaml');
      const ruleset = join(directory, 'rules.nft');
      writeFileSync(policy, yaml);
      writeFileSync(ruleset, nft);
      const row = (what: string, budget: string, m: { readonly p50: number; readonly p95: number }): Row => ({
        what,
        rules: count,
        'p50 ms': Math.round(m.p50),
        'p95 ms': Math.round(m.p95),
        'rules/s': Math.round((count / m.p50) * 1000),
        budget,
      });
      const check = (): void => {
        const loaded = loadPolicy([policy], systemFiles, { now: 0 });
        if (loaded.policy?.rules.length !== count) throw new Error(JSON.stringify(loaded.diagnostics.slice(0, 3)));
      };
      const rows = [
        row(
          'weir check, whole process',
          BUDGET,
          measure(runs, () => spawn(process.execPath, [weir, 'check', policy])),
        ),
        row('loading alone, warm', '', measure(runs, check)),
        row(
          'YAML by the yaml package alone, warm',
          '',
          measure(
            runs,
            () => void parseAnyTree(new SourceText('policy.yaml', yaml), () => undefined, { tokens: 9_000_000, values: 9_000_000 }),
          ),
        ),
      ];
      const inside = ['-n', 'nft', '-c', '-f', ruleset];
      return [
        ...rows,
        ...(process.geteuid?.() === 0
          ? await beside('nft -c', 'nft', async () =>
              row(
                'nft -c, whole process',
                '',
                measure(runs, () => spawn('unshare', inside)),
              ),
            )
          : []),
      ];
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
