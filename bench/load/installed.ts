import { setTimeout as sleep } from 'node:timers/promises';
import { NftClient } from '@weir/netlink/nftables';
import type { Prefix } from '@weir/wire/inet';

const set = { family: 'inet', table: 'fw', name: 'web4' } as const;

function key(prefix: Prefix): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, prefix.w0);
  return bytes;
}

/** What the kernel has in `web4`, asked of the kernel itself. */
export class Installed {
  readonly #client: NftClient;

  constructor(namespace: string) {
    this.#client = new NftClient({ netns: namespace });
  }

  /** Which of these hosts are not there. */
  missing(prefixes: readonly Prefix[]): readonly Prefix[] {
    const found = this.#client.getElements(
      set,
      prefixes.map((prefix) => ({ key: key(prefix) })),
    );
    return prefixes.filter((_, i) => found[i] === undefined);
  }

  /** Resolves once every one of these hosts is there; RangeError after `timeoutMs`. */
  async all(prefixes: readonly Prefix[], timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    let left = prefixes;
    for (;;) {
      // The last one first: most of the time it answers for the others.
      const last = left.slice(-1);
      if (this.missing(last).length === 0) left = this.missing(left);
      if (left.length === 0) return;
      if (performance.now() > deadline)
        throw new RangeError(`${left.length} of ${prefixes.length} hosts are missing after ${timeoutMs} ms`);
      await sleep(5);
    }
  }

  /** Elements in the set, by a whole listing. */
  count(): number {
    const found = this.#client.set(set);
    if (!found) throw new RangeError('the set is missing');
    return this.#client.elementColumns(found).columns.count;
  }

  /** Goes up by one with each commit. */
  generation(): number {
    return this.#client.generation().id;
  }

  close(): void {
    this.#client.close();
  }
}
