/** Tables that have nothing to do with each other, in one process so that each kill meets several; two who write to each. */
export const SETS = 4;
export const WRITERS: number = 2 * SETS;

/** A change that is asked for. A prefix is of one writer, and so are tables. */
export type Operation =
  | { readonly kind: 'add' | 'replace'; readonly prefixes: readonly string[]; readonly tables: readonly string[] }
  | { readonly kind: 'delete'; readonly prefixes: readonly string[] }
  | { readonly kind: 'load'; readonly prefixes: readonly string[]; readonly tables: readonly string[]; readonly replace: boolean };

/** What the process says, a line of JSON each. */
export type Line =
  | {
      readonly kind: 'state' /** Of each set the number of its last change. */;
      readonly last: readonly number[];
      readonly members: readonly (readonly [string, string])[];
    }
  | { readonly kind: 'begin'; readonly writer: number; readonly id: number; readonly operation: Operation }
  | { readonly kind: 'done'; readonly writer: number; readonly id: number }
  | { readonly kind: 'error'; readonly message: string };

/** Tables of each prefix of one writer. */
export type Members = ReadonlyMap<string, readonly string[]>;

/** What there is after a change. */
export function after(before: Members = new Map(), one: Operation): Members {
  const out = new Map(before);
  const put = (prefix: string, tables: readonly string[]): void => {
    if (tables.length === 0) out.delete(prefix);
    else out.set(prefix, tables);
  };
  if (one.kind === 'load' && one.replace)
    for (const [prefix, tables] of before)
      put(
        prefix,
        tables.filter((table) => !one.tables.includes(table)),
      );
  for (const prefix of one.prefixes) {
    if (one.kind === 'delete' || one.kind === 'replace') out.delete(prefix);
    if (one.kind !== 'delete') put(prefix, [...new Set([...(out.get(prefix) ?? []), ...one.tables])].sort());
  }
  return out;
}

/** Members as text, to compare. */
export function textOf(members: Members = new Map()): string {
  return [...members]
    .map(([prefix, tables]) => `${prefix} ${tables.join('+')}`)
    .sort()
    .join('\n');
}

/** Members as the process says them, of each writer: `10.WRITER.0.0/16`. */
export function membersOf(said: readonly (readonly [string, string])[]): readonly Members[] {
  const out = Array.from({ length: WRITERS }, () => new Map<string, readonly string[]>());
  for (const [prefix, tables] of said) out[Number(prefix.split('.')[1])]?.set(prefix, tables.split('+').sort());
  return out;
}
