import type { Packet } from '@weir/filter/packet';
import { judge } from '../../apps/weir/src/compile/interpreter/judge.ts';
import type { Bed, Sight } from './bed.ts';
import type { Built } from './built.ts';
import type { EffectRules } from './loaded.ts';
import { packetOf, type Subject } from './subject.ts';

/** What one side says: what becomes of the packet, and the rules that had an effect on it, in order. */
export interface Opinion {
  readonly verdict: 'allow' | 'deny';
  readonly rules: readonly string[];
}

const NF_DROP = 0;
const NF_ACCEPT = 1;

export function sameOpinion(a: Opinion, b: Opinion): boolean {
  return a.verdict === b.verdict && a.rules.length === b.rules.length && a.rules.every((rule, i) => rule === b.rules[i]);
}

export function printOpinion({ verdict, rules }: Opinion): string {
  return `${verdict} (${rules.join(' ')})`;
}

/** The interpreter's. */
export function interpreted(subject: Subject, sight: Sight, built: Built, bed: Bed): Opinion {
  return opinionOn(packetOf(subject, sight, bed), built);
}

export function opinionOn(packet: Packet, built: Built): Opinion {
  const { verdict, effects } = judge(built.hook, packet, { lists: built.lists });
  return { verdict: verdict === 'allow' ? 'allow' : 'deny', rules: once(effects.map((effect) => effect.rule.name)) };
}

/** The kernel's. */
export function observed(sight: Sight, effects: EffectRules): Opinion {
  const last = sight.steps.findLast((step) => step.verdict === NF_ACCEPT || step.verdict === NF_DROP);
  const names = sight.steps.flatMap((step) => effects.get(step.handle) ?? []);
  return { verdict: last?.verdict === NF_DROP ? 'deny' : 'allow', rules: once(names) };
}

/** A rule that does two things stands there once. */
function once(names: readonly string[]): readonly string[] {
  return names.filter((name, i) => name !== names[i - 1]);
}
