/** Kinds of types (`linux/btf.h`) that are looked for by name. */
export const BTF_KIND = { struct: 4, union: 5, enum: 6, typedef: 8, func: 12, enum64: 19 } as const;

const MAGIC = 0xeb9f;
const HEADER = 24;
const TYPE = 12;
const MAX_KIND = 19;

/** Bytes after the 12 of every type: a fixed number by its kind, and some for each member. */
const EXTRA: readonly (readonly [fixed: number, each: number])[] = [
  [0, 0], // void
  [4, 0], // int
  [0, 0], // pointer
  [12, 0], // array
  [0, 12], // struct
  [0, 12], // union
  [0, 8], // enum
  [0, 0], // forward
  [0, 0], // typedef
  [0, 0], // volatile
  [0, 0], // const
  [0, 0], // restrict
  [0, 0], // func
  [0, 8], // function prototype
  [4, 0], // variable
  [0, 12], // section
  [0, 0], // float
  [4, 0], // declaration tag
  [0, 0], // type tag
  [0, 12], // enum of 64 bits
];

/** Bytes that are no BTF. */
export class BtfError extends Error {
  override readonly name = 'BtfError';
  readonly code = 'btf-malformed';
  /** Where in the bytes. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`);
    this.offset = offset;
  }
}

export interface BtfMember {
  readonly name: string;
  readonly type: number;
  /** From the beginning of the struct. */
  readonly bitOffset: number;
  /** Bits of a bit field; 0 for a member that is none. */
  readonly bits: number;
}

export interface BtfStruct {
  readonly id: number;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly members: readonly BtfMember[];
}

/**
 * Types of a kernel, a module or a program, as they are in /sys/kernel/btf (Documentation/bpf/btf.rst): a header, the types one after the other with ids from 1 on, the
 * names. Nothing is decoded until it is asked for: a look-up is one pass over the types. A module's types go on where those of the kernel end: `base` is then the kernel's.
 */
export class Btf {
  /** The id after the last one. */
  readonly nextId: number;
  /** Bytes of names, with those of the base. */
  readonly nameBytes: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #types: number;
  readonly #typesEnd: number;
  readonly #names: number;
  readonly #base: Btf | undefined;

  /** BtfError for bytes that are none, or end too early. */
  constructor(bytes: Uint8Array, base?: Btf) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#base = base;
    const view = this.#view;
    if (bytes.length < HEADER || view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== 1) throw new BtfError('not BTF', 0);
    const header = view.getUint32(4, true);
    const [typesAt, typesLength, namesAt, namesLength] = [8, 12, 16, 20].map((at) => view.getUint32(at, true)) as [
      number,
      number,
      number,
      number,
    ];
    this.#types = header + typesAt;
    this.#typesEnd = this.#types + typesLength;
    this.#names = header + namesAt;
    this.nameBytes = (base?.nameBytes ?? 0) + namesLength;
    if (header < HEADER || this.#typesEnd > bytes.length || this.#names + namesLength > bytes.length)
      throw new BtfError('a part of BTF is missing', 8);
    let id = this.#firstId;
    this.#eachType(() => {
      id++;
      return true;
    });
    this.nextId = id;
  }

  get #firstId(): number {
    return this.#base?.nextId ?? 1;
  }

  /** Ids of types of one kind by name, as far as there are some; the first where a name is there twice. Those of the base are not looked at. */
  find(kind: number, names: readonly string[]): ReadonlyMap<string, number> {
    const wanted = new Map<number, string>();
    for (const name of names) for (const at of this.#nameOffsets(name)) wanted.set(at, name);
    const found = new Map<string, number>();
    if (wanted.size === 0) return found;
    let id = this.#firstId;
    this.#eachType((at, its) => {
      const name = its === kind ? wanted.get(this.#view.getUint32(at, true)) : undefined;
      if (name !== undefined && !found.has(name)) found.set(name, id);
      id++;
      return found.size < names.length;
    });
    return found;
  }

  /** A struct or union by name; undefined where there is none. */
  struct(name: string, kind: 4 | 5 = BTF_KIND.struct): BtfStruct | undefined {
    const id = this.find(kind, [name]).get(name);
    if (id === undefined) return undefined;
    let at = -1;
    let next = this.#firstId;
    this.#eachType((offset) => {
      at = offset;
      return next++ < id;
    });
    const info = this.#view.getUint32(at + 4, true);
    const bitFields = info >>> 31 === 1;
    const members = Array.from({ length: info & 0xffff }, (_, i): BtfMember => {
      const member = at + TYPE + i * 12;
      const offset = this.#view.getUint32(member + 8, true);
      return {
        name: this.name(this.#view.getUint32(member, true)),
        type: this.#view.getUint32(member + 4, true),
        bitOffset: bitFields ? offset & 0xffffff : offset,
        bits: bitFields ? offset >>> 24 : 0,
      };
    });
    return { id, name, size: this.#view.getUint32(at + 8, true), members };
  }

  /** The name at an offset into the names. BtfError when it is outside. */
  name(offset: number): string {
    const before = this.#base?.nameBytes ?? 0;
    if (offset < before && this.#base) return this.#base.name(offset);
    const at = this.#names + offset - before;
    const end = this.#bytes.indexOf(0, at);
    if (offset >= this.nameBytes || end < 0) throw new BtfError(`no name ${offset}`, at);
    return new TextDecoder().decode(this.#bytes.subarray(at, end));
  }

  /** Where a name is among the names: here, and in the base. */
  #nameOffsets(name: string): readonly number[] {
    const end = this.#names + this.nameBytes - (this.#base?.nameBytes ?? 0);
    const names = Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + this.#names, end - this.#names);
    // The names of a module begin with one, those of the kernel with the empty one.
    const first = names.indexOf(`${name}\0`, 0, 'utf8') === 0;
    const inside = first ? -1 : names.indexOf(`\0${name}\0`, 0, 'utf8');
    const before = this.#base?.nameBytes ?? 0;
    const own = first ? [before] : inside < 0 ? [] : [before + inside + 1];
    return [...own, ...(this.#base ? this.#base.#nameOffsets(name) : [])];
  }

  /** Visits the types in the order of their ids, until the visitor returns false. */
  #eachType(visit: (at: number, kind: number) => boolean): void {
    const view = this.#view;
    for (let at = this.#types; at < this.#typesEnd; ) {
      if (at + TYPE > this.#typesEnd) throw new BtfError('a type is cut short', at);
      const info = view.getUint32(at + 4, true);
      const kind = (info >>> 24) & 0x1f;
      const extra = EXTRA[kind];
      if (kind === 0 || kind > MAX_KIND || !extra) throw new BtfError(`a type of an unknown kind ${kind}`, at);
      const next = at + TYPE + extra[0] + extra[1] * (info & 0xffff);
      if (next > this.#typesEnd) throw new BtfError('a type is cut short', at);
      if (!visit(at, kind)) return;
      at = next;
    }
  }
}
