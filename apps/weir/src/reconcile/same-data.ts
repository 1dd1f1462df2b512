/** Whether two values of plain data are the same: objects by what they have that is not undefined, arrays and octets by their items. */
export function sameData(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Number.isNaN(a) && Number.isNaN(b);
  if (Array.isArray(a) || ArrayBuffer.isView(a)) return sameItems(a, b);
  if (Array.isArray(b) || ArrayBuffer.isView(b)) return false;
  for (const key in a) if (!sameData(a[key as keyof typeof a], b[key as keyof typeof b])) return false;
  // What only the other one has.
  for (const key in b) if (a[key as keyof typeof a] === undefined && b[key as keyof typeof b] !== undefined) return false;
  return true;
}

function sameItems(a: object, b: object): boolean {
  if (a.constructor !== b.constructor) return false;
  const [one, other] = [a as ArrayLike<unknown>, b as ArrayLike<unknown>];
  if (one.length !== other.length) return false;
  for (let i = 0; i < one.length; i++) if (!sameData(one[i], other[i])) return false;
  return true;
}
