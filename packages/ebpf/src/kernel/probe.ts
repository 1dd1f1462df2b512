import { readFileSync } from 'node:fs';
import { release } from 'node:os';
import { NetworkNamespace, SystemError } from '@weir/sys';
import { Assembler, bindProgram, type HelperName } from '../asm/index.ts';
import { BpfError } from './bpf-error.ts';
import { type Capability, missingCapabilities } from './capability.ts';
import { type FeatureName, type FeatureReport, reportFeatures } from './feature.ts';
import { findKfuncs, vmlinuxBtf } from './kernel-btf.ts';
import type { BpfLink } from './link.ts';
import { attachNetfilter } from './link-netfilter.ts';
import { readTcx } from './link-tcx.ts';
import { attachXdp } from './link-xdp.ts';
import { BpfMap, type MapSpec } from './map.ts';
import { MAP_FLAG } from './map-type.ts';
import { findNftMatch } from './nft-match.ts';
import { isOnBpfFileSystem, PIN_DIRECTORY } from './pin.ts';
import { BpfProgram, type ProgramSpec } from './program.ts';
import type { AttachType, ProgramType } from './program-type.ts';
import { RunStatistics } from './run-statistics.ts';
import { TcFilter } from './tc-filter.ts';
import { VerifierError } from './verifier-error.ts';

export interface ProbeOptions {
  /** Features that count as missing, whatever the kernel has. */
  readonly without?: readonly FeatureName[];
  /** Where objects would be pinned; PIN_DIRECTORY unless told. */
  readonly pinDirectory?: string;
}

/**
 * Finds out what this kernel and this process's rights give, by trying: maps are made and programs loaded, and programs attached to the loopback interface of a
 * network namespace of the probe's own. Nothing of it is left. Takes some 100 ms. Without CAP_SYS_ADMIN there is no such namespace: what only attaching would tell then counts as
 * there when its program can be loaded.
 */
export function probeFeatures(options: ProbeOptions = {}): FeatureReport {
  const bench = new Bench();
  try {
    return reportFeatures(probes(bench, options.pinDirectory ?? PIN_DIRECTORY), options.without);
  } finally {
    bench.close();
  }
}

type Probe = () => string | undefined;

function probes(bench: Bench, pinDirectory: string): Readonly<Record<FeatureName, Probe>> {
  return {
    'linux-6.1': () => (isAtLeast(release(), 6, 1) ? undefined : `this is Linux ${release()}`),
    'cap-bpf': capability('CAP_BPF'),
    'cap-net-admin': capability('CAP_NET_ADMIN'),
    'cap-perfmon': capability('CAP_PERFMON'),
    'cap-sys-admin': capability('CAP_SYS_ADMIN'),
    jit,
    bpffs: () => (isOnBpfFileSystem(pinDirectory) ? undefined : `no BPF file system is mounted at ${pinDirectory}`),
    btf: () => done(vmlinuxBtf()),
    'map-array': map({ type: 'array', valueSize: 8 }),
    'map-array-mmapable': map({ type: 'array', valueSize: 8, flags: MAP_FLAG.mmapable }),
    'map-percpu-array': map({ type: 'percpu_array', valueSize: 8 }),
    'map-hash': map({ type: 'hash', keySize: 4, valueSize: 8 }),
    'map-lru-hash': map({ type: 'lru_hash', keySize: 4, valueSize: 8 }),
    'map-lpm-trie': map({ type: 'lpm_trie', keySize: 8, valueSize: 8 }),
    'map-prog-array': map({ type: 'prog_array' }),
    'map-of-maps': map({ type: 'array_of_maps', inner: { ...PROBE_MAP, type: 'array', valueSize: 8 } }),
    'map-ringbuf': map({ type: 'ringbuf', maxEntries: 65536 }),
    'program-xdp': program('xdp'),
    'program-tc': program('sched_cls'),
    'program-socket-filter': program('socket_filter'),
    'nft-match-bpf': () => findNftMatch(),
    'program-cgroup-connect': program('cgroup_sock_addr', 'cgroup_inet4_connect'),
    'program-cgroup-sendmsg': program('cgroup_sock_addr', 'cgroup_udp4_sendmsg'),
    'program-netfilter': program('netfilter', 'netfilter'),
    'xdp-link': () =>
      bench.attached('xdp', undefined, (one, netns) => attachXdp(one, { interface: LOOPBACK, netns, mode: 'generic' }).link),
    tcx,
    clsact: () =>
      bench.attached('sched_cls', undefined, (one, netns) => {
        TcFilter.attach(one, { interface: LOOPBACK, direction: 'egress', netns, priority: 1 }).detach();
        return undefined;
      }),
    'netfilter-link': () =>
      bench.attached('netfilter', 'netfilter', (one, netns) => attachNetfilter(one, { family: 'ip', hook: 'input', priority: 1, netns })),
    cgroup2: () => (findCgroup2() === undefined ? 'no cgroup file system of version 2 is mounted' : undefined),
    'live-frames': () =>
      bench.attached('xdp', undefined, (one, netns) => {
        one.run({ data: new Uint8Array(64), live: { netns, batch: 1 } });
        return undefined;
      }),
    'isa-v4': () => load({ ...PROGRAM, type: 'socket_filter', instructions: BYTE_SWAP }),
    'may-goto': () => load({ ...PROGRAM, type: 'socket_filter', instructions: MAY_GOTO }),
    'helper-loop': helper('loop', 'xdp'),
    'helper-ktime-coarse': helper('ktime_get_coarse_ns', 'xdp'),
    'helper-skb-cgroup-id': helper('skb_cgroup_id', 'sched_cls'),
    'kfunc-xdp-ct': kfuncs('bpf_xdp_ct_lookup', 'bpf_ct_release'),
    'kfunc-skb-ct': kfuncs('bpf_skb_ct_lookup', 'bpf_ct_release'),
    'run-statistics': () => done(new RunStatistics().close()),
  };
}

