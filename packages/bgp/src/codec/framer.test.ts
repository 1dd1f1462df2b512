import { Writer } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BgpError } from './error.ts';
import { MessageFramer } from './framer.ts';
import { encodeKeepalive, notificationBytes } from './message.ts';

const keepalive = (): Uint8Array => {
  const w = new Writer();
  encodeKeepalive(w);
  return w.finish();
};
const notification = (size: number): Uint8Array => notificationBytes({ code: 6, subcode: 2, data: new Uint8Array(size).fill(size & 255) });

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const w = new Writer();
  for (const part of parts) w.bytes(part);
  return w.finish();
}

/** All messages of a stream that arrives in chunks of these sizes (the last one takes the rest). */
function framed(stream: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const framer = new MessageFramer();
  const out: Uint8Array[] = [];
  let at = 0;
  for (let i = 0; at < stream.length; i++) {
    const size = i < sizes.length ? (sizes[i] ?? 1) : stream.length - at;
    framer.push(stream.slice(at, at + size));
    at += size;
    for (let m = framer.next(); m; m = framer.next()) out.push(m.slice());
  }
  expect(framer.pending).toBe(0);
  return out;
}

describe('MessageFramer', () => {
  it('gives the same messages however the stream is cut', () => {
    const messages = fc.array(fc.oneof(fc.constant(keepalive()), fc.nat(300).map(notification)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 60 }), (list, sizes) => {
        expect(framed(concat(list), sizes)).toEqual(list);
      }),
    );
  });

  it('octet by octet', () => {
    const list = [keepalive(), notification(40), keepalive()];
    const stream = concat(list);
    expect(framed(stream, new Array<number>(stream.length).fill(1))).toEqual(list);
  });

  it('says so as soon as 19 octets are a bad header, and not before', () => {
    const bad = keepalive();
    bad[17] = 255;
    const framer = new MessageFramer();
    framer.push(bad.slice(0, 18));
    expect(framer.next()).toBeUndefined();
    framer.push(bad.slice(18));
    expect(() => framer.next()).toThrow(BgpError);
  });

  it('a view of the chunk where the message is whole in it', () => {
    const framer = new MessageFramer();
    const chunk = concat([keepalive(), keepalive()]);
    framer.push(chunk);
    expect(framer.next()?.buffer).toBe(chunk.buffer);
  });

  it('refuses a chunk while messages of the last one are untaken', () => {
    const framer = new MessageFramer();
    framer.push(keepalive());
    expect(() => framer.push(keepalive())).toThrow(RangeError);
  });
});
