import type { CumulusSummary } from '../api/index.ts';
import type { CumulusStatus } from '../model/cumulus.ts';

/** The ACL file of a switch, for answers. */
export function summarizeCumulus({ failedCommits, written, committed, problem, lines, ...rest }: CumulusStatus): CumulusSummary {
  const { file, commits, pending } = rest;
  return {
    file,
    ...(lines ? { lines } : {}),
    ...(written === undefined ? {} : { written: new Date(written).toISOString() }),
    ...(committed === undefined ? {} : { committed: new Date(committed).toISOString() }),
    commits,
    failed_commits: failedCommits,
    pending,
    ...(problem?.exitCode === undefined ? {} : { exit_code: problem.exitCode }),
  };
}
