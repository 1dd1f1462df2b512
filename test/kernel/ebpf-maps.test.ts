import {
  BatchError,
  BpfMap,
  BpfProgram,
  compareMap,
  deleteBatch,
  listMaps,
  MAP_FLAG,
  type MapSpec,
  mapArrayValues,
  possibleCpus,
  readEntries,
  readValues,
  splitCpus,
  sumCpus,
  updateBatch,
} from '@weir/ebpf/kernel';
import { describe, expect, it } from 'vitest';
import { assemble, bpftool, counting, frame, keep, load, readU64, refused, returning, u32, u64 } from './ebpf-bed.ts';

function make(spec: Partial<MapSpec> & Pick<MapSpec, 'type'>): BpfMap {
  const map = BpfMap.create({ name: 'weir_t', maxEntries: 4, ...spec });
  keep(map);
  return map;
}

/** Bytes as bpftool prints them: `0x01`. */
function hex(bytes: Uint8Array): string[] {
  return [...bytes].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`);
}

interface Dumped {
  readonly key: string[];
  readonly value?: string[];
  readonly values?: readonly { readonly cpu: number; readonly value: string[] }[];
}

describe('maps', () => {
  it.each([
    { name: 'array', spec: { type: 'array', valueSize: 8 }, keys: [u32(0), u32(3)] },
    { name: 'hash', spec: { type: 'hash', keySize: 3, valueSize: 5 }, keys: [new Uint8Array([1, 2, 3]), new Uint8Array([9, 9, 9])] },
    { name: 'LRU hash', spec: { type: 'lru_hash', keySize: 4, valueSize: 8 }, keys: [u32(1), u32(70000)] },
    {
      name: 'trie',
      spec: { type: 'lpm_trie', keySize: 8, valueSize: 4 },
      keys: [new Uint8Array([24, 0, 0, 0, 192, 0, 2, 0]), new Uint8Array([8, 0, 0, 0, 10, 0, 0, 0])],
    },
  ] as const)('$name: what is written is read, by us and by bpftool', async ({ spec, keys }) => {
    const map = make(spec);
    const values = keys.map((_, i) => new Uint8Array(map.valueBytes).fill(i + 0x11));
    for (const [i, key] of keys.entries()) map.update(key, values[i]!);
    expect(keys.map((key) => map.lookup(key))).toEqual(values);
    const info = map.info();
    const shown = await bpftool<Record<string, unknown>>('map', 'show', 'id', String(info.id));
    expect(shown).toMatchObject({
      id: info.id,
      type: info.type,
      name: 'weir_t',
      bytes_key: map.keySize,
      bytes_value: map.valueSize,
      max_entries: 4,
      flags: info.flags,
      frozen: 0,
    });
    expect(map.usage()).toEqual({ memory: shown['bytes_memlock'], frozen: false });
    const dumped = await bpftool<readonly Dumped[]>('map', 'dump', 'id', String(info.id));
    for (const [i, key] of keys.entries()) expect(dumped).toContainEqual({ key: hex(key), value: hex(values[i]!) });
    const read: Dumped[] = [];
    readEntries(map, (key, value) => read.push({ key: hex(key), value: hex(value) }));
    expect(sorted(read)).toEqual(sorted(dumped));
    const walked: string[][] = [];
    for (let key = map.nextKey(); key; key = map.nextKey(key)) walked.push(hex(key));
    expect(walked.map(String).sort()).toEqual(dumped.map((one) => String(one.key)).sort());
    expect(listMaps()).toContainEqual(info);
    if (map.isArray) return;
    expect([map.delete(keys[0]), map.delete(keys[0]), map.lookup(keys[0])]).toEqual([true, false, undefined]);
  });

  it.each(['percpu_array', 'percpu_hash', 'lru_percpu_hash'] as const)('%s: a value for each possible CPU, padded', async (type) => {
    const map = make({ type, keySize: 4, valueSize: 12 });
    const cpus = possibleCpus();
    expect(map.valueBytes).toBe(16 * cpus);
    const value = new Uint8Array(map.valueBytes);
    for (let cpu = 0; cpu < cpus; cpu++) value.fill(cpu + 1, cpu * 16, cpu * 16 + 12);
    map.update(u32(1), value);
    const read = map.lookup(u32(1))!;
    expect(splitCpus(read, 12)).toEqual(Array.from({ length: cpus }, (_, cpu) => new Uint8Array(12).fill(cpu + 1)));
    const dumped = await bpftool<readonly Dumped[]>('map', 'dump', 'id', String(map.info().id));
    const found = dumped.find((one) => String(one.key) === String(hex(u32(1))));
    expect(found?.values).toEqual(splitCpus(read, 12).map((one, cpu) => ({ cpu, value: hex(one) })));
  });

  it('count per CPU', () => {
    const map = make({ type: 'percpu_array', valueSize: 8, name: 'count' });
    const program = load({ name: 'weir_c', type: 'xdp' }, counting('count', 2), [map]);
    keep(program);
    expect(program.run({ data: frame(), repeat: 1000 }).result).toBe(2);
    expect(sumCpus(map.lookup(u32(0))!, 8)).toEqual(BigUint64Array.of(1000n));
  });

  it('say whether a key is new', () => {
    const map = make({ type: 'hash', keySize: 4, valueSize: 4 });
    map.update(u32(1), u32(1), 'new');
    expect(refused(() => map.update(u32(1), u32(2), 'new'))).toMatchObject({ reason: 'exists', code: 'EEXIST', operation: 'update' });
    expect(refused(() => map.update(u32(2), u32(2), 'existing'))).toMatchObject({ reason: 'absent' });
    map.update(u32(1), u32(3), 'existing');
    expect(map.lookup(u32(1))).toEqual(u32(3));
    expect(() => map.update(new Uint8Array(3), u32(1))).toThrow('map weir_t: a key of 3 bytes, not 4');
    expect(() => map.update(u32(1), new Uint8Array(3))).toThrow('map weir_t: a value of 3 bytes, not 4');
  });

  it.each([
    { name: 'a hash', spec: { type: 'hash', keySize: 4, valueSize: 4 }, key: (i: number) => u32(i), reason: 'full' },
    { name: 'a trie', spec: { type: 'lpm_trie', keySize: 8, valueSize: 4 }, key: (i: number) => u32(32, i), reason: 'full' },
    { name: 'an array', spec: { type: 'array', valueSize: 4 }, key: (i: number) => u32(i), reason: 'range' },
  ] as const)('$name that is full says so', ({ spec, key, reason }) => {
    const map = make(spec);
    for (let i = 0; i < 4; i++) map.update(key(i), u32(i));
    const error = refused(() => map.update(key(4), u32(4)));
    expect(error).toMatchObject({ reason, object: 'map weir_t' });
    expect(error.message).toBe(
      `update map weir_t: ${reason === 'full' ? 'it is full' : 'there is no such index'} (4 entries): ${error.code}`,
    );
  });

  it('refuse what cannot be, with the reason', () => {
    expect(refused(() => make({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 0 }))).toMatchObject({
      reason: 'invalid',
      operation: 'create',
    });
    expect(refused(() => make({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 2 ** 32 - 1 })).reason).toBe('range');
    expect(() => make({ type: 'array', keySize: 8, valueSize: 4 })).toThrow(RangeError);
    expect(() => make({ type: 'hash', keySize: 4, valueSize: 4, name: 'with space' })).toThrow(RangeError);
    expect(() => make({ type: 'array_of_maps' })).toThrow(RangeError);
    const map = make({ type: 'array', valueSize: 4, flags: MAP_FLAG.readOnlyProgram });
    map.freeze();
    expect(map.usage().frozen).toBe(true);
    expect(refused(() => map.update(u32(0), u32(1)))).toMatchObject({ reason: 'permission', missing: [] });
    map.close();
    map.close();
    expect(refused(() => map.lookup(u32(0))).message).toContain('it is closed');
    expect(refused(() => BpfMap.fromId(2 ** 31 - 1)).reason).toBe('absent');
  });

  it('hold programs and maps', async () => {
    const programs = make({ type: 'prog_array', name: 'progs' });
    const inner = { name: 'inner', type: 'array', valueSize: 4, maxEntries: 2 } as const;
    const outer = make({ type: 'array_of_maps', name: 'outer', inner });
    const leaf = load({ name: 'weir_leaf', type: 'xdp' }, returning(7));
    const stub = load({ name: 'weir_stub', type: 'xdp' }, (asm) => asm.tailCall('r1', 'progs', 0).mov('r0', 1).exit(), [programs]);
    keep(leaf);
    keep(stub);
    expect(stub.run({ data: frame() }).result).toBe(1);
    programs.update(u32(0), u32(leaf.fd));
    expect(stub.run({ data: frame() }).result).toBe(7);
    expect(programs.lookup(u32(0))).toEqual(u32(leaf.info().id));
    programs.delete(u32(0));
    expect(stub.run({ data: frame() }).result).toBe(1);
    const named = make({ type: 'hash_of_maps', name: 'named', keySize: 8, inner });
    const first = make({ ...inner });
    named.update(u64(5), u32(first.fd));
    expect([named.lookup(u64(5)), named.lookup(u64(6))]).toEqual([u32(first.info().id), undefined]);
    outer.update(u32(1), u32(first.fd));
    expect(outer.lookup(u32(1))).toEqual(u32(first.info().id));
    expect(stub.info().mapIds).toEqual([programs.info().id]);
    const shown = await bpftool<{ id: number; map_ids: number[] }>('prog', 'show', 'id', String(stub.info().id));
    expect(shown.map_ids).toEqual(stub.info().mapIds);
    expect(refused(() => outer.update(u32(0), u32(make({ type: 'array', valueSize: 8 }).fd))).reason).toBe('invalid');
  });

  it('are borrowed, and then stay open', () => {
    const map = make({ type: 'hash', keySize: 4, valueSize: 4 });
    const borrowed = BpfMap.borrow(map.fd);
    borrowed.update(u32(1), u32(2));
    borrowed.close();
    expect(map.lookup(u32(1))).toEqual(u32(2));
    const program = load({ name: 'weir_x', type: 'xdp' }, returning(1));
    keep(program);
    expect(refused(() => BpfMap.borrow(program.fd))).toMatchObject({ reason: 'invalid', object: `map at descriptor ${program.fd}` });
    expect(refused(() => BpfMap.borrow(100_000))).toMatchObject({ code: 'EBADF' });
  });

  it('share the memory of an array', () => {
    const map = make({ type: 'array', valueSize: 12, maxEntries: 1000, flags: MAP_FLAG.mmapable });
    const memory = mapArrayValues(map, { write: true });
    memory.bytes[16 * 999 + 11] = 5;
    map.update(u32(3), new Uint8Array(12).fill(9));
    expect([memory.bytes[48], map.lookup(u32(999))?.[11]]).toEqual([9, 5]);
    memory.close();
  });

  it('are compared with what is wanted', () => {
    const spec = { name: 'weir_t', type: 'lpm_trie', keySize: 8, valueSize: 4, maxEntries: 4 } as const;
    const info = make(spec).info();
    expect(compareMap(info, spec)).toEqual([]);
    expect(compareMap(info, { ...spec, type: 'hash', maxEntries: 5, valueSize: 8, flags: 1 })).toEqual([
      { field: 'type', have: 'lpm_trie', want: 'hash' },
      { field: 'valueSize', have: 4, want: 8 },
      { field: 'maxEntries', have: 4, want: 5 },
    ]);
  });
});

describe('batches', () => {
  const COUNT = 5000;
  const numbers = Array.from({ length: COUNT }, (_, i) => i);

  it.each([
    { name: 'hash', spec: { type: 'hash', keySize: 4, valueSize: 8 }, value: (i: number) => u64(i * 3) },
    { name: 'LRU hash', spec: { type: 'lru_hash', keySize: 4, valueSize: 8, maxEntries: COUNT * 4 }, value: (i: number) => u64(i * 3) },
    { name: 'array', spec: { type: 'array', valueSize: 8 }, value: (i: number) => u64(i * 3) },
    {
      name: 'per-CPU hash',
      spec: { type: 'percpu_hash', keySize: 4, valueSize: 8 },
      value: (i: number) => u64(...Array.from({ length: possibleCpus() }, () => i * 3)),
    },
    {
      name: 'per-CPU array',
      spec: { type: 'percpu_array', valueSize: 8 },
      value: (i: number) => u64(...Array.from({ length: possibleCpus() }, () => i * 3)),
    },
  ] as const)('$name: write, read and delete thousands', ({ spec, value }) => {
    const map = make({ maxEntries: COUNT, ...spec });
    updateBatch(map, u32(...numbers), Buffer.concat(numbers.map(value)));
    const seen = new Map<number, bigint>();
    readEntries(map, (key, found) => seen.set(new DataView(key.buffer, key.byteOffset).getUint32(0, true), readU64(found)!));
    expect(seen.size).toBe(COUNT);
    expect(numbers.every((i) => seen.get(i) === BigInt(i * 3))).toBe(true);
    if (map.isArray) {
      expect(Buffer.compare(readValues(map), Buffer.concat(numbers.map(value)))).toBe(0);
      return;
    }
    expect(deleteBatch(map, u32(1, 2, 70_000, 3, 80_000))).toBe(3);
    expect(deleteBatch(map, u32(...numbers))).toBe(COUNT - 3);
    expect(map.nextKey()).toBeUndefined();
  });

  it('of a trie', () => {
    const map = make({ type: 'lpm_trie', keySize: 8, valueSize: 4, maxEntries: COUNT });
    const keys = u32(...numbers.flatMap((i) => [32, i]));
    updateBatch(map, keys, u32(...numbers));
    let count = 0;
    readEntries(map, () => count++);
    expect([count, deleteBatch(map, keys)]).toEqual([COUNT, COUNT]);
  });

  it('say how far they came', () => {
    const map = make({ type: 'hash', keySize: 4, valueSize: 4, maxEntries: 100, flags: MAP_FLAG.noPrealloc });
    const update = (from: number, count: number): void =>
      updateBatch(map, u32(...numbers.slice(from, from + count)), u32(...numbers.slice(from, from + count)));
    update(0, 60);
    const error = refused(() => update(50, 200));
    expect(error).toBeInstanceOf(BatchError);
    expect(error).toMatchObject({ reason: 'full', done: 50 });
    expect(error.message).toBe('update map weir_t: it is full (100 entries, after 50 entries): E2BIG');
    expect(refused(() => updateBatch(map, u32(200), u32(1)))).toMatchObject({ reason: 'full', done: 0 });
    expect(() => updateBatch(map, u32(1, 2), u32(1))).toThrow(RangeError);
  });

  it('of maps that have none go entry by entry', () => {
    const programs = make({ type: 'prog_array', name: 'progs', maxEntries: 8 });
    const leaf = load({ name: 'weir_leaf', type: 'xdp' }, returning(7));
    keep(leaf);
    updateBatch(programs, u32(1, 5), u32(leaf.fd, leaf.fd));
    const keys: number[] = [];
    readEntries(programs, (key) => keys.push(key[0]!));
    expect(keys).toEqual([1, 5]);
    expect(refused(() => updateBatch(programs, u32(2, 3), u32(leaf.fd, 100_000)))).toMatchObject({ done: 1 });
    expect(deleteBatch(programs, u32(1, 2, 6, 5))).toBe(3);
  });
});

describe('a trie', () => {
  it('finds the longest prefix', () => {
    const map = make({ type: 'lpm_trie', name: 'prefixes', keySize: 8, valueSize: 4 });
    map.update(new Uint8Array([8, 0, 0, 0, 10, 0, 0, 0]), u32(8));
    map.update(new Uint8Array([24, 0, 0, 0, 10, 1, 2, 0]), u32(24));
    const at = (...address: number[]): number | undefined => map.lookup(new Uint8Array([32, 0, 0, 0, ...address]))?.[0];
    expect([at(10, 1, 2, 3), at(10, 1, 3, 3), at(11, 0, 0, 1)]).toEqual([24, 8, undefined]);
  });
});

function sorted(entries: readonly Dumped[]): readonly string[] {
  return entries.map((one) => JSON.stringify(one)).sort();
}

it('instructions are words of 8 bytes', () => {
  expect(assemble(returning(1))).toHaveLength(16);
  expect(() => BpfProgram.load({ name: 'weir_x', type: 'xdp', instructions: new Uint8Array(12) })).toThrow(RangeError);
});
