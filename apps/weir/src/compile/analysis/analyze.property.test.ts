import { evaluate, NO_LISTS } from '@weir/filter/eval';
import type { Expr } from '@weir/filter/ir';
import { buildPacket, Packet } from '@weir/filter/packet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action, HookRules, Rule } from '../../model/rule.ts';
import { judge } from '../interpreter/judge.ts';
import { analyze } from './analyze.ts';
import { difference } from './difference.ts';
import type { Finding, FindingKind } from './finding.ts';
import { Remembered } from './remembered.ts';
import { DOMAINS, type Domain, EVERYTHING, hookOf, rule } from './test-domains.ts';

function expressions(domain: Domain): fc.Arbitrary<Expr> {
  const leaf = fc
    .tuple(fc.constantFrom(...domain.tests), fc.boolean(), fc.boolean())
    .map(([test, a, b]): Expr => ({ kind: 'literal', test, negated: a && b }));
  const group = fc.array(leaf, { minLength: 2, maxLength: 3 });
  const inner = fc.oneof(
    { weight: 6, arbitrary: leaf },
    { weight: 2, arbitrary: group.map((items): Expr => ({ kind: 'or', items })) },
    { weight: 1, arbitrary: fc.tuple(group, fc.boolean()).map(([items, negated]): Expr => ({ kind: 'xor', items, negated })) },
  );
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant(EVERYTHING) },
    { weight: 4, arbitrary: leaf },
    { weight: 8, arbitrary: fc.array(inner, { minLength: 2, maxLength: 3 }).map((items): Expr => ({ kind: 'and', items })) },
    { weight: 2, arbitrary: group.map((items): Expr => ({ kind: 'or', items })) },
  );
}

const LIMIT = { unit: 'packets', rate: 10, burst: 5, per: 'source' } as const;

/** Lists of a few rules with actions of every kind; skips go to a later rule or to the default. */
function programs(domain: Domain, most = 6): fc.Arbitrary<HookRules> {
  const plain = fc.constantFrom<Action>({ kind: 'allow' }, { kind: 'deny' });
  const other = fc.constantFrom<Action>(
    { kind: 'reject', with: 'tcp-reset' },
    { kind: 'rate-limit', limit: LIMIT },
    { kind: 'log' },
    { kind: 'mark', mark: 7 },
    { kind: 'mark', mark: 2 },
  );
  const skip = fc.nat(most).map((to) => ({ kind: 'skip' as const, to: to === 0 ? undefined : `r${to}` }));
  const action = fc.oneof({ weight: 8, arbitrary: plain }, { weight: 2, arbitrary: other }, { weight: 1, arbitrary: skip });
  const one = fc.record({
    expression: expressions(domain),
    action,
    audit: fc.integer({ min: 0, max: 9 }),
    log: fc.integer({ min: 0, max: 9 }),
  });
  return fc.tuple(fc.array(one, { minLength: 1, maxLength: most }), plain).map(([rules, last]) =>
    hookOf(
      rules.map((r, i) => rule(`r${i}`, r.expression, r.action, { audit: r.audit === 0, log: r.log === 0 })),
      last,
    ),
  );
}

/** A rate limit in audit mode neither ends nor goes on for certain: such rules are not drawn into brute force. */
function settled(hook: HookRules): HookRules {
  return { ...hook, rules: hook.rules.map((r) => (r.action.kind === 'rate-limit' ? { ...r, audit: false } : r)) };
}

/** Without a rule; skips that go on there go on at the one after it. */
function without(hook: HookRules, rule: Rule): HookRules {
  return { ...hook, rules: hook.rules.map((r) => (r === rule ? { ...r, expression: { kind: 'constant', value: false } } : r)) };
}

/** The rule that decides. */
function decider(hook: HookRules, packet: Remembered): Rule | undefined {
  return judge(hook, packet, { lists: NO_LISTS }).rule;
}

/** What a rule does, as far as one may stand for the other. */
function effect(rule: Rule | undefined): string {
  if (rule === undefined) return 'allow false';
  const { action } = rule;
  const what = action.kind === 'reject' ? `reject ${action.with}` : action.kind === 'rate-limit' ? `rate-limit ${rule.ref}` : action.kind;
  return `${what} ${rule.log}`;
}

/** The rule's own matches, with the marks set by rules before it and whatever is decided or skipped there. */
function matching(hook: HookRules, rule: Rule, packets: readonly Remembered[]): readonly Remembered[] {
  const before = hook.rules
    .slice(0, hook.rules.indexOf(rule))
    .map(
      (r): Rule => (r.action.kind === 'mark' || r.action.kind === 'skip' ? r : { ...r, expression: { kind: 'constant', value: false } }),
    );
  if (!before.some((r) => r.action.kind === 'mark')) return packets.filter((packet) => evaluate(rule.expression, packet, NO_LISTS));
  return packets.filter((packet) => {
    const { mark } = judge({ ...hook, rules: before }, packet, { lists: NO_LISTS });
    return evaluate(rule.expression, Packet.fromNetwork(packet.packet.bytes, { ...packet.packet.context, mark }), NO_LISTS);
  });
}

