import { type HashKey, halfSipHash } from '@weir/wire/bytes';
import { ByteArena } from './byte-arena.ts';
import { grownI32, grownU32 } from './column.ts';
import { type FeedTable, NO_FEED } from './feed-table.ts';

/** Attributes that are not kept: of routes that are only counted. */
export const NO_ATTRIBUTES = 0;

/** The most attribute sets that are kept. */
const MAX_ATTRIBUTE_SETS: number = 1 << 22;

/**
 * Interns the attributes of routes by their bytes: equal bytes are stored once, whoever sent them. Reference-counted by routes; the bytes lie
 * in an arena that is compacted when more than half of it is dead. Each entry also keeps the feed its communities ask for (before any
 * guard), which is worked out once. Costs the bytes, 20 bytes of columns and about 8 of hash slots an entry.
 */
export class AttributeStore {
  readonly #feeds: FeedTable;
  readonly #key: HashKey;
  #arena = new ByteArena();
  #offsets: Uint32Array = new Uint32Array(1024);
  #lengths: Uint32Array = new Uint32Array(1024);
  #hashes: Int32Array = new Int32Array(1024);
  #refs: Uint32Array = new Uint32Array(1024);
  #asks: Uint32Array = new Uint32Array(1024);
  /** id, or 0 for an empty slot. */
  #slots: Uint32Array = new Uint32Array(2048);
  #size = 0;
  #limit = 1;
  readonly #free: number[] = [];

  /** `key` makes the hash of this store its own, so that a peer cannot choose attributes that collide. */
  constructor(feeds: FeedTable, key: HashKey) {
    this.#feeds = feeds;
    this.#key = key;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes of the attributes that are referred to. */
  get liveBytes(): number {
    return this.#arena.live;
  }

  /** Bytes of the arena, whatever is in them. */
  get heldBytes(): number {
    return this.#arena.capacity;
  }

  /** The id of these bytes, or `NO_ATTRIBUTES` where they are not known. */
  find(bytes: Uint8Array, hash: number = this.hash(bytes)): number {
    return this.#find(bytes, hash);
  }

  /**
   * The id of these bytes, made if need be with no reference and without a feed; `NO_ATTRIBUTES` when the store is full. A caller that makes
   * no reference calls `discardUnused`.
   */
  intern(bytes: Uint8Array, hash: number = this.hash(bytes)): number {
    const known = this.#find(bytes, hash);
    return known === NO_ATTRIBUTES ? this.add(bytes, hash) : known;
  }

  /** The same for bytes that `find` has just not found. */
  add(bytes: Uint8Array, hash: number): number {
    if (this.#size >= MAX_ATTRIBUTE_SETS) return NO_ATTRIBUTES;
    const offset = this.#arena.add(bytes);
    if (offset < 0) return NO_ATTRIBUTES;
    if ((this.#size + 1) * 2 > this.#slots.length) this.#rehash();
    const id = this.#free.pop() ?? this.#limit++;
    if (id >= this.#offsets.length) this.#grow(id + 1);
    this.#offsets[id] = offset;
    this.#lengths[id] = bytes.length;
    this.#hashes[id] = hash;
    this.#refs[id] = 0;
    this.#asks[id] = NO_FEED;
    this.#place(id, hash);
    this.#size++;
    return id;
  }

  #grow(length: number): void {
    this.#offsets = grownU32(this.#offsets, length);
    this.#lengths = grownU32(this.#lengths, length);
    this.#hashes = grownI32(this.#hashes, length);
    this.#refs = grownU32(this.#refs, length);
    this.#asks = grownU32(this.#asks, length);
  }

  retain(id: number): void {
    if (id !== NO_ATTRIBUTES) this.#refs[id] = (this.#refs[id] as number) + 1;
  }

  release(id: number): void {
    if (id === NO_ATTRIBUTES) return;
    const left = (this.#refs[id] as number) - 1;
    if (left < 0) throw new RangeError(`attributes ${id} have no reference to release`);
    this.#refs[id] = left;
    if (left === 0) this.#forget(id);
  }

  /** Forgets an entry that `intern` made and that nothing refers to. */
  discardUnused(id: number): void {
    if (id !== NO_ATTRIBUTES && this.#refs[id] === 0) this.#forget(id);
  }

  /** The feed that the communities ask for. */
  asks(id: number): number {
    return this.#asks[id] ?? NO_FEED;
  }

  /** Takes over the caller's reference to `feed`. */
  setAsks(id: number, feed: number): void {
    this.#feeds.release(this.asks(id));
    this.#asks[id] = feed;
  }

  /** A view of the bytes, right until the next change of the store. */
  bytes(id: number): Uint8Array {
    return this.#arena.view(this.#offsets[id] as number, this.#lengths[id] as number);
  }

  /** Every id that something refers to. */
  *ids(): Generator<number> {
    for (let id = 1; id < this.#limit; id++) if ((this.#refs[id] as number) > 0) yield id;
  }

  #forget(id: number): void {
    this.setAsks(id, NO_FEED);
    this.#unplace(id);
    this.#arena.drop(this.#lengths[id] as number);
    this.#size--;
    this.#free.push(id);
    this.#lengths[id] = 0;
    if (this.#arena.wasteful) this.#compact();
  }

  #compact(): void {
    const next = new ByteArena();
    for (let id = 1; id < this.#limit; id++) {
      if ((this.#lengths[id] as number) === 0) continue;
      this.#offsets[id] = next.add(this.bytes(id));
    }
    this.#arena = next;
  }

  /** What `find` and `intern` take, where both are called for the same bytes. */
  hash(bytes: Uint8Array): number {
    return halfSipHash(this.#key, bytes);
  }

  #find(bytes: Uint8Array, hash: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let i = hash & mask; ; i = (i + 1) & mask) {
      const id = slots[i] as number;
      if (id === 0) return NO_ATTRIBUTES;
      if (this.#hashes[id] === hash && this.#lengths[id] === bytes.length && this.#arena.equals(this.#offsets[id] as number, bytes))
        return id;
    }
  }

  #place(id: number, hash: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let i = hash & mask;
    while (slots[i] !== 0) i = (i + 1) & mask;
    slots[i] = id;
  }

  #unplace(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let i = (this.#hashes[id] as number) & mask;
    while (slots[i] !== id) i = (i + 1) & mask;
    for (let j = (i + 1) & mask; ; j = (j + 1) & mask) {
      const other = slots[j] as number;
      if (other === 0) break;
      const home = (this.#hashes[other] as number) & mask;
      if (((j - home) & mask) >= ((j - i) & mask)) {
        slots[i] = other;
        i = j;
      }
    }
    slots[i] = 0;
  }

  #rehash(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let k = 0; k < old.length; k++) {
      const id = old[k] as number;
      if (id !== 0) this.#place(id, this.#hashes[id] as number);
    }
  }
}
