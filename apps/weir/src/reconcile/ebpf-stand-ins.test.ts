import { expect, test } from 'vitest';
import { writtenRule } from '../compile/test-rule.ts';
import type { Action, HookRules } from '../model/rule.ts';
import { lessened } from './ebpf-stand-ins.ts';

const RULES: readonly (readonly [string, Action])[] = [
  ['web', { kind: 'allow' }],
  ['over', { kind: 'skip', to: 'bad' }],
  ['bad', { kind: 'deny' }],
  ['ssh', { kind: 'allow' }],
];

function hook(byDefault: 'allow' | 'deny'): HookRules {
  const rules = RULES.map(([ref, action]) => writtenRule(ref, 'ip.ttl < 9', action));
  return { hook: 'xdp', priority: 0, rules: [...rules, writtenRule('<default>', 'ip.ttl < 9', { kind: byDefault }, { stage: 'default' })] };
}

const print = ({ rules }: HookRules) => rules.map(({ ref, action }) => (action.kind === 'skip' ? `${ref}>${action.to}` : ref)).join(' ');

test.each([
  { name: 'an allow rule of a default deny is left out', byDefault: 'deny', without: ['web'], want: 'over>bad bad ssh <default>' },
  { name: 'nothing follows a deny rule of a default deny', byDefault: 'deny', without: ['bad'], want: 'web over><default> <default>' },
  { name: 'nothing follows a skip', byDefault: 'deny', without: ['over'], want: 'web <default>' },
  {
    name: 'a deny rule of a default allow is left out, and what goes on there goes on behind it',
    byDefault: 'allow',
    without: ['bad'],
    want: 'web over>ssh ssh <default>',
  },
  { name: 'nothing follows an allow rule of a default allow', byDefault: 'allow', without: ['ssh'], want: 'web over>bad bad <default>' },
  { name: 'the default stays', byDefault: 'deny', without: ['<default>'], want: 'web over>bad bad ssh <default>' },
  { name: 'several', byDefault: 'deny', without: ['web', 'ssh'], want: 'over>bad bad <default>' },
] as const)('$name', ({ byDefault, without, want }) => {
  expect(print(lessened(hook(byDefault), new Set(without)))).toBe(want);
});
