/**
 * Typed-array columns that grow: a table of n rows is one array per field, indexed by row. Growth doubles up to a million rows and is by a
 * half beyond, so that a large table wastes at most a third.
 */
function capacity(length: number, need: number): number {
  let size = Math.max(length, 64);
  while (size < need) size = size < 1 << 20 ? size * 2 : Math.ceil(size * 1.5);
  return size;
}

/** The column itself where `need` rows fit, else a larger copy. */
export function grownU32(column: Uint32Array, need: number): Uint32Array {
  if (need <= column.length) return column;
  const out = new Uint32Array(capacity(column.length, need));
  out.set(column);
  return out;
}

/** As `grownU32`, for 16-bit columns. */
export function grownU16(column: Uint16Array, need: number): Uint16Array {
  if (need <= column.length) return column;
  const out = new Uint16Array(capacity(column.length, need));
  out.set(column);
  return out;
}

/** As `grownU32`, for 8-bit columns. */
export function grownU8(column: Uint8Array, need: number): Uint8Array {
  if (need <= column.length) return column;
  const out = new Uint8Array(capacity(column.length, need));
  out.set(column);
  return out;
}

/** As `grownU32`, for signed columns. */
export function grownI32(column: Int32Array, need: number): Int32Array {
  if (need <= column.length) return column;
  const out = new Int32Array(capacity(column.length, need));
  out.set(column);
  return out;
}
