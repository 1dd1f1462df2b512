import { DecodeError, parseHex, Writer } from '@weir/wire/bytes';
import { encodePcap, readFrames } from '@weir/wire/capture';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { streamFrames } from './stream-frames.ts';

type Items = readonly { readonly kind: string; readonly offset: number; readonly text: string }[];

/** What comes out, with the octets as text; a DecodeError as an item. */
async function collect(items: AsyncIterable<unknown> | Iterable<unknown>): Promise<Items> {
  const out: { kind: string; offset: number; text: string }[] = [];
  try {
    for await (const item of items) {
      const { kind, offset, ...rest } = item as { kind: string; offset: number };
      out.push({ kind, offset, text: JSON.stringify(rest) });
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    out.push({ kind: 'error', offset: 0, text: '' });
  }
  return out;
}

async function* chunks(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    yield bytes.slice(at, at + size);
    at += size;
  }
}

/** A pcapng file: sections with interfaces that come in between, in both byte orders. */
function pcapng(sections: readonly { readonly little: boolean; readonly blocks: readonly (number | 'interface')[] }[]): Uint8Array {
  const w = new Writer();
  for (const { little, blocks } of sections) {
    const u32 = (value: number): Writer => (little ? w.u32LE(value) : w.u32(value));
    const u16 = (value: number): Writer => (little ? w.u16LE(value) : w.u16(value));
    const block = (type: number, length: number, body: () => void): void => {
      u32(type);
      u32(length + 12);
      body();
      u32(length + 12);
    };
    block(0x0a0d0d0a, 16, () => {
      u32(0x1a2b3c4d);
      u16(1);
      u16(0);
      w.zeros(8);
    });
    let interfaces = 0;
    for (const one of blocks) {
      if (one === 'interface') {
        block(1, 8, () => {
          u16(100 + interfaces++);
          u16(0);
          u32(0);
        });
        continue;
      }
      const padded = (one + 3) & ~3;
      block(6, 20 + padded, () => {
        u32(Math.max(0, interfaces - 1));
        u32(0);
        u32(one);
        u32(one);
        u32(one);
        w.zeros(padded);
      });
    }
  }
  return w.finish();
}

const files = fc.oneof(
  fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }).map((list) =>
    encodePcap(
      1,
      list.map((bytes) => ({ bytes })),
    ),
  ),
  fc
    .array(
      fc.record({ little: fc.boolean(), blocks: fc.array(fc.oneof(fc.nat(40), fc.constant('interface' as const)), { maxLength: 8 }) }),
      { minLength: 1, maxLength: 3 },
    )
    .map(pcapng),
);

test('gives what reading the whole file gives, however it comes and wherever it ends', async () => {
  await fc.assert(
    fc.asyncProperty(files, fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1 }), fc.nat(400), async (bytes, sizes, cut) => {
      const file = bytes.subarray(0, Math.max(0, bytes.length - Math.max(0, cut - 200)));
      expect(await collect(streamFrames(chunks(file, sizes)))).toEqual(await collect(readFrames(file)));
    }),
    { numRuns: 300 },
  );
});

test('damaged files give frames, problems or a DecodeError', async () => {
  await fc.assert(
    fc.asyncProperty(files, fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 4 }), fc.nat(60), async (bytes, damage, size) => {
      const file = bytes.slice();
      for (const [at, value] of damage) if (at < file.length) file[at] = value;
      const whole = await collect(readFrames(file));
      const streamed = await collect(streamFrames(chunks(file, [size + 1])));
      expect(streamed.filter((one) => one.kind === 'frame')).toEqual(whole.filter((one) => one.kind === 'frame'));
      expect(streamed.at(-1)?.kind).toBe(whole.at(-1)?.kind);
    }),
    { numRuns: 300 },
  );
});

test('does not read on while a frame is looked at', async () => {
  const file = encodePcap(
    1,
    Array.from({ length: 100 }, () => ({ bytes: new Uint8Array(84) })),
  );
  let given = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks(file, [1000])) {
      given += chunk.length;
      yield chunk;
    }
  }
  let read = 0;
  for await (const frame of streamFrames(source())) {
    expect(given).toBeLessThanOrEqual(frame.offset + 84 + 1000);
    read++;
  }
  expect(read).toBe(100);
});

test('what is no capture', async () => {
  expect(await collect(streamFrames(chunks(parseHex('00112233'.repeat(10)), [7])))).toEqual([{ kind: 'error', offset: 0, text: '' }]);
});