/** What is true, by judging every packet. */
function truth(hook: HookRules, packets: readonly Remembered[]): ReadonlySet<string> {
  const found = new Set<string>();
  const deciders = packets.map((packet) => decider(hook, packet));
  for (const rule of hook.rules) {
    if (rule.stage !== 'policy') continue;
    const own = matching(hook, rule, packets);
    if (own.length === 0) {
      found.add(`never-matches ${rule.ref}`);
      continue;
    }
    let reached = false;
    for (const packet of own) {
      const visit = (r: Rule, matches: boolean): void => {
        if (r === rule && matches) reached = true;
      };
      judge(hook, packet, { lists: NO_LISTS, visit });
      if (reached) break;
    }
    if (!reached) {
      found.add(`shadowed ${rule.ref}`);
      continue;
    }
    const ends =
      rule.action.kind === 'allow' ||
      rule.action.kind === 'rate-limit' ||
      ((rule.action.kind === 'deny' || rule.action.kind === 'reject') && !rule.audit);
    if (!ends) continue;
    const rest = without(hook, rule);
    let same = rule.action.kind !== 'rate-limit';
    for (const [i, packet] of packets.entries()) {
      if (deciders[i] !== rule) continue;
      const other = decider(rest, packet);
      if (effect(other) !== effect(rule)) same = false;
      if (other === undefined || other.stage !== 'policy' || other.action.kind === rule.action.kind) continue;
      if (found.has(`conflict ${rule.ref} ${other.ref}`)) continue;
      const theirs = new Set(matching(hook, other, packets));
      const mine = new Set(own);
      const partly = own.some((p) => !theirs.has(p)) && [...theirs].some((p) => !mine.has(p));
      if (partly) found.add(`conflict ${rule.ref} ${other.ref}`);
    }
    if (same) found.add(`redundant ${rule.ref}`);
  }
  return found;
}

const EXACT: ReadonlySet<FindingKind> = new Set(['never-matches', 'shadowed', 'redundant', 'conflict']);

function keyOf({ kind, rule, others }: Finding): string {
  return kind === 'conflict' ? `conflict ${rule.ref} ${others[0]?.ref}` : `${kind} ${rule.ref}`;
}

describe('findings are what judging every packet shows', () => {
  for (const domain of DOMAINS) {
    it(domain.name, () => {
      fc.assert(
        fc.property(programs(domain, 5), (drawn) => {
          const hook = settled(drawn);
          const { findings, notAnalysed } = analyze([hook]);
          expect(notAnalysed).toEqual([]);
          const said = findings.filter((f) => EXACT.has(f.kind)).map(keyOf);
          expect([...said].sort()).toEqual([...truth(hook, domain.packets)].sort());
        }),
        { numRuns: 60 },
      );
    });

    it(`${domain.name}: witnesses prove what they are given for`, () => {
      fc.assert(
        fc.property(programs(domain), (drawn) => {
          const hook = settled(drawn);
          for (const { kind, rule, others, witness } of analyze([hook]).findings) {
            if (witness === undefined) {
              expect(kind).toBe('never-matches');
              continue;
            }
            const packet = new Remembered(Packet.fromNetwork(buildPacket(witness.packet), witness.context));
            const its = hook.rules.find((r) => r.ref === rule.ref);
            const decides = decider(hook, packet);
            if (!its) throw new Error('a rule that is not there');
            if (kind === 'shadowed') expect(decides).not.toBe(its);
            if (kind === 'redundant') {
              expect(decides).toBe(its);
              expect(effect(decider(without(hook, its), packet))).toBe(effect(its));
            }
            if (kind === 'conflict') {
              expect(decides).toBe(its);
              expect(decider(without(hook, its), packet)?.ref).toBe(others[0]?.ref);
            }
            if (kind === 'mergeable') expect(matching(hook, its, [packet])).toEqual([]);
          }
        }),
        { numRuns: 50 },
      );
    });

    it(`${domain.name}: the difference of two programs`, () => {
      fc.assert(
        fc.property(programs(domain), programs(domain), fc.array(fc.nat(9), { maxLength: 8 }), (one, other, keep) => {
          const before = settled(one);
          // A program that has rules of the first in places, as after an edit.
          const after = settled({
            ...other,
            rules: other.rules.map((r, i) => (keep.includes(i) ? (before.rules.find((b) => b.ref === r.ref) ?? r) : r)),
          });
          const want = new Set<string>();
          for (const packet of domain.packets) {
            const [b, a] = [decider(before, packet), decider(after, packet)];
            if (verdict(b) !== verdict(a)) want.add(`${b?.ref} ${a?.ref}`);
          }
          const { changes, more, notAnalysed } = difference(before, after, 1000);
          expect(notAnalysed).toEqual([]);
          expect(more).toBe(false);
          expect(changes.map((c) => `${c.before?.ref} ${c.after?.ref}`).sort()).toEqual([...want].sort());
          for (const { witness, before: b, after: a } of changes) {
            const packet = new Remembered(Packet.fromNetwork(buildPacket(witness.packet), witness.context));
            expect(decider(before, packet)?.ref).toBe(b?.ref);
            expect(decider(after, packet)?.ref).toBe(a?.ref);
          }
        }),
        { numRuns: 60 },
      );
    });
  }
});

function verdict(rule: Rule | undefined): string {
  if (rule === undefined) return 'allow';
  const { action } = rule;
  if (action.kind === 'rate-limit') return `rate-limit ${rule.ref}`;
  return action.kind === 'reject' ? `reject ${action.with}` : action.kind;
}
