import { judgement, NO_PEERS } from '../../compile/judgement/index.ts';
import type { HookRules } from '../../model/rule.ts';
import { printDiagnostics } from '../commands/check.ts';
import { CliError, EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { loadFiles } from '../load-any.ts';
import type { Palette } from '../render/paint.ts';

/** The rules of policy files or of a configuration, in the order of judgement. Throws CliError when they have mistakes. */
export function loadRules(files: readonly string[], config: string | undefined, io: Io, palette: Palette): readonly HookRules[] {
  const now = Date.now();
  const loaded = loadFiles(files, config, now);
  io.err(printDiagnostics(loaded, palette));
  if (!loaded.usable) throw new CliError(EXIT.finding, `${files.join(', ')} cannot be used`);
  const { firewall, sets = [], bgp = NO_PEERS } = loaded.config ?? {};
  return judgement({ policy: loaded.policy, firewall, sets, bgp }, now);
}
