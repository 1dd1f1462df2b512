// `weir check` on a policy, as a whole process and in its parts, beside the yaml package's parser and `nft -c` on rules that say the same.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

interface Measured {
  readonly p50: number;
  /** Of this process, or of those that it started: user and system. */
  readonly cpu: number;
}

/** Milliseconds of each run; the first is left out where it only fills caches. */
function measure(runs: number, run: () => void, warm: boolean): Measured {
  const samples: number[] = [];
  const cpus: number[] = [];
  for (let i = warm ? -1 : 0; i < runs; i++) {
    const before = cpuMs();
    const started = performance.now();
    run();
    if (i < 0) continue;
    samples.push(performance.now() - started);
    cpus.push(cpuMs() - before);
  }
  return { p50: quantile(samples, 0.5), cpu: quantile(cpus, 0.5) };
}

/** Of this process and of its children that have ended: fields 14 to 17 of proc_pid_stat(5), in hundredths of a second. */
function cpuMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, field) => sum + Number(field) * 10, 0);
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
    const runs = smoke ? 1 : 3;
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
      const row = (what: string, budget: string, m: Measured): Row => ({
        what,
        rules: count,
        'p50 ms': Math.round(m.p50),
        'CPU ms': Math.round(m.cpu),
        'rules/s': Math.round((count / m.p50) * 1000),
        budget,
      });
      const check = (): void => {
        const loaded = loadPolicy([policy], systemFiles, { now: 0 });
        if (loaded.policy?.rules.length !== count) throw new Error(JSON.stringify(loaded.diagnostics.slice(0, 3)));
      };
      const rows = [
        row(
          'an empty Node process',
          '',
          measure(runs, () => spawn(process.execPath, ['-e', '0']), false),
        ),
        row(
          'weir check, whole process',
          BUDGET,
          measure(runs, () => spawn(process.execPath, [weir, 'check', policy]), false),
        ),
        row('loading alone, warm', '', measure(runs, check, true)),
        row(
          'YAML by the yaml package alone, warm',
          '',
          measure(
            runs,
            () => void parseAnyTree(new SourceText('policy.yaml', yaml), () => undefined, { tokens: 9_000_000, values: 9_000_000 }),
            false,
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
                // A minute and more.
                measure(1, () => spawn('unshare', inside), false),
              ),
            )
          : []),
      ];
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
};
