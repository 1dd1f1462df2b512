import { closeFd, SystemError } from '@weir/sys';
import { Attribute, COMMAND, objectName } from './attribute.ts';
import { attempt, BpfError, type BpfFailure, type BpfReason } from './bpf-error.ts';
import { type MapInfo, readMapInfo, readMapUsage } from './map-info.ts';
import { isArray, isMapOfMaps, isPerCpu, type MapShape, type MapType, mapShape, mapTypeNumber, valueBytes } from './map-type.ts';
import { readOf } from './object-kind.ts';
import { possibleCpus } from './possible-cpus.ts';

/** Of a map to be created. Sizes in bytes; those that the type fixes may be left out (`mapShape`). */
export interface MapSpec {
  /** At most 15 bytes of `A-Za-z0-9_.`. */
  readonly name: string;
  readonly type: MapType;
  readonly keySize?: number;
  readonly valueSize?: number;
  /** Of a ring buffer: its bytes, a power of two and a multiple of the page size. */
  readonly maxEntries: number;
  /** MAP_FLAG values. */
  readonly flags?: number;
  /** Of a map of maps: what its maps look like. */
  readonly inner?: MapSpec;
}

/** `any`: set it. `new`: only if the key is not there. `existing`: only if it is. */
export type UpdateMode = 'any' | 'new' | 'existing';

export const UPDATE_FLAGS: Readonly<Record<UpdateMode, number>> = { any: 0, new: 1, existing: 2 };

const EPERM = 1;
const ENOENT = 2;
const E2BIG = 7;
const EFAULT = 14;
const ENOSPC = 28;

/**
 * A map of the kernel, by an open descriptor. Keys and values are bytes as the kernel takes them: integers in host order. Values of per-CPU maps hold one value after the
 * other (`splitCpus`). Calls are synchronous; a map of maps waits for RCU when a map in it is replaced. BpfError.
 */
export class BpfMap {
  readonly fd: number;
  readonly name: string;
  readonly type: MapType;
  readonly keySize: number;
  /** As it was created: for one CPU. */
  readonly valueSize: number;
  readonly maxEntries: number;
  /** Bytes of a value as `lookup` gives it and `update` takes it. */
  readonly valueBytes: number;
  readonly #key: Uint8Array;
  readonly #value: Uint8Array;
  readonly #element: Attribute;
  readonly #deletion: Attribute;
  readonly #next: Attribute;
  readonly #owned: boolean;
  #closed = false;

  private constructor(fd: number, name: string, shape: MapShape, maxEntries: number, owned: boolean) {
    this.#owned = owned;
    this.fd = fd;
    this.name = name;
    this.type = shape.type;
    this.keySize = shape.keySize;
    this.valueSize = shape.valueSize;
    this.maxEntries = maxEntries;
    this.valueBytes = valueBytes(shape.type, shape.valueSize, isPerCpu(shape.type) ? possibleCpus() : 1);
    this.#key = new Uint8Array(new ArrayBuffer(shape.keySize));
    this.#value = new Uint8Array(new ArrayBuffer(Math.max(this.valueBytes, shape.keySize)));
    this.#element = new Attribute().u32(0, fd).pointer(8, this.#key).pointer(16, this.#value);
    // The kernel wants what a command does not use to be zero.
    this.#deletion = new Attribute().u32(0, fd).pointer(8, this.#key);
    this.#next = new Attribute().u32(0, fd).pointer(16, this.#value);
  }

  /** Makes a new map. RangeError where the spec contradicts itself. */
  static create(spec: MapSpec): BpfMap {
    const shape = mapShape(spec.type, spec.keySize, spec.valueSize, spec.flags);
    if (isMapOfMaps(spec.type) !== (spec.inner !== undefined)) throw new RangeError(`${spec.type}: an inner map is for maps of maps`);
    const template = spec.inner && BpfMap.create(spec.inner);
    try {
      const attribute = new Attribute()
        .u32(0, mapTypeNumber(spec.type))
        .u32(4, shape.keySize)
        .u32(8, shape.valueSize)
        .u32(12, spec.maxEntries)
        .u32(16, shape.flags)
        .u32(20, template?.fd ?? 0)
        .name(28, objectName(spec.name));
      const failure: BpfFailure = { operation: 'create', object: `map ${spec.name}`, needs: ['CAP_BPF'], detail: describe(spec, shape) };
      const fd = attempt(failure, () => attribute.call(COMMAND.mapCreate), createReason);
      return new BpfMap(fd, spec.name, shape, spec.maxEntries, true);
    } finally {
      template?.close();
    }
  }

  /** A map by its descriptor, which is the map's from then on, also when this throws. */
  static fromFd(fd: number): BpfMap {
    try {
      return BpfMap.#read(fd, true);
    } catch (error) {
      closeFd(fd);
      throw error;
    }
  }

  /** A map by a descriptor that stays somebody else's: of another thread of the process, for example. `close` leaves it open; it has to stay open for as long as the map is used. */
  static borrow(fd: number): BpfMap {
    return BpfMap.#read(fd, false);
  }

