import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareMap } from './adopt.ts';
import { Attribute, objectName } from './attribute.ts';
import { BpfError } from './bpf-error.ts';
import { lacking, parseEffective } from './capability.ts';
import { FEATURES, type FeatureName, reportFeatures } from './feature.ts';
import { isPerCpu, MAP_TYPES, mapShape, mapTypeNumber, valueBytes } from './map-type.ts';
import { splitCpus, sumCpus } from './per-cpu.ts';
import { countCpus } from './possible-cpus.ts';
import { findCgroup2, isAtLeast } from './probe.ts';
import { PROGRAM_TYPES, programTypeNumber } from './program-type.ts';

describe('capabilities', () => {
  it.each([
    { name: 'all', effective: 0x1ff_ffff_ffffn, want: [] },
    { name: 'none', effective: 0n, want: ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'] },
    { name: 'CAP_SYS_ADMIN stands for two of them', effective: 1n << 21n, want: ['CAP_NET_ADMIN'] },
    { name: 'BPF alone', effective: 1n << 39n, want: ['CAP_NET_ADMIN', 'CAP_PERFMON'] },
  ])('$name', ({ effective, want }) => {
    expect(lacking(effective, ['CAP_BPF', 'CAP_NET_ADMIN', 'CAP_PERFMON'])).toEqual(want);
  });

  it('are read from /proc', () => {
    expect(parseEffective('Name:\tx\nCapPrm:\t00\nCapEff:\t000001ffffffffff\n')).toBe(0x1ff_ffff_ffffn);
    expect(parseEffective('Name:\tx\n')).toBeUndefined();
  });
});

describe('CPUs', () => {
  it.each([
    { list: '0\n', want: 1 },
    { list: '0-3', want: 4 },
    { list: '0-3,8,10-11\n', want: 7 },
  ])('$list', ({ list, want }) => {
    expect(countCpus(list)).toBe(want);
  });

  it.each(['', '3-1', 'x', '0-', '1,,2'])('refuses %j', (list) => {
    expect(() => countCpus(list)).toThrow(RangeError);
  });

  it('have values of their own, padded to 8', () => {
    expect([valueBytes('percpu_hash', 5, 3), valueBytes('hash', 5, 3)]).toEqual([24, 5]);
    const value = Uint8Array.from({ length: 16 }, (_, i) => i);
    expect(splitCpus(value, 3)).toEqual([new Uint8Array([0, 1, 2]), new Uint8Array([8, 9, 10])]);
  });

  it('are added up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.bigInt({ min: 0n, max: 2n ** 50n }), fc.bigInt({ min: 0n, max: 2n ** 50n })), { minLength: 1, maxLength: 8 }),
        (cpus) => {
          const bytes = new Uint8Array(BigUint64Array.from(cpus.flat()).buffer);
          const sum = (at: 0 | 1): bigint => cpus.reduce((total, one) => total + one[at], 0n);
          expect(sumCpus(bytes, 16)).toEqual(BigUint64Array.of(sum(0), sum(1)));
        },
      ),
    );
    for (const size of [0, 4, 12, 16]) expect(() => sumCpus(new Uint8Array(24), size)).toThrow(RangeError);
  });
});

describe('types', () => {
  it.each([
    { name: 'hash', number: 1 },
    { name: 'lru_percpu_hash', number: 10 },
    { name: 'lpm_trie', number: 11 },
    { name: 'hash_of_maps', number: 13 },
    { name: 'ringbuf', number: 27 },
    { name: 'arena', number: 33 },
  ] as const)('map $name is $number', ({ name, number }) => {
    expect([mapTypeNumber(name), MAP_TYPES[number]]).toEqual([number, name]);
  });

  it.each([
    { name: 'sched_cls', number: 3 },
    { name: 'cgroup_sock_addr', number: 18 },
    { name: 'netfilter', number: 32 },
  ] as const)('program $name is $number', ({ name, number }) => {
    expect([programTypeNumber(name), PROGRAM_TYPES[number]]).toEqual([number, name]);
  });

  it('fix what they leave no choice in', () => {
    expect(mapShape('array', undefined, 8)).toEqual({ type: 'array', keySize: 4, valueSize: 8, flags: 0 });
    expect(mapShape('ringbuf', undefined, undefined)).toEqual({ type: 'ringbuf', keySize: 0, valueSize: 0, flags: 0 });
    expect(mapShape('lpm_trie', 8, 1, 0x80)).toMatchObject({ flags: 0x81 });
    expect(mapShape('hash_of_maps', 6, undefined)).toMatchObject({ keySize: 6, valueSize: 4 });
    expect(() => mapShape('hash', undefined, 4)).toThrow('a key of no bytes');
    expect(() => mapShape('prog_array', 4, 8)).toThrow('a value of 8 bytes: it has 4');
    expect(MAP_TYPES.filter(isPerCpu)).toEqual(['percpu_hash', 'percpu_array', 'lru_percpu_hash']);
  });
});

