import { prefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { Config } from '../../model/config.ts';
import type { FlowConfig } from '../../model/flow.ts';
import type { Policy, PolicyRule } from '../../model/policy.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { testRule } from '../test-rule.ts';
import { describeChanges } from './config-changes.ts';
import { ruleChanges } from './rule-changes.ts';

function rule(ref: string, more: Partial<Rule> = {}): Rule {
  return testRule(ref, { kind: 'constant', value: true }, { kind: 'allow' }, { priority: 1, ...more });
}

const hook = (...rules: readonly Rule[]): readonly HookRules[] => [{ hook: 'input', priority: 0, rules }];
const list = (before: readonly HookRules[], after: readonly HookRules[]): string[] =>
  ruleChanges(before, after).map(({ kind, hook: at, before: was, after: is, what }) => [at, kind, (is ?? was)?.ref, ...what].join(' '));

describe('rules', () => {
  const rows: readonly {
    readonly name: string;
    readonly before: readonly HookRules[];
    readonly after: readonly HookRules[];
    readonly want: readonly string[];
  }[] = [
    { name: 'nothing', before: hook(rule('a'), rule('b')), after: hook(rule('a'), rule('b')), want: [] },
    {
      name: 'added and removed',
      before: hook(rule('a'), rule('b')),
      after: hook(rule('c'), rule('b')),
      want: ['input added c', 'input removed a'],
    },
    {
      name: 'changed',
      before: hook(rule('a', { text: 'tcp.dstport == 80' })),
      after: hook(rule('a', { action: { kind: 'mark', mark: 16 }, log: true })),
      want: ['input changed a expression tcp.dstport == 80 -> everything action allow -> mark 0x10 logs'],
    },
    {
      name: 'moved, the fewest',
      before: hook(...'abcde'.split('').map((r) => rule(r))),
      after: hook(...'eabcd'.split('').map((r) => rule(r))),
      want: ['input moved e'],
    },
    { name: 'a hook that is new', before: [], after: hook(rule('a')), want: ['input added a'] },
    {
      name: 'a place in the file is nothing',
      before: hook(rule('a')),
      after: hook(rule('a', { provenance: { kind: 'api', caller: 'x', since: 1 } })),
      want: [],
    },
  ];
  test.each(rows)('$name', ({ before, after, want }) => expect(list(before, after)).toEqual(want));
});

describe('policies in a few words', () => {
  const bare = { bgp: { peers: [] }, sets: [], protected: [], tenants: [] } as unknown as Config;
  const policy = (rules: readonly Partial<PolicyRule>[], more: Partial<Policy> = {}): Config => ({
    ...bare,
    policy: {
      files: [],
      defaultAction: 'deny',
      rules: rules.map((one) => ({ ref: one.name, hooks: ['input'], action: { kind: 'allow' }, ...one })),
      ...more,
    } as unknown as Policy,
  });
  const flows = (more: Partial<FlowConfig>): Config =>
    ({ ...bare, flowspec: { at: 'prerouting', protected: [], sampleRate: 100, ...more } }) as unknown as Config;
  const many = (count: number): Partial<PolicyRule>[] => Array.from({ length: count }, (_, i) => ({ name: `r${i}` }));
  const rows: readonly { readonly name: string; readonly before: Config; readonly after: Config; readonly want: readonly string[] }[] = [
    { name: 'added', before: bare, after: policy([{ name: 'a' }]), want: ['policy added', 'rule a added'] },
    { name: 'removed', before: policy([{ name: 'a' }]), after: bare, want: ['policy removed', 'rule a removed'] },
    {
      name: 'changed',
      before: policy([{ name: 'a', text: 'sip' }]),
      after: policy([{ name: 'a', text: 'not sip' }]),
      want: ['rule a changed'],
    },
    { name: 'the default', before: policy([]), after: policy([], { defaultAction: 'allow' }), want: ['policy default deny -> allow'] },
    {
      name: 'the order',
      before: policy([{ name: 'a' }, { name: 'b' }]),
      after: policy([{ name: 'b' }, { name: 'a' }]),
      want: ['order of the rules'],
    },
    { name: 'flow rules', before: bare, after: flows({}), want: ['flowspec added'] },
    {
      name: 'keys of flow rules',
      before: flows({}),
      after: flows({ at: 'xdp', protected: [prefix('192.0.2.0/24')], sampleRate: 5 }),
      want: ['flowspec.at prerouting -> xdp', 'flowspec.protected changed', 'flowspec.sample_rate 100 -> 5'],
    },
    { name: 'many', before: policy([]), after: policy(many(21)), want: ['21 rules added'] },
  ];
  test.each(rows)('$name', ({ before, after, want }) => expect(describeChanges(before, after)).toEqual(want));
});
