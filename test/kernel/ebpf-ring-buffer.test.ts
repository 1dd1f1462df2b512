import { Worker } from 'node:worker_threads';
import type { Assembler } from '@weir/ebpf/asm';
import { BpfMap, type BpfProgram, CounterReader, RingBuffer } from '@weir/ebpf/kernel';
import { Epoll, wakeUp } from '@weir/sys';
import { describe, expect, it } from 'vitest';
import { frame, keep, load } from './ebpf-bed.ts';

/** How many bytes each record has besides its number of 8. */
const REST = 24;
const RECORD = 8 + REST;
/** In the buffer, with the header. */
const STRIDE = RECORD + 8;

interface Bed {
  readonly ring: BpfMap;
  readonly lost: BpfMap;
  readonly next: BpfMap;
}

function bed(bytes: number): Bed {
  return {
    ring: keep(BpfMap.create({ name: 'ring', type: 'ringbuf', maxEntries: bytes })),
    lost: keep(BpfMap.create({ name: 'lost', type: 'percpu_array', valueSize: 16, maxEntries: 1 })),
    next: keep(BpfMap.create({ name: 'next', type: 'array', valueSize: 8, maxEntries: 1 })),
  };
}

/** The address of the only value of an array in r0; jumps to `none` where there is none. */
function value(asm: Assembler, map: string, none: ReturnType<Assembler['label']>): void {
  asm.store('u32', 'r10', -4, 0).map('r1', map).mov('r2', 'r10').alu('r2', '+=', -4).call('map_lookup_elem').jump('r0', '==', 0, none);
}

/** Writes records that are numbered from 0; every `discardEvery`th is given up. Counts what did not fit, as the second word of `lost`. */
function producer({ ring, lost, next }: Bed, discardEvery = 0): BpfProgram {
  return keep(
    load(
      { name: 'weir_ring', type: 'sched_cls' },
      (asm) => {
        const none = asm.label();
        const full = asm.label();
        const submit = asm.label();
        value(asm, 'next', none);
        asm.mov('r6', 1).atomicFetch('u64', 'r0', 0, 'add', 'r6');
        asm.map('r1', 'ring').mov('r2', RECORD).mov('r3', 0).call('ringbuf_reserve').jump('r0', '==', 0, full);
        asm.store('u64', 'r0', 0, 'r6').store('u64', 'r0', 8, 0).store('u64', 'r0', 16, 0).store('u64', 'r0', 24, 0x55);
        asm.mov('r1', 'r0').mov('r2', 0);
        if (discardEvery > 0) {
          asm.alu('r6', '%=', discardEvery).jump('r6', '!=', 0, submit);
          asm.call('ringbuf_discard').mov('r0', 1).exit();
        }
        asm.place(submit).call('ringbuf_submit').mov('r0', 1).exit();
        asm.place(full);
        value(asm, 'lost', none);
        asm.mov('r1', 1).atomic('u64', 'r0', 8, 'add', 'r1');
        asm.place(none).mov('r0', 0).exit();
      },
      [ring, lost, next],
    ),
  );
}

