import { type Family, type Prefix, PrefixTable } from '@weir/wire/inet';
import { grownU16, grownU32 } from './column.ts';
import { NO_ROW } from './route-table.ts';

/**
 * The prefixes of one family with the first route of each and the number of set entries that refer to it. A prefix lives while it has a
 * route or an entry. Costs 6 bytes a prefix beside those of `PrefixTable`.
 */
export class FamilyRib {
  readonly family: Family;
  readonly stride: 1 | 4;
  readonly table: PrefixTable;
  /** First row of each prefix. */
  heads: Uint32Array = new Uint32Array(1024);
  #users: Uint16Array = new Uint16Array(1024);

  constructor(family: Family) {
    this.family = family;
    this.stride = family === 4 ? 1 : 4;
    this.table = new PrefixTable(family);
  }

  /** The id of a prefix in columns, or -1. */
  find(words: Uint32Array, at: number, length: number): number {
    if (this.stride === 1) return this.table.find(words[at] as number, 0, 0, 0, length);
    return this.table.find(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number, length);
  }

  intern(words: Uint32Array, at: number, length: number): number {
    const id =
      this.stride === 1
        ? this.table.intern(words[at] as number, 0, 0, 0, length)
        : this.table.intern(words[at] as number, words[at + 1] as number, words[at + 2] as number, words[at + 3] as number, length);
    if (id >= this.heads.length) {
      this.heads = grownU32(this.heads, id + 1);
      this.#users = grownU16(this.#users, id + 1);
    }
    return id;
  }

  /** A set entry refers to the prefix from now on. */
  use(id: number): void {
    this.#users[id] = (this.#users[id] as number) + 1;
  }

  /** A set entry no longer does. */
  unuse(id: number): void {
    this.#users[id] = (this.#users[id] as number) - 1;
    this.releaseIfUnused(id);
  }

  releaseIfUnused(id: number): void {
    if (this.#users[id] === 0 && this.heads[id] === NO_ROW) this.table.release(id);
  }

  /** Order of `comparePrefix` between two ids. */
  compare(a: number, b: number): number {
    const t = this.table;
    for (let i = 0; i < this.stride; i++) {
      const difference = t.word(a, i) - t.word(b, i);
      if (difference !== 0) return difference;
    }
    return t.length(a) - t.length(b);
  }

  /** Whether an entry comes after a prefix of this family in that order. */
  isAfter(id: number, { w0, w1, w2, w3, length }: Prefix): boolean {
    const t = this.table;
    const difference = t.word(id, 0) - w0 || (this.stride === 1 ? 0 : t.word(id, 1) - w1 || t.word(id, 2) - w2 || t.word(id, 3) - w3);
    return (difference || t.length(id) - length) > 0;
  }
}
