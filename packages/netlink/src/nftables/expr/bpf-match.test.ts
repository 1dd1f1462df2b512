import { printHex, Reader, Writer } from '@weir/wire/bytes';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type BpfMatch, bpfMatch, printBpfMatch, readBpfMatch } from './bpf-match.ts';
import { decodeExpression, type Expression, encodeExpression } from './registry.ts';

describe('match bpf', () => {
  // struct xt_bpf_info_v1 of linux/netfilter/xt_bpf.h.
  it('is 528 octets: the mode, a descriptor, the path, and room for the kernel', () => {
    const { info } = bpfMatch({ kind: 'pinned', path: '/sys/fs/bpf/x' });
    expect(info).toHaveLength(528);
    expect(printHex(info.subarray(0, 24))).toBe(`0100000000000000${printHex(new TextEncoder().encode('/sys/fs/bpf/x'))}000000`);
    expect(info.subarray(24).every((octet) => octet === 0)).toBe(true);
    expect(printHex(bpfMatch({ kind: 'descriptor', fd: 7 }).info.subarray(0, 12))).toBe('020000000700000000000000');
  });

  it('comes back from the wire as it was', () => {
    const path = fc.string({ maxLength: 100 }).map((text) => `/${text.replace(/[\0\p{Surrogate}]/gu, '')}`);
    const program = fc.oneof(
      path.map((at): BpfMatch => ({ kind: 'pinned', path: at })),
      fc.nat().map((fd): BpfMatch => ({ kind: 'descriptor', fd })),
    );
    fc.assert(
      fc.property(program, (wanted) => {
        const w = new Writer();
        encodeExpression(w, bpfMatch(wanted));
        expect(readBpfMatch(decodeExpression(new Reader(w.finish())))).toEqual(wanted);
      }),
    );
  });

  it('is as long as the kernel takes', () => {
    expect(() => bpfMatch({ kind: 'pinned', path: `/${'a'.repeat(511)}` })).toThrow(RangeError);
    expect(() => bpfMatch({ kind: 'pinned', path: '/a\0b' })).toThrow(RangeError);
    expect(readBpfMatch(bpfMatch({ kind: 'pinned', path: `/${'a'.repeat(510)}` }))).toMatchObject({ kind: 'pinned' });
  });

  it('is told from other matches', () => {
    const one = bpfMatch({ kind: 'pinned', path: '/x' });
    const others: readonly Expression[] = [
      { ...one, name: 'comment' },
      { ...one, revision: 0 },
      { ...one, info: one.info.subarray(1) },
      { ...one, info: new Uint8Array(528) },
      { ...one, info: new Uint8Array(528).fill(1) },
      { kind: 'notrack' },
    ];
    expect(others.map(readBpfMatch)).toEqual(others.map(() => undefined));
  });

  it('is printed with its program', () => {
    expect(printBpfMatch({ kind: 'pinned', path: '/sys/fs/bpf/x' })).toBe('xt match bpf object-pinned /sys/fs/bpf/x');
    expect(printBpfMatch({ kind: 'descriptor', fd: 7 })).toBe('xt match bpf descriptor 7');
  });
});
