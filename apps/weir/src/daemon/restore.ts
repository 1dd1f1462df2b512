import { EXIT, type ExitCode, type Io, type RestoreOptions } from '../cli/index.ts';
import { NftBackend } from '../kernel/nft/nft-backend.ts';
import type { Config } from '../model/config.ts';
import { DEFAULT_EBPF, isEbpfHook } from '../model/ebpf.ts';
import type { KernelProblem } from '../model/kernel-port.ts';
import {
  type Complete,
  type Renew,
  type RestoreReport,
  restoreImage,
  restoreTenants,
  savedMembers,
  type TenantRestore,
} from '../reconcile/index.ts';
import { explainFailure } from './failure.ts';
import { loadDaemonConfig, type Overrides } from './load-daemon-config.ts';
import { managedBy } from './managed-by.ts';
import { putPrograms } from './put-programs.ts';
import { confirmedConfig, renewer } from './renewal.ts';
import { withState } from './state-lock.ts';
import { likelyStateDirectory } from './state-place.ts';
import { withKeptFlows } from './with-kept-flows.ts';

/**
 * `weir restore`: loads what was in force when Weir ran last, without rules whose time has ended since. A configuration with mistakes does not stand in the way of a boot: it
 * is only asked where the state is. Beside a daemon, whose ledgers it would write into, it is refused.
 */
export async function runRestore(options: RestoreOptions, io: Io): Promise<ExitCode> {
  const overrides = { ...options, socket: undefined };
  const { config, errors, texts } = loadDaemonConfig(options.config, overrides);
  for (const line of errors) io.err(`${line}\n`);
  const managed = await managedBy(options.socket ?? config?.socket, (config?.ebpf ?? DEFAULT_EBPF).pinDirectory);
  if (managed !== undefined) {
    io.err(`error: ${managed}: it has restored what was in force, and keeps it\n`);
    return EXIT.error;
  }
  const stateDirectory = options.stateDirectory ?? config?.stateDirectory ?? likelyStateDirectory(texts);
  return await withState(stateDirectory, io, () => restoreAll(stateDirectory, overrides, config, io));
}

async function restoreAll(stateDirectory: string, overrides: Overrides, config: Config | undefined, io: Io): Promise<ExitCode> {
  let last: Config | undefined;
  const confirmed = (): Config | undefined => {
    last = confirmedConfig(stateDirectory, overrides);
    return last;
  };
  const renew = renewer(confirmed, Date.now(), (text) => io.err(`${text}\n`));
  let report: RestoreReport | undefined;
  let code: ExitCode = EXIT.ok;
  try {
    const complete = withKeptFlows(stateDirectory, last, (text) => io.err(`${text}\n`));
    report = load(stateDirectory, overrides.netns ?? config?.netns, renew(), complete);
    if (report) code = await tell('', report, io);
  } catch (error) {
    const failure = explainFailure(error);
    io.err(`error: ${failure.message}\n`);
    code = failure.code;
  }
  const tenants = restoreTenants(stateDirectory, (netns) => new NftBackend({ netns }), { clear: false, renew });
  const programs = last ? await restorePrograms(last, stateDirectory, io) : EXIT.ok;
  if (code === EXIT.ok) code = programs;
  if (!last && config && hasPrograms(config))
    io.err(
      'rules at xdp, tc and connect are not restored, since no configuration that was in force is written down: weir run attaches them\n',
    );
  if (!report && code === EXIT.ok && tenants.length === 0) {
    io.err(`nothing to restore: ${stateDirectory} holds no image; weir run writes one\n`);
    return EXIT.ok;
  }
  for (const one of tenants) {
    const own = await tellTenant(one, io);
    if (code === EXIT.ok) code = own;
  }
  return code;
}

/** What waits for an interface or a cgroup is no failure at boot: the daemon attaches it when that comes. */
async function restorePrograms(config: Config, stateDirectory: string, io: Io): Promise<ExitCode> {
  try {
    const { places, problems } = putPrograms(config, savedMembers(stateDirectory));
    for (const { place, way } of places) if (way !== undefined) await io.out(`attached ${place} (${way})\n`);
    for (const { kind, subject, message } of problems)
      io.err(`${subject}: ${message}${LATER.has(kind) ? ': weir run attaches it when it can' : ''}\n`);
    if (problems.some(({ kind }) => kind === 'not-permitted' || kind === 'feature-missing')) return EXIT.unsupported;
    return problems.every(({ kind }) => LATER.has(kind)) ? EXIT.ok : EXIT.error;
  } catch (error) {
    const failure = explainFailure(error);
    io.err(`error: eBPF programs: ${failure.message}\n`);
    return failure.code;
  }
}

const LATER: ReadonlySet<KernelProblem['kind']> = new Set(['place-missing']);

function hasPrograms({ policy }: Config): boolean {
  return policy?.rules.some(({ hooks }) => hooks.some(isEbpfHook)) ?? false;
}

async function tellTenant(one: TenantRestore, io: Io): Promise<ExitCode> {
  const who = `tenant ${one.name}: `;
  if (one.kind === 'restored') return tell(who, one.report, io);
  if (one.kind === 'failed') {
    const { code, message } = explainFailure(one.error);
    io.err(`error: ${who}${message}\n`);
    return code;
  }
  io.err(`${who}there is no network namespace ${one.netns}: weir run fills it when it comes\n`);
  return EXIT.ok;
}

async function tell(who: string, report: RestoreReport, io: Io): Promise<ExitCode> {
  await io.out(`${who}restored ${report.members} members${report.table === undefined ? '' : ` and table inet ${report.table}`}\n`);
  if (report.fault !== undefined) io.err(`${who}${report.fault}: loaded what was in force last, although nobody had confirmed it\n`);
  for (const problem of report.problems) io.err(`${who}${problem.subject}: ${problem.message}\n`);
  if (report.problems.some((p) => p.kind === 'not-permitted')) return EXIT.unsupported;
  return report.problems.some((p) => p.kind === 'refused') ? EXIT.error : EXIT.ok;
}

function load(stateDirectory: string, netns: string | undefined, renew: Renew, complete: Complete): RestoreReport | undefined {
  const backend = new NftBackend({ netns });
  try {
    return restoreImage(backend, stateDirectory, renew, complete);
  } finally {
    backend.close();
  }
}
