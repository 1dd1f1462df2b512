import { inNetworkNamespace } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';

/** Bytes that a program may add to a packet before its copy no longer fits. */
const HEADROOM = 512;
const ENTRIES = 0xffff_ffff;
const LIVE_FRAMES = 2;
/** Frames that the kernel sends in one go at most (TEST_XDP_MAX_BATCH). */
const MAX_BATCH = 256;

export interface TestRunOptions {
  /** The packet, from its link-layer header on (XDP, tc, socket filters); at least 14 bytes there. */
  readonly data?: Uint8Array;
  /** The context: `xdpContext`, or a `struct __sk_buff` with what may be set. */
  readonly context?: Uint8Array;
  /** So many times in a row; the packet is what the run before left. 1 unless told. More than one of an XDP program waits for RCU, some 20 ms. */
  readonly repeat?: number;
  /** Copies of the packet and the context afterwards are left out; or that of the context alone, which is only given where what was passed is as long as the kernel's. */
  readonly discard?: boolean | 'context';
  /** The frames are really sent, dropped or passed on as an XDP program says, as if they had come in by the interface that `context` names. */
  readonly live?: {
    /** Frames in one go, 64 unless told. */
    readonly batch?: number;
    /** Where the interface is. */
    readonly netns?: string;
  };
}

export interface TestRun {
  /** What the program returned; of live frames 0. */
  readonly result: number;
  /** Mean time of one run, in nanoseconds. */
  readonly nanoseconds: number;
  readonly data: Uint8Array<ArrayBuffer>;
  readonly context: Uint8Array<ArrayBuffer>;
}

/** BPF_PROG_TEST_RUN. SystemError. */
export function testRun(fd: number, options: TestRunOptions): TestRun {
  const { data, context, live } = options;
  const repeat = options.repeat ?? 1;
  if (!Number.isInteger(repeat) || repeat < 1 || repeat > ENTRIES) throw new RangeError(`not a number of runs: ${repeat}`);
  const copies = !live && options.discard !== true;
  const outData = new Uint8Array(copies && data ? data.length + HEADROOM : 0);
  const outContext = new Uint8Array(copies && context && options.discard !== 'context' ? context.length : 0);
  const attribute = new Attribute().u32(0, fd).u32(32, repeat);
  if (data) attribute.u32(8, data.length).pointer(16, data);
  if (outData.length > 0) attribute.u32(12, outData.length).pointer(24, outData);
  if (context) attribute.u32(40, context.length).pointer(48, context);
  if (outContext.length > 0) attribute.u32(44, outContext.length).pointer(56, outContext);
  if (live) {
    const batch = live.batch ?? 64;
    if (!Number.isInteger(batch) || batch < 1 || batch > MAX_BATCH) throw new RangeError(`not a number of frames: ${batch}`);
    attribute.u32(64, LIVE_FRAMES).u32(72, batch);
  }
  const run = (): number => attribute.call(COMMAND.testRun);
  if (live?.netns === undefined) run();
  else inNetworkNamespace(live.netns, run);
  return {
    result: attribute.getU32(4),
    nanoseconds: attribute.getU32(36),
    data: outData.slice(0, attribute.getU32(12)),
    context: outContext.slice(0, attribute.getU32(44)),
  };
}

/** The context of an XDP program (`struct xdp_md`) for a packet of `length` bytes; the interface is looked for in the namespace of the run. */
export function xdpContext(length: number, ingressInterface: number = 0, queue: number = 0): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(24);
  const view = new DataView(out.buffer);
  view.setUint32(4, length, true);
  view.setUint32(12, ingressInterface, true);
  view.setUint32(16, queue, true);
  return out;
}
