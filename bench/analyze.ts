// `weir analyze` on long rule lists: findings, and the difference to a list with a few rules changed.
import { analyze } from '../apps/weir/src/compile/analysis/analyze.ts';
import { difference } from '../apps/weir/src/compile/analysis/difference.ts';
import { all, hookOf, intTest, type ipSet, rule } from '../apps/weir/src/compile/analysis/test-domains.ts';
import type { Action, HookRules, Rule } from '../apps/weir/src/model/rule.ts';
import type { Bench, BenchOptions, Row } from './bench.ts';

const BUDGET = '10,000 ms for 10,000';
const ACTIONS: readonly Action[] = [{ kind: 'allow' }, { kind: 'allow' }, { kind: 'deny' }];

/** The same numbers every time. */
function generator(): (below: number) => number {
  let state = 1;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** `nested`: prefixes of all lengths within few networks, so that most rules overlap many. */
function makeRules(count: number, nested: boolean): HookRules {
  const random = generator();
  const address = (): ReturnType<typeof ipSet> => {
    const length = nested ? 10 + random(23) : 24 + random(9);
    const size = 2 ** (32 - length);
    const host = (nested ? 0x0a000000 : 0x0a000000 + random(2 ** 24)) + random(2 ** 20);
    const first = host - (host % size);
    return { v4: [{ first, last: first + size - 1 }], v6: [] };
  };
  const rules: Rule[] = [];
  for (let i = 0; i < count; i++) {
    const port = nested && random(3) === 0 ? [0, 65535] : [random(60_000), 0];
    const [first = 0, last = 0] = port;
    const expression = all(
      { kind: 'ip', operand: { kind: 'field', name: 'ip.src' }, set: address() },
      { kind: 'ip', operand: { kind: 'field', name: 'ip.dst' }, set: address() },
      intTest(random(2) === 0 ? 'tcp.dstport' : 'udp.dstport', [first, Math.max(first, last)]),
    );
    rules.push(rule(`r${i}`, expression, ACTIONS[random(3)] ?? { kind: 'deny' }));
  }
  return hookOf(rules);
}

export const bench: Bench = {
  name: 'analyze',
  summary: 'findings in rule lists, and packets whose verdict a change of 10 rules changes',
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for (const nested of [false, true]) {
      for (const count of smoke ? [100] : [1_000, 10_000]) {
        const hook = makeRules(count, nested);
        const started = performance.now();
        const { findings, notAnalysed } = analyze([hook]);
        const analysed = performance.now();
        const changed = hook.rules.map((r, i) =>
          i % Math.ceil(count / 10) === 3 ? { ...r, action: { kind: 'reject', with: 'admin-prohibited' } as const } : r,
        );
        const { changes } = difference(hook, { ...hook, rules: changed }, 50);
        const compared = performance.now();
        rows.push({
          rules: count,
          kind: nested ? 'overlapping' : 'apart',
          'analyze ms': Math.round(analysed - started),
          budget: count === 10_000 ? BUDGET : '',
          findings: findings.length,
          'not analysed': notAnalysed.length,
          'difference ms': Math.round(compared - analysed),
          changes: changes.length,
        });
      }
    }
    return rows;
  },
};
