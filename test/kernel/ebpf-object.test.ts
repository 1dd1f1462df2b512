import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BpfError, PinDirectory, VerifierError } from '@weir/ebpf/kernel';
import { BpfObject, libbpfVersion, ObjectError } from '@weir/ebpf/object';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../lab/index.ts';
import { compileC, ENDS_WITH_X, PRELUDE, UNCHECKED } from './c-program.ts';
import { bpftool, keep, readU64, u32 } from './ebpf-bed.ts';

function problem(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was refused');
}

function packet(text: string): Uint8Array {
  const bytes = new Uint8Array(64 + text.length);
  // The link header of a test run: IPv4.
  bytes.set([0x08, 0x00], 12);
  bytes.set(new TextEncoder().encode(text), 64);
  return bytes;
}

describe('ELF objects through libbpf', () => {
  it('is there', () => expect(libbpfVersion()).toMatch(/^v1\./));

  it('are opened, listed, loaded and run', async () => {
    const object = keep(BpfObject.open(await compileC(ENDS_WITH_X), 'tail.o'));
    expect(object.programs()).toEqual([{ name: 'ends_with_x', section: 'socket', type: 'socket_filter' }]);
    expect(object.maps()).toEqual([{ name: 'asked', type: 'array', keySize: 4, valueSize: 8, maxEntries: 1 }]);
    expect(problem(() => object.program('ends_with_x'))).toMatchObject({ name: 'ObjectError', code: 'not-loaded' });
    object.load();
    const program = keep(object.program('ends_with_x'));
    const map = object.map('asked');
    if (map) keep(map);
    expect(program.run({ data: packet('tax') }).result).toBe(1);
    expect(program.run({ data: packet('tac') }).result).toBe(0);
    expect(readU64(map?.lookup(u32(0)))).toBe(2n);
    expect(object.map('other')).toBeUndefined();
    expect(program.info()).toMatchObject({ name: 'ends_with_x', type: 'socket_filter' });
  });

  it('what is asked for outlives the object', async () => {
    const object = BpfObject.open(await compileC(ENDS_WITH_X), 'tail.o');
    object.load();
    const program = keep(object.program('ends_with_x'));
    object.close();
    object.close();
    expect(program.run({ data: packet('x') }).result).toBe(1);
  });

  it('are pinned', async () => {
    const mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
    await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
    try {
      const object = keep(BpfObject.open(await compileC(ENDS_WITH_X), 'tail.o'));
      object.load();
      const directory = PinDirectory.open(join(mounted, 'objects'));
      object.pin('ends_with_x', directory);
      object.pin('asked', directory);
      expect(directory.list().pinned).toEqual(['asked', 'ends_with_x']);
      const shown = await bpftool<{ type: string }>('prog', 'show', 'pinned', join(directory.path, 'ends_with_x'));
      expect(shown.type).toBe('socket_filter');
      directory.remove();
    } finally {
      await runCommand('umount', [mounted]);
      rmdirSync(mounted);
    }
  });

  it('a program that the verifier refuses, with its log', async () => {
    const octets = await compileC(UNCHECKED);
    const object = keep(BpfObject.open(octets, 'careless.o'));
    const error = problem(() => object.load());
    expect(error).toBeInstanceOf(VerifierError);
    if (!(error instanceof VerifierError)) return;
    expect(error.message).toContain('load program careless of careless.o: the kernel does not accept it (at instruction');
    expect(error.message).toContain("invalid mem access 'map_value_or_null'");
    expect(error.log).toContain('call bpf_map_lookup_elem#1');
    expect(error.complete).toBe(true);
    expect(error.instruction).toBeGreaterThan(0);
    // The other program of the object is good.
    const again = keep(BpfObject.open(octets, 'careless.o'));
    again.load({ programs: ['always'] });
    expect(keep(again.program('always')).run({ data: packet('') }).result).toBe(1);
    expect(problem(() => again.program('careless'))).toMatchObject({ code: 'not-loaded' });
  });

  it('a section that says no type takes the one that is given', async () => {
    const object = keep(BpfObject.open(await compileC(`${PRELUDE}\nSEC("mine") int one(struct __sk_buff *skb) { return 1; }`), 'mine.o'));
    expect(object.programs()).toEqual([{ name: 'one', section: 'mine', type: 'unspec' }]);
    object.load({ programs: ['one'], type: 'socket_filter' });
    expect(keep(object.program('one')).info().type).toBe('socket_filter');
  });

  it.each([
    { name: 'no ELF', make: () => new TextEncoder().encode('#!/bin/sh\n') },
    { name: 'nothing', make: () => new Uint8Array(0) },
    { name: 'cut off', make: async () => (await compileC(ENDS_WITH_X)).subarray(0, 200) },
  ])('$name is no object', async ({ make }) => {
    const octets = await make();
    expect(problem(() => BpfObject.open(octets, 'x.o'))).toMatchObject({ name: 'ObjectError', code: 'not-an-object', object: 'x.o' });
  });

  it('without the library only this is not there, and it is said what is missing', () => {
    expect(problem(() => BpfObject.open(new Uint8Array(0), 'x.o', () => undefined))).toMatchObject({
      code: 'no-library',
      message: 'object x.o: libbpf.so.1 is not installed here (Debian: libbpf1)',
    });
  });

  it('a program that it has not', async () => {
    const object = keep(BpfObject.open(await compileC(ENDS_WITH_X), 'tail.o'));
    const error = problem(() => object.load({ programs: ['other'] }));
    expect(error).toBeInstanceOf(ObjectError);
    expect(error).not.toBeInstanceOf(BpfError);
    expect(String(error)).toBe('ObjectError: object tail.o: there is no program other in it: it has ends_with_x');
  });
});
