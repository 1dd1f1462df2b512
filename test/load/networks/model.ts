/** A change that is asked for. A prefix is of one writer, and so are tables. */
export type Operation =
  | { readonly kind: 'add' | 'replace'; readonly prefixes: readonly string[]; readonly tables: readonly string[] }
  | { readonly kind: 'delete'; readonly prefixes: readonly string[] }
  | { readonly kind: 'load'; readonly prefixes: readonly string[]; readonly tables: readonly string[]; readonly replace: boolean };

/** What the process says, a line of JSON each. */
export type Line =
  | { readonly kind: 'state'; readonly last: number; readonly members: readonly (readonly [string, string])[] }
  | { readonly kind: 'begin'; readonly writer: number; readonly id: number; readonly operation: Operation }
  | { readonly kind: 'done'; readonly writer: number; readonly id: number }
  | { readonly kind: 'error'; readonly message: string };

/** Tables of each prefix. */
export type Members = ReadonlyMap<string, ReadonlySet<string>>;

/** What there is after a change, one prefix after the other. */
export function after(before: Members, one: Operation): Members {
  const out = new Map([...before].map(([prefix, tables]) => [prefix, new Set(tables)]));
  const [target = ''] = one.kind === 'delete' ? [] : one.tables;
  if (one.kind === 'load' && one.replace) for (const tables of out.values()) tables.delete(target);
  for (const prefix of one.prefixes) {
    if (one.kind === 'delete' || one.kind === 'replace') out.delete(prefix);
    if (one.kind === 'delete') continue;
    const tables = out.get(prefix) ?? new Set<string>();
    for (const table of one.tables) tables.add(table);
    out.set(prefix, tables);
  }
  for (const [prefix, tables] of out) if (tables.size === 0) out.delete(prefix);
  return out;
}

/** What a writer has: `10.WRITER.0.0/16`. */
export function ofWriter(members: Members, writer: number): readonly string[] {
  return [...members]
    .filter(([prefix]) => prefix.startsWith(`10.${writer}.`))
    .map(([prefix, tables]) => `${prefix} ${[...tables].sort().join('+')}`)
    .sort();
}

/** Members as the process says them. */
export function membersOf(said: readonly (readonly [string, string])[]): Members {
  return new Map(said.map(([prefix, tables]) => [prefix, new Set(tables.split('+'))]));
}
