import { expect, it } from 'vitest';
import type { ChainInfo, RuleInfo, TableInfo } from '../kernel/backend.ts';
import { ruleStatus } from './status.ts';

const rule = (name: string, packets: number, counts = true): RuleInfo => ({
  handle: 1n,
  name,
  fingerprint: undefined,
  counts,
  packets,
  bytes: packets * 100,
});

const chain = (name: string, hook: string | undefined, ...rules: RuleInfo[]): ChainInfo => ({
  name,
  hook,
  priority: hook === undefined ? undefined : 0,
  policy: hook ? 'accept' : undefined,
  rules,
});

it('a rule in several chains of a hook is one line, and what only leads to others is none', () => {
  const table = {
    chains: [
      chain('input_web_1234', undefined, rule('web', 3), rule('ssh', 1)),
      chain('input_m150_web_1234', undefined, rule('web', 10)),
      chain('input', 'input', rule('web', 2), rule('web', 0, false), rule('default', 4)),
      chain('input_m150', 'input', rule('default', 5)),
    ],
  } as unknown as TableInfo;
  expect(ruleStatus(table).map(({ chain: of, rule: name, packets, bytes }) => [of, name, packets, bytes])).toEqual([
    ['input', 'web', 5, 500],
    ['input', 'default', 4, 400],
    ['input_m150', 'default', 5, 500],
    ['input', 'ssh', 1, 100],
    ['input_m150', 'web', 10, 1000],
  ]);
});
