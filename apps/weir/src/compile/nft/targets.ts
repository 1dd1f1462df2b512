import type { Family } from '@weir/wire/inet';
import type { Config } from '../../model/config.ts';
import { DEFAULT_EBPF } from '../../model/ebpf.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import type { NamedSet } from '../../model/named-set.ts';
import { needsConnectionTracking } from '../ebpf/connection-state-need.ts';
import { DEFAULT_FIREWALL, flowHooks, judgement, netfilterHooks } from '../judgement/index.ts';
import type { TableImage } from './image.ts';
import { addFlowHooks, type CompileMemo, type CompileOptions, compileRules, isOfFlows } from './policy/index.ts';
import { ownedSetNames } from './set-names.ts';

/** Where the members of one set and family go. */
export interface KernelTarget {
  /** The same as long as the same kernel sets are meant, whatever the set is called. */
  readonly key: string;
  readonly set: string;
  readonly family: Family;
  /** Whether connections to removed members are ended. */
  readonly cut: boolean;
  readonly place:
    | { readonly kind: 'user'; readonly family: 'inet' | 'ip' | 'ip6'; readonly table: string; readonly set: string }
    | { readonly kind: 'owned'; readonly table: string; readonly hosts: string; readonly networks: string };
}

/** A configuration and the flow rules in force. */
export type PlanSource = Config & { readonly flows?: readonly ActiveFlow[] | undefined };

/** Everything the kernel side needs to know of a configuration; plain data, saved for `restore`. */
export interface KernelPlan {
  readonly targets: readonly KernelTarget[];
  readonly table: TableImage | undefined;
  /** Where the programs that rules ask are pinned; the usual place when absent. */
  readonly pins?: string;
  /** When it was compiled: rules whose time was over by then are not in it. Milliseconds since the epoch. */
  readonly at?: number;
}

/**
 * What a configuration asks of the kernel, members aside. `now` (milliseconds since the epoch) decides which rules have expired. Deterministic: in the order of the configuration,
 * IPv4 first. `memo`: what the rules came to last time. `asksPrograms`: the kernel's rules can ask eBPF programs; where they cannot, only what there is no other way to say is to be asked by them.
 */
export function compileKernelPlan(config: PlanSource, now: number, memo?: CompileMemo, asksPrograms = true): KernelPlan {
  const table = ownedTable(config);
  return {
    targets: config.sets.flatMap((set) => targetsOf(set, table)),
    table: table === undefined ? undefined : tableOf(config, table, { now, memo, asksPrograms }),
    ...(config.ebpf.pinDirectory === DEFAULT_EBPF.pinDirectory ? {} : { pins: config.ebpf.pinDirectory }),
    at: now,
  };
}

export interface TableOptions {
  readonly now: number;
  readonly memo?: CompileMemo | undefined;
  readonly asksPrograms: boolean;
}

/**
 * The table of a plan that was compiled without flow rules, with them; undefined where there is none. What they come to has nothing to do with the others. A table that has some already is
 * left as it is: earlier versions saved them.
 */
export function tableWithFlows({ table }: KernelPlan, config: PlanSource, options: TableOptions): TableImage | undefined {
  if (table === undefined || config.flowspec?.at !== 'prerouting') return table;
  const hooks = flowHooks(config);
  const fault = hooks.find((hook) => !isOfFlows(hook));
  if (fault) throw new RangeError(`rules at ${fault.hook} that are no flow rules`);
  const taken = table.chains.some(({ hook, priority = 0 }) => hooks.some((one) => one.hook === hook && one.priority === priority));
  return taken ? table : addFlowHooks({ table, problems: [] }, hooks, config.sets, compileOptions(config, table.name, options)).table;
}

function tableOf(config: PlanSource, table: string, options: TableOptions): TableImage {
  const hooks = judgement(config, options.now);
  const tracking = needsConnectionTracking(hooks);
  return compileRules(netfilterHooks(hooks), config.sets, { ...compileOptions(config, table, options), tracking }).table;
}

function compileOptions(config: PlanSource, table: string, { memo, asksPrograms }: TableOptions): CompileOptions {
  const { logGroup } = config.observe ?? {};
  return {
    table,
    memo,
    ...(logGroup === undefined ? {} : { logGroup }),
    ...(asksPrograms ? {} : { mostRanges: Number.MAX_SAFE_INTEGER }),
  };
}

/** The table that Weir writes: for a firewall, for a policy, or for flow rules. */
function ownedTable({ firewall, policy, flowspec }: Config): string | undefined {
  const flows = flowspec?.at === 'prerouting';
  return firewall?.table ?? (policy || flows ? DEFAULT_FIREWALL.table : undefined);
}

function targetsOf(set: NamedSet, ownedTable: string | undefined): KernelTarget[] {
  const { target } = set;
  const cut = set.kind === 'allow' && set.onWithdraw === 'cut';
  return ([4, 6] as const).flatMap((family): KernelTarget[] => {
    if (target.kind === 'owned') {
      if (ownedTable === undefined) return [];
      const place = { kind: 'owned', table: ownedTable, ...ownedSetNames(set.name, family) } as const;
      return [{ key: `owned inet ${ownedTable} ${place.hosts}`, set: set.name, family, cut, place }];
    }
    const name = family === 4 ? target.ipv4 : target.ipv6;
    if (name === undefined) return [];
    const place = { kind: 'user', family: target.family, table: target.table, set: name } as const;
    return [{ key: `user ${target.family} ${target.table} ${name}`, set: set.name, family, cut, place }];
  });
}
