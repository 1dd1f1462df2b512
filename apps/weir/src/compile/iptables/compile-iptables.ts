import { type Box, type Expr, familySet, packetExpr, toBoxes } from '@weir/filter/ir';
import type { Family } from '@weir/wire/inet';
import type { HookRules, Rule } from '../../model/rule.ts';
import { withFlowChain } from '../flows/flow-chain.ts';
import { label } from '../nft/policy/effect.ts';
import { LOG_GROUP } from '../nft/policy/index.ts';
import { type Refusal, Unsayable } from '../refusal.ts';
import { type BoxLines, boxLines } from './box.ts';
import { ChainWriter } from './chain-writer.ts';
import { effectOf } from './effect.ts';
import { unsayable } from './literal.ts';

export interface IptablesText {
  /** For iptables-restore or ip6tables-restore. Without the rules that `refusals` are about: not to be used when there is one. */
  readonly text: string;
  readonly refusals: readonly Refusal[];
}

/** Hooks that iptables has a chain for, at its priority. */
const PLACES: Readonly<Record<string, { readonly table: string; readonly chain: string; readonly priority: number }>> = {
  prerouting: { table: 'mangle', chain: 'PREROUTING', priority: -150 },
  input: { table: 'filter', chain: 'INPUT', priority: 0 },
  forward: { table: 'filter', chain: 'FORWARD', priority: 0 },
  output: { table: 'filter', chain: 'OUTPUT', priority: 0 },
};
const TABLES = ['mangle', 'filter'] as const;
/** Conjunctions that one rule may be. */
const MOST_BOXES = 64;
/** Chains that the kernel follows, one from the other, after the built-in one. */
const MOST_CHAINS = 15;
/** iptables keeps comments of 255 bytes. */
const MOST_COMMENT = 255;

/** What reads transport headers. */
const TRANSPORT = / -m (?:tcp|udp|sctp|multiport|icmp|icmp6) /;
/**
 * Nothing jumps to it. That a line asks for the state of connections has fragments put together before the hooks; the kernel would read the ports of a later fragment
 * where its data are.
 */
const DEFRAGMENT: ReadonlyMap<string, readonly string[]> = new Map([
  ['weir_defragment', [' -m conntrack --ctstate NEW -m comment --comment "fragments are put together" -j RETURN']],
]);

/** Rules in the order of judgement as text for iptables-restore (family 4) or ip6tables-restore (6), in chains of their own. Deterministic. */
export function compileIptables(hooks: readonly HookRules[], family: Family): IptablesText {
  const refusals: Refusal[] = [];
  const tables = new Map<string, { readonly chain: string | undefined; readonly own: ReadonlyMap<string, readonly string[]> }[]>();
  for (const hook of withFlowChain(hooks)) {
    const place = PLACES[hook.hook];
    if (!place || place.priority !== hook.priority) {
      const message = `iptables has no hook ${hook.hook}${place ? ` of priority ${hook.priority}` : ''}`;
      refusals.push({ hook: hook.hook, rule: undefined, construct: hook.hook, message, span: undefined, provenance: undefined });
      continue;
    }
    const own = compileHook(hook, family, refusals);
    tables.set(place.table, [...(tables.get(place.table) ?? []), { chain: place.chain, own }]);
  }
  const first = TABLES.find((table) => tables.has(table));
  const everything = [...tables.values()].flatMap((parts) => parts.flatMap(({ own }) => [...own.values()].flat()));
  if (first && everything.some((line) => TRANSPORT.test(line)) && !everything.some((line) => line.includes(' -m conntrack '))) {
    tables.set(first, [...(tables.get(first) ?? []), { chain: undefined, own: DEFRAGMENT }]);
  }
  const text = TABLES.flatMap((table) => {
    const parts = tables.get(table);
    if (!parts) return [];
    const chains = parts.flatMap(({ own }) => [...own.keys()]);
    return [
      `*${table}`,
      ...chains.map((name) => `:${name} - [0:0]`),
      ...parts.flatMap(({ chain, own }) => (chain === undefined ? [] : [`-A ${chain} -j ${[...own.keys()][0]}`])),
      ...parts.flatMap(({ own }) => [...own].flatMap(([name, lines]) => lines.map((line) => `-A ${name}${line}`))),
      'COMMIT',
    ];
  });
  const header = `# Written by weir for ${family === 4 ? 'iptables-restore' : 'ip6tables-restore'}.`;
  return { text: `${[header, ...text].join('\n')}\n`, refusals };
}

