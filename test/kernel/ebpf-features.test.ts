import { readFileSync } from 'node:fs';
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import {
  BpfError,
  BpfProgram,
  BTF_KIND,
  FEATURES,
  type FeatureName,
  findKfuncs,
  KernelFunctions,
  probeFeatures,
  vmlinuxBtf,
} from '@weir/ebpf/kernel';
import { describe, expect, it } from 'vitest';
import { runCommand } from '../lab/index.ts';
import { bpftool, frame } from './ebpf-bed.ts';

describe('the types of the kernel', () => {
  it('are those that bpftool reads', async () => {
    const btf = vmlinuxBtf();
    const names = ['bpf_xdp_ct_lookup', 'bpf_ct_release', 'tcp_v4_connect', 'no_such_function_at_all'];
    const found = btf.find(BTF_KIND.func, names);
    const { stdout } = await runCommand('bpftool', ['btf', 'dump', 'file', '/sys/kernel/btf/vmlinux']);
    for (const name of names) {
      const want = new RegExp(`^\\[(\\d+)\\] FUNC '${name}' `, 'm').exec(stdout)?.[1];
      expect([name, found.get(name)]).toEqual([name, want === undefined ? undefined : Number(want)]);
    }
    const struct = btf.struct('xdp_md');
    const text = new RegExp(`^\\[${struct?.id}\\] STRUCT 'xdp_md' size=(\\d+) vlen=(\\d+)\\n((?:\\t.*\\n)*)`, 'm').exec(stdout);
    expect([struct?.size, struct?.members.length]).toEqual([Number(text?.[1]), Number(text?.[2])]);
    const members = [...(text?.[3] ?? '').matchAll(/'(\w+)' type_id=(\d+) bits_offset=(\d+)/g)];
    expect(struct?.members).toEqual(
      members.map(([, name, type, offset]) => ({ name, type: Number(type), bitOffset: Number(offset), bits: 0 })),
    );
    const last = /\[(\d+)\][^[]*$/.exec(stdout)?.[1];
    expect(btf.nextId).toBe(Number(last) + 1);
    expect(btf.struct('no_such_struct_at_all')).toBeUndefined();
  });

  it('say what a file is that is none', () => {
    expect(() => vmlinuxBtf('/proc/self/status')).toThrow(/not BTF/);
    expect(() => vmlinuxBtf('/sys/kernel/btf/none')).toThrow(BpfError);
  });

  it('lead to functions that programs call', () => {
    const names = ['bpf_xdp_metadata_rx_hash', 'bpf_dynptr_is_null'];
    const available = names.filter((name) => findKfuncs([name]).size === 1);
    expect(available).not.toEqual([]);
    const kernel = new KernelFunctions(['bpf_dynptr_from_xdp', 'bpf_dynptr_size']);
    expect(kernel.fdArray).toEqual([0]);
    const asm = new Assembler();
    // The size of a packet by way of a dynptr at fp-16.
    asm.mov('r2', 0).mov('r3', 'r10').alu('r3', '+=', -16).callKernel('bpf_dynptr_from_xdp');
    asm.mov('r1', 'r10').alu('r1', '+=', -16).callKernel('bpf_dynptr_size').exit();
    const program = BpfProgram.load({
      name: 'weir_kfunc',
      type: 'xdp',
      instructions: bindProgram(asm.assemble(), { kernelFunctions: kernel.functions }),
      fdArray: kernel.fdArray,
    });
    kernel.close();
    kernel.close();
    expect(program.run({ data: frame(77) }).result).toBe(77);
    program.close();
    expect(() => new KernelFunctions(['bpf_dynptr_size', 'no_such_function'])).toThrow(
      'find kernel function no_such_function: this kernel cannot: ENOENT',
    );
  });
});

it('a connection is looked up through the functions of conntrack', async ({ skip }) => {
  skip(findKfuncs(['bpf_skb_ct_lookup']).size === 0, 'nf_conntrack is not there');
  const kernel = new KernelFunctions(['bpf_skb_ct_lookup', 'bpf_ct_release']);
  const asm = new Assembler();
  const none = asm.label();
  // The tuple at fp-16: 192.0.2.1 port 1 to 192.0.2.2 port 2. `struct bpf_ct_opts` at fp-32: namespace -1 (this one), error at 4, protocol at 8.
  asm.store('u32', 'r10', -16, 0x010200c0).store('u32', 'r10', -12, 0x020200c0).store('u32', 'r10', -8, 0x02000100);
  asm.store('u64', 'r10', -32, -1).store('u64', 'r10', -24, 6).store('u32', 'r10', -28, 0);
  asm.mov('r2', 'r10').alu('r2', '+=', -16).mov('r3', 12).mov('r4', 'r10').alu('r4', '+=', -32).mov('r5', 12);
  asm.callKernel('bpf_skb_ct_lookup').jump('r0', '==', 0, none);
  asm.mov('r1', 'r0').callKernel('bpf_ct_release').mov('r0', 1).exit();
  asm.place(none).load('r0', 'u32', 'r10', -28).exit();
  const program = BpfProgram.load({
    name: 'weir_ct',
    type: 'sched_cls',
    instructions: bindProgram(asm.assemble(), { kernelFunctions: kernel.functions }),
    fdArray: kernel.fdArray,
  });
  kernel.close();
  // ENOENT: there is no such connection.
  expect(program.run({ data: frame() }).result | 0).toBe(-2);
  program.close();
});

describe('features', () => {
  it('are those that bpftool finds', async () => {
    const report = probeFeatures();
    const found = await bpftool<{
      readonly map_types: Readonly<Record<string, boolean>>;
      readonly program_types: Readonly<Record<string, boolean>>;
    }>('feature', 'probe', 'kernel');
    const same: readonly (readonly [FeatureName, boolean | undefined])[] = [
      ['map-array', found.map_types['have_array_map_type']],
      ['map-percpu-array', found.map_types['have_percpu_array_map_type']],
      ['map-hash', found.map_types['have_hash_map_type']],
      ['map-lru-hash', found.map_types['have_lru_hash_map_type']],
      ['map-lpm-trie', found.map_types['have_lpm_trie_map_type']],
      ['map-prog-array', found.map_types['have_prog_array_map_type']],
      ['map-of-maps', found.map_types['have_array_of_maps_map_type']],
      ['map-ringbuf', found.map_types['have_ringbuf_map_type']],
      ['program-xdp', found.program_types['have_xdp_prog_type']],
      ['program-tc', found.program_types['have_sched_cls_prog_type']],
      ['program-socket-filter', found.program_types['have_socket_filter_prog_type']],
      ['program-cgroup-connect', found.program_types['have_cgroup_sock_addr_prog_type']],
    ];
    for (const [name, want] of same) expect([name, report.has(name)]).toEqual([name, want]);
    expect(report.missingRequired).toEqual([]);
    expect(report.has('cgroup2')).toBe(readFileSync('/proc/mounts', 'utf8').includes(' cgroup2 '));
    for (const one of report.features) if (!one.present) expect([one.name, one.reason === '']).toEqual([one.name, false]);
  });

  it('are the same in another network namespace, but for what is mounted', async () => {
    const script =
      "import { probeFeatures } from '@weir/ebpf/kernel'; console.log(JSON.stringify(probeFeatures().features.flatMap((one) => (one.present ? [] : [one.name]))));";
    const { stdout } = await runCommand('unshare', [
      '--net',
      process.execPath,
      '--conditions=source',
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      script,
    ]);
    expect(JSON.parse(stdout)).toEqual(probeFeatures().features.flatMap((one) => (one.present ? [] : [one.name])));
  });

  it('count as missing when they are switched off', () => {
    const report = probeFeatures({ without: ['map-hash', 'tcx'] });
    expect(report.missingRequired).toEqual(['map-hash']);
    expect(report.features.filter((one) => !one.present && one.reason === 'it is switched off')).toEqual([
      { name: 'map-hash', present: false, reason: 'it is switched off', instead: FEATURES['map-hash'] },
      { name: 'tcx', present: false, reason: 'it is switched off', instead: FEATURES.tcx },
    ]);
  });

  it('are missing with the capability that is missing', async () => {
    const { reason, required, errors } = await withoutCapabilities('cap_bpf,cap_sys_admin');
    expect(reason('cap-bpf')).toBe('the process lacks CAP_BPF');
    expect(reason('map-hash')).toContain('missing CAP_BPF');
    expect(reason('program-xdp')).toContain('missing CAP_BPF');
    expect(required).toContain('cap-bpf');
    expect(errors).toEqual([
      {
        message: 'create map x: it is not permitted (hash, key 4, value 4, 1 entries, flags 0x0): EPERM; missing CAP_BPF',
        missing: ['CAP_BPF'],
      },
      { message: 'load program x: it is not permitted: EPERM; missing CAP_BPF', missing: ['CAP_BPF'] },
      { message: 'list programs: it is not permitted: EPERM; missing CAP_SYS_ADMIN', missing: ['CAP_SYS_ADMIN'] },
    ]);
  });

  it('need no CAP_SYS_ADMIN, but for what does', async () => {
    const { reason, required, features, errors } = await withoutCapabilities('cap_sys_admin');
    expect(required).toEqual([]);
    const missing = features.filter((one) => !one.present).map((one) => one.name);
    expect(missing.filter((name) => name !== 'bpffs')).toEqual(['cap-sys-admin', 'run-statistics']);
    expect(reason('run-statistics')).toContain('missing CAP_SYS_ADMIN');
    expect(errors.map((one) => one.missing)).toEqual([['CAP_SYS_ADMIN']]);
  });
});

interface Report {
  readonly features: readonly { readonly name: string; readonly present: boolean; readonly reason?: string }[];
  readonly required: readonly string[];
  readonly errors: readonly { readonly message: string; readonly missing: readonly string[] }[];
}

/** What a process without some capabilities finds, and what it is refused: a map, a program, a list. */
async function withoutCapabilities(dropped: string): Promise<Report & { readonly reason: (name: string) => string | undefined }> {
  const script = `
    import { BpfMap, BpfProgram, listPrograms, probeFeatures } from '@weir/ebpf/kernel';
    const report = probeFeatures();
    const errors = [];
    const instructions = Uint8Array.of(0xb7, 0, 0, 0, 1, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);
    for (const action of [
      () => BpfMap.create({ name: 'x', type: 'hash', keySize: 4, valueSize: 4, maxEntries: 1 }),
      () => BpfProgram.load({ name: 'x', type: 'xdp', instructions }),
      () => listPrograms(),
    ]) {
      try { action(); } catch ({ message, missing }) { errors.push({ message, missing }); }
    }
    console.log(JSON.stringify({ features: report.features, required: report.missingRequired, errors }));`;
  const start = 'exec "$0" --conditions=source --import tsx --input-type=module -e "$1"';
  const { stdout } = await runCommand('capsh', [`--drop=${dropped}`, '--', '-c', start, process.execPath, script]);
  const report = JSON.parse(stdout) as Report;
  return { ...report, reason: (name) => report.features.find((one) => one.name === name)?.reason };
}
