import type { SetTypeName } from '@weir/netlink/nftables';
import { fieldBytes } from './field-bytes.ts';
import { FIELDS } from './fields.ts';
import type { MapImage, MeterImage } from './image.ts';

const KEYS: readonly SetTypeName[] = ['ipv4_addr', 'ipv6_addr', 'inet_proto', 'inet_service'];

/** What the kernel is told of a map before its entries. */
export function mapSpec({ name, field }: MapImage): { readonly name: string; readonly key: SetTypeName } {
  const key = KEYS.find((one) => one === FIELDS[field].typeName);
  if (!key) throw new RangeError(`a map over ${FIELDS[field].text}`);
  return { name, key };
}

export function meterSpec({ name, family, size, timeout }: MeterImage): MeterImage {
  return { name, family, size, timeout: timeout * 1000 };
}

/** A map's elements as bytes. */
export function mapEntries({ field, elements }: MapImage): {
  readonly first: Uint8Array;
  readonly last: Uint8Array;
  readonly verdict: MapImage['elements'][number]['verdict'];
}[] {
  const info = FIELDS[field];
  return elements.map(({ from, to, verdict }) => ({ first: fieldBytes(info, from), last: fieldBytes(info, to), verdict }));
}
