import type { Random } from '../../e2e/random.ts';
import type { BedHook } from '../bed.ts';
import { type AtomContext, listItems } from './atoms.ts';
import { makeExpression, type Node } from './expressions.ts';
import type { Hints } from './hints.ts';
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
  /** At most, but for lists of rules of one shape, which are ten times as long. */
  readonly rules: number;
}

const LONGER = 10;

const LISTS: readonly Pick<CaseList, 'name' | 'kind' | 'type'>[] = [
  { name: 'admins', kind: 'named', type: 'Ip' },
  { name: 'spammers', kind: 'named', type: 'Ip' },
  { name: 'offices', kind: 'constant', type: 'Ip' },
  { name: 'numbers', kind: 'constant', type: 'Int' },
];

/** Rules at random; what they ask for is told to `hints`. */
export function makePolicy(random: Random, options: PolicyOptions, hints: Hints): PolicyCase {
  const { hook, conntrack, headers } = options;
  const names = (type: CaseList['type']): string[] => LISTS.filter((list) => list.type === type).map((list) => list.name);
  const context: AtomContext = { hook, conntrack, headers, addressLists: names('Ip'), numberLists: names('Int'), hints };
  const lists = LISTS.map((list): CaseList => ({ ...list, items: listItems(random, context, list.type) }));
  const long = random.below(5) === 0;
  const count = 1 + random.below(long ? options.rules * LONGER : options.rules);
  const make = long ? makeShape(random, context) : () => makeExpression(random, context);
  const refs = Array.from({ length: count }, (_, i) => `r${i}`);
  const rules = refs.map((ref, i): CaseRule => {
    const action = makeAction(random, refs.slice(i + 1), hints);
    return { ref, node: make(), action, log: random.below(6) === 0, audit: random.below(12) === 0 };
  });
  const based = !headers && random.below(6) === 0;
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

/** What comes after leaving rules out: skips to what is no longer there go to the default. */
export function withRules(policy: PolicyCase, rules: readonly CaseRule[]): PolicyCase {
  const there = new Set(rules.map((rule) => rule.ref));
  const mended = rules.map((rule): CaseRule => {
    const { action } = rule;
    if (action.kind !== 'skip' || action.to === undefined || there.has(action.to)) return rule;
    return { ...rule, action: { kind: 'skip', to: undefined } };
  });
  return { ...policy, rules: mended };
}
