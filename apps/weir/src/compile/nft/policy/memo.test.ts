import { ipSetOfPrefixes, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { prefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NamedSet } from '../../../model/named-set.ts';
import type { HookRules, Rule } from '../../../model/rule.ts';
import { CompileMemo, checkRules, compileRules } from './index.ts';

type Action = Rule['action'];

const action = fc.oneof(
  fc.constantFrom<Action>(
    { kind: 'allow' },
    { kind: 'deny' },
    { kind: 'log' },
    { kind: 'mark', mark: 7 },
    { kind: 'reject', with: 'tcp-reset' },
    { kind: 'rate-limit', limit: { unit: 'packets', rate: 10, burst: 5, per: 'source' } },
  ),
  fc.record({ kind: fc.constant('skip' as const), to: fc.integer({ min: 0, max: 40 }).map((n) => `r${n}`) }),
);

const address = fc
  .tuple(fc.integer({ min: 0, max: 40 }), fc.constantFrom('0.0/16', '9.0/24', '9.8/30', '9.9/32'))
  .map(([n, rest]) =>
    x.ip('ip.src', ipSetOfPrefixes([prefix(rest.startsWith('0.') ? `192.${n}.${rest}` : `192.0.${rest.replace('9.', `${n}.`)}`)])),
  );
const address6 = fc.integer({ min: 0, max: 20 }).map((n) => x.ip('ip.dst', ipSetOfPrefixes([prefix(`2001:db8:${n}::/48`)])));
const port = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 3 }), fc.constantFrom('tcp.dstport', 'udp.dstport', 'tcp.srcport'))
  .map(([first, more, field]) => x.int(field, rangeSet([{ first, last: first + more }])));
const flag = fc.constantFrom(x.flag('tcp.flags.syn'), x.not(x.flag('ct.established')), x.list('ip.src', 'peers'));
const leaf = fc.oneof(address, address6, port, flag);
const expression = fc.oneof(
  leaf,
  fc.array(leaf, { minLength: 2, maxLength: 3 }).map((items) => x.and(items)),
  fc.array(leaf, { minLength: 2, maxLength: 3 }).map((items) => x.or(items)),
  fc.tuple(leaf, leaf).map(([a, b]) => x.xor([a, b])),
  fc.constant(x.constant(true)),
);

/** What a rule says, under its ref. */
const said = fc.record({ expression, action, log: fc.boolean() });
type Said = typeof said extends fc.Arbitrary<infer T> ? T : never;

const edit = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), at: fc.nat(40), rule: said }),
  fc.record({ kind: fc.constant('insert' as const), at: fc.nat(40), rule: said }),
  fc.record({ kind: fc.constant('remove' as const), at: fc.nat(40), rule: said }),
  fc.record({ kind: fc.constant('move' as const), at: fc.nat(40), rule: said }),
  // Nothing, with everything in new objects.
  fc.record({ kind: fc.constant('again' as const), at: fc.nat(40), rule: said }),
);

interface Named {
  readonly ref: string;
  readonly said: Said;
}

function edited(rules: readonly Named[], { kind, at, rule }: typeof edit extends fc.Arbitrary<infer T> ? T : never, next: string): Named[] {
  const out = [...rules];
  const i = at % Math.max(1, out.length);
  switch (kind) {
    case 'put':
      if (out[i]) out[i] = { ref: out[i].ref, said: rule };
      return out;
    case 'insert':
      out.splice(i, 0, { ref: next, said: rule });
      return out;
    case 'remove':
      out.splice(i, 1);
      return out;
    case 'move':
      out.unshift(...out.splice(i, 1));
      return out;
    case 'again':
      return out;
  }
}

/** New objects each time, as they come from another thread, on other lines. */
function hooksOf(rules: readonly Named[], line: number): readonly HookRules[] {
  const made = structuredClone(rules).map(({ ref, said }, i): Rule => {
    const span = { file: 'policy.yaml', line: line + i, column: 1, length: 2 };
    return { ref, name: ref, stage: 'policy', priority: i, text: '', audit: false, provenance: { kind: 'file', span }, ...said };
  });
  return [
    { hook: 'input', priority: 0, rules: made },
    { hook: 'forward', priority: 0, rules: made.filter((_, i) => i % 2 === 0) },
  ];
}

const SETS: readonly NamedSet[] = [
  {
    name: 'peers',
    kind: 'allow',
    communities: [],
    guard: {
      peers: undefined,
      prefixes: undefined,
      lengths: { 4: { min: 0, max: 32 }, 6: { min: 0, max: 128 } },
      maxMembers: 100,
      churn: { rate: 1, burst: 1 },
    },
    onSessionLoss: { kind: 'withdraw' },
    onWithdraw: 'keep',
    target: { kind: 'owned' },
    span: { file: 'weir.yaml', line: 1, column: 1, length: 1 },
  },
];

describe('rules that were compiled before', () => {
  it('come to the same as when they are compiled for the first time, whatever is edited', () => {
    fc.assert(
      fc.property(fc.array(said, { minLength: 1, maxLength: 40 }), fc.array(edit, { minLength: 1, maxLength: 8 }), (first, edits) => {
        const memo = new CompileMemo();
        let rules: Named[] = first.map((said, i) => ({ ref: `r${i}`, said }));
        compileRules(hooksOf(rules, 1), SETS, { table: 'weir', memo });
        for (const [i, one] of edits.entries()) {
          rules = edited(rules, one, `n${i}`);
          const hooks = hooksOf(rules, i * 3);
          const whole = compileRules(hooks, SETS, { table: 'weir' });
          expect(compileRules(hooks, SETS, { table: 'weir', memo })).toEqual(whole);
          expect(checkRules(hooks, SETS, { table: 'weir' })).toEqual(whole.problems);
        }
      }),
      { numRuns: 40 },
    );
  });

  it('are the same objects where they say the same', () => {
    const memo = new CompileMemo();
    const rules = Array.from({ length: 50 }, (_, i): Named => {
      const expression = x.and([x.ip('ip.src', ipSetOfPrefixes([prefix(`192.0.2.${i}/32`)])), x.flag('tcp.flags.syn')]);
      return { ref: `r${i}`, said: { expression, action: { kind: 'deny' }, log: false } };
    });
    const { table: before } = compileRules(hooksOf(rules, 1), SETS, { table: 'weir', memo });
    const other = rules.map((rule, i) => (i === 20 ? { ...rule, said: { ...rule.said, log: true } } : rule));
    const { table: after } = compileRules(hooksOf(other, 9), SETS, { table: 'weir', memo });
    const known = new Set(before.chains);
    const led = after.chains.filter((chain) => chain.hook === undefined);
    expect(led.length).toBeGreaterThan(50);
    // Rule 20 at each of its hooks.
    expect(led.filter((chain) => !known.has(chain)).length).toBe(2);
  });
});
