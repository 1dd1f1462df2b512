import { type FlowAction, type FlowComponent, type FlowResult, parseFlow, parseFlowAction } from '@weir/bgp/flowspec';
import type { Prefix } from '@weir/wire/inet';
import type { SetFlows } from '../../model/flow.ts';
import { boolean, integer, name, prefixShape, word } from '../yaml/leaves.ts';
import { defaulted, type Item, leaf, list, optional, quote, required, type Shape, type Table, table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import type { RawChurn } from './raw.ts';
import type { RawMinLength } from './raw-flowspec.ts';
import { churnShape, minLengthShape, peerName } from './schema-parts.ts';

/** An entry of `flowspec.from_sets` as written. */
export interface RawFromSet {
  set: string | undefined;
  as: SetFlows['as'];
  match: SetFlows['match'] | undefined;
  actions: readonly Item<FlowAction>[];
  enforce: boolean;
  peers: readonly Item<string>[];
  prefixes: readonly Item<Prefix>[] | undefined;
  min_length: Table<RawMinLength> | undefined;
  max_rules: number;
  churn: Table<RawChurn> | undefined;
}

const DEFAULTS = { minLength: { 4: 24, 6: 48 }, maxRules: 1000, churn: { rate: 100, burst: 1000 } } as const;
const DISCARD: FlowAction = { kind: 'rate-bytes', rate: 0, asn: 0 };

/** Components of a flow rule as BIRD writes them, without the braces; read for both families. */
function match(): Shape<SetFlows['match']> {
  return leaf('components of a flow rule', (written, _value, place, report) => {
    const inner = /;\s*$/.test(written) ? written : `${written};`;
    const [four, six] = [parseFlow(`flow4 { ${inner} }`), parseFlow(`flow6 { ${inner} }`)];
    if (!four.ok && !six.ok) {
      report(
        'E017',
        place,
        `not components of a flow rule: ${quote(written)}`,
        `${four.problem.message}; write them as in proto 17; sport 53;`,
      );
      return undefined;
    }
    return { 4: componentsOf(four), 6: componentsOf(six) };
  });
}

function componentsOf(result: FlowResult): readonly FlowComponent[] | undefined {
  return result.ok ? result.rule.components : undefined;
}

/** What a rule asks for, as in `weir flow add`. */
function action(): Shape<FlowAction> {
  return leaf('flow action', (written, _value, place, report) => {
    const found = parseFlowAction(written);
    if (found) return found;
    report(
      'E017',
      place,
      `not an action of a flow rule: ${quote(written)}`,
      'write discard, rate-bytes 12500, rate-packets 100, sample, mark 46',
    );
    return undefined;
  });
}

export const fromSetShape: Shape<Table<RawFromSet>> = table<RawFromSet>('an entry of from_sets', {
  set: required(
    name('a set name', /^[a-z0-9_]+$/, 'small letters, digits and _', 64),
    'The set whose members become flow rules, one rule a member; one of this configuration, not of a tenant.',
  ),
  as: defaulted(word('a side', ['destination', 'source']), 'destination', 'destination', 'What a member is in its rule.'),
  match: optional(match(), 'What packets have to be besides: `proto 17; sport 53`.', 'any packet'),
  actions: defaulted(
    list(action(), { alone: true, atLeastOne: true }),
    [],
    '[discard]',
    'What the rules ask for: `discard`, `rate-bytes 12500`, `rate-packets 100`, `sample`, `mark 46`.',
  ),
  enforce: defaulted(boolean(), false, 'false', 'Whether the rules are in force here, at `flowspec.at`.'),
  peers: defaulted(list(peerName(), { alone: true }), [], '[]', 'The peers that the rules are announced to.'),
  prefixes: optional(list(prefixShape(), { atLeastOne: true }), 'Only members that lie in one of these.', 'every member'),
  min_length: optional(minLengthShape('a member', DEFAULTS.minLength), 'How much of the network one rule may be about.'),
  max_rules: defaulted(
    integer('max_rules', 1, 50_000),
    DEFAULTS.maxRules,
    String(DEFAULTS.maxRules),
    'Rules at most. Members beyond that wait until there is room.',
  ),
  churn: optional(
    churnShape(1_000_000, DEFAULTS.churn, 'New rules', ''),
    'How fast rules may come; what exceeds it waits. Rules of members that are gone go at once.',
  ),
});

export function buildFromSet({ value }: Item<Table<RawFromSet>>): SetFlows | undefined {
  const { set, as, match: more, actions, enforce, peers, prefixes, min_length: least, max_rules: maxRules, churn } = value.get;
  return set === undefined
    ? undefined
    : {
        set,
        as,
        match: more ?? { 4: [], 6: [] },
        actions: actions.length > 0 ? actions.map((item) => item.value) : [DISCARD],
        enforce,
        peers: peers.map((item) => item.value),
        prefixes: prefixes?.map((item) => item.value),
        minLength: least ? { 4: least.get.ipv4, 6: least.get.ipv6 } : DEFAULTS.minLength,
        maxRules,
        churn: churn?.get ?? DEFAULTS.churn,
        span: spanOf(value.place('set')),
      };
}
