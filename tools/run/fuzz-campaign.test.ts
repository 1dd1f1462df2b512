import { expect, test } from 'vitest';
import { campaign } from '../../fuzz/campaign.ts';
import type { FuzzTarget } from '../../fuzz/fuzz.ts';
import { mutate } from '../../fuzz/mutate.ts';
import { Random } from '../../fuzz/random.ts';

const target = (run: FuzzTarget['run']): FuzzTarget => ({ name: 'x', corpus: () => [Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)], run });

test('a mistake is found and made small', async () => {
  const broken = target((input) => {
    if (input.length > 2 && input[1] === 255) throw new Error('found it');
  });
  const { finding } = await campaign(broken, { seed: 1, milliseconds: 20_000 });
  expect(finding?.message).toContain('found it');
  expect(finding?.input).toEqual(Uint8Array.of(0, 255, 0));
});

test('a rejected promise is a mistake too, and so is a bad corpus', async () => {
  const { finding, inputs } = await campaign(
    target(() => Promise.reject(new Error('later'))),
    { seed: 1, milliseconds: 1_000 },
  );
  expect(finding?.message).toContain('later');
  expect(inputs).toBe(1);
});

test('a slow input is a mistake', async () => {
  const slow = target(() => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5));
  expect((await campaign(slow, { seed: 1, milliseconds: 1_000, slowMs: 1 })).finding?.message).toContain('took');
});

test('memory that grows is a mistake', async () => {
  let kept = 0;
  const leaky = target((input) => {
    kept += input.length;
  });
  const run = (heapGrowth: number) => campaign(leaky, { seed: 1, milliseconds: 300, heapGrowth, heapInUse: () => kept });
  expect((await run(10)).finding?.message).toContain('the heap grew');
  expect((await run(Number.MAX_SAFE_INTEGER)).finding).toBeUndefined();
});

test('nothing wrong, nothing found; the same seed gives the same inputs', async () => {
  const inputs = async () => {
    const seen: string[] = [];
    await campaign(
      target((input) => void (seen.length < 200 && seen.push(input.join()))),
      { seed: 7, milliseconds: 300 },
    );
    return seen;
  };
  // How many fit into the time is the machine's affair.
  const [first, second] = [await inputs(), await inputs()];
  const both = Math.min(first.length, second.length);
  expect(both).toBeGreaterThan(20);
  expect(new Set(first).size).toBeGreaterThan(first.length * 0.75);
  expect(second.slice(0, both)).toEqual(first.slice(0, both));
});

test('mutants stay below the maximum length', () => {
  const random = new Random(3);
  let input: Uint8Array = new Uint8Array(60_000);
  for (let i = 0; i < 200; i++) {
    input = mutate(random, input, [new Uint8Array(60_000)]);
    expect(input.length).toBeLessThanOrEqual(70_000);
  }
});
