import { Writer } from '@weir/wire/bytes';
import { describe, expect, it } from 'vitest';
import { BTF_KIND, Btf, BtfError } from './btf.ts';

/** A type as `struct btf_type` (linux/btf.h): name, info (kind << 24 | members, with the highest bit for bit fields), size or type, then what the kind adds. */
interface Type {
  readonly name: string;
  readonly info: number;
  readonly size: number;
  readonly rest?: readonly (number | string)[];
}

/** BTF of types; numbers in `rest` stand for themselves, texts for the offsets of their names. `base` are the names that lie before. */
function build(types: readonly Type[], base = ''): Uint8Array {
  let names = base === '' ? '\0' : base;
  const offset = (name: string): number => {
    const found = name === '' ? 0 : names.indexOf(`\0${name}\0`) + 1;
    if (name === '' || found > 0) return found;
    names += `${name}\0`;
    return names.length - name.length - 1;
  };
  const body = new Writer();
  for (const { name, info, size, rest } of types) {
    body.u32LE(offset(name)).u32LE(info).u32LE(size);
    for (const one of rest ?? []) body.u32LE(typeof one === 'string' ? offset(one) : one);
  }
  const own = new TextEncoder().encode(names.slice(base.length));
  const out = new Writer();
  out.u16LE(0xeb9f).u8(1).u8(0).u32LE(24).u32LE(0).u32LE(body.length).u32LE(body.length).u32LE(own.length);
  return Uint8Array.from([...out.bytes(body.finish()).bytes(own).finish()]);
}

const kind = (number: number, members = 0, bitFields = 0): number => ((bitFields << 31) | (number << 24) | members) >>> 0;

const KERNEL: readonly Type[] = [
  { name: 'int', info: kind(1), size: 4, rest: [32] },
  { name: '', info: kind(2), size: 1 },
  { name: '', info: kind(3), size: 0, rest: [1, 1, 4] },
  { name: 'pair', info: kind(4, 2), size: 8, rest: ['first', 1, 0, 'second', 2, 32] },
  { name: 'flags', info: kind(4, 2, 1), size: 4, rest: ['low', 1, (3 << 24) | 0, 'high', 1, (5 << 24) | 3] },
  { name: 'choice', info: kind(5, 1), size: 4, rest: ['only', 1, 0] },
  { name: 'colour', info: kind(6, 2), size: 4, rest: ['red', 0, 'green', 1] },
  { name: '', info: kind(13, 1), size: 1, rest: ['argument', 2] },
  { name: 'do_it', info: kind(12, 1), size: 8 },
  { name: 'variable', info: kind(14), size: 1, rest: [1] },
  { name: '.data', info: kind(15, 1), size: 4, rest: [10, 0, 4] },
  { name: 'double', info: kind(16), size: 8 },
  { name: 'tag', info: kind(17), size: 9, rest: [0xffff_ffff] },
  { name: 'mark', info: kind(18), size: 1 },
  { name: 'big', info: kind(19, 1), size: 8, rest: ['one', 1, 0] },
  { name: 'pair', info: kind(12), size: 8 },
  { name: 'do_it_again', info: kind(12), size: 8 },
];
const NAMES =
  '\0int\0pair\0first\0second\0flags\0low\0high\0choice\0only\0colour\0red\0green\0argument\0do_it\0variable\0.data\0double\0tag\0mark\0big\0one\0do_it_again\0';

describe('BTF', () => {
  const btf = new Btf(build(KERNEL));

  it('counts its types, and finds them by kind and name', () => {
    expect(btf.nextId).toBe(18);
    expect([...btf.find(BTF_KIND.func, ['do_it', 'do_it_again', 'pair', 'do', 'it'])]).toEqual([
      ['do_it', 9],
      ['pair', 16],
      ['do_it_again', 17],
    ]);
    expect([...btf.find(BTF_KIND.enum, ['colour', 'red'])]).toEqual([['colour', 7]]);
    expect([...btf.find(BTF_KIND.enum64, ['big'])]).toEqual([['big', 15]]);
    expect(btf.find(BTF_KIND.func, []).size).toBe(0);
  });

  it.each([
    {
      name: 'pair',
      want: {
        id: 4,
        size: 8,
        members: [
          { name: 'first', type: 1, bitOffset: 0, bits: 0 },
          { name: 'second', type: 2, bitOffset: 32, bits: 0 },
        ],
      },
    },
    {
      name: 'flags',
      want: {
        id: 5,
        size: 4,
        members: [
          { name: 'low', type: 1, bitOffset: 0, bits: 3 },
          { name: 'high', type: 1, bitOffset: 3, bits: 5 },
        ],
      },
    },
  ])('struct $name', ({ name, want }) => {
    expect(btf.struct(name)).toEqual({ name, ...want });
  });

  it('knows unions, and what it has not', () => {
    expect(btf.struct('choice', BTF_KIND.union)?.members).toEqual([{ name: 'only', type: 1, bitOffset: 0, bits: 0 }]);
    expect([btf.struct('choice'), btf.struct('none')]).toEqual([undefined, undefined]);
    expect(() => btf.name(10_000)).toThrow(BtfError);
  });

  it('of a module goes on where that of the kernel ends', () => {
    const bytes = build(
      [
        { name: 'do_it', info: kind(12), size: 8 },
        { name: 'module_only', info: kind(12), size: 8 },
        { name: 'state', info: kind(4, 2), size: 8, rest: ['first', 1, 0, 'extra', 1, 32] },
      ],
      NAMES,
    );
    const module = new Btf(bytes, btf);
    expect(btf.nameBytes).toBe(NAMES.length);
    expect([...module.find(BTF_KIND.func, ['do_it', 'module_only', 'do_it_again'])]).toEqual([
      ['do_it', 18],
      ['module_only', 19],
    ]);
    expect(module.struct('state')).toMatchObject({ id: 20, members: [{ name: 'first' }, { name: 'extra', bitOffset: 32 }] });
    expect(module.nextId).toBe(21);
  });

  it('cut short anywhere is an error, and nothing else', () => {
    const bytes = build(KERNEL);
    for (let length = 0; length < bytes.length; length++) expect(() => new Btf(bytes.subarray(0, length))).toThrow(BtfError);
  });

  it.each([
    { name: 'another magic', at: 0, value: 0x12 },
    { name: 'another version', at: 2, value: 2 },
    { name: 'an unknown kind', at: 24 + 7, value: 30 },
    { name: 'a kind of nothing', at: 24 + 7, value: 0 },
    { name: 'more members than there are bytes', at: 24 + 16 + 12 + 24 + 5, value: 0xff },
  ])('with $name is an error', ({ at, value }) => {
    const bytes = build(KERNEL);
    bytes[at] = value;
    expect(() => new Btf(bytes)).toThrow(BtfError);
  });
});
