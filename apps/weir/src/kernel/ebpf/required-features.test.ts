import { Assembler } from '@weir/ebpf/asm';
import { FEATURES, type FeatureName, FeatureReport } from '@weir/ebpf/kernel';
import { expect, test } from 'vitest';
import type { CompiledHook, MapNeed, Place } from '../../model/ebpf-program.ts';
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

function compiled(place: Place, calls: readonly string[], maps: readonly MapNeed[] = []): CompiledHook {
  const asm = new Assembler<Rule>();
  for (const name of calls) asm.callKernel(name);
  return { place, program: asm.mov('r0', 1).exit().assemble(), maps, rules: [] };
}

const shape = { type: 'lru_hash', keySize: 24, valueSize: 8, maxEntries: 16 } as const;
const plain = compiled('xdp', []);

test.each([
  { lacks: 'kfunc-xdp-ct', program: compiled('xdp', ['bpf_xdp_ct_lookup', 'bpf_ct_release']), what: 'the state of connections' },
  { lacks: 'kfunc-skb-ct', program: compiled('tc', ['bpf_skb_ct_lookup', 'bpf_ct_release']), what: 'the state of connections' },
  { lacks: 'map-lru-hash', program: compiled('xdp', [], [{ kind: 'limits', symbol: 'limits', shape }]), what: 'a rate limit by address' },
] as const)('without $lacks', ({ program, lacks, what }) => {
  expect(() => requireForPrograms(without(lacks), 'xdp', [program])).toThrow(MissingFeatureError);
  expect(() => requireForPrograms(without(lacks), 'xdp', [program])).toThrow(
    `${what} at xdp needs what this system lacks: ${lacks} (it was switched off)`,
  );
  expect(() => requireForPrograms(without(), 'xdp', [program])).not.toThrow();
  expect(() => requireForPrograms(without(lacks), 'xdp', [plain])).not.toThrow();
});
