import { type Lists, printSaw, type Trace, trace } from '@weir/filter/eval';
import { printExpr } from '@weir/filter/ir';
import type { Packet, PacketContext } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import { flowStepOf } from '../../compile/flows/flow-ref.ts';
import { type Judgement, judge } from '../../compile/interpreter/index.ts';
import type { EbpfConfig, NamedInterface } from '../../model/ebpf.ts';
import type { HookRules, Rule } from '../../model/rule.ts';

/** Characters of a test that are shown of it: a set may be long. */
const MAX_ASKED = 80;

/** A rule that was looked at, and why it did or did not match. */
export interface Considered {
  readonly rule: Rule;
  readonly matches: boolean;
  /** The literals that decided: `tcp.dstport is 22`, with the test they passed or failed. */
  readonly why: readonly string[];
  readonly trace: Trace;
}

/** One hook that a packet crosses. */
export interface HookExplanation {
  readonly hook: Hook;
  readonly priority: number;
  /** At tc: whether it is on its way in or out, where that is known. */
  readonly direction: Direction | undefined;
  readonly judgement: Judgement;
  readonly considered: readonly Considered[];
  /** Flow rules of peers that do not match, where they are too many to be among `considered`: how many, and before which of these. */
  readonly passed: { readonly count: number; readonly before: number } | undefined;
}

/** Flow rules that do not match and are explained all the same. */
const MOST_FLOWS = 10;

/** Judges a packet at each hook in turn, until one of them drops it. The mark that one hook's rules set is what the next one sees. */
export function explainPacket(way: Way, whole: Packet, lists: Lists): readonly HookExplanation[] {
  const out: HookExplanation[] = [];
  let mark: number | undefined;
  for (const { rules, direction } of way) {
    let considered: Considered[] = [];
    const passed = { count: 0, before: 0 };
    const packet = seenAt(rules.hook, direction, whole);
    const judgement = judge(rules, packet, {
      lists,
      mark,
      visit: (rule, matches, subject) => {
        const isFlow = flowStepOf(rule) !== undefined;
        if (isFlow && passed.count === 0) passed.before = considered.length;
        if (isFlow && !matches && ++passed.count > MOST_FLOWS) return;
        const found = trace(rule.expression, subject, lists);
        considered.push({ rule, matches, trace: found, why: found.because.map(describeStep) });
      },
    });
    mark = judgement.mark;
    const many = passed.count > MOST_FLOWS;
    if (many) considered = considered.filter(({ rule, matches }) => matches || flowStepOf(rule) === undefined);
    out.push({ hook: rules.hook, priority: rules.priority, direction, judgement, considered, passed: many ? passed : undefined });
    if (judgement.verdict !== 'allow') break;
  }
  return out;
}

/** What a literal saw; and of one that failed what it asked for. */
export function describeStep(step: Trace['because'][number]): string {
  const { test } = step.literal;
  const saw = test.kind === 'list' ? `${printSaw(step)}, ${step.passed ? 'a member' : 'no member'} of $${test.list}` : printSaw(step);
  if (step.holds || test.kind === 'list' || test.kind === 'flag') return saw;
  // What is denied holds where the literal does not.
  const asked = printExpr({ ...step.literal, negated: false });
  return `${saw}, ${step.literal.negated ? 'so' : 'not'} ${asked.length > MAX_ASKED ? `${asked.slice(0, MAX_ASKED)}...` : asked}`;
}

/** What is known of a packet at a hook. Programs of tc know the one interface that they are attached to; where a process only asks for a connection, it has none yet. */
function seenAt(hook: Hook, direction: Direction | undefined, packet: Packet): Packet {
  const { iif, oif, ...context } = packet.context;
  if (hook === 'connect') return packet.withContext({ ...context, state: 'new' });
  if (hook === 'xdp' || direction === 'ingress') return packet.withContext({ ...context, iif });
  return direction === 'egress' ? packet.withContext({ ...context, oif }) : packet;
}

export type Direction = 'ingress' | 'egress';

/** The rules of a hook; of tc on the way in or out. */
export interface Step {
  readonly rules: HookRules;
  readonly direction: Direction | undefined;
}

/** The hooks that a packet comes to, in order. */
export type Way = readonly Step[];

/** Of a packet, what says where it goes. */
export interface Crossing {
  readonly iif?: string | undefined;
  readonly oif?: string | undefined;
  readonly state?: PacketContext['state'];
}

type Stop = Exclude<Hook, 'tc'> | 'tc' | 'tc ingress' | 'tc egress';

const EACH: readonly (readonly Stop[])[] = [['xdp'], ['tc'], ['prerouting'], ['input'], ['forward'], ['connect'], ['output']];

/**
 * The ways of a packet through the hooks: with both interfaces it is forwarded, with one it comes in or goes out; with none each hook is a way of its own. Hooks
 * without rules are left out, and what `ebpf` attaches to other interfaces.
 */
export function waysThrough(hooks: readonly HookRules[], crossing: Crossing, ebpf?: EbpfConfig): readonly Way[] {
  const { iif, oif, state } = crossing;
  const asked: readonly Stop[] = state === undefined || state === 'new' ? ['connect'] : [];
  const ways: readonly (readonly Stop[])[] =
    iif !== undefined && oif !== undefined
      ? [['xdp', 'tc ingress', 'prerouting', 'forward', 'tc egress']]
      : iif !== undefined
        ? [['xdp', 'tc ingress', 'prerouting', 'input']]
        : oif !== undefined
          ? [[...asked, 'output', 'tc egress']]
          : EACH;
  return stepsOf(hooks, ways, crossing, ebpf);
}

/** The rules of one hook alone: of tc both ways where both interfaces are given. */
export function waysAt(hook: Hook, hooks: readonly HookRules[], crossing: Crossing, ebpf?: EbpfConfig): readonly Way[] {
  if (hook !== 'tc') return stepsOf(hooks, [[hook]], crossing, ebpf);
  const { iif, oif } = crossing;
  const stops: readonly Stop[] = [
    ...(iif === undefined ? [] : (['tc ingress'] as const)),
    ...(oif === undefined ? [] : (['tc egress'] as const)),
  ];
  return stepsOf(hooks, [stops.length === 0 ? ['tc'] : stops], crossing, ebpf);
}

function stepsOf(
  hooks: readonly HookRules[],
  ways: readonly (readonly Stop[])[],
  crossing: Crossing,
  ebpf: EbpfConfig | undefined,
): readonly Way[] {
  const step = (stop: Stop): readonly Step[] => {
    const [name, direction] = stop.split(' ') as [Hook, Direction?];
    if (!isAttached(stop, crossing, ebpf)) return [];
    // Flow rules have a chain of their own before the others of a hook.
    const there = hooks.filter(({ hook }) => hook === name).sort((a, b) => a.priority - b.priority);
    return there.map((rules) => ({ rules, direction }));
  };
  return ways.map((way) => way.flatMap(step)).filter((way) => way.length > 0);
}

function isAttached(stop: Stop, { iif, oif }: Crossing, ebpf: EbpfConfig | undefined): boolean {
  const has = (interfaces: readonly NamedInterface[] | undefined, name: string | undefined): boolean =>
    name === undefined || (interfaces ?? []).some((one) => one.name === name);
  if (!ebpf) return true;
  if (stop === 'xdp') return has(ebpf.xdp?.interfaces, iif);
  if (stop === 'tc ingress') return has(ebpf.tc?.ingress, iif);
  return stop !== 'tc egress' || has(ebpf.tc?.egress, oif);
}
