import { grownI32, grownU16 } from './column.ts';

/** Bits of a cell above its count. All within 31 bits, so that no cell is ever a number on the heap. */
export const CELL = {
  /** The set has the member. An entry with a count and without this bit waits. */
  installed: 0x40000000,
  /** The last drain said that the set has it. */
  reported: 0x20000000,
  /** On the list of changes for the next drain. */
  dirty: 0x10000000,
  /** One of the counted contributions is the ledger's. */
  ledger: 0x08000000,
  count: 0x07ffffff,
} as const;

const PAGE_BITS = 8;
const PAGE = 1 << PAGE_BITS;
const IN_PAGE = PAGE - 1;

/**
 * The members of one set and family by prefix id: how many contributions ask for each, and whether it is installed. Cells lie in pages of
 * 256 ids that are there only while one of their ids has an entry, so that ids that were given out one after the other are neighbours in
 * memory and a set that needs few of very many prefixes stays small: 4 bytes a member at best, 1 KiB at worst, and 4 bytes for each 256 ids.
 * An entry is deleted before its cell becomes 0 for longer than a call; the slot of an entry stays the same while it lives.
 */
export class MemberTable {
  /** By slot. Another array after a page was added. */
  cells: Int32Array = new Int32Array(PAGE);
  /** Page of each run of 256 ids; 0 is none. */
  #pages: Int32Array = new Int32Array(16);
  /** Entries of each page. */
  #entries: Uint16Array = new Uint16Array(16);
  #limit = 1;
  readonly #free: number[] = [];
  #size = 0;
  #created = false;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.cells.length * 4 + this.#pages.length * 4 + this.#entries.length * 2;
  }

  /** Whether the last `ensure` made its entry. */
  get created(): boolean {
    return this.#created;
  }

  /** The slot of a prefix; -1 where it has no entry. */
  find(id: number): number {
    const page = this.#pages[id >>> PAGE_BITS];
    if (page === undefined || page === 0) return -1;
    const slot = (page << PAGE_BITS) | (id & IN_PAGE);
    return this.cells[slot] === 0 ? -1 : slot;
  }

  /** The slot of a prefix. A new entry has the cell 0, and the caller is to set it. */
  ensure(id: number): number {
    const run = id >>> PAGE_BITS;
    let page = this.#pages[run];
    if (page === undefined || page === 0) page = this.#addPage(run);
    const slot = (page << PAGE_BITS) | (id & IN_PAGE);
    this.#created = this.cells[slot] === 0;
    if (this.#created) {
      this.#entries[page] = (this.#entries[page] as number) + 1;
      this.#size++;
    }
    return slot;
  }

  /** The cell of a prefix; 0 where it has no entry. */
  get(id: number): number {
    const page = this.#pages[id >>> PAGE_BITS];
    return page === undefined || page === 0 ? 0 : (this.cells[(page << PAGE_BITS) | (id & IN_PAGE)] as number);
  }

  /** Forgets an entry; the caller knows that there is one. */
  delete(id: number): void {
    const run = id >>> PAGE_BITS;
    const page = this.#pages[run] as number;
    this.cells[(page << PAGE_BITS) | (id & IN_PAGE)] = 0;
    this.#size--;
    const left = (this.#entries[page] as number) - 1;
    this.#entries[page] = left;
    if (left > 0) return;
    this.#pages[run] = 0;
    this.#free.push(page);
    if (this.#size === 0) this.#reset();
  }

  /** Every prefix id with its cell, ascending. Entries that are there already may be deleted meanwhile. */
  forEach(visit: (id: number, cell: number) => void): void {
    for (let run = 0; run < this.#pages.length; run++) {
      const page = this.#pages[run] as number;
      if (page === 0) continue;
      for (let i = 0; i < PAGE; i++) {
        const cell = this.cells[(page << PAGE_BITS) | i] as number;
        if (cell !== 0) visit((run << PAGE_BITS) | i, cell);
      }
    }
  }

  /** The ids whose cell has a bit of `bits`. */
  idsWith(bits: number): number[] {
    const out: number[] = [];
    this.forEach((id, cell) => {
      if ((cell & bits) !== 0) out.push(id);
    });
    return out;
  }

  #addPage(run: number): number {
    const page = this.#free.pop() ?? this.#limit++;
    this.cells = grownI32(this.cells, (page + 1) << PAGE_BITS);
    this.#entries = grownU16(this.#entries, page + 1);
    this.#pages = grownI32(this.#pages, run + 1);
    this.#pages[run] = page;
    return page;
  }

  /** Nothing is left: gives the memory back. */
  #reset(): void {
    this.cells = new Int32Array(PAGE);
    this.#pages = new Int32Array(16);
    this.#entries = new Uint16Array(16);
    this.#limit = 1;
    this.#free.length = 0;
  }
}
