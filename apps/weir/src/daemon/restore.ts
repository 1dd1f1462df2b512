import { EXIT, type ExitCode, type Io, type RestoreOptions } from '../cli/index.ts';
import { NftBackend } from '../kernel/nft/nft-backend.ts';
import { type RestoreReport, restoreImage } from '../reconcile/index.ts';
import { explainFailure } from './failure.ts';
import { loadDaemonConfig } from './load-daemon-config.ts';

const DEFAULT_STATE = '/var/lib/weir';

/**
 * `weir restore`: loads what was in force when Weir ran last. A configuration with mistakes does not stand in the way of a boot: it is only asked where the state is,
 * and the default is taken where it cannot say.
 */
export async function runRestore(options: RestoreOptions, io: Io): Promise<ExitCode> {
  const { config, errors } = loadDaemonConfig(options.config, { ...options, socket: undefined });
  for (const line of errors) io.err(`${line}\n`);
  const stateDirectory = options.stateDirectory ?? config?.stateDirectory ?? DEFAULT_STATE;
  let report: RestoreReport | undefined;
  try {
    report = load(stateDirectory, options.netns ?? config?.netns);
  } catch (error) {
    const { code, message } = explainFailure(error);
    io.err(`error: ${message}\n`);
    return code;
  }
  if (!report) {
    io.err(`nothing to restore: ${stateDirectory} holds no image; weir run writes one\n`);
    return EXIT.ok;
  }
  await io.out(`restored ${report.members} members${report.table === undefined ? '' : ` and table inet ${report.table}`}\n`);
  if (report.fault !== undefined) io.err(`${report.fault}: loaded what was in force last, although nobody had confirmed it\n`);
  for (const problem of report.problems) io.err(`${problem.subject}: ${problem.message}\n`);
  if (report.problems.some((p) => p.kind === 'not-permitted')) return EXIT.unsupported;
  return report.problems.some((p) => p.kind === 'refused') ? EXIT.error : EXIT.ok;
}

function load(stateDirectory: string, netns: string | undefined): RestoreReport | undefined {
  const backend = new NftBackend({ netns });
  try {
    return restoreImage(backend, stateDirectory);
  } finally {
    backend.close();
  }
}
