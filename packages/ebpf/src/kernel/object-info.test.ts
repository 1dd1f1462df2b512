import { parseHex } from '@weir/wire/bytes';
import { describe, expect, it } from 'vitest';
import { decodeLinkInfo } from './link-info.ts';
import { decodeMapInfo } from './map-info.ts';
import { readName } from './object-info.ts';
import { decodeProgramInfo } from './program-info.ts';

function view(length: number, fields: Readonly<Record<number, number | bigint | string>>): DataView {
  const bytes = new Uint8Array(length);
  const out = new DataView(bytes.buffer);
  for (const [at, value] of Object.entries(fields)) {
    if (typeof value === 'string') bytes.set(new TextEncoder().encode(value), Number(at));
    else if (typeof value === 'bigint') out.setBigUint64(Number(at), value, true);
    else out.setUint32(Number(at), value, true);
  }
  return out;
}

describe('what the kernel says about objects (linux/bpf.h)', () => {
  it('a map', () => {
    const info = view(88, { 0: 11, 4: 77, 8: 8, 12: 4, 16: 1000, 20: 1, 24: 'prefixes' });
    expect(decodeMapInfo(info)).toEqual({
      type: 'lpm_trie',
      typeNumber: 11,
      id: 77,
      keySize: 8,
      valueSize: 4,
      maxEntries: 1000,
      flags: 1,
      name: 'prefixes',
    });
    expect(decodeMapInfo(view(88, { 0: 500 }))).toMatchObject({ type: 'unspec', typeNumber: 500 });
  });

  it('a program', () => {
    const info = view(232, { 0: 6, 4: 9, 16: 40, 20: 64, 40: 5n, 48: 1000, 64: 'weir_xdp', 192: 700n, 200: 7n, 216: 12 });
    new Uint8Array(info.buffer).set(parseHex('0011223344556677'), 8);
    expect(decodeProgramInfo(info, [1, 2])).toEqual({
      type: 'xdp',
      typeNumber: 6,
      id: 9,
      tag: '0011223344556677',
      name: 'weir_xdp',
      uid: 1000,
      loadedAt: 5n,
      compiledBytes: 40,
      translatedBytes: 64,
      verifiedInstructions: 12,
      mapIds: [1, 2],
      runs: 7n,
      runNanoseconds: 700n,
    });
  });

  it.each([
    { name: 'xdp', fields: { 0: 6, 16: 3 }, want: { kind: 'xdp', interface: 3 } },
    { name: 'tcx', fields: { 0: 11, 16: 3, 20: 47 }, want: { kind: 'tcx', interface: 3, attachType: 'tcx_egress' } },
    {
      name: 'tcx of a type that is not used',
      fields: { 0: 11, 16: 3, 20: 99 },
      want: { kind: 'tcx', interface: 3, attachType: undefined },
    },
    {
      name: 'cgroup',
      fields: { 0: 3, 16: 2n ** 40n, 24: 10 },
      want: { kind: 'cgroup', cgroup: 2n ** 40n, attachType: 'cgroup_inet4_connect' },
    },
    {
      name: 'netfilter',
      fields: { 0: 10, 16: 2, 20: 1, 24: 0xffff_ff6a, 28: 1 },
      want: { kind: 'netfilter', family: 2, hook: 1, priority: -150, flags: 1 },
    },
    { name: 'another', fields: { 0: 8 }, want: { kind: 'other', type: 8 } },
  ])('a link: $name', ({ fields, want }) => {
    expect(decodeLinkInfo(view(64, { 4: 5, 8: 6, ...fields }))).toEqual({ id: 5, programId: 6, ...want });
  });

  it('names end with a zero, or not at all', () => {
    expect(readName(view(16, { 0: 'abc' }), 0)).toBe('abc');
    expect(readName(view(16, { 0: 'abcdefghijklmnop' }), 0)).toBe('abcdefghijklmnop');
  });
});
