import type { Family } from '@weir/wire/inet';
import { type CompiledRules, compileRules } from '../../compile/nft/policy/index.ts';
import type { NamedSet } from '../../model/named-set.ts';
import type { HookRules, Rule } from '../../model/rule.ts';

export const REPLAY_TABLE = 'weir';
/** A rate and a burst that no replay reaches, and that the kernel takes: limits let everything through, as in the interpreter. */
const NO_LIMIT = 1_000_000_000;

/** One hook's rules as a table of nf_tables. */
export interface CompiledHook extends CompiledRules {
  /** Whether its rules have connections tracked. */
  readonly tracks: boolean;
  /** Whether fragments are put together before the hook. */
  readonly assembles: Readonly<Record<Family, boolean>>;
}

/**
 * Compiles one hook's rules as the daemon does, but that each is called by its index, which says it in the kernel's reports, and that limits of rates are not
 * reached: a replay is not as fast or as slow as the traffic was.
 */
export function compileHook(hook: HookRules, sets: readonly NamedSet[]): CompiledHook {
  const rules = hook.rules.map((rule, index) => ({ ...rule, name: String(index), action: unlimited(rule) }));
  const compiled = compileRules([{ ...hook, rules }], sets, { table: REPLAY_TABLE });
  const tracks = compiled.table.chains.some((chain) =>
    chain.rules.some((rule) => rule.matches.some((match) => match.kind === 'connection')),
  );
  return { ...compiled, tracks, assembles: { 4: tracks || hook.hook === 'input', 6: tracks } };
}

function unlimited({ action }: Rule): Rule['action'] {
  return action.kind === 'rate-limit' ? { ...action, limit: { ...action.limit, rate: NO_LIMIT, burst: NO_LIMIT } } : action;
}
