import { type CumulusConfig, DEFAULT_CUMULUS } from '../../model/cumulus.ts';
import type { Item, Table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawCumulus } from './raw.ts';

/** The ACL file of a configuration, with every default filled in. */
export function buildCumulus(table: Table<RawCumulus>): CumulusConfig {
  const { directory, number, name, hooks, in_interfaces, out_interfaces, state, matches, max_rules, commit, commit_timeout, batch } =
    table.get;
  return {
    directory,
    number,
    name,
    hooks: hooks.length > 0 ? hooks.map(({ value }) => value) : DEFAULT_CUMULUS.hooks,
    inInterfaces: patterns(in_interfaces, DEFAULT_CUMULUS.inInterfaces),
    outInterfaces: patterns(out_interfaces, DEFAULT_CUMULUS.outInterfaces),
    state,
    matches,
    maxRules: max_rules,
    commit: commit.map(({ value }) => value),
    commitTimeout: commit_timeout,
    batch,
    span: spanOf(table.label),
  };
}

/** What can only be seen by looking at several keys of `cumulus:` together. */
export function checkCumulus(table: Table<RawCumulus>, report: Report): void {
  const { state, matches } = table.get;
  if (state && matches === 'hardware')
    report('E026', table.place('state'), 'the hardware of a switch tracks no connections', 'leave state out, or matches');
}

/** As iptables writes them. */
function patterns(items: readonly Item<string>[], otherwise: readonly string[]): readonly string[] {
  return items.length > 0 ? items.map(({ value }) => value.replace(/\*$/, '+')) : otherwise;
}
