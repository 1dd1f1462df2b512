import { describe, expect, it } from 'vitest';
import type { Action, HookRules, Rule } from '../../model/rule.ts';
import { difference } from './difference.ts';
import { all, EVERYTHING, hookOf, intTest, ipTest, listTest, rule, some } from './test-domains.ts';

const ALLOW: Action = { kind: 'allow' };
const DENY: Action = { kind: 'deny' };
const web = all(intTest('tcp.dstport', [80, 80], [443, 443]));
const lower = ipTest('ip.src', ['192.0.2.0', '192.0.2.127']);
const upper = ipTest('ip.src', ['192.0.2.128', '192.0.2.255']);
const whole = ipTest('ip.src', ['192.0.2.0', '192.0.2.255']);
const limited = (ref: string, rate: number): Rule =>
  rule(ref, web, { kind: 'rate-limit', limit: { unit: 'packets', rate, burst: 5, per: 'source' } });

const rows: readonly { readonly name: string; readonly before: HookRules; readonly after: HookRules; readonly want: readonly string[] }[] =
  [
    { name: 'nothing', before: hookOf([rule('web', web, ALLOW)]), after: hookOf([rule('web', web, ALLOW)]), want: [] },
    {
      name: 'a rule is taken out',
      before: hookOf([rule('web', web, ALLOW, { priority: 20 })]),
      after: hookOf([]),
      want: ['tcp 198.51.100.7 -> 203.0.113.5:443 was ALLOW web#20, will be DENY default'],
    },
    {
      name: 'a rule is split in two',
      before: hookOf([rule('web', all(whole), ALLOW)]),
      after: hookOf([rule('a', all(lower), ALLOW), rule('b', all(upper), ALLOW)]),
      want: [],
    },
    {
      name: 'an order that does not matter',
      before: hookOf([rule('a', all(lower), ALLOW), rule('b', all(upper), DENY)]),
      after: hookOf([rule('b', all(upper), DENY), rule('a', all(lower), ALLOW)]),
      want: [],
    },
    {
      name: 'an order that matters',
      before: hookOf([rule('a', all(lower), ALLOW), rule('b', web, DENY)]),
      after: hookOf([rule('b', web, DENY), rule('a', all(lower), ALLOW)]),
      want: ['tcp 192.0.2.0 -> 203.0.113.5:443 was ALLOW a#1000, will be DENY b#1000'],
    },
    {
      name: 'the default',
      before: hookOf([rule('web', web, ALLOW)]),
      after: hookOf([rule('web', web, ALLOW)], ALLOW),
      want: ['tcp 198.51.100.7 -> 203.0.113.5:8080 was DENY default, will be ALLOW default'],
    },
    {
      name: 'no rules at all accept',
      before: { hook: 'forward', priority: 0, rules: [] },
      after: hookOf([]),
      want: ['tcp 198.51.100.7 -> 203.0.113.5:443 was ALLOW no rule, will be DENY default'],
    },
    {
      name: 'a rate',
      before: hookOf([limited('web', 10)]),
      after: hookOf([limited('web', 20)]),
      want: ['tcp 198.51.100.7 -> 203.0.113.5:443 was RATE LIMIT web#1000, will be RATE LIMIT web#1000'],
    },
    { name: 'a name alone', before: hookOf([rule('a', web, ALLOW)]), after: hookOf([rule('b', web, ALLOW)]), want: [] },
    {
      name: 'members of a named set',
      before: hookOf([rule('a', all(listTest('ip.src', 'admins')), ALLOW)]),
      after: hookOf([]),
      want: ['tcp 198.51.100.7 -> 203.0.113.5:443 if 198.51.100.7 is in $admins was ALLOW a#1000, will be DENY default'],
    },
  ];

describe('difference', () => {
  it.each(rows)('$name', ({ before, after, want }) => {
    const { changes, more, notAnalysed } = difference(before, after, 10);
    expect(changes.map((change) => change.text)).toEqual(want);
    expect({ more, notAnalysed }).toEqual({ more: false, notAnalysed: [] });
  });

  it('stops at the limit and says so', () => {
    const port = (n: number): Rule => rule(`r${n}`, all(intTest('tcp.dstport', [n, n])), ALLOW);
    const before = hookOf([port(1), port(2), port(3)]);
    expect(difference(before, hookOf([]), 2)).toMatchObject({
      changes: [{ before: { ref: 'r1' } }, { before: { ref: 'r2' } }],
      more: true,
    });
    expect(difference(before, hookOf([]), 3)).toMatchObject({ more: false });
  });

  it('names rules that it cannot follow, unless both programs have them', () => {
    const choices = Array.from({ length: 14 }, (_, i) => some(intTest('ip.ttl', [i * 2, i * 2]), intTest('ip.len', [100 + i, 100 + i])));
    const odd = rule('odd', { kind: 'xor', items: choices, negated: false }, DENY);
    const reasons = (a: HookRules, b: HookRules): readonly string[] => difference(a, b, 10).notAnalysed.map((one) => one.reason);
    expect(reasons(hookOf([odd]), hookOf([odd]))).toEqual([]);
    expect(reasons(hookOf([odd]), hookOf([rule('all', EVERYTHING, ALLOW)]))).toContain('too many alternatives');
  });
});
