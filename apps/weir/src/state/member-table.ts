/** Bits of a cell above its count. */
export const CELL = {
  /** The set has the member. An entry with a count and without this bit waits. */
  installed: 0x80000000,
  /** The last drain said that the set has it. */
  reported: 0x40000000,
  /** On the list of changes for the next drain. */
  dirty: 0x20000000,
  /** One of the counted contributions is the ledger's. */
  ledger: 0x10000000,
  count: 0x0fffffff,
} as const;

/**
 * The members of one set and family by prefix id: how many contributions ask for each, and whether it is installed. Open addressing, so that
 * a set costs what its members cost (about 16 bytes each) however many prefixes there are.
 */
export class MemberTable {
  /** prefix id + 1, or 0 for an empty slot. */
  #keys = new Uint32Array(16);
  #cells = new Uint32Array(16);
  #shift = 28;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#keys.length * 8;
  }

  /** The cell of a prefix; 0 where it has no entry. */
  get(id: number): number {
    const slot = this.#find(id);
    return slot < 0 ? 0 : (this.#cells[slot] as number);
  }

  /** Sets the cell, making the entry if need be; true when it is new. */
  set(id: number, cell: number): boolean {
    let slot = this.#find(id);
    if (slot >= 0) {
      this.#cells[slot] = cell;
      return false;
    }
    if ((this.#size + 1) * 2 > this.#keys.length) {
      this.#resize(this.#keys.length * 2);
      slot = this.#find(id);
    }
    this.#keys[~slot] = id + 1;
    this.#cells[~slot] = cell;
    this.#size++;
    return true;
  }

  delete(id: number): void {
    let hole = this.#find(id);
    if (hole < 0) return;
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let j = (hole + 1) & mask; keys[j] !== 0; j = (j + 1) & mask) {
      const home = this.#home((keys[j] as number) - 1);
      if (((j - home) & mask) >= ((j - hole) & mask)) {
        keys[hole] = keys[j] as number;
        this.#cells[hole] = this.#cells[j] as number;
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
      if (key !== 0) visit(key - 1, this.#cells[i] as number);
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

  #home(id: number): number {
    return Math.imul(id, 0x9e3779b1) >>> this.#shift;
  }

  /** The slot of an id, or the complement of the empty slot where it would go. */
  #find(id: number): number {
    const keys = this.#keys;
    const mask = keys.length - 1;
    for (let i = this.#home(id); ; i = (i + 1) & mask) {
      const key = keys[i] as number;
      if (key === id + 1) return i;
      if (key === 0) return ~i;
    }
  }

  #resize(length: number): void {
    const oldKeys = this.#keys;
    const oldCells = this.#cells;
    this.#keys = new Uint32Array(length);
    this.#cells = new Uint32Array(length);
    this.#shift = 32 - Math.log2(length);
    for (let i = 0; i < oldKeys.length; i++) {
      const key = oldKeys[i] as number;
      if (key === 0) continue;
      const slot = ~this.#find(key - 1);
      this.#keys[slot] = key;
      this.#cells[slot] = oldCells[i] as number;
    }
  }
}
