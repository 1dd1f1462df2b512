import { type Box, type Expr, familySet, toBoxes, packetExpr as x } from '@weir/filter/ir';
import type { Family } from '@weir/wire/inet';
import type { CumulusOptions } from '../../model/cumulus.ts';
import { isEbpfHook } from '../../model/ebpf.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { hasFlows, PREROUTING, withFlowChain } from '../flows/flow-chain.ts';
import { flowStepOf } from '../flows/flow-ref.ts';
import { type Match, printMatch } from '../iptables/match.ts';
import { label } from '../nft/policy/effect.ts';
import { type Refusal, Unsayable } from '../refusal.ts';
import { disjointBoxes } from './disjoint.ts';
import { type FlatStep, flatEffect } from './effect.ts';
import { hardwareObstacle } from './hardware.ts';
import { joinLines } from './join.ts';
import { type LineContext, linesOfBox } from './lines.ts';
import { type MembersOf, withMembers } from './members.ts';
import { unsayable } from './unsayable.ts';
import { asksFor, Reach, withoutShortSkips, writtenFields } from './without-skips.ts';

export interface CumulusText {
  /** The sections of an ACL file. Without the rules that `refusals` are about: not to be used when there is one. */
  readonly text: string;
  readonly refusals: readonly Refusal[];
  /** Announced flow rules that are not in the text, and why. */
  readonly leftOut: readonly Refusal[];
  /** Lines of each family. */
  readonly lines: Readonly<Record<Family, number>>;
}

/** Conjunctions that one rule may be. */
const MOST_BOXES = 256;
const MOST_COMMENT = 255;
const FAMILIES: readonly Family[] = [4, 6];
const SECTIONS: Readonly<Record<Family, string>> = { 4: '[iptables]', 6: '[ip6tables]' };
/** Where a hook's rules go, at its priority. */
const CHAINS: Readonly<Record<string, { readonly chain: string; readonly priority: number }>> = {
  prerouting: { chain: '-t mangle -A PREROUTING', priority: PREROUTING },
  input: { chain: '-A INPUT', priority: 0 },
  forward: { chain: '-A FORWARD', priority: 0 },
  output: { chain: '-A OUTPUT', priority: 0 },
};
/** Has fragments put together before the rules; it has no target, so that it only counts. */
const DEFRAGMENT = ' -m conntrack --ctstate INVALID';

/**
 * Rules in the order of judgement as an ACL file of Cumulus Linux: lines of the built-in chains, of which the first that matches decides; nothing leads from one to
 * another. Announced flow rules that cannot be said are left out, as they are elsewhere. Deterministic.
 */
export function compileCumulus(hooks: readonly HookRules[], options: CumulusOptions, members: MembersOf): CumulusText {
  const leftOut: Refusal[] = [];
  let wanted = withFlowChain(hooks);
  for (;;) {
    const made = compileHooks(wanted, options, members);
    const keys = new Map(wanted.flatMap(({ rules }) => rules.map((rule) => [rule.ref, flowStepOf(rule)?.key] as const)));
    const bad = made.refusals.filter(({ rule = '' }) => keys.get(rule) !== undefined);
    if (bad.length === 0) return { ...made, leftOut };
    leftOut.push(...bad);
    const gone = new Set(bad.map(({ rule = '' }) => keys.get(rule)));
    const stays = ({ ref }: Rule): boolean => keys.get(ref) === undefined || !gone.has(keys.get(ref));
    wanted = wanted.map((hook) => ({ ...hook, rules: hook.rules.filter(stays) }));
  }
}