function compileHook(hook: HookRules, family: Family, refusals: Refusal[]): ReadonlyMap<string, readonly string[]> {
  const base = `weir_${hook.hook}`;
  const writer = new ChainWriter(base);
  const targets = new Map<string, string>();
  const sectionOf = (ref: string): string => {
    const known = targets.get(ref) ?? `${base}_to_${targets.size + 1}`;
    targets.set(ref, known);
    return known;
  };
  const skipTo = (ref: string | undefined): string => {
    const found = ref ?? hook.rules.find((rule) => rule.stage === 'default')?.ref;
    if (found === undefined || !hook.rules.some((rule) => rule.ref === found)) throw unsayable('a skip to the end of the hook', undefined);
    return sectionOf(found);
  };
  const refuse = (rule: Rule, { construct, message, span }: Unsayable): void => {
    refusals.push({ hook: hook.hook, rule: rule.ref, construct, message, span, provenance: rule.provenance });
  };
  const written: Rule[] = [];
  for (const rule of hook.rules) {
    const section = targets.get(rule.ref);
    if (section !== undefined) writer.section(section);
    try {
      const boxes = rulesBoxes(rule, hook, family);
      const effect = effectOf(hook, rule, { family, group: LOG_GROUP, skipTo });
      written.push(rule);
      writer.rule(label(rule.name, MOST_COMMENT), boxes, effect, rule.action.kind === 'skip');
    } catch (error) {
      if (!(error instanceof Unsayable)) throw error;
      refuse(rule, error);
    }
  }
  for (const place of writer.tooDeep(MOST_CHAINS)) {
    const rule = written[place];
    if (rule) refuse(rule, unsayable(`what needs more than ${MOST_CHAINS} chains one from the other`, rule.expression.span));
  }
  return writer.chains;
}

/** States of connections that are asked for one or the other are one option. */
const STATES = /^ct\.(established|related|new|invalid)$/;

function rulesBoxes(rule: Rule, { hook }: HookRules, family: Family): readonly BoxLines[] {
  const ofFamily = packetExpr.ip('ip.src', familySet(family));
  const boxes = toBoxes(packetExpr.and([ofFamily, rule.expression]), MOST_BOXES);
  if (!boxes) throw unsayable(`more than ${MOST_BOXES} alternatives`, spanOf(rule.expression));
  return mergeStates(boxes.map((box) => ({ box, states: statesOf(box) }))).flatMap(({ box, states }) => {
    const lines = boxLines(box, { family, hook });
    if (!lines) return [];
    if (states.length === 0) return [lines];
    const text = `--ctstate ${states.join(',')}`;
    return [{ ...lines, all: { ...lines.all, options: [...lines.all.options, { module: 'conntrack', text }] } }];
  });
}

interface StatedBox {
  /** Without the states. */
  readonly box: Box;
  /** One of these; empty for any. */
  readonly states: readonly string[];
}

function statesOf(box: Box): string[] {
  return box.literals.flatMap(({ test, negated }) => {
    if (negated || test.kind !== 'flag' || test.operand.kind !== 'field') return [];
    const [, word] = STATES.exec(test.operand.name) ?? [];
    return word === undefined ? [] : [word.toUpperCase()];
  });
}

/** Boxes that differ in their one state alone become one. */
function mergeStates(boxes: readonly StatedBox[]): readonly StatedBox[] {
  const merged = new Map<string, { box: Box; states: string[] }>();
  boxes.forEach(({ box, states }, i) => {
    const [state] = states;
    if (states.length !== 1 || state === undefined) {
      // Two states at once are none, which the lines find out.
      merged.set(`${i}`, { box, states: [] });
      return;
    }
    const literals = box.literals.filter(
      ({ test, negated }) => negated || test.kind !== 'flag' || test.operand.kind !== 'field' || !STATES.test(test.operand.name),
    );
    const key = JSON.stringify(literals, (name, value) => (name === 'span' ? undefined : typeof value === 'bigint' ? `${value}n` : value));
    const same = merged.get(key);
    if (same) same.states.push(state);
    else merged.set(key, { box: { ...box, literals }, states: [state] });
  });
  return [...merged.values()];
}

function spanOf(expr: Expr): Expr['span'] {
  return expr.span;
}
