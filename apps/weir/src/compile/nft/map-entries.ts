import type { MapEntry, MapSpec } from '../../model/kernel-map.ts';
import { fieldBytes } from './field-bytes.ts';
import { FIELDS } from './fields.ts';
import type { FieldValue, LookupImage, MapImage, MapKey, MeterImage } from './image.ts';
import { isInterface, keyType, paddedLength } from './map-keys.ts';
import { wholeName } from './match-expressions.ts';

/** What the kernel is told of a map before its entries. */
export function mapSpec(map: MapImage | LookupImage): MapSpec {
  const { name } = map;
  if ('field' in map) return { name, keys: [keyType(map.field)], ranges: true };
  return { name, keys: map.keys.map(keyType), ranges: map.ranges };
}

export function meterSpec({ name, family, size, timeout }: MeterImage): MeterImage {
  return { name, family, size, timeout: timeout * 1000 };
}

/** A map's elements as bytes. */
export function mapEntries(map: MapImage | LookupImage): MapEntry[] {
  if ('field' in map) {
    const info = FIELDS[map.field];
    return map.elements.map(({ from, to, verdict }) => ({ first: fieldBytes(info, from), last: fieldBytes(info, to), verdict }));
  }
  const { keys, elements } = map;
  return elements.map(({ key, verdict }) => ({
    first: keyBytes(
      keys,
      key.map(([from]) => from),
    ),
    last: keyBytes(
      keys,
      key.map(([, to]) => to),
    ),
    verdict,
  }));
}

/** The parts of a key side by side, each filled up to whole words. */
function keyBytes(keys: readonly MapKey[], values: readonly FieldValue[]): Uint8Array {
  if (keys.length === 1 && keys[0] !== undefined && values[0] !== undefined) return partBytes(keys[0], values[0]);
  const out = new Uint8Array(keys.reduce((sum, key) => sum + paddedLength(key), 0));
  let at = 0;
  for (const [i, key] of keys.entries()) {
    const value = values[i];
    if (value !== undefined) out.set(partBytes(key, value), at);
    at += paddedLength(key);
  }
  return out;
}

function partBytes(key: MapKey, value: FieldValue): Uint8Array {
  return isInterface(key) ? wholeName(String(value)) : fieldBytes(FIELDS[key], value);
}
