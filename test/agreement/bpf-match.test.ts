import { operandKey, type Test, testOperand } from '@weir/filter/ir';
import { describe, expect, it } from 'vitest';
import { Lab } from '../lab/index.ts';
import { Bed, type BedOptions } from './bed.ts';
import { Loader } from './loaded.ts';
import { run } from './run.ts';
import { printDifference, Shrinker } from './shrink.ts';

/** Pairs of a policy and a packet, in all. */
const PAIRS = Number(process.env['WEIR_AGREEMENT_PAIRS'] ?? 100_000) / 10;
const SEED = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
const ROUND = { packets: 300, rules: Number(process.env['WEIR_AGREEMENT_RULES'] ?? 6) };
const MINUTE = 60_000;
const SLOWEST = 100;

const BEDS: readonly { readonly name: string; readonly options: BedOptions; readonly share: number }[] = [
  { name: 'prerouting, fragments as they come', options: { hook: 'prerouting', priority: -450, conntrack: true }, share: 0.1 },
  { name: 'input', options: { hook: 'input', priority: 0, conntrack: true }, share: 0.4 },
  { name: 'forward', options: { hook: 'forward', priority: 0, conntrack: true }, share: 0.3 },
  { name: 'forward, where nothing is tracked', options: { hook: 'forward', priority: 0, conntrack: false }, share: 0.1 },
  { name: 'output', options: { hook: 'output', priority: 0, conntrack: true }, share: 0.1 },
];

/** One test in two, and always the same ones: rules are in part what nf_tables says, in part programs. */
function byProgram(test: Test): boolean {
  let hash = SEED | 1;
  for (const character of `${test.kind} ${operandKey(testOperand(test))}`) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  return ((hash ^ (hash >>> 15)) & 1) === 1;
}

describe(`rules that ask programs judge as the interpreter does (seed ${SEED})`, () => {
  it.each(BEDS)(
    '$name',
    async ({ options, share }) => {
      const lab = new Lab();
      const pairs = Math.ceil(PAIRS * share);
      try {
        const bed = await Bed.open(lab, options);
        const loader = new Loader(bed.host.path, byProgram);
        const { differences, broken, ...result } = run(bed, loader, { seed: SEED, pairs, ...ROUND });
        const [first] = differences;
        expect(first ? printDifference(new Shrinker(bed, loader).shrink(first), options.hook) : '').toBe('');
        expect(broken).toEqual([]);
        expect(result.pairs).toBeGreaterThanOrEqual(pairs);
        // Most policies ask one or more.
        expect(loader.programs).toBeGreaterThan(result.policies);
        loader.close();
        bed.close();
      } finally {
        await lab.dispose();
      }
    },
    MINUTE + (PAIRS / SLOWEST) * 1000,
  );
});
