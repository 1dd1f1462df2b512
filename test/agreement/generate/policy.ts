import type { Random } from '../../e2e/random.ts';
import type { BedHook } from '../bed.ts';
import { type AtomContext, focuses, listItems } from './atoms.ts';
import { makeExpression, type Node } from './expressions.ts';
import type { Hints } from './hints.ts';
import { makeRuns } from './runs.ts';
import { makeShape } from './similar.ts';

export type CaseAction =
  | { readonly kind: 'allow' | 'deny' | 'log' }
  | { readonly kind: 'reject'; readonly with: 'port-unreachable' | 'admin-prohibited' | 'tcp-reset' }
  | { readonly kind: 'mark'; readonly mark: number }
  /** Undefined: the default. */
  | { readonly kind: 'skip'; readonly to: string | undefined };

export interface CaseRule {
  readonly ref: string;
  readonly node: Node;
  readonly action: CaseAction;
  readonly log: boolean;
  readonly audit: boolean;
}

/** A named set: `kind` says whether its members stand in the policy or in a set of the table. */
export interface CaseList {
  readonly name: string;
  readonly kind: 'constant' | 'named';
  readonly type: 'Ip' | 'Int';
  /** As between { and } of an expression. */
  readonly items: string;
}

/** A policy of one hook, in pieces that can be left out one by one. */
export interface PolicyCase {
  readonly lists: readonly CaseList[];
  readonly rules: readonly CaseRule[];
  readonly defaultAction: 'allow' | 'deny';
  /** With all that comes before and after the rules of a policy: what the daemon judges by. */
  readonly based: boolean;
}

export interface PolicyOptions {
  readonly hook: BedHook;
  readonly conntrack: boolean;
  /** Only what IP headers say: fragments are still seen. */
  readonly headers: boolean;
  /** Payloads are asked for, and these names of interfaces in every way that octets can be. */
  readonly names?: readonly string[];
  /** At most, but for lists of rules of one shape and runs of them, which are ten times as long. */
  readonly rules: number;
}

const LONGER = 10;

const LISTS: readonly Pick<CaseList, 'name' | 'kind' | 'type'>[] = [
  { name: 'admins', kind: 'named', type: 'Ip' },
  { name: 'spammers', kind: 'named', type: 'Ip' },
  { name: 'offices', kind: 'constant', type: 'Ip' },
  { name: 'numbers', kind: 'constant', type: 'Int' },
];

function contextOf({ hook, conntrack, headers, names: interfaces = [] }: PolicyOptions, hints: Hints): AtomContext {
  const names = (type: CaseList['type']): string[] => LISTS.filter((list) => list.type === type).map((list) => list.name);
  return { hook, conntrack, headers, addressLists: names('Ip'), numberLists: names('Int'), names: interfaces, hints };
}

/** Rules at random; what they ask for is told to `hints`. */
export function makePolicy(random: Random, options: PolicyOptions, hints: Hints): PolicyCase {
  const context = contextOf(options, hints);
  const lists = LISTS.map((list): CaseList => ({ ...list, items: listItems(random, context, list.type) }));
  const long = random.below(5) === 0;
  const run = !long && random.below(2) === 0;
  const count = run
    ? options.rules * 2 + random.below(options.rules * LONGER)
    : 1 + random.below(long ? options.rules * LONGER : options.rules);
  const make = run ? makeRuns(random, context) : long ? makeShape(random, context) : () => makeExpression(random, context);
  const refs = Array.from({ length: count }, (_, i) => `r${i}`);
  const rules = refs.map((ref, i): CaseRule => {
    const action = makeAction(random, refs.slice(i + 1), hints);
    return { ref, node: make(), action, log: random.below(6) === 0, audit: random.below(12) === 0 };
  });
  const based = !options.headers && random.below(6) === 0;
  if (based) hintAtBase(hints);
  return { lists, rules, defaultAction: random.pick(['allow', 'deny']), based };
}

