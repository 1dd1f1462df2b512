import { describe, expect, it } from 'vitest';
import { printHex } from './hex.ts';
import { Writer } from './writer.ts';

describe('Writer grows under every method', () => {
  const rows: { name: string; write: (w: Writer) => void; want: string }[] = [
    { name: 'u8', write: (w) => w.u8(0x12), want: '12' },
    { name: 'u16', write: (w) => w.u16(0x1234), want: '1234' },
    { name: 'u32', write: (w) => w.u32(0x12345678), want: '12345678' },
    { name: 'u64', write: (w) => w.u64(0x123456789abcdef0n), want: '123456789abcdef0' },
    { name: 'f32', write: (w) => w.f32(1), want: '3f800000' },
    { name: 'u16LE', write: (w) => w.u16LE(0x1234), want: '3412' },
    { name: 'u32LE', write: (w) => w.u32LE(0x12345678), want: '78563412' },
    { name: 'i32LE', write: (w) => w.i32LE(-2), want: 'feffffff' },
    { name: 'u64LE', write: (w) => w.u64LE(0x123456789abcdef0n), want: 'f0debc9a78563412' },
    { name: 'bytes', write: (w) => w.bytes(Uint8Array.of(1, 2, 3)), want: '010203' },
    { name: 'zeros', write: (w) => w.zeros(3), want: '000000' },
  ];
  for (const { name, write, want } of rows) {
    it(name, () => {
      for (let capacity = 0; capacity <= 9; capacity++) {
        const w = new Writer(capacity);
        w.u8(0xaa);
        write(w);
        w.u8(0xbb);
        expect(printHex(w.finish()), `capacity ${capacity}`).toBe(`aa${want}bb`);
      }
    });
  }
});
