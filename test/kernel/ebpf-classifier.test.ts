import { Packet } from '@weir/filter/packet';
import { describe, expect, test } from 'vitest';
import { compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { judge } from '../../apps/weir/src/compile/interpreter/index.ts';
import { writtenRule } from '../../apps/weir/src/compile/test-rule.ts';
import { loadHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { CompiledHook } from '../../apps/weir/src/model/ebpf-program.ts';
import type { HookRules } from '../../apps/weir/src/model/rule.ts';
import { type FiveTuple, KINDS, makeFiveTuples, makeTrace, toHookRules } from '../rules/five-tuples.ts';
import { frameOf } from '../rules/trace.ts';
import { keep } from './ebpf-bed.ts';

function compile(tuples: readonly FiveTuple[], classified: boolean): CompiledHook {
  const result = compileEbpf(toHookRules(tuples), { place: 'xdp', tellRule: true, ...(classified ? {} : { classifier: false as const }) });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  return result.compiled;
}

describe('classifiers of long lists', () => {
  test.each(KINDS.flatMap((kind) => [1000, 10_000].map((rules) => ({ kind, rules }))))(
    '$rules rules of kind $kind: verdict and rule are those of the interpreter',
    ({ kind, rules }) => {
      const tuples = makeFiveTuples(kind, rules, 7);
      const hook = toHookRules(tuples);
      const compiled = compile(tuples, true);
      expect(compiled.maps.some(({ symbol }) => symbol === 'records')).toBe(true);
      const { program } = keep(loadHook(compiled, { name: 'classifier' }));
      // Half of them of another list: mostly of the default rule.
      const headers = [...makeTrace(tuples, 150, 3), ...makeTrace(makeFiveTuples(kind, 50, 8), 50, 4)];
      for (const header of headers) {
        const data = frameOf(header, [2, 0, 0, 0, 0, 2]);
        const { result } = program.run({ data, discard: true });
        const wanted = judge(hook, Packet.fromEthernet(data), { lists: new Map() });
        const number = wanted.rule === undefined ? 0 : hook.rules.indexOf(wanted.rule) + 1;
        expect({ header, rule: result >>> 8, allowed: result & 1 }).toEqual({
          header,
          rule: number,
          allowed: wanted.verdict === 'allow' ? 1 : 0,
        });
      }
    },
    120_000,
  );

  test.each(KINDS.map((kind) => ({ kind })))(
    '1,000 rules of kind $kind: a classifier and code in order find the same rule',
    ({ kind }) => {
      const tuples = makeFiveTuples(kind, 1000, 9);
      const [tables, code] = [true, false].map((classified) => keep(loadHook(compile(tuples, classified), { name: 'both' })).program);
      for (const header of makeTrace(tuples, 2000, 5)) {
        const data = frameOf(header, [2, 0, 0, 0, 0, 2]);
        expect({ header, result: tables?.run({ data, discard: true }).result }).toEqual({
          header,
          result: code?.run({ data, discard: true }).result,
        });
      }
    },
    120_000,
  );

  test('a rule that logs and skips lets code be asked beyond what it skips', () => {
    const rules = [
      writtenRule('skips', 'udp.dstport == 53 and bit_slice(udp, 0, 8) >= 0', { kind: 'skip', to: 'asks' }, { log: true }),
      writtenRule('skipped', 'udp.dstport >= 1', { kind: 'allow' }),
      writtenRule('asks', 'ip.ttl >= 1 and bit_slice(udp, 8, 16) >= 0', { kind: 'deny' }),
    ];
    const hook: HookRules = { hook: 'prerouting', priority: 0, rules };
    const data = frameOf(
      { source: 0xc0000201, destination: 0xc0000202, protocol: 17, sourcePort: 9, destinationPort: 53 },
      [2, 0, 0, 0, 0, 2],
    );
    for (const classifier of [{ from: 1, leastUses: 1 }, false] as const) {
      const result = compileEbpf(hook, { place: 'xdp', tellRule: true, classifier });
      if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
      const { program } = keep(loadHook(result.compiled, { name: 'skips' }));
      expect({ classifier, rule: program.run({ data, discard: true }).result >>> 8 }).toEqual({ classifier, rule: 3 });
    }
  });
});
