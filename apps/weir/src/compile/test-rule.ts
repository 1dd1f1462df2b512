import { type Expr, type LowerOptions, lower } from '@weir/filter/ir';
import { PACKET_SCHEME } from '@weir/filter/scheme';
import { parse } from '@weir/filter/syntax';
import type { Action, Rule } from '../model/rule.ts';

/** A rule as tests need it: of the policy, of priority 1000, and nothing beside what is given. */
export function testRule(ref: string, expression: Expr, action: Action = { kind: 'allow' }, more: Partial<Rule> = {}): Rule {
  return {
    ref,
    name: ref,
    stage: 'policy',
    priority: 1000,
    expression,
    text: '',
    action,
    log: false,
    audit: false,
    provenance: { kind: 'builtin' },
    ...more,
  };
}

/** An expression as it is written; throws where it has a mistake. */
export function writtenExpression(text: string, options?: LowerOptions): Expr {
  const parsed = parse(text, PACKET_SCHEME);
  if (!('tree' in parsed)) throw new Error(`${text}: ${parsed.problem.message}`);
  const { expr, problems } = lower(parsed.tree, PACKET_SCHEME, options);
  if (!expr) throw new Error(`${text}: ${problems.map(({ message }) => message).join('; ')}`);
  return expr;
}

/** Named sets of addresses, for expressions that ask for them. */
export function namedSets(...names: readonly string[]): NonNullable<LowerOptions['lists']> {
  return new Map(names.map((name) => [name, { kind: 'named', type: { kind: 'Ip' } }]));
}

/** A rule of an expression as it is written; throws where it has a mistake. */
export function writtenRule(
  ref: string,
  text: string,
  action?: Action,
  more: Partial<Rule> = {},
  lists: LowerOptions['lists'] = new Map(),
): Rule {
  return testRule(ref, writtenExpression(text, { lists }), action, { text, ...more });
}
