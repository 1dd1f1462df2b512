import { printHex } from '@weir/wire/bytes';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeInstructions, slotsOf, wordsOf } from './decode.ts';
import { encodeInstructions } from './encode.ts';
import type { AnyRegister, Instruction } from './instruction.ts';
import {
  ALU_BITS,
  type AluOperator,
  ATOMIC_BITS,
  type AtomicOperator,
  type Comparison,
  JUMP_BITS,
  SIGNED_SIZES,
  SIZES,
} from './opcodes.ts';
import { printInstruction } from './print-instruction.ts';
import { halfOf, type Register, registerOf } from './registers.ts';

const all = <T extends string>(table: Readonly<Record<T, unknown>>): readonly T[] => Object.keys(table) as T[];
const whole = fc.integer({ min: 0, max: 10 }).map((number) => registerOf(number) as Register);
const written = fc.integer({ min: 0, max: 9 }).map((number) => registerOf(number) as Register);
const immediate = fc.oneof(fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }), fc.constantFrom(-0x8000_0000, -1, 0, 1, 0x7fff_ffff));
const offset = fc.oneof(fc.integer({ min: -0x8000, max: 0x7fff }), fc.constantFrom(-0x8000, -1, 0, 0x7fff));
const bits = fc.constantFrom(16 as const, 32 as const, 64 as const);
const size = fc.constantFrom(...SIZES);
const word = fc.constantFrom('u32' as const, 'u64' as const);

/** A destination and a source of one width. */
const pair = fc
  .tuple(fc.boolean(), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 10 }))
  .map(([half, to, source]) => (half ? [halfOf(to), halfOf(source)] : [registerOf(to), registerOf(source)]) as [AnyRegister, AnyRegister]);

const alu = fc
  .tuple(fc.constantFrom(...all<AluOperator>(ALU_BITS)), pair, fc.option(immediate, { nil: undefined }))
  .map(([operator, [to, source], number]): Instruction => {
    if (number === undefined) return { kind: 'alu', operator, to, source };
    const shift = operator.includes('<<') || operator.includes('>>');
    const value = shift ? number & 31 : number === 0 ? 1 : number;
    return { kind: 'alu', operator, to, source: value };
  });

const memory = { base: whole, offset };

