import type { MatchProgram } from '../../../../model/match-program.ts';
import type { HookRules } from '../../../../model/rule.ts';
import { ruleFingerprint } from '../../expressions.ts';
import { digest } from '../../fingerprint.ts';
import type { ChainHook, ChainImage, RuleImage } from '../../image.ts';
import { type EffectOptions, label } from '../effect.ts';
import { fromLaterFragments, toLaterFragments } from '../later-fragments.ts';
import type { NftProblem } from '../problem.ts';
import type { ProgramsOptions } from '../programs.ts';
import { FlowMemo } from './flow-memo.ts';
import { FlowGroups, type Packets, type Parts } from './groups.ts';
import type { Unit, UnitContext } from './unit.ts';
import { flowListOf } from './units-of.ts';

export interface FlowsContext {
  /** Name of the base chain, with which the names of all others begin. */
  readonly name: string;
  readonly effects: EffectOptions;
  readonly programs: ProgramsOptions;
  readonly memo?: FlowMemo | undefined;
}

/** The chains of a hook of flow rules, what is led to first. */
export interface CompiledFlows extends Parts {
  readonly programs: readonly MatchProgram[];
  readonly problems: readonly NftProblem[];
}

/**
 * A hook that has flow rules alone, before fragments are put together. Fragments that are not the first have a list without what is in transport headers: the kernel would read ports where
 * their data are. Undefined for a hook that has anything else.
 */
export function compileFlows(hook: HookRules & { readonly hook: ChainHook }, context: FlowsContext): CompiledFlows | undefined {
  const found = flowListOf(hook);
  if (!found) return undefined;
  const { name, effects, programs, memo = new FlowMemo() } = context;
  const last: RuleImage = { name: label(found.last.name), matches: [], verdict: { kind: 'accept' } };
  const end: ChainImage = { name: `${name}_end_${digest(ruleFingerprint(last)).slice(0, 12)}`, hook: undefined, rules: [last] };
  memo.begin(
    JSON.stringify([
      hook.hook,
      end.name,
      effects,
      programs.mostRanges,
      typeof programs.use === 'string' ? programs.use : programs.onlyCheck,
    ]),
  );
  const units: UnitContext = { hook, slug: name, end: end.name, effects, programs };
  const shields = found.shields.map((rules) => memo.unit(rules, units));
  const flows = found.flows.map((rules) => memo.unit(rules, units));
  const parts: Parts = { chains: [end], maps: [], lookups: [] };
  const used = new Map<string, MatchProgram>();
  const problems: NftProblem[] = [];
  let asksTransport = false;
  for (const unit of [...shields, ...flows]) {
    parts.chains.push(unit.own);
    for (const chain of unit.chains) parts.chains.push(chain);
    for (const program of unit.programs) used.set(program.name, program);
    if (unit.problems.length > 0) problems.push(...unit.problems);
    asksTransport ||= unit.asksTransport;
  }
  const andThen: RuleImage = { name: 'and then', matches: [], count: false, verdict: { kind: 'goto', chain: end.name } };
  const list = (packets: Packets, chain: string): readonly RuleImage[] => {
    const groups = new FlowGroups(packets, memo.groups(packets));
    const met = (unit: Unit): boolean => unit[packets].length > 0;
    return [...groups.list(`${chain}_shield`, shields.filter(met), parts, []), ...groups.list(chain, flows.filter(met), parts), andThen];
  };
  const rules: RuleImage[] = [];
  if (asksTransport) {
    const later = `${name}_later`;
    parts.chains.push({ name: later, hook: undefined, rules: [...fromLaterFragments(), ...list('later', later)] });
    rules.push(...toLaterFragments(later));
  }
  rules.push(...list('whole', name));
  parts.chains.push({ name, hook: hook.hook, ...(hook.priority === 0 ? {} : { priority: hook.priority }), rules });
  memo.end([...shields, ...flows]);
  return { ...parts, programs: [...used.values()], problems };
}
