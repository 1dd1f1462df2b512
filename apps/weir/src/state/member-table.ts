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

/**
 * The members of one set and family by prefix id: how many contributions ask for each, and whether it is installed. Open addressing, so that
 * a set costs what its members cost (16-64 bytes each) however many prefixes there are. Slots are right until an entry is made or deleted.
 */
export class MemberTable {
  /** By slot. */
  cells: Int32Array = new Int32Array(16);
  /** prefix id + 1, or 0 for an empty slot. */
  #keys = new Int32Array(16);
  #shift = 28;
  #size = 0;
  #created = false;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#keys.length * 8;
  }

  /** Whether the last `ensure` made its entry. */
  get created(): boolean {
    return this.#created;
  }

  /** The slot of a prefix; negative where it has no entry. */
  find(id: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let i = Math.imul(id, 0x9e3779b1) >>> this.#shift; ; i = (i + 1) & mask) {
      const key = keys[i] as number;
      if (key === id + 1) return i;
      if (key === 0) return ~i;
    }
  }

  /** The slot of a prefix; a new entry has the cell 0. */
  ensure(id: number): number {
    let slot = this.find(id);
    this.#created = slot < 0;
    if (slot >= 0) return slot;
    const { length } = this.#keys;
    if ((this.#size + 1) * 2 > length) {
      this.#resize(length < 1 << 18 ? length * 4 : length * 2);
      slot = this.find(id);
    }
    this.#keys[~slot] = id + 1;
    this.cells[~slot] = 0;
    this.#size++;
    return ~slot;
  }

  /** The cell of a prefix; 0 where it has no entry. */
  get(id: number): number {
    const slot = this.find(id);
    return slot < 0 ? 0 : (this.cells[slot] as number);
  }

  delete(id: number): void {
    let hole = this.find(id);
    if (hole < 0) return;
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let j = (hole + 1) & mask; keys[j] !== 0; j = (j + 1) & mask) {
      const home = Math.imul((keys[j] as number) - 1, 0x9e3779b1) >>> this.#shift;
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        keys[hole] = keys[j] as number;
        this.cells[hole] = this.cells[j] as number;
        hole = j;
      }
    }
    keys[hole] = 0;
    this.#size--;
    if (this.#size * 16 < keys.length && keys.length > 1024) this.#resize(keys.length / 4);
  }

  /** Every prefix id with its cell, in no order. The table must not change meanwhile. */
  forEach(visit: (id: number, cell: number) => void): void {
    const keys = this.#keys;
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as number;
      if (key !== 0) visit(key - 1, this.cells[i] as number);
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

  #resize(length: number): void {
    const oldKeys = this.#keys;
    const oldCells = this.cells;
    const keys = new Int32Array(length);
    const cells = new Int32Array(length);
    const shift = 32 - Math.log2(length);
    const mask = length - 1;
    for (let i = 0; i < oldKeys.length; i++) {
      const key = oldKeys[i] as number;
      if (key === 0) continue;
      let slot = Math.imul(key - 1, 0x9e3779b1) >>> shift;
      while (keys[slot] !== 0) slot = (slot + 1) & mask;
      keys[slot] = key;
      cells[slot] = oldCells[i] as number;
    }
    this.#keys = keys;
    this.cells = cells;
    this.#shift = shift;
  }
}
