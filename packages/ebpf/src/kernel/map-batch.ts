import { SystemError } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';
import { runBatch } from './batch-progress.ts';
import { BpfError, type BpfFailure, ENOTSUPP } from './bpf-error.ts';
import { type BpfMap, elementReason, UPDATE_FLAGS, type UpdateMode } from './map.ts';

/** A batch that stopped. `done` entries, the first ones, were taken before. */
export class BatchError extends BpfError {
  override readonly name: string = 'BatchError';
  readonly done: number;

  constructor(failure: BpfFailure, errno: number, done: number) {
    super({ ...failure, detail: [failure.detail, `after ${done} entries`].filter((text) => text !== undefined).join(', ') }, errno);
    this.done = done;
  }
}

const ENOENT = 2;
const EINTR = 4;
const EAGAIN = 11;
const ENOSPC = 28;
/** Interruptions in a row without an entry between them. */
const MAX_INTERRUPTED = 100;
/** Entries that one look-up call asks for at first. */
const FIRST_CHUNK = 1024;
/** Bytes of keys and values that one look-up call may give. */
const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

/**
 * Sets many keys in as few system calls as it takes: `keys` and `values` are one after the other. Maps without batch operations get one call an entry. Not atomic: programs see
 * entries as they are set. BatchError with what was done before; RangeError when the lengths do not fit.
 */
export function updateBatch(map: BpfMap, keys: Uint8Array, values: Uint8Array, mode: UpdateMode = 'any'): void {
  const count = countOf(map, keys);
  if (values.length !== count * map.valueBytes) throw new RangeError(`map ${map.name}: ${values.length} bytes of values for ${count} keys`);
  batch(map, 'update', COMMAND.mapUpdateBatch, keys, values, BigInt(UPDATE_FLAGS[mode]), (i) => {
    map.update(slice(keys, i, map.keySize), slice(values, i, map.valueBytes), mode);
  });
}

/** Removes many keys; those that are not there are passed over. Returns how many there were. BatchError, RangeError. */
export function deleteBatch(map: BpfMap, keys: Uint8Array): number {
  const count = countOf(map, keys);
  let absent = 0;
  for (let from = 0; from < count; ) {
    try {
      batch(map, 'delete', COMMAND.mapDeleteBatch, keys.subarray(from * map.keySize), undefined, 0n, (i) => {
        if (!map.delete(slice(keys, from + i, map.keySize))) absent++;
      });
      break;
    } catch (error) {
      if (!(error instanceof BatchError)) throw error;
      const done = from + error.done;
      if (error.errno !== ENOENT)
        throw new BatchError({ operation: 'delete', object: `map ${map.name}`, reason: error.reason }, error.errno, done);
      absent++;
      from = done + 1;
    }
  }
  return count - absent;
}

function batch(
  map: BpfMap,
  operation: string,
  command: number,
  keys: Uint8Array,
  values: Uint8Array | undefined,
  flags: bigint,
  one: (index: number) => void,
): void {
  const total = countOf(map, keys);
  const { errno, done } = runBatch(total, (from) => {
    const attribute = new Attribute()
      .pointer(16, keys.subarray(from * map.keySize))
      .u32(32, total - from)
      .u32(36, map.fd)
      .u64(40, flags);
    if (values) attribute.pointer(24, values.subarray(from * map.valueBytes));
    return { errno: errnoOf(() => attribute.call(command)), count: attribute.getU32(32) };
  });
  if (errno === ENOTSUPP) oneByOne(map, operation, done, total, one);
  else if (errno !== 0) throw new BatchError({ operation, object: `map ${map.name}`, ...elementReason(map, errno) }, errno, done);
}

function oneByOne(map: BpfMap, operation: string, from: number, count: number, one: (index: number) => void): void {
  for (let i = from; i < count; i++) {
    try {
      one(i);
    } catch (error) {
      if (!(error instanceof BpfError)) throw error;
      throw new BatchError({ operation, object: `map ${map.name}`, reason: error.reason }, error.errno, i);
    }
  }
}

