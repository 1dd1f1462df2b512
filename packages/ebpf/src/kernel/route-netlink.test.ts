import { parseHex, printHex } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeAttributes, type RouteAttribute, readAttributes } from './route-netlink.ts';
import { decodeTcFilter } from './tc-filter.ts';

describe('attributes', () => {
  it('are a length, a type and a value, padded to 4 (rtnetlink(7))', () => {
    const nested: readonly RouteAttribute[] = [
      { type: 6, value: new Uint8Array([1, 0, 0, 0]) },
      { type: 7, value: new TextEncoder().encode('ab\0') },
    ];
    const bytes = encodeAttributes([
      { type: 1, value: new TextEncoder().encode('bpf\0') },
      { type: 2, value: nested },
    ]);
    expect(printHex(bytes)).toBe(`${'08000100'}62706600${'14000200'}${'08000600'}01000000${'07000700'}61620000`);
  });

  it('are read as they were written', () => {
    const attribute = fc.record({ type: fc.integer({ min: 0, max: 0x3fff }), value: fc.uint8Array({ maxLength: 40 }) });
    fc.assert(
      fc.property(fc.array(attribute, { maxLength: 10 }), (attributes) => {
        const read = readAttributes(encodeAttributes(attributes));
        expect(read.map(({ type, value }) => ({ type, value: Uint8Array.from(value) }))).toEqual(attributes);
      }),
    );
  });

  it('end where they are cut short', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => readAttributes(bytes).every(({ value }) => value.length <= bytes.length)),
    );
    expect(readAttributes(parseHex('0800010062706600080002'))).toHaveLength(1);
  });
});

describe('a filter of tc', () => {
  // `struct tcmsg` of interface 3, handle 1, parent ffff:fff2, priority 7 and all protocols; kind bpf; options with a name, the flags, a tag and the program's id.
  const message = `${'00000000'}03000000${'01000000'}f2ffffff${'03000700'}${'08000100'}62706600${'2c000200'}${'0b000700'}776569725f7800${'00'}${'08000800'}01000000${'0c000a00'}0011223344556677${'08000b00'}39000000`;

  it('is read from what the kernel lists', () => {
    expect(decodeTcFilter(parseHex(message))).toEqual({ priority: 7, handle: 1, name: 'weir_x', programId: 57 });
  });

  it.each([
    { name: 'of another kind', bytes: message.replace('62706600', '75333200') },
    { name: 'without a program', bytes: message.slice(0, 56) },
    { name: 'cut short', bytes: message.slice(0, 20) },
  ])('$name is none', ({ bytes }) => {
    expect(decodeTcFilter(parseHex(bytes))).toBeUndefined();
  });
});
