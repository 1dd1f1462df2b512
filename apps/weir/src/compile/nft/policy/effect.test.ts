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