/** What the base of a firewall asks for. */
function hintAtBase(hints: Hints): void {
  hints.addInt('udp.srcport', 67, 68, 546, 547);
  hints.addInt('udp.dstport', 67, 68, 546, 547);
  hints.addInt('tcp.srcport', 179);
  hints.addInt('tcp.dstport', 179);
  hints.addInt('ip.ttl', 255, 1);
  hints.addInt('icmp.type', 3, 11);
  hints.addInt('icmpv6.type', 2, 130, 133, 136, 143);
}

function makeAction(random: Random, later: readonly string[], hints: Hints): CaseAction {
  const kind = random.below(16);
  if (kind < 6) return { kind: 'allow' };
  if (kind < 11) return { kind: 'deny' };
  if (kind === 11) return { kind: 'log' };
  if (kind < 14) {
    const mark = random.pick([1, 0x10, 7, 0xffffffff]);
    hints.addInt('meta.mark', mark);
    return { kind: 'mark', mark };
  }
  if (kind === 14) return { kind: 'skip', to: later.length === 0 || random.below(4) === 0 ? undefined : random.pick(later) };
  return { kind: 'reject', with: random.pick(['port-unreachable', 'admin-prohibited', 'tcp-reset']) };
}

/**
 * Rules that each ask for one field and only log: every packet is asked all of them. `turn` says which field it is.
 */
export function makeFocus(random: Random, options: PolicyOptions, hints: Hints, turn: number): PolicyCase {
  const context = contextOf(options, hints);
  const all = focuses(context);
  const [, part] = all[turn % all.length] ?? [];
  const lists = LISTS.map((list): CaseList => ({ ...list, items: listItems(random, context, list.type) }));
  const rules = Array.from({ length: 12 }, (_, i): CaseRule => {
    const node = part ? part(random, context) : makeExpression(random, context);
    return { ref: `r${i}`, node, action: { kind: 'log' }, log: false, audit: false };
  });
  return { lists, rules, defaultAction: random.pick(['allow', 'deny']), based: false };
}

/** The policy after somebody has changed something: a rule is gone, new, another or in another place, or what one does. */
export function changePolicy(random: Random, policy: PolicyCase, options: PolicyOptions, hints: Hints): PolicyCase {
  const rules = [...policy.rules];
  const at = random.below(Math.max(1, rules.length));
  const rule = rules[at];
  const fresh = (ref: string): CaseRule => {
    const context = contextOf(options, hints);
    // Like one of the others, so that a map gets another element.
    const node = rules.length > options.rules * 2 ? makeRuns(random, context)() : makeExpression(random, context);
    return { ref, node, action: makeAction(random, [], hints), log: random.below(4) === 0, audit: false };
  };
  switch (random.below(6)) {
    case 0:
      rules.splice(at, 1);
      break;
    case 1:
      rules.splice(at, 0, fresh('new'));
      break;
    case 2:
      rules.splice(at, 1, fresh(rule?.ref ?? 'new'));
      break;
    case 3:
      if (rule && at > 0) rules.splice(at - 1, 2, rule, ...rules.slice(at - 1, at));
      break;
    case 4:
      if (rule) rules.splice(at, 1, { ...rule, action: makeAction(random, [], hints) });
      break;
    default:
      return { ...policy, defaultAction: policy.defaultAction === 'allow' ? 'deny' : 'allow' };
  }
  return withRules(policy, rules);
}

/** With other rules: skips to what is no longer there, or no longer after them, go to the default. */
export function withRules(policy: PolicyCase, rules: readonly CaseRule[]): PolicyCase {
  const places = new Map(rules.map((rule, i) => [rule.ref, i]));
  const mended = rules.map((rule, i): CaseRule => {
    const { action } = rule;
    if (action.kind !== 'skip' || action.to === undefined || (places.get(action.to) ?? -1) > i) return rule;
    return { ...rule, action: { kind: 'skip', to: undefined } };
  });
  return { ...policy, rules: mended };
}
