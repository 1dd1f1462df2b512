import { EXIT, type ExitCode, type Io, type RestoreOptions } from '../cli/index.ts';
import { NftBackend } from '../kernel/nft/nft-backend.ts';
import type { Config } from '../model/config.ts';
import { isEbpfHook } from '../model/ebpf.ts';
import { type Renew, type RestoreReport, restoreImage, restoreTenants, type TenantRestore } from '../reconcile/index.ts';
import { explainFailure } from './failure.ts';
import { loadDaemonConfig } from './load-daemon-config.ts';
import { renewer } from './renewal.ts';
import { likelyStateDirectory } from './state-place.ts';

/**
 * `weir restore`: loads what was in force when Weir ran last, without rules whose time has ended since. A configuration with mistakes does not stand in the way of a boot: it
 * is only asked where the state is.
 */
export async function runRestore(options: RestoreOptions, io: Io): Promise<ExitCode> {
  const overrides = { ...options, socket: undefined };
  const { config, errors, texts } = loadDaemonConfig(options.config, overrides);
  for (const line of errors) io.err(`${line}\n`);
  const stateDirectory = options.stateDirectory ?? config?.stateDirectory ?? likelyStateDirectory(texts);
  const renew = renewer(stateDirectory, overrides, Date.now(), (text) => io.err(`${text}\n`));
  let report: RestoreReport | undefined;
  let code: ExitCode = EXIT.ok;
  try {
    report = load(stateDirectory, options.netns ?? config?.netns, renew());
    if (report) code = await tell('', report, io);
  } catch (error) {
    const failure = explainFailure(error);
    io.err(`error: ${failure.message}\n`);
    code = failure.code;
  }
  const tenants = restoreTenants(stateDirectory, (netns) => new NftBackend({ netns }), { clear: false, renew });
  if (config && hasPrograms(config))
    io.err('rules at xdp, tc and connect are not restored: eBPF programs are attached again when weir run starts\n');
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

/** Programs do not outlive the system that they are in. */
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

function load(stateDirectory: string, netns: string | undefined, renew: Renew): RestoreReport | undefined {
  const backend = new NftBackend({ netns });
  try {
    return restoreImage(backend, stateDirectory, renew);
  } finally {
    backend.close();
  }
}
