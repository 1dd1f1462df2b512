import type { Rule } from '../../../model/rule.ts';
import { needsAct } from '../act.ts';

/** What becomes of a packet that an entry takes. */
export const KIND = { allow: 0, deny: 1, act: 2, skip: 3 } as const;

export type Kind = keyof typeof KIND;

/** What the rules of a list do. */
export interface RuleKinds {
  /** KIND by rule. */
  readonly codes: Uint8Array;
  /** Rules that skip others, of any kind. */
  readonly skipping: readonly number[];
  /** Rules whose action is not known everywhere. */
  readonly special: readonly number[];
}

/** Of lists that were looked at before: several parts of a program ask. */
const KNOWN = new WeakMap<readonly Rule[], RuleKinds>();

export function ruleKinds(rules: readonly Rule[]): RuleKinds {
  const known = KNOWN.get(rules);
  if (known) return known;
  const codes = new Uint8Array(rules.length);
  const skipping: number[] = [];
  const special: number[] = [];
  for (let index = 0; index < rules.length; index++) {
    const rule = rules[index] as Rule;
    const { kind } = rule.action;
    if (kind === 'skip') skipping.push(index);
    else if (kind !== 'allow' && kind !== 'deny') special.push(index);
    codes[index] = KIND[kindOf(rule)];
  }
  const made = { codes, skipping, special };
  KNOWN.set(rules, made);
  return made;
}

function kindOf(rule: Rule): Kind {
  if (needsAct(rule)) return 'act';
  return rule.action.kind === 'skip' ? 'skip' : rule.action.kind === 'allow' ? 'allow' : 'deny';
}

export function hasKind({ codes }: RuleKinds, kind: Kind): boolean {
  return codes.includes(KIND[kind]);
}

/** The same for rules that have entries: `starts` says by rule where they begin. */
export function findsKind({ codes }: RuleKinds, starts: Int32Array, kind: Kind): boolean {
  for (let rule = codes.indexOf(KIND[kind]); rule >= 0; rule = codes.indexOf(KIND[kind], rule + 1))
    if (starts[rule] !== starts[rule + 1]) return true;
  return false;
}
