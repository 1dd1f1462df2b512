import { printFlow } from '@weir/bgp/flowspec';
import { type Expr, ipSetOfPrefixes, printExpr, packetExpr as x } from '@weir/filter/ir';
import { FLOW_REF, type FlowConfig } from '../../model/flow.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { flowExpr } from './flow-expr.ts';
import { FLOWS_END } from './lower-flow.ts';

/** Before connections are tracked and fragments put together (NF_IP_PRI_CONNTRACK_DEFRAG is -400). */
const BEFORE_DEFRAGMENTATION = -450;

type Protecting = Pick<FlowConfig, 'protected' | 'protectedFlows' | 'span'>;

interface Guarded {
  readonly base: readonly Rule[];
  readonly rules: readonly Rule[];
}

/** As long as a configuration is the same object, and so much is the same. */
const known = new WeakMap<Protecting, Guarded>();

/** What no flow rule touches, as rules that go on behind all of them. `base` is what this host needs to stay on its links and to speak with its peers. */
export function protectedRules(config: Protecting, base: readonly Rule[]): readonly Rule[] {
  const before = known.get(config);
  if (before && before.base.length === base.length && base.every((rule, i) => isSame(rule, before.base[i]))) return before.rules;
  const rules = makeProtected(config, base);
  known.set(config, { base, rules });
  return rules;
}

function isSame(a: Rule, b: Rule | undefined): boolean {
  return b !== undefined && a.expression === b.expression && a.name === b.name;
}

function makeProtected(config: Protecting, base: readonly Rule[]): readonly Rule[] {
  const skip = (ref: string, name: string, expression: Expr): Rule => ({
    ref: `${FLOW_REF}${ref}`,
    name,
    stage: 'protected',
    priority: 0,
    expression,
    text: printExpr(expression),
    action: { kind: 'skip', to: FLOWS_END },
    log: false,
    audit: false,
    provenance: { kind: 'file', span: config.span },
  });
  const prefixes = ipSetOfPrefixes(config.protected);
  return [
    ...base.map((rule, i): Rule => ({ ...rule, ref: `${FLOW_REF}base:${i}`, action: { kind: 'skip', to: FLOWS_END } })),
    ...(config.protected.length === 0
      ? []
      : [skip('protected', 'protected from flow rules', x.or([x.ip('ip.dst', prefixes), x.ip('ip.src', prefixes)]))]),
    ...config.protectedFlows.map((flow) => skip(`protected:${flow.key}`, printFlow(flow), flowExpr(flow))),
  ];
}

/** The hook at which flow rules judge by themselves. None where there is nothing to judge. */
export function flowHook(hook: FlowConfig['at'], guarded: readonly Rule[], flows: readonly Rule[]): HookRules[] {
  if (flows.length === 0) return [];
  const priority = hook === 'prerouting' ? BEFORE_DEFRAGMENTATION : 0;
  return [{ hook, priority, rules: [...guarded, ...flows, endRule('default')] }];
}

/** The rules of a program's hook with those of flow rules in their place in the order of judgement: behind the deny sets, before what is established. */
export function withFlows(hook: HookRules, guarded: readonly Rule[], flows: readonly Rule[]): HookRules {
  if (flows.length === 0) return hook;
  const at = hook.rules.findIndex(({ stage }) => stage !== 'protected' && stage !== 'deny');
  const [before, after] = at < 0 ? [hook.rules, []] : [hook.rules.slice(0, at), hook.rules.slice(at)];
  const behind: Rule = { ...endRule('deny'), action: { kind: 'skip', to: after[0]?.ref } };
  return { ...hook, rules: [...before, ...guarded, ...flows, behind, ...after] };
}

function endRule(stage: 'deny' | 'default'): Rule {
  return {
    ref: FLOWS_END,
    name: 'no flow rule',
    stage,
    priority: 0,
    expression: x.constant(true),
    text: '',
    action: { kind: 'allow' },
    log: false,
    audit: false,
    provenance: { kind: 'builtin' },
  };
}