/**
 * All entries, in an arbitrary order, many with each system call. What changes meanwhile may be seen, or missed, or seen twice. The arrays given to `visit` are used again
 * after it. Maps without batch operations are walked key by key, at most twice as far as they have entries. BpfError.
 */
export function readEntries(map: BpfMap, visit: (key: Uint8Array, value: Uint8Array) => void): void {
  const whole = readChunks(map, ({ keys, values, count }) => {
    for (let i = 0; i < count; i++) visit(slice(keys, i, map.keySize), slice(values, i, map.valueBytes));
  });
  if (!whole) walkKeys(map, visit);
}

/** The values of an array, one after the other by their indices; of a per-CPU array each as `lookup` gives it. BpfError. */
export function readValues(map: BpfMap): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(map.maxEntries * map.valueBytes);
  let read = 0;
  const whole = readChunks(map, ({ values, count }) => {
    const octets = values.subarray(0, count * map.valueBytes);
    out.set(octets, read);
    read += octets.length;
  });
  if (!whole) walkKeys(map, (key, value) => out.set(value, new DataView(key.buffer, key.byteOffset, 4).getUint32(0, true) * value.length));
  return out;
}

interface Chunk {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
  readonly count: number;
}

/** Calls for one chunk after the other, whose arrays are used again; false where the map has no batch operations. */
function readChunks(map: BpfMap, visit: (chunk: Chunk) => void): boolean {
  const entryBytes = map.keySize + map.valueBytes;
  let chunk = Math.max(1, Math.min(FIRST_CHUNK, map.maxEntries, Math.floor(MAX_CHUNK_BYTES / entryBytes)));
  // The kernel's own position: a key in tries and arrays, a bucket in hashes.
  const position = new Uint8Array(Math.max(8, map.keySize));
  let keys = new Uint8Array(chunk * map.keySize);
  let values = new Uint8Array(chunk * map.valueBytes);
  let started = false;
  let interrupted = 0;
  for (;;) {
    const next = new Uint8Array(position.length);
    const attribute = new Attribute().pointer(8, next).pointer(16, keys).pointer(24, values).u32(32, chunk).u32(36, map.fd);
    if (started) attribute.pointer(0, position);
    const errno = errnoOf(() => attribute.call(COMMAND.mapLookupBatch));
    if (errno === ENOTSUPP && !started) return false;
    if (errno === ENOSPC && chunk * 2 * entryBytes <= MAX_CHUNK_BYTES) {
      // One bucket has more entries than fit.
      chunk *= 2;
      keys = new Uint8Array(chunk * map.keySize);
      values = new Uint8Array(chunk * map.valueBytes);
      continue;
    }
    if ((errno === EINTR || errno === EAGAIN) && interrupted++ < MAX_INTERRUPTED) continue;
    if (errno !== 0 && errno !== ENOENT)
      throw new BpfError({ operation: 'read', object: `map ${map.name}`, ...elementReason(map, errno) }, errno);
    visit({ keys, values, count: Math.min(attribute.getU32(32), chunk) });
    if (errno === ENOENT) return true;
    started = true;
    interrupted = 0;
    position.set(next);
  }
}

function walkKeys(map: BpfMap, visit: (key: Uint8Array, value: Uint8Array) => void): void {
  const value = new Uint8Array(map.valueBytes);
  let key = map.nextKey();
  for (let steps = 0; key !== undefined && steps < map.maxEntries * 2; steps++) {
    if (map.lookupInto(key, value)) visit(key, value);
    key = map.nextKey(key);
  }
}

function countOf(map: BpfMap, keys: Uint8Array): number {
  if (map.keySize === 0 || keys.length % map.keySize !== 0)
    throw new RangeError(`map ${map.name}: ${keys.length} bytes are not keys of ${map.keySize}`);
  return keys.length / map.keySize;
}

function slice(bytes: Uint8Array, index: number, size: number): Uint8Array {
  return bytes.subarray(index * size, (index + 1) * size);
}

function errnoOf(action: () => unknown): number {
  try {
    action();
    return 0;
  } catch (error) {
    if (error instanceof SystemError) return error.errno;
    throw error;
  }
}
