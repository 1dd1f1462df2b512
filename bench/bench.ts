import { existsSync, readdirSync } from 'node:fs';
import { arch, cpus, release } from 'node:os';

/** One line of a bench's table: what was measured, beside which peer, with the ratio. */
export type Row = Readonly<Record<string, string | number>>;

export interface BenchOptions {
  /** Do the least that shows that the bench works: a second or two, the figures mean nothing. */
  readonly smoke: boolean;
  /** Half of the prefixes are IPv6, for benches of what is told to clients. */
  readonly ipv6?: boolean;
  /** A file of rules to measure, for benches that take one. */
  readonly rules?: string;
}

/** What bench/<name>.ts exports as `bench`. */
export interface Bench {
  readonly name: string;
  readonly summary: string;
  /** It makes namespaces or loads rules: without root it is skipped. */
  readonly needsRoot?: boolean;
  run(options: BenchOptions): Promise<readonly Row[]>;
}

const runner: ReadonlySet<string> = new Set(['run', 'bench', 'table']);

/** Every file of this folder that is not part of the runner is a bench. */
export function listBenches(): readonly string[] {
  const files = readdirSync(import.meta.dirname).filter((file) => /^[a-z][a-z0-9-]*\.ts$/.test(file));
  return files
    .map((file) => file.slice(0, -'.ts'.length))
    .filter((name) => !runner.has(name))
    .sort();
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
}

export function thisMachine(): Machine {
  const all = cpus();
  return { cpu: `${all[0]?.model.trim() ?? 'unknown'} (${arch()})`, cores: all.length, kernel: release(), node: process.versions.node };
}

/** Whether a program is on the PATH or in the places where daemons are. */
export function isInstalled(program: string): boolean {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/usr/lib/frr'];
  return folders.some((folder) => folder !== '' && existsSync(`${folder}/${program}`));
}

/** Measures a peer, or says in a row that its program is not installed; what is ours needs none. */
export async function beside(
  peer: string,
  program: string | undefined,
  measure: () => Promise<Row | readonly Row[]>,
): Promise<readonly Row[]> {
  if (program !== undefined && !isInstalled(program)) return [{ peer, note: `${program} is not installed` }];
  const measured = await measure();
  return Array.isArray(measured) ? (measured as readonly Row[]) : [measured as Row];
}

/** The value below which the given share (0-1) of the samples lies; the samples need not be sorted. Throws RangeError when there are none. */
export function quantile(samples: readonly number[] | Float64Array, share: number): number {
  const sorted = Float64Array.from(samples).sort();
  const value = sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
  if (value === undefined) throw new RangeError('no samples');
  return value;
}
