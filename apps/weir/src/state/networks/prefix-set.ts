import { type Family, type Prefix, PrefixTable } from '@weir/wire/inet';
import type { Prefixes } from '../../model/network.ts';

const FAMILIES = [4, 6] as const;

/** Prefixes, each once, IPv4 first and then in the order in which they came: about 15 octets for one of IPv4, 27 for one of IPv6. */
export class PrefixSet implements Prefixes {
  readonly #tables: Readonly<Record<Family, PrefixTable>> = { 4: new PrefixTable(4, 16), 6: new PrefixTable(6, 16) };

  constructor(prefixes: Iterable<Prefix> = []) {
    for (const prefix of prefixes) this.add(prefix);
  }

  get length(): number {
    return this.#tables[4].size + this.#tables[6].size;
  }

  add(prefix: Prefix): void {
    this.#tables[prefix.family].internPrefix(prefix);
  }

  has(prefix: Prefix): boolean {
    return this.#tables[prefix.family].findPrefix(prefix) >= 0;
  }

  *[Symbol.iterator](): Generator<Prefix> {
    for (const family of FAMILIES) {
      const table = this.#tables[family];
      for (let id = 0; id < table.limit; id++) yield table.prefix(id);
    }
  }
}
