import { describe, expect, it } from 'vitest';
import { runPrograms } from './programs.ts';

/** Pairs of a policy and a packet: `WEIR_AGREEMENT_PAIRS=5000000` by hand. */
const PAIRS = Number(process.env['WEIR_AGREEMENT_PAIRS'] ?? 100_000);
const SEED = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
const ROUND = { packets: 300, rules: Number(process.env['WEIR_AGREEMENT_RULES'] ?? 6) };
/** So many pairs a second at least, on a machine that has other things to do. */
const SLOWEST = 200;

describe(`eBPF programs judge as the interpreter does (seed ${SEED})`, () => {
  it.each([
    { place: 'xdp', share: 0.15 },
    { place: 'tc', share: 0.15 },
    { place: 'network', share: 0.1 },
  ] as const)(
    '$place',
    ({ place, share }) => {
      const pairs = Math.ceil(PAIRS * share);
      const run = runPrograms({ seed: SEED, pairs, ...ROUND, place });
      expect(run.differences.join('\n\n')).toBe('');
      expect(run.pairs).toBeGreaterThanOrEqual(pairs);
      expect(Math.min(run.verdicts.allow, run.verdicts.deny)).toBeGreaterThan(pairs / 20);
      if (place !== 'network') expect(run.written).toBeGreaterThan(pairs / 200);
    },
    60_000 + (PAIRS * 1000) / SLOWEST,
  );

  const everything = { from: 1, leastUses: 1 };
  it.each([
    { name: 'trees', place: 'xdp', share: 0.1, rules: 6, classifier: everything },
    { name: 'dense vectors', place: 'tc', share: 0.05, rules: 6, classifier: { ...everything, form: 'vectors' } },
    { name: 'packed vectors', place: 'xdp', share: 0.05, rules: 6, classifier: { ...everything, form: 'vectors', mostDense: 0 } },
    { name: 'many rules', place: 'network', share: 0.05, rules: 16, classifier: {} },
  ] as const)(
    'by a classifier: $name',
    ({ place, share, rules, classifier }) => {
      const pairs = Math.ceil(PAIRS * share);
      const run = runPrograms({ seed: SEED, pairs, packets: ROUND.packets, rules, place, classifier, effects: true });
      expect(run.differences.join('\n\n')).toBe('');
      expect(run.pairs).toBeGreaterThanOrEqual(pairs);
      expect(Math.min(run.verdicts.allow, run.verdicts.deny)).toBeGreaterThan(pairs / 20);
    },
    60_000 + (PAIRS * 1000) / SLOWEST,
  );
});
