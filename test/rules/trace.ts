// Packets of a trace, one after the other, before a program or into a veth pair.
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { BpfMap, BpfProgram, xdpContext } from '@weir/ebpf/kernel';
import { finishChecksum, sumWords } from '@weir/filter/packet';
import { PROGRAM_TYPES } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { Header } from './five-tuples.ts';

/** Ethernet, IPv4 and 20 octets of a transport header. */
export const FRAME_OCTETS = 60;
const FRAME_STRIDE = 64;

export function frameOf({ source, destination, protocol, sourcePort, destinationPort }: Header, receiver: readonly number[]): Uint8Array {
  const out = new Uint8Array(FRAME_OCTETS);
  const view = new DataView(out.buffer);
  const length = FRAME_OCTETS - 14;
  out.set(receiver);
  out.set([2, 0, 0, 0, 0, 1], 6);
  view.setUint16(12, 0x0800);
  view.setUint16(14, 0x4500);
  view.setUint16(16, length);
  view.setUint16(22, 64 * 256 + protocol);
  view.setUint32(26, source);
  view.setUint32(30, destination);
  view.setUint16(24, finishChecksum(sumWords(out.subarray(14, 34))));
  if (protocol === 1) {
    view.setUint16(34, 0x0800);
    return out;
  }
  view.setUint16(34, sourcePort);
  view.setUint16(36, destinationPort);
  if (protocol === 17) view.setUint16(38, length - 20);
  else view.setUint16(46, 0x5002);
  return out;
}

/** A program that puts the frames of a trace, one after the other, in the place of the packet; then the program that is judged by, and without one `result`. */
export class TraceDriver {
  readonly #open: { close(): void }[] = [];
  readonly #slot: BpfMap;
  readonly #program: BpfProgram;

  /** `frames`: a power of two of them. */
  constructor(frames: readonly Uint8Array[], result: number) {
    if (frames.length === 0 || (frames.length & (frames.length - 1)) !== 0) throw new RangeError(`${frames.length} frames`);
    const keep = <T extends { close(): void }>(one: T): T => {
      this.#open.push(one);
      return one;
    };
    const contents = new Uint8Array(frames.length * FRAME_STRIDE);
    for (const [index, frame] of frames.entries()) contents.set(frame, index * FRAME_STRIDE);
    const trace = keep(BpfMap.create({ name: 'trace', type: 'array', valueSize: contents.length, maxEntries: 1 }));
    trace.update(new Uint8Array(4), contents);
    const next = keep(BpfMap.create({ name: 'next', type: 'array', valueSize: 8, maxEntries: 1 }));
    this.#slot = keep(BpfMap.create({ name: 'slot', type: 'prog_array', maxEntries: 1 }));
    const asm = new Assembler();
    asm.mov('r6', 'r1').mapValue('r1', 'next', 0).load('r2', 'u64', 'r1', 0).mov('r3', 'r2').alu('r3', '+=', 1).store('u64', 'r1', 0, 'r3');
    asm
      .alu('r2', '&=', frames.length - 1)
      .alu('r2', '*=', FRAME_STRIDE)
      .mapValue('r3', 'trace', 0)
      .alu('r3', '+=', 'r2');
    asm.mov('r1', 'r6').mov('r2', 0).mov('r4', FRAME_OCTETS).call('xdp_store_bytes').tailCall('r6', 'slot', 0);
    asm.mov('r0', result).exit();
    const maps = new Map([trace, next, this.#slot].map((map) => [map.name, map.fd]));
    this.#program = keep(BpfProgram.load({ name: 'trace', ...PROGRAM_TYPES.xdp, instructions: bindProgram(asm.assemble(), { maps }) }));
  }

  /** Puts a program behind the driver; undefined takes it away. */
  judgeBy(program: BpfProgram | undefined): void {
    if (program) this.#slot.update(new Uint8Array(4), new Uint8Array(Int32Array.of(program.fd).buffer));
    else this.#slot.delete(new Uint8Array(4));
  }

  /** Nanoseconds a packet, the driver included. */
  measure(packets: number): number {
    return this.#program.run({ data: new Uint8Array(FRAME_OCTETS), repeat: packets, discard: true }).nanoseconds;
  }

  /** Sends frames out of an interface: the driver has to say XDP_TX. Returns seconds. */
  send(packets: number, index: number, netns: string, batch = 64): number {
    const start = performance.now();
    this.#program.run({
      data: new Uint8Array(FRAME_OCTETS),
      context: xdpContext(FRAME_OCTETS, index),
      repeat: packets,
      live: { batch, netns },
    });
    return (performance.now() - start) / 1000;
  }

  close(): void {
    for (const one of this.#open) one.close();
  }
}
