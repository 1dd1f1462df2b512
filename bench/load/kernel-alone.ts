import { setTimeout as sleep } from 'node:timers/promises';
import { NftClient, NftTransaction } from '@weir/netlink/nftables';
import { type Bed, host, type Kind } from './bed.ts';

const set = { family: 'inet', table: 'fw', name: 'web4' } as const;

function key(address: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, address);
  return bytes;
}

/** Milliseconds that the kernel itself takes for a transaction with one host, from `sendmsg` to its answer: what no daemon can go below. */
export async function kernelAlone(bed: Bed, kind: Kind, first: number, rounds: number): Promise<readonly number[]> {
  const client = new NftClient({ netns: bed.core.path });
  const samples: number[] = [];
  try {
    for (let i = 0; i < rounds; i++) {
      const { w0 } = host(first + i);
      const elements = kind === 'hash' ? [{ key: key(w0) }] : [{ key: key(w0) }, { key: key(w0 + 1), intervalEnd: true }];
      for (const add of [true, false]) {
        await sleep(2);
        const transaction = new NftTransaction();
        if (add) transaction.addElements(set, elements);
        else transaction.deleteElements(set, elements);
        const start = performance.now();
        const result = client.commit(transaction);
        if (add) samples.push(performance.now() - start);
        if (result.kind !== 'committed') throw new Error(`the kernel refused: ${result.kind}`);
      }
    }
  } finally {
    client.close();
  }
  return samples;
}
