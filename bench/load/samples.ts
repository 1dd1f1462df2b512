import { quantile } from '../bench.ts';

/** Milliseconds that announcements and withdrawals took. */
export interface Samples {
  readonly announce: readonly number[];
  readonly withdraw: readonly number[];
}

export const CHANGES = ['announce', 'withdraw'] as const satisfies readonly (keyof Samples)[];

/** An announcement and its withdrawal, again and again; `once` makes one of them and gives the milliseconds that it took. */
export async function sample(rounds: number, once: (change: keyof Samples, round: number) => Promise<number>): Promise<Samples> {
  const samples: Readonly<Record<keyof Samples, number[]>> = { announce: [], withdraw: [] };
  // The first ones are not counted: code is compiled, caches are cold.
  const warm = Math.ceil(rounds / 5);
  for (let i = 0; i < rounds + warm; i++) {
    for (const change of CHANGES) {
      const took = await once(change, i);
      if (i >= warm) samples[change].push(took);
    }
  }
  return samples;
}

/** A quantile as it is shown. */
export function figure(samples: readonly number[], share: number): number {
  return Number(quantile(samples, share).toFixed(2));
}