  static #read(fd: number, owned: boolean): BpfMap {
    const info = attempt({ operation: 'read', object: `map at descriptor ${fd}` }, () => readOf(fd, 'map', readMapInfo));
    return new BpfMap(fd, info.name, info, info.maxEntries, owned);
  }

  /** A map by its id. Needs CAP_SYS_ADMIN. */
  static fromId(id: number): BpfMap {
    const failure: BpfFailure = { operation: 'open', object: `map ${id}`, needs: ['CAP_SYS_ADMIN'] };
    return BpfMap.fromFd(attempt(failure, () => new Attribute().u32(0, id).call(COMMAND.mapById)));
  }

  get isArray(): boolean {
    return isArray(this.type);
  }

  info(): MapInfo {
    return this.#try('read', () => readMapInfo(this.fd));
  }

  /** Kernel memory in bytes, where the kernel tells, and whether `freeze` was called. */
  usage(): { readonly memory: number | undefined; readonly frozen: boolean } {
    return readMapUsage(this.#open());
  }

  /** The value of a key, or undefined. A map of maps gives the id of the map, a program array that of the program. */
  lookup(key: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    const out = new Uint8Array(this.valueBytes);
    return this.lookupInto(key, out) ? out : undefined;
  }

  /** The same without a new array: false, and `out` is as it was, when there is no such key. */
  lookupInto(key: Uint8Array, out: Uint8Array): boolean {
    this.#setKey(key);
    if (!this.#found('lookup', this.#element.u64(24, 0n), COMMAND.mapLookup)) return false;
    out.set(this.#value.subarray(0, this.valueBytes));
    return true;
  }

  /** Sets a key's value. A map of maps takes a map's descriptor, a program array a program's. */
  update(key: Uint8Array, value: Uint8Array, mode: UpdateMode = 'any'): void {
    this.#setKey(key);
    if (value.length !== this.valueBytes)
      throw new RangeError(`map ${this.name}: a value of ${value.length} bytes, not ${this.valueBytes}`);
    this.#value.set(value);
    this.#try('update', () => this.#element.u64(24, BigInt(UPDATE_FLAGS[mode])).call(COMMAND.mapUpdate));
  }

  /** Removes a key; false when it was not there. */
  delete(key: Uint8Array): boolean {
    this.#setKey(key);
    return this.#found('delete', this.#deletion, COMMAND.mapDelete);
  }

  /** The key after another, or the first; undefined after the last. In a hash the order is arbitrary, and starts again when `key` is no longer there. */
  nextKey(key?: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
    if (key === undefined) this.#next.u64(8, 0n);
    else {
      this.#setKey(key);
      this.#next.pointerAgain(8, this.#key);
    }
    if (!this.#found('walk', this.#next, COMMAND.mapNextKey)) return undefined;
    return this.#value.slice(0, this.keySize) as Uint8Array<ArrayBuffer>;
  }

  /** From now on no process can write it; programs still can, unless it has `readOnlyProgram`. */
  freeze(): void {
    this.#try('freeze', () => new Attribute().u32(0, this.fd).call(COMMAND.mapFreeze));
  }

  /** Gives the descriptor back; the map goes with its last user. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#owned) closeFd(this.fd);
  }

  #found(operation: string, attribute: Attribute, command: number): boolean {
    this.#open();
    try {
      attribute.call(command);
      return true;
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (error.errno === ENOENT) return false;
      throw new BpfError({ operation, object: `map ${this.name}`, ...elementReason(this, error.errno) }, error.errno);
    }
  }

  #try<T>(operation: string, action: () => T): T {
    this.#open();
    return attempt({ operation, object: `map ${this.name}` }, action, (errno) => elementReason(this, errno));
  }

  #setKey(key: Uint8Array): void {
    if (key.length !== this.keySize) throw new RangeError(`map ${this.name}: a key of ${key.length} bytes, not ${this.keySize}`);
    this.#key.set(key);
  }

  #open(): number {
    if (this.#closed) throw new BpfError({ operation: 'use', object: `map ${this.name}`, reason: 'absent', detail: 'it is closed' }, 9);
    return this.fd;
  }
}

/** What to say about an errno of an operation on a map's elements. */
export function elementReason(map: Pick<BpfMap, 'isArray' | 'maxEntries'>, errno: number): Partial<BpfFailure> | undefined {
  if (errno === E2BIG && map.isArray) return { reason: 'range', detail: `${map.maxEntries} entries` };
  if (errno === E2BIG || errno === ENOSPC) return { reason: 'full', detail: `${map.maxEntries} entries` };
  if (errno === EPERM) return { needs: ['CAP_BPF'], detail: 'it may be frozen' };
  return undefined;
}

function createReason(errno: number): Partial<BpfFailure> | undefined {
  const reasons: Readonly<Record<number, BpfReason>> = { [E2BIG]: 'range', [EFAULT]: 'invalid' };
  const reason = reasons[errno];
  return reason && { reason };
}

function describe(spec: MapSpec, shape: MapShape): string {
  return `${spec.type}, key ${shape.keySize}, value ${shape.valueSize}, ${spec.maxEntries} entries, flags 0x${shape.flags.toString(16)}`;
}
