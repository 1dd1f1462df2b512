import { EXIT, type ExitCode, type Io, type RestoreOptions } from '../cli/index.ts';
import { NftBackend } from '../kernel/nft/nft-backend.ts';
import { type RestoreReport, restoreImage } from '../reconcile/index.ts';
import { explainFailure } from './failure.ts';
import { loadDaemonConfig } from './load-daemon-config.ts';

/** `weir restore`: loads what was in force when Weir ran last. Of the configuration it needs where that is kept. */
export function runRestore(options: RestoreOptions, io: Io): ExitCode {
  const { config, errors } = loadDaemonConfig(options.config, { ...options, socket: undefined });
  for (const line of errors) io.err(`${line}\n`);
  if (!config) return EXIT.finding;
  let report: RestoreReport | undefined;
  try {
    report = restoreImage(new NftBackend({ netns: config.netns }), config.stateDirectory);
  } catch (error) {
    const { code, message } = explainFailure(error);
    io.err(`${message}\n`);
    return code;
  }
  if (!report) {
    io.err(`nothing to restore: ${config.stateDirectory} holds no image; weir run writes one\n`);
    return EXIT.ok;
  }
  io.out(`restored ${report.members} members${report.table === undefined ? '' : ` and table inet ${report.table}`}\n`);
  for (const problem of report.problems) io.err(`${problem.subject}: ${problem.message}\n`);
  return report.problems.some((p) => p.kind === 'refused' || p.kind === 'not-permitted') ? EXIT.error : EXIT.ok;
}
