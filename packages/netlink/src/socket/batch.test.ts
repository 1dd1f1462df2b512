import { printHex } from '@weir/wire/bytes';
import { describe, expect, it } from 'vitest';
import { closeAttribute, openNest, putBytes, putU32 } from '../message/index.ts';
import { Batch } from './batch.ts';
import { KernelError } from './kernel-error.ts';

const MESSAGE = { type: 0x0a0c, flags: 0x400, family: 1, operation: 'add elements' };

describe('a batch', () => {
  it('is BATCH_BEGIN with the generation, the messages, BATCH_END; the last message asks for an acknowledgement', () => {
    const batch = new Batch<string>(10);
    batch.add({ ...MESSAGE, tag: 'a' }, (w) => putU32(w, 1, 0x11));
    batch.add({ ...MESSAGE, tag: 'b' }, (w) => putU32(w, 1, 0x22));
    expect(printHex(batch.seal(0x100, 0xaabbccdd))).toBe(
      [
        '1c000000100001000001000000000000' + '0000000a' + '08000100aabbccdd',
        '1c0000000c0a01040101000000000000' + '01000000' + '0800010000000011',
        '1c0000000c0a05040201000000000000' + '01000000' + '0800010000000022',
        '14000000110001000301000000000000' + '0000000a',
      ].join(''),
    );
    expect(printHex(batch.seal(0x200, 0)).slice(16, 24)).toBe('00020000');
    expect(batch.seal(0x100, 1)).toHaveLength(28 * 3 + 20);
    expect(() => batch.add(MESSAGE, () => undefined)).toThrow(/already sent/);
    batch.reset();
    expect(batch.count).toBe(0);
    batch.add(MESSAGE, () => undefined);
    expect(batch.seal(1, 0)).toHaveLength(28 + 20 + 20);
  });

  it('without the message whose encoding failed', () => {
    const batch = new Batch(10);
    batch.add(MESSAGE, (w) => putU32(w, 1, 1));
    const before = batch.length;
    expect(() =>
      batch.add(MESSAGE, (w) => {
        putU32(w, 1, 2);
        throw new RangeError('too long');
      }),
    ).toThrow('too long');
    expect([batch.count, batch.length]).toEqual([1, before]);
  });

  it('leads an offset back to the item it lies in, before and after it is sealed', () => {
    const batch = new Batch(10);
    const list = { attribute: 3, itemOf: (position: number) => 100 + position };
    for (let n = 0; n < 2; n++) {
      batch.add({ ...MESSAGE, list }, (w) => {
        putU32(w, 1, 0);
        const nest = openNest(w, 3);
        for (let i = 0; i < 3; i++) putBytes(w, 1, new Uint8Array(5));
        closeAttribute(w, nest);
      });
    }
    // Header 20, first attribute 8, list header 4, items of 12 each.
    const found = () => [0, 19, 20, 28, 31, 32, 40, 44, 56, 67, 68, 500].map((offset) => batch.itemAt(1, offset));
    const want = [undefined, undefined, undefined, undefined, undefined, 100, 100, 101, 102, undefined, undefined, undefined];
    expect(found()).toEqual(want);
    batch.seal(1, 0);
    expect(found()).toEqual(want);
    expect(batch.itemAt(7, 32)).toBeUndefined();
  });
});

describe('KernelError', () => {
  it('says what was asked, what the kernel said and where', () => {
    const error = new KernelError('add rule', 17, { message: 'no', missingType: 3, tag: 'x', index: 2, item: 5, offset: 40 });
    expect(error.message).toBe('add rule at item 5: EEXIST (no), attribute 3 is missing');
    expect(error).toMatchObject({
      code: 'EEXIST',
      errno: 17,
      operation: 'add rule',
      kernelMessage: 'no',
      tag: 'x',
      index: 2,
      item: 5,
      offset: 40,
    });
    expect(new KernelError('list', 2).message).toBe('list: ENOENT');
  });
});
