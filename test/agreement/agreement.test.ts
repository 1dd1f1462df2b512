import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab } from '../lab/index.ts';
import { Bed, type BedOptions } from './bed.ts';
import type { Built } from './built.ts';
import { FLAG_FIELDS, FRAGMENT_FLAGS, INT_FIELDS, SLICES, STATE_FIELDS } from './generate/atoms.ts';
import { type EffectRules, Loader } from './loaded.ts';
import { type Difference, type RunResult, run, type Seen } from './run.ts';
import { printDifference, Shrinker } from './shrink.ts';

/** Pairs of a policy and a packet, in all: `WEIR_AGREEMENT_PAIRS=5000000` by hand. */
const PAIRS = Number(process.env['WEIR_AGREEMENT_PAIRS'] ?? 100_000);
const SEED = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
/** What one policy is asked; `WEIR_AGREEMENT_RULES=40` for longer ones. */
const ROUND = { packets: 300, rules: Number(process.env['WEIR_AGREEMENT_RULES'] ?? 6) };
const MINUTE = 60_000;
/** So many pairs a second at least, on a machine that has other things to do. */
const SLOWEST = 200;

/** Hooks with their share of the pairs. Before -400, and where nothing is tracked, fragments are seen as they come. */
const BEDS: readonly { readonly name: string; readonly options: BedOptions; readonly share: number }[] = [
  { name: 'prerouting, fragments as they come', options: { hook: 'prerouting', priority: -450, conntrack: true }, share: 0.1 },
  { name: 'prerouting', options: { hook: 'prerouting', priority: -150, conntrack: true }, share: 0.3 },
  { name: 'input', options: { hook: 'input', priority: 0, conntrack: true }, share: 0.25 },
  { name: 'forward', options: { hook: 'forward', priority: 0, conntrack: true }, share: 0.2 },
  { name: 'forward, where nothing is tracked', options: { hook: 'forward', priority: 0, conntrack: false }, share: 0.05 },
  { name: 'output', options: { hook: 'output', priority: 0, conntrack: true }, share: 0.1 },
];

let lab: Lab;

beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab.dispose());

async function withBed<T>(options: BedOptions, make: (netns: string) => Loader, use: (bed: Bed, loader: Loader) => T): Promise<T> {
  const bed = await Bed.open(lab, options);
  try {
    const loader = make(bed.host.path);
    try {
      return use(bed, loader);
    } finally {
      loader.close();
    }
  } finally {
    bed.close();
  }
}

function shown(difference: Difference | undefined, bed: Bed, loader: Loader): string {
  if (!difference) return '';
  return printDifference(new Shrinker(bed, loader).shrink(difference), bed.options.hook);
}

const seen = new Map<string, Seen>();
let policies = 0;
let lookups = 0;

describe(`the kernel judges as the interpreter does (seed ${SEED})`, () => {
  it.each(BEDS)(
    '$name',
    async ({ options, share }) => {
      const pairs = Math.ceil(PAIRS * share);
      const found = await withBed(
        options,
        (netns) => new Loader(netns),
        (bed, loader): RunResult & { readonly text: string; readonly lookups: number } => {
          const result = run(bed, loader, { seed: SEED, pairs, ...ROUND });
          return { ...result, lookups: loader.lookups, text: shown(result.differences[0], bed, loader) };
        },
      );
      expect(found.text).toBe('');
      expect(found.broken).toEqual([]);
      expect(found.pairs).toBeGreaterThanOrEqual(pairs);
      // Neither verdict is an exception, and most packets come to the hook.
      expect(Math.min(found.verdicts.allow, found.verdicts.deny)).toBeGreaterThan(found.pairs / 10);
      expect(found.pairs).toBeGreaterThan(found.sent / 2);
      policies += found.policies;
      lookups += found.lookups;

      for (const [key, { asked, true: yes }] of found.seen) {
        const one = seen.get(key) ?? { asked: 0, true: 0 };
        seen.set(key, { asked: one.asked + asked, true: one.true + yes });
      }
    },
    MINUTE + (PAIRS / SLOWEST) * 1000,
  );

  it('every field and every operator was asked for, true of some packets and false of others', () => {
    const fields = [
      ...INT_FIELDS.map(({ name }) => name),
      ...FLAG_FIELDS,
      ...STATE_FIELDS,
      ...SLICES.map((name) => `bit_slice(${name})`),
      'process.uid',
      'starts_with(iif.name)',
      'starts_with(oif.name)',
      'ip.src',
      'ip.dst',
      'cidr(ip.src)',
      'cidr(ip.dst)',
      'ip.proto',
      ...FRAGMENT_FLAGS,
      'iif.name',
      'oif.name',
    ];
    const operators = ['==', '!=', '>=', '<=', '>', '<', '&', 'in {}', 'in $', 'strict wildcard'];
    const lacking = (names: readonly string[], of: (key: string) => string): readonly string[] => {
      const sums = new Map<string, Seen>();
      for (const [key, { asked, true: yes }] of seen) {
        const one = sums.get(of(key)) ?? { asked: 0, true: 0 };
        sums.set(of(key), { asked: one.asked + asked, true: one.true + yes });
      }
      return names.filter((name) => {
        const sum = sums.get(name);
        return !sum || sum.true === 0 || sum.true === sum.asked;
      });
    };
    const fieldOf = (key: string): string =>
      /^(cidr|starts_with)\(/.test(key) ? `${key.slice(0, key.indexOf(')'))})` : (key.split(' ')[0] ?? '');
    expect(lacking(fields, fieldOf)).toEqual([]);
    // Runs of rules became maps.
    expect(lookups).toBeGreaterThan(policies / 4);
    expect(lacking(operators, (key) => key.slice(key.indexOf(' ') + 1))).toEqual([]);
  });
});

/** Compiles something else than what it is given: a rule of a policy that asks for one flag never holds. */
class WrongLoader extends Loader {
  override load(built: Built): EffectRules {
    const rules = built.hook.rules.map((rule) => {
      return rule.stage === 'policy' && rule.text.includes('tcp.flags.syn')
        ? { ...rule, expression: { kind: 'constant', value: false } as const }
        : rule;
    });
    return super.load({ ...built, hook: { ...built.hook, rules } });
  }
}

describe('a compiler that is wrong', () => {
  it('is found out, with a small policy and a small packet', async () => {
    const { text, packet } = await withBed(
      { hook: 'prerouting', priority: -140, conntrack: true },
      (netns) => new WrongLoader(netns),
      (bed, loader) => {
        const { differences } = run(bed, loader, { seed: 1, pairs: 100_000, ...ROUND });
        const [first] = differences;
        if (!first) throw new Error('nothing was found');
        const small = new Shrinker(bed, loader).shrink(first);
        return { text: printDifference(small, 'prerouting'), packet: small.subject.bytes };
      },
    );
    const rules = text.split('\n').filter((line) => line.includes(' if '));
    expect(rules).toHaveLength(1);
    expect(rules[0]).toContain('tcp.flags.syn');
    expect(rules[0]?.length).toBeLessThan(100);
    expect(packet.length).toBeLessThanOrEqual(60);
  });
});
