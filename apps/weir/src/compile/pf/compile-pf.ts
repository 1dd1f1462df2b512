import { conjunctionOf, type Expr, toBoxes } from '@weir/filter/ir';
import type { HookRules, Rule } from '../../model/rule.ts';
import { label } from '../nft/policy/effect.ts';
import { type Refusal, Unsayable } from '../refusal.ts';
import { type Condition, conditionsOf, unsayable } from './condition.ts';
import { Tables } from './tables.ts';

export interface PfText {
  /** Without the rules that `refusals` are about: not to be used when there is one. */
  readonly text: string;
  readonly refusals: readonly Refusal[];
}

/** Conjunctions that one rule may be. */
const MOST_BOXES = 64;
/** pf keeps labels of 63 bytes. */
const MOST_LABEL = 63;
const DIRECTIONS = { input: 'in', output: 'out' } as const;
type PfHook = keyof typeof DIRECTIONS;

/**
 * Rules in the order of judgement as a pf.conf of OpenBSD: the first rule that matches decides (`quick`). Connections are states of pf where a hook lets established
 * ones through before anything drops; elsewhere each packet is judged by itself (`no state`). Deterministic.
 */
export function compilePf(hooks: readonly HookRules[]): PfText {
  const refusals: Refusal[] = [];
  const tables = new Tables();
  const lines: string[] = [];
  const judged = hooks.filter(({ hook }) => hook === 'input' || hook === 'output');
  // A state lets packets through in both directions.
  const stateful = judged.length > 0 && judged.every((hook) => establishedAt(hook) !== undefined);
  for (const hook of hooks) {
    const name = hook.hook;
    if ((name !== 'input' && name !== 'output') || hook.priority !== 0) {
      refusals.push({
        hook: name,
        rule: undefined,
        construct: name,
        message: `pf has no hook ${name}`,
        span: undefined,
        provenance: undefined,
      });
      continue;
    }
    const established = stateful ? establishedAt(hook) : undefined;
    lines.push('', `# ${name}`, ...hookLines(name, hook, established, tables, refusals));
  }
  // What no rule judges has to leave a state, for its answers are judged.
  const others = stateful ? (['input', 'output'] as const).filter((hook) => !judged.some((one) => one.hook === hook)) : [];
  for (const hook of others) lines.push('', `# ${hook}`, `pass ${DIRECTIONS[hook]} quick all flags any keep state allow-opts`);
  const declared = tables.print();
  const head = ['# Written by weir for pf.conf of OpenBSD.', ...(declared.length > 0 ? ['', ...declared] : [])];
  return { text: `${[...head, ...lines].join('\n')}\n`, refusals };
}

function hookLines(name: PfHook, hook: HookRules, established: number | undefined, tables: Tables, refusals: Refusal[]): string[] {
  return hook.rules.flatMap((rule, i): string[] => {
    if (i === established) return ['# established: packets of a state pass before any rule'];
    try {
      const builtin = rule.provenance.kind === 'builtin';
      const boxes = toBoxes(rule.expression, MOST_BOXES);
      if (!boxes) throw unsayable(`more than ${MOST_BOXES} alternatives`, rule.expression.span);
      const context = { hook: name, tables, fresh: established !== undefined && i > established, builtin };
      const conditions = boxes.flatMap((box) => conditionsOf(box, context));
      const lines = conditions.flatMap((condition) => ruleLines(rule, DIRECTIONS[name], condition, established !== undefined));
      const wider = builtin && asksForHops(rule.expression) && lines.length > 0;
      return [...(wider ? ['# of any hop limit: pf cannot ask for it'] : []), ...lines];
    } catch (error) {
      if (!(error instanceof Unsayable)) throw error;
      const { construct, message, span } = error;
      refusals.push({ hook: name, rule: rule.ref, construct, message, span, provenance: rule.provenance });
      return [];
    }
  });
}

