import { evaluate, type Lists, type Subject, type Value } from '@weir/filter/eval';
import type { HookRules, RateLimit, Rule } from '../../model/rule.ts';
import { programOfField } from '../../model/user-program.ts';
import { UnjudgeableError } from './unjudgeable.ts';

export type Verdict = 'allow' | 'deny' | 'reject';

/** Counts what a rate limit lets through. */
export interface Limiter {
  /** Whether a packet is under the limit of the rule. */
  take(rule: Rule, limit: RateLimit, subject: Subject): boolean;
}

/** A rule that had an effect on the packet. */
export interface Effect {
  readonly rule: Rule;
  /** `audited`: it would have dropped the packet. */
  readonly kind: 'decided' | 'logged' | 'marked' | 'skipped' | 'audited' | 'limited';
}

export interface Judgement {
  readonly verdict: Verdict;
  /** The rule that decided; undefined when none did: the packet is accepted by the hook then. */
  readonly rule: Rule | undefined;
  /** In order; the last is the decision. */
  readonly effects: readonly Effect[];
  /** The packet with the codepoint that rules have written. */
  readonly packet: Subject;
  /** `meta.mark` when the judgement was over; undefined where it was not known and not set. */
  readonly mark: number | undefined;
}

export interface JudgeOptions {
  readonly lists: Lists;
  /** Without one every packet is under its limits. */
  readonly limiter?: Limiter | undefined;
  /** `meta.mark` before the first rule, instead of the packet's. */
  readonly mark?: number | undefined;
  /** Called for each rule that is looked at, before its effect. */
  readonly visit?: ((rule: Rule, matches: boolean, subject: Subject) => void) | undefined;
}

/** The subject with the mark and the codepoint that rules have set. */
class Marked implements Subject {
  #subject: Subject;
  mark: number | undefined;
  /** The rule that asks. */
  rule: Rule | undefined;

  constructor(subject: Subject, mark: number | undefined) {
    this.#subject = subject;
    const own = mark ?? subject.field('meta.mark');
    this.mark = typeof own === 'number' ? own : undefined;
  }

  field(name: string): Value | undefined {
    if (name === 'meta.mark') return this.mark;
    if (this.rule && programOfField(name) !== undefined) throw new UnjudgeableError(this.rule);
    return this.#subject.field(name);
  }

  get packet(): Subject {
    return this.#subject;
  }

  set dscp(dscp: number) {
    this.#subject = this.#subject.withDscp?.(dscp) ?? this.#subject;
  }

  slice(protocol: string, start: number, end: number): number | undefined {
    return this.#subject.slice(protocol, start, end);
  }
}

/**
 * Judges one packet by the rules of one hook: the specification of what every other back end does.
 * @throws UnjudgeableError where a program of the user's has to say whether a rule matches
 */
export function judge(hook: HookRules, packet: Subject, options: JudgeOptions): Judgement {
  const subject = new Marked(packet, options.mark);
  const effects: Effect[] = [];
  const end = (verdict: Verdict, rule: Rule | undefined): Judgement => ({
    verdict,
    rule,
    effects,
    packet: subject.packet,
    mark: subject.mark,
  });
  let target: string | undefined;
  for (const rule of hook.rules) {
    if (target !== undefined && rule.ref !== target) continue;
    target = undefined;
    subject.rule = rule;
    const matches = evaluate(rule.expression, subject, options.lists);
    options.visit?.(rule, matches, subject);
    if (!matches) continue;
    if (rule.log && rule.action.kind !== 'log') effects.push({ rule, kind: 'logged' });
    const { action } = rule;
    switch (action.kind) {
      case 'log':
        effects.push({ rule, kind: 'logged' });
        break;
      case 'mark':
        subject.mark = action.mark;
        effects.push({ rule, kind: 'marked' });
        break;
      case 'skip':
        effects.push({ rule, kind: 'skipped' });
        target = action.to ?? defaultRef(hook);
        break;
      case 'allow':
        effects.push({ rule, kind: 'decided' });
        return end('allow', rule);
      case 'deny':
      case 'reject':
        if (rule.audit) {
          effects.push({ rule, kind: 'audited' });
          break;
        }
        effects.push({ rule, kind: 'decided' });
        return end(action.kind, rule);
      case 'rate-limit':
        if (!options.limiter || options.limiter.take(rule, action.limit, subject)) {
          effects.push({ rule, kind: 'decided' });
          return end('allow', rule);
        }
        if (rule.audit) {
          effects.push({ rule, kind: 'audited' });
          break;
        }
        effects.push({ rule, kind: 'limited' }, { rule, kind: 'decided' });
        return end('deny', rule);
      case 'police':
        if (!options.limiter || options.limiter.take(rule, action.limit, subject)) break;
        if (rule.audit) {
          effects.push({ rule, kind: 'audited' });
          break;
        }
        effects.push({ rule, kind: 'limited' }, { rule, kind: 'decided' });
        return end('deny', rule);
      case 'dscp':
        subject.dscp = action.dscp;
        effects.push({ rule, kind: 'marked' });
        break;
    }
  }
  return end('allow', undefined);
}

/** Where a skip without a target goes on: the first rule of the default. */
export function defaultRef(hook: HookRules): string | undefined {
  return hook.rules.find((rule) => rule.stage === 'default')?.ref ?? '';
}
