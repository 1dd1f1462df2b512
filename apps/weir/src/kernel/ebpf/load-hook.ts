import { bindProgram } from '@weir/ebpf/asm';
import { type AttachType, BpfMap, BpfProgram, KernelFunctions, type ProgramType } from '@weir/ebpf/kernel';
import type { CompiledHook, MapNeed, Place } from '../../model/ebpf-program.ts';
import { slotMask, slotMaskSymbol } from '../../model/set-layout.ts';
import { absentFunctions, memberOffset } from './connection-tracking.ts';
import { fillTable } from './fill-table.ts';

interface PlaceType {
  readonly type: ProgramType;
  /** Where it is verified for. */
  readonly attachType?: AttachType;
  readonly flags?: number;
}

/** BPF_F_XDP_HAS_FRAGS: packets in several buffers are judged too, so that drivers take the program whatever the MTU. */
const XDP_HAS_FRAGS = 1 << 5;

/** What the kernel calls the programs that run at a place. */
export const PROGRAM_TYPES: Readonly<Record<Place, PlaceType>> = {
  xdp: { type: 'xdp', flags: XDP_HAS_FRAGS },
  tc: { type: 'sched_cls' },
  network: { type: 'socket_filter' },
  connect4: { type: 'cgroup_sock_addr', attachType: 'cgroup_inet4_connect' },
  connect6: { type: 'cgroup_sock_addr', attachType: 'cgroup_inet6_connect' },
  sendmsg4: { type: 'cgroup_sock_addr', attachType: 'cgroup_udp4_sendmsg' },
  sendmsg6: { type: 'cgroup_sock_addr', attachType: 'cgroup_udp6_sendmsg' },
};

export interface LoadHookOptions {
  /** At most 15 bytes. */
  readonly name: string;
  /** A map that is there already, which stays the caller's; undefined makes a new one. */
  readonly provide?: (need: MapNeed) => BpfMap | undefined;
}

/** A program with the maps that were made for it. The kernel keeps both for as long as one of the program's holders is there. */
export interface LoadedHook {
  readonly program: BpfProgram;
  /** Every map that the program uses, by symbol. */
  readonly maps: ReadonlyMap<string, BpfMap>;
  /** Closes the program and the maps that were made here. Calling it again does nothing. */
  close(): void;
}

/**
 * Makes the maps that a program needs, with their contents, and loads it.
 * @throws BpfError, VerifierError
 */
export function loadHook({ place, program: assembled, maps: needs }: CompiledHook, { name, provide }: LoadHookOptions): LoadedHook {
  const open: { close(): void }[] = [];
  const close = (): void => {
    for (const one of open) one.close();
  };
  try {
    const maps = new Map<string, BpfMap>();
    const constants = new Map<string, bigint>();
    for (const need of needs) {
      let map = provide?.(need);
      if (!map) {
        map = createMap(need);
        open.push(map);
      }
      maps.set(need.symbol, map);
      if (need.kind === 'list') constants.set(slotMaskSymbol(need.symbol), slotMask(map.valueSize));
    }
    const descriptors = new Map([...maps].map(([symbol, { fd }]) => [symbol, fd]));
    for (const symbol of assembled.symbols) {
      if (symbol.kind !== 'constant') continue;
      const value = memberOffset(symbol.name);
      if (value !== undefined) constants.set(symbol.name, value);
    }
    const called = assembled.symbols.filter(({ kind }) => kind === 'kernel-function').map((symbol) => symbol.name);
    const absent = absentFunctions(called);
    const kernel = called.length > 0 ? new KernelFunctions(called.filter((one) => !absent.has(one))) : undefined;
    if (kernel) open.push(kernel);
    const { functions: kernelFunctions = new Map(), fdArray } = kernel ?? {};
    const instructions = bindProgram(assembled, { maps: descriptors, constants, kernelFunctions, absentFunctions: absent });
    const program = BpfProgram.load({ name, ...PROGRAM_TYPES[place], instructions, ...(fdArray && { fdArray }) });
    kernel?.close();
    open.push(program);
    return { program, maps, close };
  } catch (error) {
    close();
    throw error;
  }
}

const FROZEN: ReadonlySet<MapNeed['kind']> = new Set(['table', 'counters', 'event-counts']);

/** A map as the program needs it, with the contents of a table; else empty. */
export function createMap(need: MapNeed): BpfMap {
  const map = BpfMap.create({ name: mapName(need), ...need.shape });
  try {
    if (need.kind === 'table') fillTable(map, need.contents);
    // What is constant, and what only programs write, no process can write from here on.
    if (FROZEN.has(need.kind)) map.freeze();
    return map;
  } catch (error) {
    map.close();
    throw error;
  }
}

/** What bpftool shows: at most 15 bytes of `A-Za-z0-9_.`. */
function mapName({ kind, symbol }: MapNeed): string {
  return (kind === 'list' ? `list_${symbol}` : symbol).replace(/[^A-Za-z0-9_.]/g, '_').slice(0, 15);
}
