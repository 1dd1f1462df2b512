import { judgement, NO_PEERS } from '../../compile/judgement/index.ts';
import type { NamedSet } from '../../model/named-set.ts';
import type { HookRules } from '../../model/rule.ts';
import { printDiagnostics } from '../commands/check.ts';
import { CliError } from '../exit.ts';
import type { Io } from '../io.ts';
import { exitOf, loadFiles } from '../load-any.ts';
import type { Palette } from '../render/paint.ts';

/** What judges packets: the rules of each hook, and the sets that they may name. */
export interface LoadedRules {
  readonly hooks: readonly HookRules[];
  readonly sets: readonly NamedSet[];
}

/** The rules of policy files or of a configuration, in the order of judgement. Throws CliError when they have mistakes. */
export function loadRules(files: readonly string[], config: string | undefined, io: Io, palette: Palette): readonly HookRules[] {
  return loadRulesAndSets(files, config, io, palette).hooks;
}

/** The same with the sets. */
export function loadRulesAndSets(files: readonly string[], config: string | undefined, io: Io, palette: Palette): LoadedRules {
  const now = Date.now();
  const loaded = loadFiles(files, config, now);
  io.err(printDiagnostics(loaded, palette));
  if (!loaded.usable) throw new CliError(exitOf(loaded, files), `${files.join(', ')} cannot be used`);
  const { firewall, sets = [], bgp = NO_PEERS } = loaded.config ?? {};
  return { hooks: judgement({ policy: loaded.policy, firewall, sets, bgp }, now), sets };
}