const LOOPBACK = 1;
const NO_INTERFACE = 0x7fff_ffff;
const EPERM = 1;
const PROBE_MAP = { name: 'weir_probe', maxEntries: 1 } as const;
const PROGRAM = { name: 'weir_probe' } as const;

/** `r0 = 1; exit`: a result that every type of program may have. */
const RETURN_ONE: Uint8Array = bindProgram(new Assembler().mov('r0', 1).exit().assemble(), {});
const BYTE_SWAP: Uint8Array = bindProgram(new Assembler().mov('r0', 0).byteSwap('r0', 32).exit().assemble(), {});
const MAY_GOTO: Uint8Array = mayGoto();

function mayGoto(): Uint8Array {
  const asm = new Assembler();
  const done = asm.label();
  const again = asm.label();
  asm.mov('r0', 0).place(again).mayGoto(done).alu('r0', '+=', 1).goto(again).place(done).mov('r0', 0).exit();
  return bindProgram(asm.assemble(), {});
}

function capability(name: Capability): Probe {
  return () => (missingCapabilities([name]).length > 0 ? `the process lacks ${name}` : undefined);
}

/** net.core.bpf_jit_enable can be read in the first network namespace alone; whether a program became machine code can be seen everywhere. */
function jit(): string | undefined {
  const probe = BpfProgram.load({ ...PROGRAM, type: 'socket_filter', instructions: RETURN_ONE });
  try {
    return probe.info().compiledBytes === 0 ? 'programs do not become machine code: net.core.bpf_jit_enable is 0' : undefined;
  } finally {
    probe.close();
  }
}

function map(spec: Omit<MapSpec, 'name' | 'maxEntries'> & { readonly maxEntries?: number }): Probe {
  return () => done(BpfMap.create({ ...PROBE_MAP, ...spec }).close());
}

/** A kernel that has it says that there is no such interface. */
function tcx(): string | undefined {
  try {
    readTcx({ interface: NO_INTERFACE, direction: 'ingress' });
    return undefined;
  } catch (error) {
    if (error instanceof BpfError && error.reason === 'absent') return undefined;
    throw error;
  }
}

function program(type: ProgramType, attachType?: AttachType): Probe {
  return () => load({ ...PROGRAM, type, instructions: RETURN_ONE, ...(attachType && { attachType }) });
}

/** What it took worked. */
function done(_what: unknown): undefined {
  return undefined;
}

function load(spec: ProgramSpec): undefined {
  BpfProgram.load(spec).close();
}

/** A call without arguments is refused for its arguments, when the kernel lets programs of this type call the helper at all. */
function helper(name: HelperName, type: ProgramType): Probe {
  return () => {
    const instructions = bindProgram(new Assembler().call(name).mov('r0', 0).exit().assemble(), {});
    try {
      return load({ ...PROGRAM, type, instructions });
    } catch (error) {
      if (!(error instanceof VerifierError) || UNKNOWN_HELPER.test(error.log)) throw error;
      return undefined;
    }
  };
}

const UNKNOWN_HELPER = /unknown func|invalid func|cannot use helper/;

function kfuncs(...names: readonly string[]): Probe {
  return () => {
    const found = findKfuncs(names);
    const missing = names.filter((name) => !found.has(name));
    return missing.length === 0
      ? undefined
      : `the kernel has no function ${missing.join(', ')}: nf_conntrack is not loaded or came before Linux 5.18`;
  };
}

/** A namespace to attach in, made when it is first needed. */
class Bench {
  #namespace: NetworkNamespace | undefined;

  attached(
    type: ProgramType,
    attachType: AttachType | undefined,
    attach: (one: BpfProgram, netns: string) => BpfLink | undefined,
  ): undefined {
    const one = BpfProgram.load({ ...PROGRAM, type, instructions: RETURN_ONE, ...(attachType && { attachType }) });
    try {
      const netns = this.#path();
      if (netns !== undefined) attach(one, netns)?.close();
    } finally {
      one.close();
    }
  }

  #path(): string | undefined {
    try {
      this.#namespace ??= NetworkNamespace.make();
      return this.#namespace.path;
    } catch (error) {
      if (error instanceof SystemError && error.errno === EPERM) return undefined;
      throw error;
    }
  }

  close(): void {
    this.#namespace?.close();
  }
}

/** Where the cgroup file system of version 2 is mounted; undefined when it is not. */
export function findCgroup2(mounts: string = readFileSync('/proc/self/mounts', 'utf8')): string | undefined {
  for (const line of mounts.split('\n')) {
    const [, path, type] = line.split(' ');
    if (type === 'cgroup2') return path;
  }
  return undefined;
}

/** Whether a release such as `6.1.0-18-amd64` is of a version or a later one. */
export function isAtLeast(text: string, major: number, minor: number): boolean {
  const found = /^(\d+)\.(\d+)/.exec(text);
  const [have, part] = [Number(found?.[1] ?? 0), Number(found?.[2] ?? 0)];
  return have > major || (have === major && part >= minor);
}
