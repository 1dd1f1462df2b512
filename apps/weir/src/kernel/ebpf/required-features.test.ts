import { FEATURES, type FeatureName, FeatureReport } from '@weir/ebpf/kernel';
import { packetExpr as x } from '@weir/filter/ir';
import { expect, test } from 'vitest';
import { compileEbpf } from '../../compile/ebpf/index.ts';
import { testRule } from '../../compile/test-rule.ts';
import type { CompiledHook, Place } from '../../model/ebpf-program.ts';
import type { Rule } from '../../model/rule.ts';
import { MissingFeatureError } from './engine-error.ts';
import { requireForPrograms } from './required-features.ts';

function without(...names: readonly FeatureName[]): FeatureReport {
  const all = Object.entries(FEATURES) as [FeatureName, string][];
  return new FeatureReport(
    all.map(([name, instead]) =>
      names.includes(name) ? { name, present: false, reason: 'it was switched off', instead } : { name, present: true },
    ),
  );
}

function compiled(place: Place, rule: Rule): CompiledHook {
  const result = compileEbpf({ hook: 'xdp', priority: 0, rules: [rule] }, { place });
  if (!('compiled' in result)) throw new Error('refused');
  return result.compiled;
}

const states = testRule('states', x.flag('ct.established'));
const limit = { unit: 'packets', rate: 1, burst: 1, per: 'source' } as const;
const limited = testRule('limited', x.constant(true), { kind: 'rate-limit', limit });
const plain = testRule('plain', x.flag('tcp.flags.syn'));

test.each([
  {
    place: 'xdp',
    rule: states,
    lacks: 'kfunc-xdp-ct',
    want: 'the state of connections at xdp needs what this system lacks: kfunc-xdp-ct (it was switched off)',
  },
  {
    place: 'tc',
    rule: states,
    lacks: 'kfunc-skb-ct',
    want: 'the state of connections at xdp needs what this system lacks: kfunc-skb-ct (it was switched off)',
  },
  {
    place: 'xdp',
    rule: limited,
    lacks: 'map-lru-hash',
    want: 'a rate limit by address at xdp needs what this system lacks: map-lru-hash (it was switched off)',
  },
] as const)('$rule.ref at $place without $lacks', ({ place, rule, lacks, want }) => {
  const program = compiled(place, rule);
  expect(() => requireForPrograms(without(lacks), 'xdp', [program])).toThrow(MissingFeatureError);
  expect(() => requireForPrograms(without(lacks), 'xdp', [program])).toThrow(want);
  expect(() => requireForPrograms(without(), 'xdp', [program])).not.toThrow();
  expect(() => requireForPrograms(without(lacks), 'xdp', [compiled(place, plain)])).not.toThrow();
});