describe('an attribute', () => {
  it('has its fields where they are put', () => {
    const attribute = new Attribute()
      .u32(0, 7)
      .u64(8, 2n ** 40n)
      .u32(4, 0xffff_ffff);
    expect([attribute.getU32(0), attribute.getU32(4), attribute.getU64(8), attribute.getU32(12)]).toEqual([7, 0xffff_ffff, 2n ** 40n, 256]);
    expect([...new Uint8Array(Uint32Array.from([attribute.name(16, 'weir_x').getU32(16)]).buffer)]).toEqual([...Buffer.from('weir')]);
    expect(attribute.pointer(24, new Uint8Array(8)).getU64(24)).not.toBe(0n);
    expect(attribute.pointer(24, new Uint8Array(0)).getU64(24)).toBe(0n);
  });

  it.each(['sixteen_letters_', 'with space', 'ü', 'a/b'])('refuses the name %j', (name) => {
    expect(() => objectName(name)).toThrow(RangeError);
  });
});

describe('BpfError', () => {
  it.each([
    { errno: 28, reason: undefined, want: 'update map flows: it is full (8 entries): ENOSPC' },
    { errno: 12, reason: undefined, want: 'update map flows: the kernel has no memory for it (8 entries): ENOMEM' },
    { errno: 524, reason: undefined, want: 'update map flows: this kernel cannot (8 entries): ENOTSUPP' },
    { errno: 5, reason: undefined, want: 'update map flows: it failed (8 entries): EIO' },
    { errno: 7, reason: 'range', want: 'update map flows: there is no such index (8 entries): E2BIG' },
  ] as const)('$want', ({ errno, reason, want }) => {
    const failure = { operation: 'update', object: 'map flows', detail: '8 entries' };
    expect(new BpfError(reason === undefined ? failure : { ...failure, reason }, errno).message).toBe(want);
  });
});

describe('adoption', () => {
  it('names every difference, and not what does not matter', () => {
    const spec = { name: 'a', type: 'hash', keySize: 4, valueSize: 8, maxEntries: 16 } as const;
    const have = { ...spec, flags: 4 };
    expect(compareMap(have, spec)).toEqual([]);
    expect(compareMap({ ...have, keySize: 8, name: 'b', flags: 1 }, spec)).toEqual([
      { field: 'keySize', have: 8, want: 4 },
      { field: 'flags', have: 1, want: 0 },
      { field: 'name', have: 'b', want: 'a' },
    ]);
  });
});

describe('features', () => {
  const names = Object.keys(FEATURES) as FeatureName[];
  const probes = Object.fromEntries(names.map((name) => [name, () => undefined])) as Record<FeatureName, () => undefined>;

  it.each(names)('without %s it is said what is done instead', (name) => {
    const report = reportFeatures(probes, [name]);
    expect(report.features.filter((one) => !one.present)).toEqual([
      { name, present: false, reason: 'it is switched off', instead: FEATURES[name] },
    ]);
    expect([report.has(name), report.reason(name)]).toEqual([false, 'it is switched off']);
  });

  it('are missing when their probe says so, or fails', () => {
    const failing = () => {
      throw new Error('no such thing');
    };
    const report = reportFeatures({ ...probes, tcx: () => 'too old', 'cap-bpf': failing });
    expect([report.reason('tcx'), report.reason('cap-bpf'), report.reason('btf')]).toEqual(['too old', 'no such thing', undefined]);
    expect(report.missingRequired).toEqual(['cap-bpf']);
  });

  it.each([
    { text: '6.1.0-18-amd64', want: true },
    { text: '6.18.44', want: true },
    { text: '7.0', want: true },
    { text: '5.15.0', want: false },
    { text: '6.0.9', want: false },
    { text: 'none', want: false },
  ])('release $text', ({ text, want }) => {
    expect(isAtLeast(text, 6, 1)).toBe(want);
  });

  it('cgroups of version 2 are found where they are mounted', () => {
    expect(findCgroup2('cgroup /sys/fs/cgroup/cpu cgroup rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n')).toBe(
      '/sys/fs/cgroup/unified',
    );
    expect(findCgroup2('proc /proc proc rw 0 0\n')).toBeUndefined();
  });
});
