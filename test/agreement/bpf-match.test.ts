import { operandKey, type Test, testOperand } from '@weir/filter/ir';
import { describe, expect, it } from 'vitest';
import { Lab } from '../lab/index.ts';
import { Bed, type BedOptions } from './bed.ts';
import { Loader } from './loaded.ts';
import { run } from './run.ts';
import { printDifference, Shrinker } from './shrink.ts';

/** Pairs of a policy and a packet, in all. */
const PAIRS = Number(process.env['WEIR_AGREEMENT_PAIRS'] ?? 100_000) / 5;
const SEED = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
const ROUND = { packets: 80, rules: Number(process.env['WEIR_AGREEMENT_RULES'] ?? 6) };
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

/** Lists that are longer are maps. */
const MOST_RANGES = 2;

const askedAndTrue = new Set<string>();
let programs = 0;
let sets = 0;
let lists = 0;
let policies = 0;

describe(`rules that ask programs judge as the interpreter does (seed ${SEED})`, () => {
  it.each(BEDS)(
    '$name',
    async ({ options, share }) => {
      const lab = new Lab();
      const pairs = Math.ceil(PAIRS * share);
      try {
        const bed = await Bed.open(lab, options);
        const loader = new Loader(bed.host.path, byProgram, MOST_RANGES);
        const names = { input: ['iif.name'], prerouting: ['iif.name'], forward: ['iif.name', 'oif.name'], output: ['oif.name'] }[
          options.hook
        ];
        const { differences, broken, seen, ...result } = run(bed, loader, { seed: SEED, pairs, names, ...ROUND });
        const [first] = differences;
        expect(first ? printDifference(new Shrinker(bed, loader).shrink(first), options.hook) : '').toBe('');
        expect(broken).toEqual([]);
        expect(result.pairs).toBeGreaterThanOrEqual(pairs);
        for (const [key, { true: yes }] of seen) if (yes > 0) askedAndTrue.add(key);
        programs += loader.programs;
        sets += loader.sets;
        lists += loader.lists;
        policies += result.policies;
        loader.close();
        bed.close();
      } finally {
        await lab.dispose();
      }
    },
    MINUTE + (PAIRS / SLOWEST) * 1000,
  );

  it('most policies asked programs, about octets too, and these were true of some packets', () => {
    expect(programs).toBeGreaterThan(policies);
    expect(Math.min(sets, lists)).toBeGreaterThan(policies / 10);
    const kinds = ['udp.payload', 'tcp.payload', 'bit_slice', 'tcp.', 'ip.'];
    expect(kinds.filter((kind) => ![...askedAndTrue].some((key) => key.includes(kind)))).toEqual([]);
  });
});
