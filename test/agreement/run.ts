import { evaluate } from '@weir/filter/eval';
import { Random } from '../e2e/random.ts';
import { type Bed, VLANS } from './bed.ts';
import { type Built, build, expression } from './built.ts';
import { interpreted, observed, type Opinion, sameOpinion } from './compare.ts';
import { atomsOf, type Node } from './generate/expressions.ts';
import { Hints } from './generate/hints.ts';
import { PacketMaker } from './generate/packets.ts';
import { makePolicy, type PolicyCase, withRules } from './generate/policy.ts';
import type { EffectRules, Loader } from './loaded.ts';
import { hasFragmentHeader } from './network.ts';
import { packetOf, type Subject, sightsOf, subjectsOf } from './subject.ts';

export interface RunOptions {
  readonly seed: number;
  /** Policies. */
  readonly policies: number;
  /** Packets that are sent through each. */
  readonly packets: number;
  /** Rules of a policy, at most. */
  readonly rules: number;
}

/** Where interpreter and kernel differ. */
export interface Difference {
  readonly policy: PolicyCase;
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
  /** Packets that came to the hook, each judged by both. */
  pairs: number;
  sent: number;
  /** By verdict and kind of effect. */
  readonly verdicts: Map<string, number>;
  /** By field and operator. */
  readonly seen: Map<string, Seen>;
  /** What the compiler refused, by construct. */
  readonly refused: Map<string, number>;
}

/** Of one packet in so many, each comparison is looked at alone. */
const SAMPLE = 8;
const MOST_DIFFERENCES = 3;

/** Random policies by random packets. Stops at the third difference. */
export function run(bed: Bed, loader: Loader, options: RunOptions): RunResult {
  const result: RunResult = { differences: [], pairs: 0, sent: 0, verdicts: new Map(), seen: new Map(), refused: new Map() };
  const { hook, conntrack } = bed.options;
  const random = new Random(options.seed);
  const wholeTrains = bed.assembles(4) || bed.assembles(6);
  const maker = new PacketMaker(random, { wholeTrains, plainOptions: hook !== 'prerouting', vlans: bed.hasVlans ? VLANS : [] });
  for (let i = 0; i < options.policies && result.differences.length < MOST_DIFFERENCES; i++) {
    const hints = new Hints();
    const policy = expressible(makePolicy(random, { hook, conntrack, rules: options.rules }, hints), bed, loader, result);
    const built = build(policy, hook, bed.options.priority);
    const effects = loader.load(built);
    const subjects: Subject[] = [];
    while (subjects.length < options.packets) {
      const mark = random.below(4) === 0 ? hints.int(random, 'meta.mark', 32, [1, 0x10, 7]) : 0;
      subjects.push(...subjectsOf(maker.make(hints), mark, bed));
    }
    result.sent += subjects.length;
    compare(policy, built, effects, subjects.sort((a, b) => a.mark - b.mark), bed, result);
  }
  return result;
}

/** Without the rules that the compiler refuses, which are counted. */
function expressible(policy: PolicyCase, bed: Bed, loader: Loader, result: RunResult): PolicyCase {
  let out = policy;
  for (let tries = 0; tries < 5; tries++) {
    const problems = loader.problems(build(out, bed.options.hook, bed.options.priority));
    if (problems.length === 0) return out;
    for (const { construct, rule } of problems) {
      if (rule === undefined) throw new Error(`the compiler refuses the hook: ${construct}`);
      result.refused.set(construct, (result.refused.get(construct) ?? 0) + 1);
    }
    const gone = new Set(problems.map((problem) => problem.rule));
    out = withRules(
      out,
      out.rules.filter((rule) => !gone.has(rule.ref)),
    );
  }
  throw new Error('the compiler refuses what it took');
}

function compare(policy: PolicyCase, built: Built, effects: EffectRules, subjects: readonly Subject[], bed: Bed, result: RunResult): void {
  const sights = sightsOf(subjects, bed);
  const atoms = policy.rules.map((rule) => atomsOf(rule.node).map((atom) => ({ atom, expr: expression(text(atom), built.definitions) })));
  for (const [i, subject] of subjects.entries()) {
    const sight = sights[i];
    if (!sight?.reached || (subject.frames.length === 1 && bed.assembles(6) && hasFragmentHeader(subject.bytes))) continue;
    const interpreter = interpreted(subject, sight, built, bed);
    const kernel = observed(sight, effects);
    result.pairs++;
    result.verdicts.set(kernel.verdict, (result.verdicts.get(kernel.verdict) ?? 0) + 1);
    if (!sameOpinion(interpreter, kernel)) {
      result.differences.push({ policy, subject, interpreter, kernel });
      if (result.differences.length >= MOST_DIFFERENCES) return;
    }
    if (i % SAMPLE > 0) continue;
    const packet = packetOf(subject, sight.state, bed);
    for (const { atom, expr } of atoms.flat()) count(result.seen, atom, evaluate(expr, packet, built.lists));
  }
}

function text(atom: Node): string {
  return atom.kind === 'atom' ? atom.text : '';
}

function count(seen: Map<string, Seen>, atom: Node, value: boolean): void {
  if (atom.kind !== 'atom') return;
  const one = seen.get(atom.key) ?? { asked: 0, true: 0 };
  one.asked++;
  if (value) one.true++;
  seen.set(atom.key, one);
}
