import { SystemError } from '@weir/sys';
import { objectName } from './attribute.ts';
import { attempt, BpfError, type BpfFailure } from './bpf-error.ts';
import type { Capability } from './capability.ts';
import type { Direction } from './link-tcx.ts';
import type { BpfProgram } from './program.ts';
import { type RouteAttribute, readAttributes, routeDump, routeRequest } from './route-netlink.ts';

const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const RTM_NEWTFILTER = 44;
const RTM_DELTFILTER = 45;
const RTM_GETTFILTER = 46;
const NLM_F_REPLACE = 0x100;
const NLM_F_EXCL = 0x200;
const NLM_F_CREATE = 0x400;
/** TC_H_CLSACT as parent, and the handle of that qdisc. */
const CLSACT = 0xffff_fff1;
const CLSACT_HANDLE = 0xffff_0000;
const PARENTS: Readonly<Record<Direction, number>> = { ingress: 0xffff_fff2, egress: 0xffff_fff3 };
/** ETH_P_ALL in network order, in the lower half of `tcm_info`. */
const ALL_PROTOCOLS = 0x0300;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_BPF_FD = 6;
const TCA_BPF_NAME = 7;
const TCA_BPF_FLAGS = 8;
const TCA_BPF_ID = 11;
/** The program's return value is the verdict (TCA_BPF_FLAG_ACT_DIRECT). */
const DIRECT_ACTION = 1;

const ENOENT = 2;
const EEXIST = 17;
const EINVAL = 22;

const NEEDS: readonly Capability[] = ['CAP_NET_ADMIN'];

export interface TcPlace {
  readonly interface: number;
  readonly direction: Direction;
  /** Where the interface is: a name as in `ip netns`, or a path. */
  readonly netns?: string;
}

export interface TcFilterOptions extends TcPlace {
  /** 1-65535, lower first; programs of one direction go by it. */
  readonly priority: number;
  /** Distinguishes filters of one priority; 1 unless told. */
  readonly handle?: number;
}

/** A BPF filter as the kernel lists it. */
export interface TcFilterInfo {
  readonly priority: number;
  readonly handle: number;
  readonly name: string;
  readonly programId: number;
}

/**
 * A program at an interface through the clsact queueing discipline and a cls_bpf filter: what there is before tcx. It stays until it is detached, whoever ends; pins do not
 * matter to it. BpfError.
 */
export class TcFilter {
  readonly options: TcFilterOptions;

  private constructor(options: TcFilterOptions) {
    this.options = options;
  }

  /** Attaches a sched_cls program; the queueing discipline is made where there is none. `exists` where a filter has this priority and handle. */
  static attach(program: BpfProgram, options: TcFilterOptions): TcFilter {
    if (!Number.isInteger(options.priority) || options.priority < 1 || options.priority > 0xffff)
      throw new RangeError(`not a priority: ${options.priority}`);
    const filter = new TcFilter(options);
    attempt(filter.#failure('prepare'), () => makeClsact(options));
    filter.#put(program, NLM_F_CREATE | NLM_F_EXCL);
    return filter;
  }

  /** A filter that is there already, for `replace` and `detach`. */
  static at(options: TcFilterOptions): TcFilter {
    return new TcFilter(options);
  }

  /** Puts another program in this one's place, without a packet between them. */
  replace(program: BpfProgram): void {
    this.#put(program, NLM_F_CREATE | NLM_F_REPLACE);
  }

  /** What is attached there now; undefined when it is gone. */
  info(): TcFilterInfo | undefined {
    return listTcFilters(this.options).find((one) => one.priority === this.options.priority && one.handle === handleOf(this.options));
  }

  /** Takes the filter away; false when it was not there. The queueing discipline stays: others may use it (`removeClsact`). */
  detach(): boolean {
    try {
      const header = tcHeader(this.options.interface, handleOf(this.options), PARENTS[this.options.direction], info(this.options.priority));
      routeRequest({ type: RTM_DELTFILTER, header, attributes: [KIND_BPF], netns: this.options.netns });
      return true;
    } catch (error) {
      // EINVAL: there is no clsact. A filter that is not there is ENOENT.
      if (!(error instanceof SystemError)) throw error;
      if (error.errno === ENOENT || error.errno === EINVAL) return false;
      throw new BpfError(this.#failure('detach'), error.errno);
    }
  }

  #put(program: BpfProgram, flags: number): void {
    const options: readonly RouteAttribute[] = [
      { type: TCA_BPF_FD, value: u32(program.fd) },
      { type: TCA_BPF_NAME, value: text(objectName(program.name)) },
      { type: TCA_BPF_FLAGS, value: u32(DIRECT_ACTION) },
    ];
    const header = tcHeader(this.options.interface, handleOf(this.options), PARENTS[this.options.direction], info(this.options.priority));
    const attributes = [KIND_BPF, { type: TCA_OPTIONS, value: options }];
    attempt(this.#failure(`attach ${program.describe()} to`), () =>
      routeRequest({ type: RTM_NEWTFILTER, flags, header, attributes, netns: this.options.netns }),
    );
  }

  #failure(operation: string): BpfFailure {
    return {
      operation,
      object: `tc ${this.options.direction} of interface ${this.options.interface} at ${this.options.priority}`,
      needs: NEEDS,
    };
  }
}

