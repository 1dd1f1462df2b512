import { type Family, type Prefix, printPrefix } from '@weir/wire/inet';
import { Aggregate } from '../../state/index.ts';

export interface NetworkAggregatesOptions {
  /** Who is told the same: by its name, which tables it sees of those that a prefix is in. */
  readonly audiences: ReadonlyMap<string, (tables: readonly string[]) => readonly string[]>;
  /** Tables whose prefixes may be merged. */
  readonly merged: ReadonlySet<string>;
}

interface Audience {
  readonly name: string;
  /** By label, from 1 on: which tables a route is of. */
  readonly tables: readonly (readonly string[])[];
  readonly labelOf: (tables: readonly string[]) => number;
  readonly prefixes: Readonly<Record<Family, Aggregate>>;
}

/**
 * What each audience is told in place of the prefixes that it may see: an audience that does not see a table may have two prefixes as one that are two for others. Prefixes are
 * merged that are in the same tables of those that the audience sees, where all of these are to be merged.
 */
export class NetworkAggregates {
  readonly #audiences: readonly Audience[];
  #touched = new Map<string, Prefix>();

  constructor({ audiences, merged }: NetworkAggregatesOptions) {
    const touch = (prefix: Prefix): void => {
      this.#touched.set(printPrefix(prefix), prefix);
    };
    this.#audiences = [...audiences].map(([name, sees]) => audienceOf(name, sees, merged, touch));
  }

  /** A prefix is in these tables now; the prefixes that are told differently. */
  set(prefix: Prefix, tables: readonly string[]): readonly Prefix[] {
    this.#touched = new Map();
    for (const one of this.#audiences) one.prefixes[prefix.family].set(prefix, one.labelOf(tables));
    return [...this.#touched.values()];
  }

  /** With which tables each audience is told of a prefix; those that are not told are left out. */
  told(prefix: Prefix): ReadonlyMap<string, readonly string[]> {
    const out = new Map<string, readonly string[]>();
    for (const { name, tables, prefixes } of this.#audiences) {
      const label = prefixes[prefix.family].announced(prefix);
      if (label > 0) out.set(name, tables[label] ?? []);
    }
    return out;
  }
}

function audienceOf(
  name: string,
  sees: (tables: readonly string[]) => readonly string[],
  merged: ReadonlySet<string>,
  changed: (prefix: Prefix) => void,
): Audience {
  const labels = new Map<string, number>();
  const tables: (readonly string[])[] = [[]];
  const mergeable = [false];
  const aggregate = (family: Family): Aggregate =>
    new Aggregate(family, { mergeable: (label) => mergeable[label] === true, changed: (prefix) => changed(prefix) });
  const labelOf = (all: readonly string[]): number => {
    const whole = all.join(' ');
    const known = labels.get(whole);
    if (known !== undefined) return known;
    const seen = sees(all);
    const key = seen.join(' ');
    let label = seen.length === 0 ? 0 : tables.findIndex((other) => other.join(' ') === key);
    if (label < 0) {
      label = tables.push(seen) - 1;
      mergeable.push(seen.every((table) => merged.has(table)));
    }
    labels.set(whole, label);
    return label;
  };
  return {
    name,
    tables,
    labelOf,
    prefixes: { 4: aggregate(4), 6: aggregate(6) },
  };
}
