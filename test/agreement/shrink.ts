import { printHex } from '@weir/wire/bytes';
import type { Bed } from './bed.ts';
import { type Built, build } from './built.ts';
import { interpreted, observed, printOpinion, sameOpinion } from './compare.ts';
import { fixIpv4Checksum } from './generate/checksum.ts';
import { printNode, smallerNodes } from './generate/expressions.ts';
import { type CaseRule, type PolicyCase, withRules } from './generate/policy.ts';
import type { Loader } from './loaded.ts';
import type { Difference } from './run.ts';
import { type Subject, sightsOf } from './subject.ts';

/** Steps that are taken at most; each loads a policy or sends a batch. */
const MOST_STEPS = 400;

/** Makes a difference small: rules, expressions, actions and octets are left out for as long as the two sides still differ. */
export class Shrinker {
  readonly #bed: Bed;
  readonly #loader: Loader;
  #steps = MOST_STEPS;

  constructor(bed: Bed, loader: Loader) {
    this.#bed = bed;
    this.#loader = loader;
  }

  shrink(difference: Difference): Difference {
    let best = difference;
    for (let again = true; again && this.#steps > 0; ) {
      const before = size(best);
      best = this.#shrinkPacket(this.#shrinkPolicy(best));
      again = size(best) < before;
    }
    return best;
  }

  #shrinkPolicy(difference: Difference): Difference {
    let best = difference;
    for (let again = true; again && this.#steps > 0; ) {
      again = false;
      for (const { policy, before } of smallerChanges(best)) {
        if (this.#steps <= 0) break;
        const [found] = this.#differences(policy, before, [best.subject]);
        if (!found) continue;
        best = found;
        again = true;
        break;
      }
    }
    return best;
  }

