import { type Prefix, printPrefix } from '@weir/wire/inet';
import type { Host } from '../../test/lab/index.ts';

/** How long a sample may take: in a large interval set one nft takes seconds. */
const LIMIT_MS = 20_000;

/** Elements a second with one nft process for each, from a sample: `prefixes`, or as many of them as there is time for. */
export async function nftPerElement(core: Host, prefixes: readonly Prefix[]): Promise<number> {
  const started = performance.now();
  let done = 0;
  for (const one of prefixes) {
    await core.exec('nft', ['add', 'element', 'inet', 'fw', 'web4', `{ ${printPrefix(one).replace('/32', '')} }`], { timeoutMs: 120_000 });
    done++;
    if (performance.now() - started > LIMIT_MS) break;
  }
  return (done * 1000) / (performance.now() - started);
}
