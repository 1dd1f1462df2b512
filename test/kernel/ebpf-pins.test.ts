import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { adoptMap, attachXdp, BpfError, BpfLink, BpfMap, isOnBpfFileSystem, listLinks, PinDirectory } from '@weir/ebpf/kernel';
import { NetworkNamespace } from '@weir/sys';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../lab/index.ts';
import { bpftool, load, returning, u32 } from './ebpf-bed.ts';
import { bpfMount, mountBpf } from './ebpf-runtime-bed.ts';

mountBpf();

const SPEC = { name: 'weir_pin', type: 'hash', keySize: 4, valueSize: 4, maxEntries: 8 } as const;

describe('pins', () => {
  it('keep maps and programs, and are listed', async () => {
    const directory = PinDirectory.open(join(bpfMount(), 'weir'));
    const map = BpfMap.create(SPEC);
    map.update(u32(1), u32(7));
    const program = load({ name: 'weir_pin', type: 'xdp' }, returning(2));
    const id = map.info().id;
    directory.pin(map, 'flows');
    directory.pin(program, 'stub');
    const [programId] = [program.info().id];
    map.close();
    program.close();
    const deeper = directory.at('v1');
    expect(directory.list()).toEqual({ pinned: ['flows', 'stub'], directories: ['v1'] });
    expect([directory.kind('flows'), directory.kind('stub'), directory.kind('none')]).toEqual(['map', 'program', undefined]);
    const shown = await bpftool<{ id: number; name: string }>('map', 'show', 'pinned', join(directory.path, 'flows'));
    expect(shown).toMatchObject({ id, name: 'weir_pin' });
    const again = directory.map('flows');
    expect([again?.info().id, again?.lookup(u32(1))]).toEqual([id, u32(7)]);
    again?.close();
    const other = directory.program('stub');
    expect(other?.info().id).toBe(programId);
    other?.close();
    expect([directory.map('stub'), directory.program('none'), directory.link('flows')]).toEqual([undefined, undefined, undefined]);
    expect([directory.unpin('flows'), directory.unpin('flows')]).toEqual([true, false]);
    deeper.pin(BpfMap.create(SPEC), 'inner');
    directory.remove();
    expect(PinDirectory.open(bpfMount()).list().directories).toEqual([]);
  });

  it('replace what is there, also when something was left half done', async () => {
    const directory = PinDirectory.open(join(bpfMount(), 'replace'));
    const [first, second] = [BpfMap.create(SPEC), BpfMap.create(SPEC)];
    directory.pin(first, 'map');
    // As if a process had ended between pinning and renaming.
    await runCommand('bpftool', ['map', 'pin', 'id', String(first.info().id), join(directory.path, 'map~new')]);
    expect(directory.list().pinned).toEqual(['map']);
    directory.pin(second, 'map');
    const found = directory.map('map');
    expect(found?.info().id).toBe(second.info().id);
    expect(readdirSync(directory.path)).toEqual(['map']);
    await runCommand('bpftool', ['map', 'pin', 'id', String(first.info().id), join(directory.path, 'map~new')]);
    directory.remove();
    expect(isOnBpfFileSystem(directory.path) && existsSync(directory.path)).toBe(false);
    for (const one of [first, second, found]) one?.close();
  });

  it('keep a link attached when nobody holds it', () => {
    const namespace = NetworkNamespace.make();
    const directory = PinDirectory.open(join(bpfMount(), 'links'));
    const [program, next] = [load({ name: 'weir_one', type: 'xdp' }, returning(2)), load({ name: 'weir_two', type: 'xdp' }, returning(2))];
    const { link } = attachXdp(program, { interface: 1, netns: namespace.path });
    const { id } = link.info();
    directory.pin(link, 'xdp');
    link.close();
    const adopted = directory.link('xdp');
    expect(adopted?.info()).toEqual({ kind: 'xdp', id, programId: program.info().id, interface: 1 });
    adopted?.update(next, program);
    expect(listLinks()).toContainEqual({ kind: 'xdp', id, programId: next.info().id, interface: 1 });
    adopted?.close();
    directory.unpin('xdp');
    expect(() => BpfLink.fromId(id)).toThrow(BpfError);
    directory.remove();
    for (const one of [program, next, namespace]) one.close();
  });

  it('are adopted when they fit, and if not it is said why', () => {
    const directory = PinDirectory.open(join(bpfMount(), 'adopt'));
    expect(adoptMap(directory, 'map', SPEC)).toEqual({ kind: 'absent' });
    const made = BpfMap.create(SPEC);
    directory.pin(made, 'map');
    const adoption = adoptMap(directory, 'map', SPEC);
    expect(adoption.kind === 'adopted' && adoption.map.info().id).toBe(made.info().id);
    if (adoption.kind === 'adopted') adoption.map.close();
    expect(adoptMap(directory, 'map', { ...SPEC, valueSize: 8, maxEntries: 16, flags: 1 })).toEqual({
      kind: 'unfit',
      differences: [
        { field: 'valueSize', have: 4, want: 8 },
        { field: 'maxEntries', have: 8, want: 16 },
        { field: 'flags', have: 0, want: 1 },
      ],
    });
    made.close();
    directory.remove();
  });

  it('need a BPF file system, and names without dots', () => {
    const plain = mkdtempSync(join(tmpdir(), 'weir-plain-'));
    expect(() => PinDirectory.open(join(plain, 'weir'))).toThrow(
      /no BPF file system is mounted there; mount one with: mount -t bpf bpf \/sys\/fs\/bpf/,
    );
    expect([isOnBpfFileSystem(join(plain, 'a/b')), isOnBpfFileSystem(join(bpfMount(), 'a/b'))]).toEqual([false, true]);
    rmSync(plain, { recursive: true });
    const directory = PinDirectory.open(join(bpfMount(), 'names'));
    const map = BpfMap.create(SPEC);
    for (const name of ['a.b', '', '../x', 'a/b']) expect(() => directory.pin(map, name)).toThrow(RangeError);
    map.close();
    directory.remove();
  });
});
