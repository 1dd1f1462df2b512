import type { FuzzTarget } from './fuzz.ts';
import { mutate } from './mutate.ts';
import { Random } from './random.ts';

export interface CampaignOptions {
  readonly seed: number;
  readonly milliseconds: number;
  /** One input may take this long; default 1,000. */
  readonly slowMs?: number;
  /** The heap may grow by this many bytes over the campaign; default 64 MiB. */
  readonly heapGrowth?: number;
  /** Bytes in use now; default this process's, after a collection where `--expose-gc` is given. */
  readonly heapInUse?: () => number;
}

export interface FuzzFinding {
  readonly input: Uint8Array;
  readonly message: string;
}

export interface CampaignReport {
  readonly inputs: number;
  readonly finding: FuzzFinding | undefined;
}

const kept = 512;

/** Runs a target over its corpus, then over mutations of it, until the time is over or something is found; what is found is made smaller. */
export async function campaign(target: FuzzTarget, options: CampaignOptions): Promise<CampaignReport> {
  const slowMs = options.slowMs ?? 1_000;
  const random = new Random(options.seed);
  const corpus = target.corpus().map((input) => Uint8Array.from(input));
  const inUse = options.heapInUse ?? heapInUse;
  const heapBefore = inUse();
  const deadline = performance.now() + options.milliseconds;
  let inputs = 0;
  const report = async (input: Uint8Array, message: string): Promise<CampaignReport> => ({
    inputs,
    finding: { input: await minimise(target, input, slowMs), message },
  });
  for (const input of [...corpus, new Uint8Array(0)]) {
    inputs++;
    const message = await attempt(target, input, slowMs);
    if (message !== undefined) return await report(input, message);
  }
  // Mutants are mutated further, in a pool of bounded size.
  const pool: Uint8Array[] = [...corpus];
  while (performance.now() < deadline) {
    inputs++;
    const input = mutate(
      random,
      pool.length === 0 ? new Uint8Array(32) : random.pick(pool),
      pool.length === 0 ? [new Uint8Array(32)] : pool,
    );
    const message = await attempt(target, input, slowMs);
    if (message !== undefined) return await report(input, message);
    if (random.below(16) === 0 && input.length > 0 && input.length < 8192) {
      if (pool.length < kept) pool.push(input);
      else pool[corpus.length + random.below(kept - corpus.length)] = input;
    }
  }
  const growth = inUse() - heapBefore;
  const limit = options.heapGrowth ?? 64 * 1024 * 1024;
  if (growth > limit)
    return { inputs, finding: { input: new Uint8Array(0), message: `the heap grew by ${growth} bytes over ${inputs} inputs` } };
  return { inputs, finding: undefined };
}

async function attempt(target: FuzzTarget, input: Uint8Array, slowMs: number): Promise<string | undefined> {
  const started = performance.now();
  try {
    await target.run(Uint8Array.from(input));
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const took = performance.now() - started;
  return took > slowMs ? `one input of ${input.length} bytes took ${Math.round(took)} ms` : undefined;
}

/** Shorter, then with more zeros, as long as it still fails; at most 2,000 attempts. */
async function minimise(target: FuzzTarget, found: Uint8Array, slowMs: number): Promise<Uint8Array> {
  let best = found;
  let budget = 2_000;
  const fails = async (input: Uint8Array): Promise<boolean> => budget-- > 0 && (await attempt(target, input, slowMs)) !== undefined;
  for (let size = best.length >> 1; size >= 1; size >>= 1) {
    for (let at = 0; at < best.length; ) {
      const shorter = Uint8Array.from([...best.subarray(0, at), ...best.subarray(at + size)]);
      if (await fails(shorter)) best = shorter;
      else at += size;
    }
  }
  for (let at = 0; at < best.length; at++) {
    const zeroed = Uint8Array.from(best);
    zeroed[at] = 0;
    if (best[at] !== 0 && (await fails(zeroed))) best = zeroed;
  }
  return best;
}

function heapInUse(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
