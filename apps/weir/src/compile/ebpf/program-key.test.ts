import { expect, it } from 'vitest';
import { DEFAULT_EBPF, type EbpfConfig } from '../../model/ebpf.ts';
import type { HookRules } from '../../model/rule.ts';
import { readExpression } from '../judgement/read-expression.ts';
import { testRule } from '../test-rule.ts';
import { compileEbpf } from './compile-rules.ts';
import { programKeys } from './program-key.ts';
import { variantsOf } from './variants.ts';

const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
const named = (...names: readonly string[]) => names.map((name) => ({ name, span }));
const ebpf: EbpfConfig = {
  ...DEFAULT_EBPF,
  tc: { ingress: named('eth0', 'eth1', 'wg0', 'lo'), egress: named('eth0'), onExit: 'keep' },
};

const hook = (...texts: readonly string[]): HookRules => ({
  hook: 'tc',
  priority: 0,
  rules: texts.map((text, i) => testRule(`r${i}`, readExpression(text, new Set()), { kind: 'deny' })),
});

const groups = (rules: HookRules): readonly string[] => {
  const key = programKeys(rules);
  const found = new Map<string, string[]>();
  for (const variant of variantsOf(ebpf)) found.set(key(variant), [...(found.get(key(variant)) ?? []), variant.name]);
  return [...found.values()].map((names) => names.join(', '));
};

it.each([
  { texts: ['ip.ttl < 5'], want: ['ingress eth0, ingress eth1, ingress wg0, ingress lo, egress eth0'] },
  { texts: ['iif.name == "lo"'], want: ['ingress eth0, ingress eth1, ingress wg0, egress eth0', 'ingress lo'] },
  {
    texts: ['iif.name wildcard "eth*" and ip.ttl < 5', 'len(oif.name) > 2'],
    want: ['ingress eth0, ingress eth1', 'ingress wg0, ingress lo', 'egress eth0'],
  },
])('$texts', ({ texts, want }) => {
  const rules = hook(...texts);
  expect(groups(rules)).toEqual(want);
  // What counts as the same is the same.
  const words = new Map<string, string>();
  const key = programKeys(rules);
  for (const variant of variantsOf(ebpf)) {
    const result = compileEbpf(rules, variant);
    if (!('compiled' in result)) throw new Error('refused');
    const code = result.compiled.program.words.join();
    expect(words.get(key(variant)) ?? code).toBe(code);
    words.set(key(variant), code);
  }
});
