import { evaluate } from '@weir/filter/eval';
import type { Expr } from '@weir/filter/ir';
import type { Packet } from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';
import type { NftProblem } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { writtenExpression } from '../../apps/weir/src/compile/test-rule.ts';
import { Random } from '../e2e/random.ts';
import { type Bed, VLANS } from './bed.ts';
import { type Built, build } from './built.ts';
import { interpreted, type Opinion, observed, opinionOn, printOpinion, sameOpinion } from './compare.ts';
import { type Node, printNode } from './generate/expressions.ts';
import { Hints } from './generate/hints.ts';
import { PacketMaker } from './generate/packets.ts';
import { type CaseRule, changePolicy, makeFocus, makePolicy, type PolicyCase, withRules } from './generate/policy.ts';
import type { EffectRules, Loader } from './loaded.ts';
import { hasFragmentHeader } from './network.ts';
import { framedPacketOf, packetOf, type Subject, sightsOf, subjectsOf } from './subject.ts';

export interface RunOptions {
  readonly seed: number;
  /** Packets that come to the hook, in all; each is judged by both sides. */
  readonly pairs: number;
  /** Packets that are sent through each policy. */
  readonly packets: number;
  /** Rules of a policy, at most. */
  readonly rules: number;
  /** Payloads are asked for, and these names of interfaces as octets are. */
  readonly names?: readonly string[];
}

/** Where interpreter and kernel differ. */
export interface Difference {
  readonly policy: PolicyCase;
  /** What was loaded before and changed into it; undefined where it was loaded as a whole. */
  readonly before: PolicyCase | undefined;
  readonly subject: Subject;
  readonly interpreter: Opinion;
  readonly kernel: Opinion;
}

/** How often a comparison was looked at alone, and how often it was true. */
export interface Seen {
  asked: number;
  true: number;
}

export interface RunResult {
  readonly differences: Difference[];
  /** Expressions that are not what their comparisons make of them, and frames that are not judged as the packets in them. */
  readonly broken: string[];
  pairs: number;
  sent: number;
  policies: number;
  /** The kernel's. */
  readonly verdicts: { allow: number; deny: number };
  /** By field and operator. */
  readonly seen: Map<string, Seen>;
  /** What the compiler refused, by construct. */
  readonly refused: Map<string, number>;
}

/** Comparisons are looked at alone on one packet in so many. */
const SAMPLE_PACKETS = 4;
/** One policy in so many is changed while it is in force, and judges the same packets again. */
const CHANGED = 4;
/** One in so many is about one field, each in its turn. */
const FOCUSED = 2;
const MOST_DIFFERENCES = 3;

/** Random policies by random packets, until there are enough pairs or some differences. The same seed gives the same policies and packets. */
export function run(bed: Bed, loader: Loader, options: RunOptions): RunResult {
  const result: RunResult = {
    differences: [],
    broken: [],
    pairs: 0,
    sent: 0,
    policies: 0,
    verdicts: { allow: 0, deny: 0 },
    seen: new Map(),
    refused: new Map(),
  };
  const { hook } = bed.options;
  const random = new Random(options.seed);
  const wholeTrains = bed.assembles(4) || bed.assembles(6);
  // What this machine sends is cut into fragments after the hook.
  const trains = hook !== 'output';
  const maker = new PacketMaker(random, { trains, wholeTrains, plainOptions: hook !== 'prerouting', vlans: bed.hasVlans ? VLANS : [] });
  const names = bed.seesFragments ? [] : (options.names ?? []);
  const kind = { hook, conntrack: bed.options.conntrack, headers: bed.seesFragments, rules: options.rules, names };
  for (; result.pairs < options.pairs && result.differences.length < MOST_DIFFERENCES; result.policies++) {
    const hints = new Hints();
    const turn = result.policies % FOCUSED === 0 ? result.policies / FOCUSED : undefined;
    const made = turn === undefined ? makePolicy(random, kind, hints) : makeFocus(random, kind, hints, turn);
    const { policy, built } = expressible(made, bed, loader, result);
    const effects = loader.load(built);
    const subjects: Subject[] = [];
    while (subjects.length < options.packets) {
      const mark = random.below(4) === 0 ? hints.int(random, 'meta.mark', 32, [1, 0x10, 7]) : 0;
      subjects.push(...subjectsOf(maker.make(hints), mark, bed));
    }
    result.sent += subjects.length;
    // The mark is the socket's: packets of one mark go together.
    subjects.sort((a, b) => a.mark - b.mark);
    compare({ policy, before: undefined }, built, effects, subjects, bed, result);
    if (random.below(CHANGED) > 0) continue;
    const changed = expressible(changePolicy(random, policy, kind, hints), bed, loader, result);
    compare({ policy: changed.policy, before: policy }, changed.built, loader.change(changed.built), subjects, bed, result);
  }
  return result;
}