  #shrinkPacket(difference: Difference): Difference {
    let best = difference;
    // Fragments are what they are.
    if (best.subject.frames.length > 1) return best;
    for (let again = true; again && this.#steps > 0; ) {
      const [found] = this.#differences(best.policy, best.before, smallerSubjects(best.subject, this.#bed));
      again = found !== undefined;
      if (found) best = found;
    }
    return best;
  }

  /** Those of the packets on which the two sides differ. A policy that cannot be compiled makes none. */
  #differences(policy: PolicyCase, before: PolicyCase | undefined, subjects: readonly Subject[]): readonly Difference[] {
    this.#steps--;
    if (subjects.length === 0) return [];
    const { hook, priority } = this.#bed.options;
    let built: Built;
    let earlier: Built | undefined;
    try {
      built = build(policy, hook, priority);
      earlier = before && build(before, hook, priority);
      if ([built, earlier].some((one) => one && this.#loader.problems(one).length > 0)) return [];
    } catch {
      // A part of an expression may be no expression: a test that can never hold has no form.
      return [];
    }
    if (earlier) this.#loader.load(earlier);
    const effects = earlier ? this.#loader.change(built) : this.#loader.load(built);
    const sights = sightsOf(subjects, this.#bed);
    return subjects.flatMap((subject, i): Difference[] => {
      const sight = sights[i];
      if (!sight?.reached) return [];
      const interpreter = interpreted(subject, sight, built, this.#bed);
      const kernel = observed(sight, effects);
      return sameOpinion(interpreter, kernel) ? [] : [{ policy, before, subject, interpreter, kernel }];
    });
  }
}

function size({ policy, before, subject }: Difference): number {
  const zeros = subject.bytes.filter((octet) => octet === 0).length;
  return policySize(policy) + (before ? policySize(before) : 0) + 2 * subject.bytes.length - zeros;
}

function policySize(policy: PolicyCase): number {
  const rules = policy.rules.reduce((sum, rule) => sum + 200 + printNode(rule.node).length + rule.action.kind.length, 0);
  return rules + (policy.based ? 1000 : 0);
}

type Change = Pick<Difference, 'policy' | 'before'>;

/** A policy that is wrong also when it is loaded as a whole need not be changed into. */
function smallerChanges({ policy, before }: Difference): readonly Change[] {
  const smaller = smallerPolicies(policy).map((one): Change => ({ policy: one, before }));
  if (!before) return smaller;
  return [{ policy, before: undefined }, ...smaller, ...smallerPolicies(before).map((one): Change => ({ policy, before: one }))];
}

function smallerPolicies(policy: PolicyCase): readonly PolicyCase[] {
  const { rules } = policy;
  const half = rules.length >> 1;
  const halves = rules.length > 8 ? [rules.slice(half), rules.slice(0, half)].map((some) => withRules(policy, some)) : [];
  const fewer = rules.map((_, i) =>
    withRules(
      policy,
      rules.filter((__, k) => k !== i),
    ),
  );
  const changed = rules.flatMap((rule, i) =>
    smallerRules(rule).map((one) =>
      withRules(
        policy,
        rules.map((old, k) => (k === i ? one : old)),
      ),
    ),
  );
  const bare = policy.based ? [{ ...policy, based: false }] : [];
  return [...bare, ...halves, ...(rules.length > 1 ? fewer : []), ...changed];
}

function smallerRules(rule: CaseRule): readonly CaseRule[] {
  return [
    ...smallerNodes(rule.node).map((node) => ({ ...rule, node })),
    ...(rule.log ? [{ ...rule, log: false }] : []),
    ...(rule.audit ? [{ ...rule, audit: false }] : []),
    ...(rule.action.kind === 'reject' ? [{ ...rule, action: { kind: 'deny' } as const }] : []),
  ];
}

/** Shorter packets, then packets with one octet less. */
function smallerSubjects(subject: Subject, bed: Bed): readonly Subject[] {
  const [frame] = subject.frames;
  if (!frame) return [];
  const start = frame.length - networkLength(frame);
  const packet = frame.subarray(start);
  const v4 = (packet[0] ?? 0) >> 4 === 4;
  const header = v4 ? 20 : 40;
  const candidates: Uint8Array[] = [];
  for (const length of [header, header + 8, packet.length >> 1, packet.length - 8, packet.length - 1]) {
    if (length < header || length >= packet.length) continue;
    const shorter = packet.slice(0, length);
    const value = v4 ? length : length - 40;
    shorter.set([value >>> 8, value & 0xff], v4 ? 2 : 4);
    candidates.push(shorter);
  }
  for (const [i, octet] of packet.entries()) {
    // Version and lengths stay.
    if (octet === 0 || i < (v4 ? 4 : 1) || (!v4 && (i === 4 || i === 5)) || (v4 && (i === 10 || i === 11))) continue;
    const simpler = packet.slice();
    simpler[i] = 0;
    candidates.push(simpler);
  }
  const marks = subject.mark === 0 ? [] : [{ ...subject, mark: 0 }];
  return [
    ...marks,
    ...candidates.map((one): Subject => {
      if (v4) fixIpv4Checksum(one, 0);
      const whole = new Uint8Array(14 + one.length);
      whole.set(v4 ? [8, 0] : [0x86, 0xdd], 12);
      whole.set(one, 14);
      return { frames: [whole], bytes: bed.atHook(one), mark: subject.mark };
    }),
  ];
}

/** Octets from the IP header on, padding of the link included. */
function networkLength(frame: Uint8Array): number {
  let at = 12;
  while ((frame[at] === 0x81 && frame[at + 1] === 0) || (frame[at] === 0x88 && frame[at + 1] === 0xa8)) at += 4;
  return frame.length - at - 2;
}

/** A difference as text: the policy, the packet, both opinions. */
export function printDifference({ policy, before, subject, interpreter, kernel }: Difference, hook: string): string {
  const { bytes, mark, frames } = subject;
  return [
    ...(before ? [printPolicy(before, hook), 'changed into'] : []),
    printPolicy(policy, hook),
    `packet: ${printHex(bytes)}${mark === 0 ? '' : `, mark ${mark}`}${frames.length > 1 ? `, in ${frames.length} fragments` : ''}`,
    `interpreter: ${printOpinion(interpreter)}`,
    `kernel: ${printOpinion(kernel)}`,
  ].join('\n');
}

function printPolicy(policy: PolicyCase, hook: string): string {
  const rules = policy.rules.map(({ ref, action, log, audit, node }) => {
    const to =
      action.kind === 'skip'
        ? (action.to ?? 'default')
        : action.kind === 'mark'
          ? String(action.mark)
          : action.kind === 'reject'
            ? action.with
            : '';
    const words = [action.kind, to, log ? 'log' : '', audit ? 'audit' : ''].filter((word) => word !== '');
    return `  ${ref}: ${words.join(' ')} if ${printNode(node)}`;
  });
  const lists = policy.lists
    .filter(({ name }) => rules.some((rule) => rule.includes(`$${name}`)))
    .map(({ name, kind, items }) => `  $${name} (${kind}): ${items}`);
  const base = policy.based ? ', with the base' : '';
  return [`policy at ${hook}, default ${policy.defaultAction}${base}:`, ...lists, ...rules].join('\n');
}
