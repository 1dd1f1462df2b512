import type { Hook } from '@weir/filter/scheme';
import { compileCumulus } from '../../compile/cumulus/index.ts';
import { describeRefusal } from '../../compile/refusal.ts';
import { type CumulusConfig, DEFAULT_CUMULUS } from '../../model/cumulus.ts';
import type { HookRules } from '../../model/rule.ts';
import { AclFileError, type AclPlace, aclHeader, markCommitted, runCommand, writeAclFile } from '../../reconcile/acl-files/index.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Io } from '../io.ts';

/** Where the file goes; without a directory it is printed. */
export interface CumulusOut {
  readonly directory: string | undefined;
  /** Run when the file has changed, or was not committed before. */
  readonly commit: readonly string[];
}

/** Of what a run by hand writes: a daemon's file is not touched by it, nor the other way round. */
const OWNER = 'weir compile';
const COMMIT_TIMEOUT = 60_000;

/** The sections of an ACL file; a CliError with what it cannot say. */
export function cumulusText(hooks: readonly HookRules[], cumulus: CumulusConfig | undefined, hook: Hook | undefined): string {
  const options = cumulus ?? DEFAULT_CUMULUS;
  const made = compileCumulus(hooks, hook === undefined ? options : { ...options, hooks: [hook] }, () => undefined);
  const { text } = made;
  // A daemon leaves out what a peer announces and the file cannot say; here it is somebody's own file.
  const refusals = [...made.refusals, ...made.leftOut];
  if (refusals.length > 0)
    throw new CliError(EXIT.finding, 'cumulus cannot do what the policy says', [...new Set(refusals.map(describeRefusal))]);
  return text;
}

/** Prints the file, or writes it and has it committed. Throws CliError. */
export async function putCumulus(
  text: string,
  cumulus: CumulusConfig | undefined,
  { directory, commit }: CumulusOut,
  io: Io,
): Promise<void> {
  if (directory === undefined) {
    await io.out(`${aclHeader(OWNER)}${text}`);
    return;
  }
  const { number, name } = cumulus ?? DEFAULT_CUMULUS;
  const place: AclPlace = { directory, number, name, owner: OWNER };
  try {
    const { path, changed, pending } = await writeAclFile(place, text, commit.length > 0);
    io.err(`${path}: ${changed ? 'written' : 'as it was'}\n`);
    if (!pending || commit.length === 0) return;
    const { exitCode, outcome, log } = await runCommand(commit, cumulus?.commitTimeout ?? COMMIT_TIMEOUT);
    if (exitCode !== 0)
      throw new CliError(EXIT.error, `${commit.join(' ')}: ${outcome}`, log.trim() === '' ? [] : log.trimEnd().split('\n'));
    await markCommitted(place);
    io.err(`${commit.join(' ')}: done\n`);
  } catch (error) {
    if (error instanceof AclFileError) throw new CliError(EXIT.error, error.message, []);
    throw error;
  }
}