/** The rule that lets known connections through, where nothing before it drops or logs: undefined when there is none. */
function establishedAt({ rules }: HookRules): number | undefined {
  const at = rules.findIndex((rule) => rule.stage === 'established' && rule.action.kind === 'allow' && isEstablished(rule.expression));
  if (at < 0) return undefined;
  return rules.slice(0, at).every((rule) => rule.action.kind === 'allow' && !rule.log) ? at : undefined;
}

function isEstablished(expr: Expr): boolean {
  if (expr.kind !== 'or' || expr.items.length !== 2) return false;
  const names = expr.items.map((item) => {
    const [literal, more] = conjunctionOf(item) ?? [];
    if (!literal || more || literal.negated || literal.test.kind !== 'flag' || literal.test.operand.kind !== 'field') return '';
    return literal.test.operand.name;
  });
  return names.includes('ct.established') && names.includes('ct.related');
}

function asksForHops(expr: Expr): boolean {
  if (expr.kind === 'literal')
    return expr.test.kind !== 'quantified' && expr.test.operand.kind === 'field' && expr.test.operand.name === 'ip.ttl';
  return expr.kind !== 'constant' && expr.items.some(asksForHops);
}

function ruleLines(rule: Rule, direction: 'in' | 'out', condition: Condition, stateful: boolean): string[] {
  const { action, audit, log } = rule;
  const name = labelOf(rule.name);
  const rest = condition.rest === ' from any to any' ? ' all' : condition.rest;
  const line = (verb: string, logged: boolean, quick: boolean, options: string, text = rest, what = name): string =>
    `${verb} ${direction}${logged ? ' log' : ''}${quick ? ' quick' : ''}${condition.on}${text}${options} label "${what}"`;
  const watched = (verdict: string): string[] => [line('match', true, false, '', rest, labelOf(`audit ${verdict}: ${rule.name}`))];
  switch (action.kind) {
    case 'allow': {
      const state = stateful ? `${condition.canBeTcp && !condition.flags ? ' flags any' : ''} keep state` : ' no state';
      return [line('pass', log, true, `${state} allow-opts`)];
    }
    case 'deny':
      return audit ? watched('deny') : [line('block drop', log, true, '')];
    case 'reject': {
      if (audit) return watched('reject');
      const codes = action.with === 'admin-prohibited' ? 'filter-prohib, admin-unr' : 'port-unr, port-unr';
      const icmp = line(`block return-icmp(${codes})`, log, true, '');
      if (action.with !== 'tcp-reset') return [icmp];
      if (condition.tcp) return [line('block return-rst', log, true, '')];
      if (/ proto /.test(rest))
        return rejectsOfSome(rest, (text, reset) => line(reset ? 'block return-rst' : `block return-icmp(${codes})`, log, true, '', text));
      const inet = /^( inet6?)?/.exec(condition.rest)?.[0] ?? '';
      return [line('block return-rst', log, true, '', `${inet} proto tcp${condition.rest.slice(inet.length)}`), icmp];
    }
    case 'log':
      return [line('match', true, false, '')];
    case 'rate-limit':
    case 'police':
      throw unsayable('a rate of packets', undefined);
    case 'mark':
      throw unsayable('a mark', undefined);
    case 'dscp':
      throw unsayable('a codepoint', undefined);
    case 'skip':
      throw unsayable('skip', undefined);
  }
}

/** Only TCP can be reset: of a list of protocols it is taken out. */
function rejectsOfSome(rest: string, make: (text: string, reset: boolean) => string): string[] {
  const list = / proto (\{[^}]*\}|\S+)/;
  const protocols = (list.exec(rest)?.[1] ?? '')
    .replace(/[{}]/g, '')
    .split(',')
    .map((word) => word.trim());
  const others = protocols.filter((word) => word !== 'tcp');
  const out = others.length < protocols.length ? [make(rest.replace(list, ' proto tcp'), true)] : [];
  if (others.length > 0)
    out.push(make(rest.replace(list, others.length === 1 ? ` proto ${others[0]}` : ` proto { ${others.join(', ')} }`), false));
  return out;
}

/** pf puts values in the place of `$if` and the like. */
function labelOf(text: string): string {
  return label(text.replaceAll('$', '_'), MOST_LABEL);
}
