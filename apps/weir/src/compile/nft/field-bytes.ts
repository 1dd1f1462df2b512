import { ipBytes, parseIp } from '@weir/wire/inet';
import type { FieldInfo } from './fields.ts';
import type { FieldValue } from './image.ts';

/** A value of a field as it is in a packet, its bits moved to their place. */
export function fieldBytes(info: FieldInfo, value: FieldValue): Uint8Array {
  if (typeof value === 'number') return placed(value, info.shift, info.load.length);
  const ip = parseIp(value);
  if (!ip) throw new RangeError(`not an address: ${value}`);
  return ipBytes(ip);
}

/** The bits of a field in what is loaded; undefined when it is all of it. */
export function fieldMask(info: FieldInfo): Uint8Array | undefined {
  const { length } = info.load;
  return info.bits === length * 8 ? undefined : placed(2 ** info.bits - 1, info.shift, length);
}

/** `value << shift` as a big-endian number of so many bytes: up to 40 bits, more than what the operators of numbers can do. */
export function placed(value: number, shift: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let rest = value * 2 ** shift;
  for (let i = length - 1; i >= 0; i--) {
    out[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return out;
}

export function reversed(bytes: Uint8Array): Uint8Array {
  return bytes.slice().reverse();
}
