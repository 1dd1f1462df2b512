import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { attachTc, attachXdp, type BpfLink, BpfMap, BpfProgram, sumCpus, type TcAttachment } from '@weir/ebpf/kernel';
import { NetworkNamespace, PacketSocket, SystemError } from '@weir/sys';
import type { Family } from '@weir/wire/inet';
import { readCounts } from '../ebpf/index.ts';
import { buildNetwork, RECEIVER } from './network.ts';
import { RouteSocket } from './route-socket.ts';

export interface ProgramBedOptions {
  /** Interfaces: packets are sent by the one and come in by the other. */
  readonly iif: string;
  readonly oif: string;
  readonly place: 'xdp' | 'tc';
  readonly program: BpfProgram;
  /** Of its rules: every packet is counted for one of them at least. */
  readonly counters: BpfMap;
}

/** What became of a packet. */
export interface ProgramSight {
  /** Number of the last rule that counted it. */
  readonly rule: number;
  /** It came out behind the program. */
  readonly passed: boolean;
}

const ETHERNET = 14;
const ETHERTYPES: Readonly<Record<Family, number>> = { 4: 0x0800, 6: 0x86dd };
/** TCX_NEXT (TC_ACT_UNSPEC). */
const NEXT = -1;
/** { packets u64 · octets u64 }. */
/** Numbers by rule. */
const WORDS = 2;
/** How long a packet may be on its way through the pair: looks, and microseconds between them. */
const LOOKS = 2000;
const PAUSE_MS = 0.05;
/** Behind the first program, and behind clsact filters of the replay. */
const LAST = 2;

/**
 * A network namespace in which packets come in by a veth pair, one at a time, and meet a program at the receiving interface: its counters say which rule decided, and a program behind it
 * whether the packet really went on. Needs CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF. BpfError, KernelError, SystemError.
 */
export class ProgramBed {
  readonly #closers: (() => void)[] = [];
  readonly #counters: BpfMap;
  readonly #seen: BpfMap;
  readonly #frames: PacketSocket;
  /** Packets by rule, and those that went on, when it was last looked. */
  readonly #counted: Float64Array;
  #passed = 0;

  constructor({ iif, oif, place, program, counters }: ProgramBedOptions) {
    const keep = <T extends { close(): void }>(one: T): T => {
      this.#closers.unshift(() => one.close());
      return one;
    };
    this.#counters = counters;
    this.#counted = new Float64Array((counters.maxEntries * counters.valueSize) / 8 / WORDS);
    try {
      const { path } = keep(NetworkNamespace.make());
      const routes = keep(new RouteSocket(path));
      const indices = buildNetwork(path, routes, { hook: 'prerouting', iif, oif });
      this.#seen = keep(BpfMap.create({ name: 'weir_passed', type: 'percpu_array', valueSize: 8, maxEntries: 1 }));
      const behind = keep(counting(this.#seen));
      const at = { interface: indices.iif, netns: path } as const;
      if (place === 'xdp') keep(attachXdp(program, at).link);
      else keep(holder(attachTc(program, { ...at, direction: 'ingress', position: 'first', priority: 1 })));
      keep(holder(attachTc(behind, { ...at, direction: 'ingress', position: 'last', priority: LAST })));
      this.#frames = keep(PacketSocket.open({ interface: oif, netns: path }));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Sends one packet, from its IP header on, and tells what became of it. SystemError when the program did not see it. */
  send(family: Family, octets: Uint8Array): ProgramSight {
    const frame = new Uint8Array(ETHERNET + octets.length);
    frame.set(RECEIVER);
    frame.set([2, 0, 0, 0, 0, 1, ETHERTYPES[family] >> 8, ETHERTYPES[family] & 0xff], 6);
    frame.set(octets, ETHERNET);
    if (this.#frames.send([frame]) === 0) throw new SystemError('replay', ENOBUFS, 'a frame cannot be sent');
    for (let look = 0; look < LOOKS; look++) {
      const rule = this.#lastCounted();
      if (rule !== undefined) {
        // It may have been looked in the middle of the judgement: rules further on count later.
        const passed = this.#hasPassed();
        return { rule: this.#lastCounted() ?? rule, passed };
      }
      pause();
    }
    throw new SystemError('replay', ETIME, 'the program did not see a packet');
  }

  /** Ends the namespace and all in it. Calling it again does nothing. */
  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  #lastCounted(): number | undefined {
    let last: number | undefined;
    const { counts } = readCounts(this.#counters, WORDS, this.#counted.length);
    for (const [index, before] of this.#counted.entries()) {
      const packets = Number(counts[index * WORDS] ?? 0n);
      if (packets !== before) last = index;
      this.#counted[index] = packets;
    }
    return last;
  }

  #hasPassed(): boolean {
    const before = this.#passed;
    for (let look = 0; look < SETTLE_LOOKS && this.#passed === before; look++) {
      if (look > 0) pause();
      this.#passed = Number(sumCpus(this.#seen.lookup(new Uint8Array(4)) ?? new Uint8Array(8), 8)[0] ?? 0n);
    }
    return this.#passed !== before;
  }
}

const ETIME = 62;
const ENOBUFS = 105;
/** Looks for a packet that was let through; one that was dropped is waited for in vain. */
const SETTLE_LOOKS = 5;

/** Programs run in interrupts: a moment without this thread is all that they need. */
const moment = new Int32Array(new SharedArrayBuffer(4));
function pause(): void {
  Atomics.wait(moment, 0, 0, PAUSE_MS);
}

function holder(attachment: TcAttachment): BpfLink | { close(): void } {
  return attachment.kind === 'tcx' ? attachment.link : { close: () => attachment.filter.detach() };
}

/** A program that counts what comes to it and lets it go on. */
function counting(map: BpfMap): BpfProgram {
  const asm = new Assembler();
  const none = asm.label('no counter');
  asm.store('u64', 'r10', -8, 0).mov('r2', 'r10').alu('r2', '+=', -8).map('r1', map.name).call('map_lookup_elem');
  asm.jump('r0', '==', 0, none).mov('r1', 1).atomic('u64', 'r0', 0, 'add', 'r1');
  asm.place(none).mov('r0', NEXT).exit();
  const instructions = bindProgram(asm.assemble(), { maps: new Map([[map.name, map.fd]]) });
  return BpfProgram.load({ name: 'weir_passed', type: 'sched_cls', instructions });
}