/** Without the rules that the compiler refuses, which are counted. */
function expressible(
  policy: PolicyCase,
  bed: Bed,
  loader: Loader,
  result: RunResult,
): { readonly policy: PolicyCase; readonly built: Built } {
  let out = policy;
  for (let tries = 0; tries < 5; tries++) {
    const built = build(out, bed.options.hook, bed.options.priority);
    const problems = loader.problems(built);
    if (problems.length === 0) return { policy: out, built };
    for (const { construct } of problems) result.refused.set(construct, (result.refused.get(construct) ?? 0) + 1);
    out = withRules(out, withoutRefused(out.rules, problems));
  }
  throw new Error('the compiler refuses what it took');
}

/** Where it is the hook that is too much, skips are what makes it so, or else how many rules there are. */
function withoutRefused(rules: readonly CaseRule[], problems: readonly NftProblem[]): readonly CaseRule[] {
  const gone = new Set(problems.map((problem) => problem.rule));
  if (!gone.has(undefined)) return rules.filter((rule) => !gone.has(rule.ref));
  const straight = rules.filter((rule) => rule.action.kind !== 'skip');
  return straight.length < rules.length ? straight : rules.slice(0, rules.length >> 1);
}

function compare(
  { policy, before }: Pick<Difference, 'policy' | 'before'>,
  built: Built,
  effects: EffectRules,
  subjects: readonly Subject[],
  bed: Bed,
  result: RunResult,
): void {
  const sights = sightsOf(subjects, bed);
  const looks = policy.rules.map(({ node }) => comparisons(node, built));
  for (const [i, subject] of subjects.entries()) {
    const sight = sights[i];
    if (!sight?.reached || (subject.frames.length === 1 && bed.assembles(6) && hasFragmentHeader(subject.bytes))) continue;
    const interpreter = interpreted(subject, sight, built, bed);
    const kernel = observed(sight, effects);
    result.pairs++;
    result.verdicts[kernel.verdict]++;
    if (!sameOpinion(interpreter, kernel)) {
      result.differences.push({ policy, before, subject, interpreter, kernel });
      if (result.differences.length >= MOST_DIFFERENCES) return;
    }
    if (i % SAMPLE_PACKETS > 0) continue;
    const framed = framedPacketOf(subject, sight, bed);
    const again = framed && opinionOn(framed, built);
    if (again && !sameOpinion(interpreter, again))
      result.broken.push(`${printHex(subject.frames[0] ?? subject.bytes)}: ${printOpinion(again)}`);
    const packet = packetOf(subject, sight, bed);
    for (const [k, look] of looks.entries()) {
      const node = policy.rules[k]?.node;
      const whole = built.hook.rules.find((rule) => rule.ref === policy.rules[k]?.ref)?.expression;
      if (!node || !whole || evaluateNode(look, packet, built, result) === evaluate(whole, packet, built.lists)) continue;
      result.broken.push(`${printNode(node)} on ${printHex(subject.bytes)}`);
    }
  }
}

/** An expression with each comparison lowered alone: what the normal form of the whole must agree with. */
type Look =
  | { readonly kind: 'atom'; readonly key: string; readonly expr: Expr }
  | { readonly kind: 'not'; readonly arg: Look }
  | { readonly kind: 'and' | 'or' | 'xor'; readonly items: readonly Look[] };

function comparisons(node: Node, built: Built): Look {
  switch (node.kind) {
    case 'atom':
      return { kind: 'atom', key: node.key, expr: writtenExpression(node.text, { lists: built.definitions }) };
    case 'not':
      return { kind: 'not', arg: comparisons(node.arg, built) };
    case 'and':
    case 'or':
    case 'xor':
      return { kind: node.kind, items: node.items.map((item) => comparisons(item, built)) };
  }
}

/** Every comparison is asked, so that what it says is counted. */
function evaluateNode(look: Look, packet: Packet, built: Built, result: RunResult): boolean {
  switch (look.kind) {
    case 'atom': {
      const value = evaluate(look.expr, packet, built.lists);
      const one = result.seen.get(look.key) ?? { asked: 0, true: 0 };
      one.asked++;
      if (value) one.true++;
      result.seen.set(look.key, one);
      return value;
    }
    case 'not':
      return !evaluateNode(look.arg, packet, built, result);
    case 'and':
    case 'or':
    case 'xor': {
      const passed = look.items.filter((item) => evaluateNode(item, packet, built, result)).length;
      if (look.kind === 'xor') return passed % 2 === 1;
      return look.kind === 'and' ? passed === look.items.length : passed > 0;
    }
  }
}
