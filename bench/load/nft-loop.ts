import { type Prefix, printPrefix } from '@weir/wire/inet';
import type { Host } from '../../test/lab/index.ts';

/** Elements a second with one nft process for each, in a shell that does nothing else. */
export async function nftPerElement(core: Host, prefixes: readonly Prefix[]): Promise<number> {
  const lines = prefixes.map((one) => `nft add element inet fw web4 '{ ${printPrefix(one).replace('/32', '')} }'`);
  const started = performance.now();
  await core.exec('sh', ['-e', '-s'], { input: `${lines.join('\n')}\n`, timeoutMs: 120_000 });
  return (prefixes.length * 1000) / (performance.now() - started);
}

/** Fills `web4` by one nft script. */
export async function fill(core: Host, prefixes: readonly Prefix[]): Promise<void> {
  const list = prefixes.map((one) => printPrefix(one).replace('/32', '')).join(', ');
  await core.nft(`add element inet fw web4 { ${list} }`);
}
