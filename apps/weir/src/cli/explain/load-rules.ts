import { judgement, NO_PEERS } from '../../compile/judgement/index.ts';
import type { EbpfConfig } from '../../model/ebpf.ts';
import type { NamedSet } from '../../model/named-set.ts';
import type { HookRules } from '../../model/rule.ts';
import { printDiagnostics } from '../commands/check.ts';
import { CliError } from '../exit.ts';
import { type GivenFlows, loadFlowFiles } from '../flow-files.ts';
import type { Io } from '../io.ts';
import { exitOf, loadFiles } from '../load-any.ts';
import type { Palette } from '../render/paint.ts';
import { type ExplainScope, explainScopes } from './scopes.ts';

/** What judges packets: the rules of each hook, and the sets that they may name. */
export interface LoadedRules {
  readonly hooks: readonly HookRules[];
  /** What eBPF programs are attached to; undefined for policy files alone. */
  readonly ebpf: EbpfConfig | undefined;
  readonly sets: readonly NamedSet[];
}

/**
 * The rules of policy files or of a configuration and of its tenants, in the order of judgement; with `tenant` of that one alone. Throws CliError when they have mistakes or there is
 * no such tenant.
 */
export function loadScopes(
  files: readonly string[],
  config: string | undefined,
  tenant: string | undefined,
  flowFiles: readonly string[],
  io: Io,
  palette: Palette,
): readonly ExplainScope[] {
  const now = Date.now();
  const loaded = loadFiles(files, config, now);
  const { flowspec } = loaded.config ?? {};
  const given = tenant === undefined ? loadFlowFiles(flowFiles, flowspec, flowspec?.at ?? 'prerouting') : {};
  if (flowspec && flowFiles.length === 0 && tenant === undefined)
    io.err(
      'not known here: the flow rules that peers announce (flowspec); --flows gives some, and without --file the daemon says which are in force\n',
    );
  if (loaded.kind === 'policy' || !loaded.usable || !loaded.config)
    return [{ tenant, interfaces: undefined, ...loadRulesAndSets(files, config, io, palette, tenant, given) }];
  io.err(printDiagnostics(loaded, palette));
  return explainScopes({ ...loaded.config, ...(given.flowspec ? { flowspec: given.flowspec } : {}) }, tenant, now, given.flows);
}

/** The rules of policy files or of a configuration, or of one of its tenants, in the order of judgement, with the sets. Throws CliError as above. */
export function loadRulesAndSets(
  files: readonly string[],
  config: string | undefined,
  io: Io,
  palette: Palette,
  tenant?: string,
  given: Partial<GivenFlows> = {},
): LoadedRules {
  const now = Date.now();
  const loaded = loadFiles(files, config, now, tenant);
  io.err(printDiagnostics(loaded, palette));
  if (!loaded.usable) throw new CliError(exitOf(loaded, files), `${files.join(', ')} cannot be used`);
  const { firewall, sets = [], bgp = NO_PEERS, ebpf } = loaded.config ?? {};
  return { ebpf, hooks: judgement({ policy: loaded.policy, firewall, sets, bgp, ...given }, now), sets };
}
