import { BpfMap, type PinDirectory } from '@weir/ebpf/kernel';
import { z } from 'zod';
import { LAYOUT_VERSION, PIN } from './pin-layout.ts';

/** A filter of clsact: what is attached without a link, and so has no pin. */
export interface FilterRecord {
  readonly place: string;
  /** A path, or undefined: the namespace of the process that wrote it. */
  readonly netns?: string | undefined;
  readonly interface: number;
  readonly direction: 'ingress' | 'egress';
  readonly priority: number;
  readonly handle: number;
}

/** What the names of pins do not tell. */
export interface StateRecord {
  readonly filters: readonly FilterRecord[];
  /** Why a place has not what was asked for (XDP in the driver, tcx), by its name. */
  readonly fallbacks: Readonly<Record<string, string>>;
}

export const EMPTY_STATE: StateRecord = { filters: [], fallbacks: {} };

/** `WEIR`, the version of the layout, the length of the JSON text that follows: three u32 in little-endian order. */
const MAGIC = 0x5249_4557;
const HEADER = 12;
/** Room for some thousand places. */
const OCTETS = 256 * 1024;
const KEY = new Uint8Array(4);
const SPEC = { name: 'weir_state', type: 'array', keySize: 4, valueSize: OCTETS, maxEntries: 1 } as const;

const u32 = z.number().int().min(0).max(0xffff_ffff);
const recordSchema = z.object({
  filters: z.array(
    z.object({
      place: z.string(),
      netns: z.string().optional(),
      interface: u32,
      direction: z.enum(['ingress', 'egress']),
      priority: u32,
      handle: u32,
    }),
  ),
  fallbacks: z.record(z.string(), z.string()),
});

export function encodeState(state: StateRecord): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(state));
  if (HEADER + text.length > OCTETS) throw new RangeError(`a state of ${text.length} octets`);
  const out = new Uint8Array(OCTETS);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, LAYOUT_VERSION, true);
  view.setUint32(8, text.length, true);
  out.set(text, HEADER);
  return out;
}

/** Undefined for what is none of this version's. */
export function decodeState(bytes: Uint8Array): StateRecord | undefined {
  if (bytes.length < HEADER) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = view.getUint32(8, true);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== LAYOUT_VERSION || length > bytes.length - HEADER) return undefined;
  try {
    return recordSchema.parse(JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER, HEADER + length))));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}

/** The state of a layout's directory, or an empty one where there is none that can be read. BpfError. */
export function readState(directory: PinDirectory): StateRecord {
  const map = directory.map(PIN.state);
  if (!map) return EMPTY_STATE;
  try {
    const bytes = map.keySize === 4 ? map.lookup(KEY) : undefined;
    return (bytes && decodeState(bytes)) ?? EMPTY_STATE;
  } finally {
    map.close();
  }
}

/** Writes the state: a process that is killed leaves the one before or this one. BpfError. */
export function writeState(directory: PinDirectory, state: StateRecord): void {
  const bytes = encodeState(state);
  const map = BpfMap.create(SPEC);
  try {
    map.update(KEY, bytes);
    map.freeze();
    directory.pin(map, PIN.state);
  } finally {
    map.close();
  }
}