function compileHooks(hooks: readonly HookRules[], options: CumulusOptions, members: MembersOf): Omit<CumulusText, 'leftOut'> {
  const refusals: Refusal[] = [];
  const sections: Record<Family, string[]> = { 4: [], 6: [] };
  const lines: Record<Family, number> = { 4: 0, 6: 0 };
  for (const hook of hooks) {
    if (isEbpfHook(hook.hook) || !(options.hooks.includes(hook.hook) || hasFlows(hook))) continue;
    const place = CHAINS[hook.hook];
    if (!place || place.priority !== hook.priority) {
      const message = `an ACL file has no chain for ${hook.hook} of priority ${hook.priority}`;
      refusals.push({ hook: hook.hook, rule: undefined, construct: hook.hook, message, span: undefined, provenance: undefined });
      continue;
    }
    if (options.state) for (const family of FAMILIES) sections[family].push(`${place.chain}${DEFRAGMENT}`);
    const judged = options.state ? hook.rules : hook.rules.filter((rule) => !isBaseOfState(rule));
    if (judged.length < hook.rules.length) sections[4].push(`# ${hook.hook}: nothing is established, as no state is kept`);
    const rules = withoutShortSkips(judged);
    const reach: Readonly<Record<Family, Reach>> = { 4: new Reach(rules, MOST_BOXES), 6: new Reach(rules, MOST_BOXES) };
    for (const rule of rules) {
      try {
        const expression = withMembers(readable(rule), members);
        const made = linesOfRule(hook, rule, expression, options, reach);
        for (const family of FAMILIES) {
          if (made[family].length === 0) continue;
          lines[family] += made[family].length;
          if (lines[family] > options.maxRules) throw unsayable(`more than ${options.maxRules} lines (\`max_rules\`)`);
          sections[family].push(`# ${comment(rule)}`, ...made[family].map((line) => `${place.chain}${line}`));
        }
      } catch (error) {
        if (!(error instanceof Unsayable)) throw error;
        const { construct, message, span } = error;
        refusals.push({ hook: hook.hook, rule: rule.ref, construct, message, span, provenance: rule.provenance });
      }
    }
  }
  const text = FAMILIES.map((family) => [SECTIONS[family], ...sections[family], ''].join('\n')).join('\n');
  return { text, refusals, lines };
}

/** The base's entry for what is established: as at other hooks that know no connections it is not judged there. */
function isBaseOfState({ provenance, stage, expression }: Rule): boolean {
  return provenance.kind === 'builtin' && stage === 'established' && asksFor(expression, ['ct.established', 'ct.related']);
}

function readable(rule: Rule): Expr {
  if (rule.program) throw unsayable('an eBPF program');
  return rule.expression;
}

/** A rule's name in one line, without what cl-acltool reads anything into. Not its place: a file is committed again only where rules are others. */
function comment({ name }: Rule): string {
  return label(name, MOST_COMMENT).replace(/[^\p{L}\p{N} _.:()<>/#@+,-]/gu, '_');
}

function linesOfRule(
  hook: HookRules,
  rule: Rule,
  expression: Expr,
  options: CumulusOptions,
  reach: Readonly<Record<Family, Reach>>,
): Readonly<Record<Family, readonly string[]>> {
  const of = (family: Family): readonly string[] => {
    const context: LineContext = { family, hook: hook.hook, options };
    let boxes = reach[family].next(rule, boxesOf(x.and([x.ip('ip.src', familySet(family)), expression])));
    if (boxes.length === 0 || flatEffect(hook, rule, family, 1).steps.length === 0) return [];
    // Packets that go on come to the lines after the one that they matched.
    if (boxes.length > 1 && !flatEffect(hook, rule, family, 1).ends) boxes = apart(boxes);
    const matches = boxes.flatMap((box) => linesOfBox(box, context));
    if (matches.length === 0) return [];
    if (matches.length > 1 && asksFor(expression, writtenFields(rule.action)))
      throw unsayable(`several lines that ask for what they change (${writtenFields(rule.action).join(', ')})`, expression.span);
    const { steps } = flatEffect(hook, rule, family, matches.length);
    const out = matches.flatMap((match) => steps.flatMap((step) => printLine(match, step) ?? []));
    if (options.matches === 'hardware') {
      for (const line of out) {
        const obstacle = hardwareObstacle(hook.hook, line);
        if (obstacle !== undefined) throw unsayable(obstacle, expression.span);
      }
    }
    return out;
  };
  const made: Record<Family, readonly string[]> = { 4: of(4), 6: of(6) };
  const { action } = rule;
  if (made[4].length > 0 && made[6].length > 0 && (action.kind === 'rate-limit' || action.kind === 'police') && action.limit.per === 'rule')
    throw unsayable(
      'a rate that IPv4 and IPv6 have together: iptables and ip6tables count by themselves (one rule for each family)',
      expression.span,
    );
  return made;
}

function boxesOf(expression: Expr): readonly Box[] {
  const boxes = toBoxes(expression, MOST_BOXES);
  if (!boxes) throw unsayable(`more than ${MOST_BOXES} alternatives`, expression.span);
  return boxes;
}

function apart(boxes: readonly Box[]): readonly Box[] {
  const out = disjointBoxes(boxes, MOST_BOXES);
  if (!out) throw unsayable(`more than ${MOST_BOXES} alternatives that have no packet in common`);
  return out;
}

/** One line without its chain; undefined where no packet is asked for. Throws Unsayable. */
function printLine(match: Match, { also, match: more, target }: FlatStep): string | undefined {
  const whole = also ? joinLines(match, also, undefined) : match;
  return whole && `${printMatch(whole)}${more} ${target}`;
}