/** The BPF filters of one direction of an interface; none where there is no clsact. BpfError. */
export function listTcFilters(place: TcPlace): readonly TcFilterInfo[] {
  const found: TcFilterInfo[] = [];
  const header = tcHeader(place.interface, 0, PARENTS[place.direction], 0);
  const failure: BpfFailure = { operation: 'list', object: `tc ${place.direction} of interface ${place.interface}`, needs: NEEDS };
  attempt(failure, () =>
    routeDump({ type: RTM_GETTFILTER, header, netns: place.netns }, (message) => {
      const one = decodeTcFilter(message);
      if (one) found.push(one);
    }),
  );
  return found;
}

/** A filter of `RTM_GETTFILTER`, from its `struct tcmsg` on; undefined when it is none of BPF or has no program (the head of a priority). */
export function decodeTcFilter(message: Uint8Array): TcFilterInfo | undefined {
  if (message.length < TCMSG) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const attributes = readAttributes(message.subarray(TCMSG));
  const kind = attributes.find((one) => one.type === TCA_KIND);
  if (!kind || textOf(kind.value) !== 'bpf') return undefined;
  const options = readAttributes(attributes.find((one) => one.type === TCA_OPTIONS)?.value ?? new Uint8Array(0));
  const id = options.find((one) => one.type === TCA_BPF_ID)?.value;
  if (id?.length !== 4) return undefined;
  const name = options.find((one) => one.type === TCA_BPF_NAME)?.value;
  return {
    priority: view.getUint32(16, true) >>> 16,
    handle: view.getUint32(8, true),
    name: name ? textOf(name) : '',
    programId: new DataView(id.buffer, id.byteOffset, 4).getUint32(0, true),
  };
}

/** Removes the clsact queueing discipline of an interface when it has no filters, of whatever kind; false when it has some, or is not there. */
export function removeClsact(place: Omit<TcPlace, 'direction'>): boolean {
  if ((['ingress', 'egress'] as const).some((direction) => countFilters({ ...place, direction }) > 0)) return false;
  try {
    routeRequest({ type: RTM_DELQDISC, header: tcHeader(place.interface, CLSACT_HANDLE, CLSACT, 0), netns: place.netns });
    return true;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno === ENOENT || error.errno === EINVAL) return false;
    throw new BpfError({ operation: 'remove', object: `clsact of interface ${place.interface}`, needs: NEEDS }, error.errno);
  }
}

function countFilters(place: TcPlace): number {
  let count = 0;
  const header = tcHeader(place.interface, 0, PARENTS[place.direction], 0);
  const failure: BpfFailure = { operation: 'list', object: `tc ${place.direction} of interface ${place.interface}`, needs: NEEDS };
  attempt(failure, () => routeDump({ type: RTM_GETTFILTER, header, netns: place.netns }, () => count++));
  return count;
}

function makeClsact(place: TcPlace): void {
  const header = tcHeader(place.interface, CLSACT_HANDLE, CLSACT, 0);
  try {
    const attributes = [{ type: TCA_KIND, value: text('clsact') }];
    routeRequest({ type: RTM_NEWQDISC, flags: NLM_F_CREATE | NLM_F_EXCL, header, attributes, netns: place.netns });
  } catch (error) {
    if (!(error instanceof SystemError) || error.errno !== EEXIST) throw error;
  }
}

/** `struct tcmsg`: family u8, padding u8 and u16, interface i32, handle u32, parent u32, info u32. */
const TCMSG = 20;

function tcHeader(interfaceIndex: number, handle: number, parent: number, tcInfo: number): Uint8Array {
  const out = new Uint8Array(TCMSG);
  const view = new DataView(out.buffer);
  view.setInt32(4, interfaceIndex, true);
  view.setUint32(8, handle, true);
  view.setUint32(12, parent, true);
  view.setUint32(16, tcInfo, true);
  return out;
}

function info(priority: number): number {
  return ((priority << 16) | ALL_PROTOCOLS) >>> 0;
}

function handleOf(options: TcFilterOptions): number {
  return options.handle ?? 1;
}

function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/\0+$/, '');
}

const KIND_BPF: RouteAttribute = { type: TCA_KIND, value: text('bpf') };