/** Each kind once: a kind that is missing here does not type-check. */
const instructions: { readonly [K in Instruction['kind']]: fc.Arbitrary<Instruction> } = {
  alu,
  mov: fc
    .tuple(pair, fc.option(immediate, { nil: undefined }))
    .map(([[to, source], number]) => ({ kind: 'mov', to, source: number ?? source })),
  'mov-signed': fc
    .tuple(pair, fc.constantFrom(...SIGNED_SIZES))
    .map(([[to, source], one]) => ({ kind: 'mov-signed', to, size: to.startsWith('w') && one === 's32' ? 's16' : one, source })),
  negate: pair.map(([to]) => ({ kind: 'negate', to })),
  'byte-order': fc.record({
    kind: fc.constant('byte-order' as const),
    to: written,
    order: fc.constantFrom('be' as const, 'le' as const),
    bits,
  }),
  'byte-swap': fc.record({ kind: fc.constant('byte-swap' as const), to: written, bits }),
  load: fc.record({ kind: fc.constant('load' as const), to: written, size: fc.constantFrom(...SIZES, ...SIGNED_SIZES), ...memory }),
  store: fc.record({ kind: fc.constant('store' as const), size, ...memory, source: fc.oneof(whole, immediate) }),
  atomic: fc.record({
    kind: fc.constant('atomic' as const),
    operator: fc.constantFrom(...all<AtomicOperator>(ATOMIC_BITS)),
    fetch: fc.boolean(),
    size: word,
    ...memory,
    source: written,
  }),
  exchange: fc.record({ kind: fc.constant('exchange' as const), size: word, ...memory, source: written }),
  'compare-exchange': fc.record({ kind: fc.constant('compare-exchange' as const), size: word, ...memory, source: whole }),
  'load-acquire': fc.record({ kind: fc.constant('load-acquire' as const), to: written, size, ...memory }),
  'store-release': fc.record({ kind: fc.constant('store-release' as const), size, ...memory, source: whole }),
  packet: fc
    .tuple(fc.constantFrom('u8' as const, 'u16' as const, 'u32' as const), immediate, fc.option(whole, { nil: undefined }))
    .map(([one, at, index]) =>
      index === undefined ? { kind: 'packet', size: one, offset: at } : { kind: 'packet', size: one, offset: at, index },
    ),
  constant: fc.record({ kind: fc.constant('constant' as const), to: written, value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  map: fc.record({ kind: fc.constant('map' as const), to: written, map: immediate, indexed: fc.boolean() }),
  'map-value': fc.record({
    kind: fc.constant('map-value' as const),
    to: written,
    map: immediate,
    indexed: fc.boolean(),
    offset: fc.integer({ min: 0, max: 0xffff_ffff }),
  }),
  'kernel-variable': fc.record({ kind: fc.constant('kernel-variable' as const), to: written, btfId: immediate, module: immediate }),
  function: fc.record({ kind: fc.constant('function' as const), to: written, offset: immediate }),
  jump: fc
    .tuple(fc.constantFrom(...all<Comparison>(JUMP_BITS)), pair, fc.option(immediate, { nil: undefined }), offset)
    .map(([comparison, [left, right], number, at]) => ({ kind: 'jump', comparison, left, right: number ?? right, offset: at })),
  goto: fc.record({ kind: fc.constant('goto' as const), offset }),
  'goto-long': fc.record({ kind: fc.constant('goto-long' as const), offset: immediate }),
  'may-goto': fc.record({ kind: fc.constant('may-goto' as const), offset }),
  call: fc.record({ kind: fc.constant('call' as const), helper: immediate }),
  'call-local': fc.record({ kind: fc.constant('call-local' as const), offset: immediate }),
  'call-kernel': fc.record({ kind: fc.constant('call-kernel' as const), btfId: immediate, module: offset }),
  exit: fc.constant({ kind: 'exit' } as const),
  unknown: fc.record({ kind: fc.constant('unknown' as const), low: fc.constant(0x00ff), immediate }),
};

test.each(Object.entries(instructions))('%s: encoded and decoded it is the same', (kind, arbitrary) => {
  fc.assert(
    fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 8 }), (list) => {
      const words = encodeInstructions(list);
      expect(words.length / 2).toBe(list.reduce((sum, one) => sum + slotsOf(one), 0));
      expect(decodeInstructions(words)).toEqual(list);
      expect(list.every((one) => one.kind === kind)).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('words that are anything: decoded and encoded they are the same', () => {
  const slot = fc.tuple(
    fc.integer({ min: 0, max: 0xff }),
    fc.integer({ min: 0, max: 0xff }),
    fc.oneof(fc.constant(0), offset),
    fc.oneof(fc.constant(0), immediate),
  );
  fc.assert(
    fc.property(fc.array(slot, { minLength: 1, maxLength: 12 }), (slots) => {
      const words = Int32Array.from(slots.flatMap(([opcode, registers, at, number]) => [opcode | (registers << 8) | (at << 16), number]));
      expect(encodeInstructions(decodeInstructions(words))).toEqual(words);
    }),
    { numRuns: 300 },
  );
});

test('every opcode with every value of the fields that select: decoded and encoded they are the same', () => {
  let known = 0;
  for (let opcode = 0; opcode < 256; opcode++) {
    const words: number[] = [];
    for (const registers of [0x00, 0x10, 0x20, 0x30, 0x50, 0x60, 0x70, 0x21, 0xa0, 0x0a, 0x0b, 0xb0])
      for (const at of [0, 1, 8, 32, -1])
        for (const number of [0, 1, 16, 40, 64, 0x40, 0x41, 0xa0, 0xe1, 0xf1, 0x100, 0x110, 0x111])
          words.push(opcode | (registers << 8) | (at << 16), number, 0, 0);
    const decoded = decodeInstructions(Int32Array.from(words));
    // What takes one slot is followed by a slot of zeros, which is unknown.
    known += decoded.filter((one) => one.kind !== 'unknown').length;
    expect(encodeInstructions(decoded).join(), `opcode ${opcode}`).toBe(words.join());
  }
  expect(known).toBeGreaterThan(6_000);
});

/**
 * Octets: opcode, registers (source high), offset, immediate; put together by hand from the tables of RFC 9669 sections 3, 3.1, 3.2, 4.1, 4.2, 4.3, 4.3.1,
 * 4.3.2, 5.1, 5.2, 5.3, 5.4 and 5.5, and from linux/include/uapi/linux/bpf.h for what is Linux's own.
 */
const golden: readonly { readonly hex: string; readonly text: string; readonly is: Instruction }[] = [
  // The example of RFC 9669 section 3.1.
  { hex: '0701000044332211', text: '(07) r1 += 287454020', is: { kind: 'alu', operator: '+=', to: 'r1', source: 0x11223344 } },
  { hex: 'bf16000000000000', text: '(bf) r6 = r1', is: { kind: 'mov', to: 'r6', source: 'r1' } },
  { hex: 'b7000000ffffffff', text: '(b7) r0 = -1', is: { kind: 'mov', to: 'r0', source: -1 } },
  { hex: 'bc21000000000000', text: '(bc) w1 = w2', is: { kind: 'mov', to: 'w1', source: 'w2' } },
  { hex: 'bf21080000000000', text: '(bf) r1 = (s8)r2', is: { kind: 'mov-signed', to: 'r1', size: 's8', source: 'r2' } },
  { hex: 'bf21200000000000', text: '(bf) r1 = (s32)r2', is: { kind: 'mov-signed', to: 'r1', size: 's32', source: 'r2' } },
  { hex: '3c21000000000000', text: '(3c) w1 /= w2', is: { kind: 'alu', operator: '/=', to: 'w1', source: 'w2' } },
  { hex: '3701010003000000', text: '(37) r1 s/= 3', is: { kind: 'alu', operator: 's/=', to: 'r1', source: 3 } },
  { hex: '9f21010000000000', text: '(9f) r1 s%= r2', is: { kind: 'alu', operator: 's%=', to: 'r1', source: 'r2' } },
  { hex: 'c40500001f000000', text: '(c4) w5 s>>= 31', is: { kind: 'alu', operator: 's>>=', to: 'w5', source: 31 } },
  { hex: '8701000000000000', text: '(87) r1 = -r1', is: { kind: 'negate', to: 'r1' } },
  { hex: 'dc02000010000000', text: '(dc) r2 = be16 r2', is: { kind: 'byte-order', to: 'r2', order: 'be', bits: 16 } },
  { hex: 'd402000040000000', text: '(d4) r2 = le64 r2', is: { kind: 'byte-order', to: 'r2', order: 'le', bits: 64 } },
  { hex: 'd702000020000000', text: '(d7) r2 = bswap32 r2', is: { kind: 'byte-swap', to: 'r2', bits: 32 } },
  { hex: '69260c0000000000', text: '(69) r6 = *(u16 *)(r2 +12)', is: { kind: 'load', to: 'r6', size: 'u16', base: 'r2', offset: 12 } },
  { hex: '79a3f8ff00000000', text: '(79) r3 = *(u64 *)(r10 -8)', is: { kind: 'load', to: 'r3', size: 'u64', base: 'r10', offset: -8 } },
  { hex: '9121000000000000', text: '(91) r1 = *(s8 *)(r2 +0)', is: { kind: 'load', to: 'r1', size: 's8', base: 'r2', offset: 0 } },
  {
    hex: '631afcff00000000',
    text: '(63) *(u32 *)(r10 -4) = r1',
    is: { kind: 'store', size: 'u32', base: 'r10', offset: -4, source: 'r1' },
  },
  { hex: '7a0af0ff07000000', text: '(7a) *(u64 *)(r10 -16) = 7', is: { kind: 'store', size: 'u64', base: 'r10', offset: -16, source: 7 } },
  {
    hex: 'db10000000000000',
    text: '(db) lock *(u64 *)(r0 +0) += r1',
    is: { kind: 'atomic', operator: 'add', fetch: false, size: 'u64', base: 'r0', offset: 0, source: 'r1' },
  },
  {
    hex: 'c310040041000000',
    text: '(c3) r1 = atomic_fetch_or((u32 *)(r0 +4), r1)',
    is: { kind: 'atomic', operator: 'or', fetch: true, size: 'u32', base: 'r0', offset: 4, source: 'r1' },
  },
  {
    hex: 'db210800e1000000',
    text: '(db) r2 = atomic64_xchg((u64 *)(r1 +8), r2)',
    is: { kind: 'exchange', size: 'u64', base: 'r1', offset: 8, source: 'r2' },
  },
  {
    hex: 'db210800f1000000',
    text: '(db) r0 = atomic64_cmpxchg((u64 *)(r1 +8), r0, r2)',
    is: { kind: 'compare-exchange', size: 'u64', base: 'r1', offset: 8, source: 'r2' },
  },
  {
    hex: 'd321020000010000',
    text: '(d3) r1 = load_acquire((u8 *)(r2 +2))',
    is: { kind: 'load-acquire', to: 'r1', size: 'u8', base: 'r2', offset: 2 },
  },
  {
    hex: 'cb21020010010000',
    text: '(cb) store_release((u16 *)(r1 +2), r2)',
    is: { kind: 'store-release', size: 'u16', base: 'r1', offset: 2, source: 'r2' },
  },
  { hex: '280000000c000000', text: '(28) r0 = *(u16 *)skb[12]', is: { kind: 'packet', size: 'u16', offset: 12 } },
  { hex: '5070000002000000', text: '(50) r0 = *(u8 *)skb[r7 + 2]', is: { kind: 'packet', size: 'u8', offset: 2, index: 'r7' } },
  {
    hex: '18010000887766550000000044332211',
    text: '(18) r1 = 0x1122334455667788',
    is: { kind: 'constant', to: 'r1', value: 0x1122_3344_5566_7788n },
  },
  { hex: '18110000050000000000000000000000', text: '(18) r1 = 0x5', is: { kind: 'map', to: 'r1', map: 5, indexed: false } },
  {
    hex: '18220000050000000000000010000000',
    text: '(18) r2 = 0x1000000005',
    is: { kind: 'map-value', to: 'r2', map: 5, indexed: false, offset: 16 },
  },
  {
    hex: '15010300ffffffff',
    text: '(15) if r1 == 0xffffffff goto pc+3',
    is: { kind: 'jump', comparison: '==', left: 'r1', right: -1, offset: 3 },
  },
  {
    hex: 'ae87fdff00000000',
    text: '(ae) if w7 < w8 goto pc-3',
    is: { kind: 'jump', comparison: '<', left: 'w7', right: 'w8', offset: -3 },
  },
  { hex: '4501000004000000', text: '(45) if r1 & 0x4 goto pc+0', is: { kind: 'jump', comparison: '&', left: 'r1', right: 4, offset: 0 } },
  { hex: '0500feff00000000', text: '(05) goto pc-2', is: { kind: 'goto', offset: -2 } },
  { hex: '0600000000000100', text: '(06) gotol pc+65536', is: { kind: 'goto-long', offset: 65536 } },
  { hex: 'e500020000000000', text: '(e5) may_goto pc+2', is: { kind: 'may-goto', offset: 2 } },
  { hex: '8500000001000000', text: '(85) call bpf_map_lookup_elem#1', is: { kind: 'call', helper: 1 } },
  { hex: '851000000a000000', text: '(85) call pc+10', is: { kind: 'call-local', offset: 10 } },
  { hex: '8520010039300000', text: '(85) call kernel-function#12345', is: { kind: 'call-kernel', btfId: 12345, module: 1 } },
  { hex: '9500000000000000', text: '(95) exit', is: { kind: 'exit' } },
  { hex: 'ffee000000000000', text: '(ff) r14 (null) r14', is: { kind: 'unknown', low: 0xeeff, immediate: 0 } },
];

test.each(golden)('$hex is $text', ({ hex, text, is }) => {
  const words = encodeInstructions([is]);
  expect(printHex(new Uint8Array(words.buffer)).replaceAll(' ', '')).toBe(hex);
  expect(decodeInstructions(words)).toEqual([is]);
  expect(printInstruction(words, 0)).toBe(text);
});

test('octets are whole slots', () => {
  expect(wordsOf(Uint8Array.of(0x95, 0, 0, 0, 0, 0, 0, 0))).toEqual(Int32Array.of(0x95, 0));
  expect(() => wordsOf(new Uint8Array(9))).toThrow('not whole instructions');
});
