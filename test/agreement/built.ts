import type { Lists } from '@weir/filter/eval';
import { containsInt, containsIp, type IpSet, ipSet, type ListDefinition, type ListDefinitions, type RangeSet } from '@weir/filter/ir';
import { asn, ip, lastIp, prefix } from '@weir/wire/inet';
import { judgement, NO_PEERS } from '../../apps/weir/src/compile/judgement/index.ts';
import { testRule, writtenExpression, writtenRule } from '../../apps/weir/src/compile/test-rule.ts';
import type { Peer } from '../../apps/weir/src/model/config.ts';
import type { NamedSet } from '../../apps/weir/src/model/named-set.ts';
import type { Policy, PolicyFields } from '../../apps/weir/src/model/policy.ts';
import type { Action, HookRules, PolicyAction, Rule } from '../../apps/weir/src/model/rule.ts';
import { testPeer, testSet } from '../../apps/weir/src/state/test-fixtures.ts';
import type { BedHook } from './bed.ts';
import { printNode } from './generate/expressions.ts';
import type { CaseList, CaseRule, PolicyCase } from './generate/policy.ts';

/** A policy as the compiler and the interpreter take it. */
export interface Built {
  readonly hook: HookRules;
  /** Only those that are asked for. */
  readonly sets: readonly NamedSet[];
  readonly members: ReadonlyMap<string, IpSet>;
  readonly lists: Lists;
  readonly definitions: ListDefinitions;
}

const TRUE = { kind: 'constant', value: true } as const;
const INT = { kind: 'Int' } as const;
const IP = { kind: 'Ip' } as const;
const NOWHERE = { file: 'agreement.yaml', line: 1, column: 1, length: 1 } as const;

const NO_FIELDS: PolicyFields = {
  source_cidrs: [],
  destination_cidrs: [],
  source_ports: [],
  in_interface: [],
  out_interface: [],
  state: [],
  destination_ports: [],
  protocol: 'any',
  expression: undefined,
};
/** One of the addresses that packets have. */
const PEER: Peer = testPeer('core', 1, { as: asn(64512), families: ['ipv4 unicast'] });

/** Throws where the policy is none: generators make policies that are. */
export function build(policy: PolicyCase, hook: BedHook, priority: number): Built {
  const addresses = new Map(policy.lists.filter((list) => list.type === 'Ip').map((list) => [list.name, ipsOf(list)] as const));
  const numbers = new Map(policy.lists.filter((list) => list.type === 'Int').map((list) => [list.name, numbersOf(list)] as const));
  const definitions = new Map(policy.lists.map((list) => [list.name, define(list, addresses, numbers)]));
  const rules = policy.rules.map((rule): Rule => ruleOf(rule, definitions));
  const used = policy.lists.filter((list) => list.kind === 'named' && rules.some((rule) => rule.text.includes(`$${list.name}`)));
  const last = testRule('<default>', TRUE, { kind: policy.defaultAction }, { stage: 'default', priority: 65_535 });
  const sets = used.map((list) => namedSet(list.name));
  return {
    // Without a rule nothing is judged at the hook.
    hook:
      policy.based && rules.length > 0 ? { ...based(policy, rules, sets, hook), priority } : { hook, priority, rules: [...rules, last] },
    sets,
    members: addresses,
    definitions,
    lists: {
      has: (name, value) => {
        const ips = addresses.get(name);
        if (ips) return typeof value === 'object' && 'family' in value && containsIp(ips, value);
        const set = numbers.get(name);
        return set !== undefined && (typeof value === 'number' || typeof value === 'bigint') && containsInt(set, value);
      },
    },
  };
}

function ruleOf({ ref, node, action, log, audit }: CaseRule, definitions: ListDefinitions): Rule {
  const provenance = { kind: 'file', span: NOWHERE } as const;
  return writtenRule(ref, printNode(node), action, { log, audit, provenance }, definitions);
}

function ofPolicies(action: Action): PolicyAction {
  if (action.kind === 'police' || action.kind === 'dscp') throw new RangeError(`no policy has ${action.kind}`);
  return action;
}

/** The rules within the order of judgement, with every entry of the base and one BGP peer. */
function based({ defaultAction }: PolicyCase, rules: readonly Rule[], sets: readonly NamedSet[], hook: BedHook): HookRules {
  const policy: Policy = {
    files: [NOWHERE.file],
    defaultAction,
    defaultSpan: undefined,
    defaultAudit: false,
    generatedAt: undefined,
    rules: rules.map(({ ref, name, priority, expression: expr, text, action, log, audit }) => ({
      ref,
      name,
      priority,
      expression: expr,
      text,
      action: ofPolicies(action),
      log,
      audit,
      description: undefined,
      hooks: [hook],
      enabled: true,
      until: undefined,
      fields: NO_FIELDS,
      span: NOWHERE,
    })),
  };
  const bgp = { ...NO_PEERS, peers: [PEER] };
  const found = judgement({ firewall: undefined, sets, bgp, policy }, 0).find((one) => one.hook === hook);
  if (!found) throw new Error(`nothing is judged at ${hook}`);
  return found;
}

function define(list: CaseList, addresses: ReadonlyMap<string, IpSet>, numbers: ReadonlyMap<string, RangeSet>): ListDefinition {
  if (list.kind === 'named') return { kind: 'named', type: list.type === 'Ip' ? IP : INT };
  const ips = addresses.get(list.name);
  if (ips) return { kind: 'constant', values: { type: 'Ip', set: ips } };
  return { kind: 'constant', values: { type: 'Int', set: numbers.get(list.name) ?? [] } };
}

function ipsOf(list: CaseList): IpSet {
  const ranges = list.items.split(' ').map((item) => {
    const [first = '', last] = item.split('..');
    if (last !== undefined) return { first: ip(first), last: ip(last) };
    if (!item.includes('/')) return { first: ip(item), last: undefined };
    const one = prefix(item);
    return { first: one, last: lastIp(one) };
  });
  return ipSet(ranges);
}

function numbersOf(list: CaseList): RangeSet {
  const expr = writtenExpression(`meta.len in {${list.items}}`);
  // What no packet can be asked for leaves nothing.
  return expr.kind === 'literal' && expr.test.kind === 'int' ? expr.test.set : [];
}

function namedSet(name: string): NamedSet {
  return testSet(name, { communities: [], onSessionLoss: { kind: 'withdraw' }, target: { kind: 'owned' } });
}
