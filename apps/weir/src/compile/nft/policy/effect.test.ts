import { packetExpr as x } from '@weir/filter/ir';
import { expect, it } from 'vitest';
import { testRule } from '../../test-rule.ts';
import { effectOf } from './effect.ts';

it.each([
  { ref: 'web', want: 'weir input web deny: ' },
  // Between quotation marks nft takes $name for a variable of its own, in the prefix of a log and nowhere else.
  { ref: 'costs $5', want: 'weir input costs _5 deny: ' },
  { ref: 'in {$HOME}', want: 'weir input in {_HOME} deny: ' },
  { ref: 'say "hi"\\', want: "weir input say 'hi'' deny: " },
])('the prefix of $ref is what nft reads as itself', ({ ref, want }) => {
  const rule = testRule('r', x.constant(true), { kind: 'deny' }, { ref, log: true });
  const { tails } = effectOf({ hook: 'input', priority: 0, rules: [rule] }, rule, { group: 64 });
  expect(tails.flatMap((tail) => tail.statements)).toEqual([{ kind: 'log', group: 64, prefix: want }]);
});

const under = { kind: 'rate-limit', limit: { unit: 'packets', rate: 9, burst: 9, per: 'rule' } } as const;

it.each([
  { name: 'a denial', action: { kind: 'deny' }, want: ['sample 10, limit 5, log deny, continue uncounted', 'drop'] },
  { name: 'an allowance', action: { kind: 'allow' }, want: ['sample 10, limit 5, log allow, continue uncounted', 'accept'] },
  { name: 'logging alone', action: { kind: 'log' }, want: ['sample 10, limit 5, log log, continue uncounted', 'continue'] },
  { name: 'a mark', action: { kind: 'mark', mark: 1 }, want: ['sample 10, limit 5, log mark, continue uncounted', 'mark, continue'] },
  { name: 'a skip', action: { kind: 'skip', to: undefined }, want: ['sample 10, limit 5, log skip, continue uncounted', 'return'] },
  {
    name: 'a refusal',
    action: { kind: 'reject', with: 'tcp-reset' },
    want: ['sample 10, limit 5, log reject, continue uncounted', 'reject', 'reject'],
  },
  { name: 'what is over a rate', action: under, want: ['limit 9, accept', 'sample 10, limit 5, log deny, continue uncounted', 'drop'] },
  {
    name: 'a denial under audit',
    action: { kind: 'deny' },
    audit: true,
    want: ['sample 10, limit 5, log audit deny, continue uncounted', 'continue'],
  },
] as const)('of $name a sample is logged, by a rule of its own', ({ action, want, ...more }) => {
  const rule = testRule('r', x.constant(true), action, { ...more, log: true, sampling: { every: 10, perSecond: 5 } });
  const { tails } = effectOf({ hook: 'input', priority: 0, rules: [rule] }, rule, { group: 64 });
  const told = tails.map(({ statements = [], verdict, count }) =>
    [
      ...statements.map((one) => {
        if (one.kind === 'sample') return `sample ${one.every}`;
        if (one.kind === 'limit') return `limit ${one.limit.rate}`;
        return one.kind === 'log' ? one.prefix.replace(/^weir input r (.*): $/, 'log $1') : one.kind;
      }),
      `${verdict.kind}${count === false ? ' uncounted' : ''}`,
    ].join(', '),
  );
  expect(told).toEqual(want);
});