function numbers(ring: RingBuffer, limit?: number): { readonly read: number[]; readonly more: boolean } {
  const read: number[] = [];
  let wrong = 0;
  const { records, more } = ring.read((bytes, at, length) => {
    if (length !== RECORD || bytes[at + 24] !== 0x55) wrong++;
    read.push(Number(new DataView(bytes.buffer, bytes.byteOffset + at).getBigUint64(0, true)));
  }, limit);
  expect(wrong).toBe(0);
  expect(records).toBe(read.length);
  return { read, more };
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe('a ring buffer', () => {
  it('gives records in order, in batches, across its end many times', () => {
    const made = bed(4096);
    const one = producer(made);
    const ring = keep(RingBuffer.open(made.ring));
    let expected = 0;
    for (let round = 0; round < 60; round++) {
      const count = 1 + ((round * 7) % 100);
      expect(one.run({ data: frame(), repeat: count }).result).toBe(1);
      expect(ring.waiting).toBe(count * STRIDE);
      const half = count >> 1;
      expect(numbers(ring, half)).toEqual({ read: range(expected, expected + half), more: true });
      expect(numbers(ring)).toEqual({ read: range(expected + half, expected + count), more: false });
      expected += count;
    }
    expect(numbers(ring)).toEqual({ read: [], more: false });
  });

  it('passes over records that were given up, and counts them', () => {
    const made = bed(4096);
    const one = producer(made, 3);
    const ring = keep(RingBuffer.open(made.ring));
    one.run({ data: frame(), repeat: 30 });
    expect(numbers(ring).read).toEqual(range(0, 30).filter((n) => n % 3 !== 0));
    expect(ring.discarded).toBe(10);
  });

  it('that is full loses what comes last, and the loss is counted', () => {
    const made = bed(4096);
    const one = producer(made);
    const ring = keep(RingBuffer.open(made.ring));
    const lost = new CounterReader(made.lost, 0, 1);
    one.run({ data: frame(), repeat: 1000 });
    const { read } = numbers(ring);
    expect(read).toEqual(range(0, read.length));
    expect(read.length).toBeGreaterThan(90);
    expect([lost.since(), lost.since(), lost.total()]).toEqual([BigInt(1000 - read.length), 0n, BigInt(1000 - read.length)]);
    one.run({ data: frame(), repeat: 10 });
    expect(numbers(ring).read).toEqual(range(1000, 1010));
    expect([lost.since(), new CounterReader(made.lost, 0).total()]).toEqual([0n, 0n]);
    expect(() => new CounterReader(made.lost, 0, 2)).toThrow(RangeError);
  });

  it('goes on where the reader before stopped, also after one that threw', () => {
    const made = bed(4096);
    const one = producer(made);
    const first = keep(RingBuffer.open(made.ring));
    one.run({ data: frame(), repeat: 5 });
    numbers(first, 2);
    expect(() =>
      first.read(() => {
        throw new Error('no');
      }),
    ).toThrow('no');
    first.close();
    first.close();
    expect(numbers(keep(RingBuffer.open(made.ring))).read).toEqual([3, 4]);
    expect(() => RingBuffer.open(made.lost)).toThrow(RangeError);
  });

  it('wakes a thread that sleeps, which reads all of it', async () => {
    const made = bed(1 << 20);
    const one = producer(made);
    // Everything that the reader needs crosses threads as a number: descriptors belong to the process.
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      void (async () => {
        const { register } = await import('tsx/esm/api');
        register();
        const { BpfMap, RingBuffer } = await import('@weir/ebpf/kernel');
        const { Epoll } = await import('@weir/sys');
        const map = BpfMap.borrow(workerData.fd);
        const ring = RingBuffer.open(map);
        const epoll = new Epoll();
        epoll.add(map.fd);
        parentPort.postMessage({ wake: epoll.wakeDescriptor });
        let next = 0;
        let inOrder = true;
        for (;;) {
          const { woken } = epoll.wait(10_000);
          while (ring.read((bytes, at) => {
            inOrder &&= new DataView(bytes.buffer, bytes.byteOffset + at).getBigUint64(0, true) === BigInt(next);
            next++;
          }).more);
          if (woken) break;
        }
        parentPort.postMessage({ next, inOrder });
        for (const one of [epoll, ring, map]) one.close();
      })();`;
    const worker = new Worker(source, { eval: true, workerData: { fd: made.ring.fd }, execArgv: ['--conditions=source'] });
    const messages = (async function* () {
      for (;;) yield await new Promise<Record<string, unknown>>((resolve, reject) => worker.once('message', resolve).once('error', reject));
    })();
    const { wake } = (await messages.next()).value as { wake: number };
    const count = 20_000;
    // In portions, so that the reader falls asleep between some of them; the buffer holds all of it.
    for (let sent = 0; sent < count; sent += 200) {
      one.run({ data: frame(), repeat: 200 });
      if (sent % 2000 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
    wakeUp(wake);
    expect((await messages.next()).value).toEqual({ next: count, inOrder: true });
    expect(new CounterReader(made.lost, 0, 1).total()).toBe(0n);
    await worker.terminate();
  });

  it('sleeps until there is something', () => {
    const made = bed(4096);
    const one = producer(made);
    const ring = keep(RingBuffer.open(made.ring));
    const epoll = keep(new Epoll());
    epoll.add(made.ring.fd);
    expect(epoll.wait(0).ready).toEqual([]);
    one.run({ data: frame(), repeat: 3 });
    expect(epoll.wait(1000).ready).toEqual([made.ring.fd]);
    expect(numbers(ring).read).toEqual([0, 1, 2]);
    expect(epoll.wait(0).ready).toEqual([]);
  });
});
