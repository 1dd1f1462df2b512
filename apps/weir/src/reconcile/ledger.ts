import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Writer } from '@weir/wire/bytes';
import { type Family, PrefixTable } from '@weir/wire/inet';
import { eachPrefix } from '../compile/nft/prefix-columns.ts';
import { makeDirectory, readIfThere, writeWhole } from '../files/index.ts';
import type { SetAddress, TableFamily } from '../kernel/backend.ts';
import type { PrefixColumns } from '../model/member-delta.ts';

const FORMAT = 2;
const ADD = 1;
const REMOVE = 0;
/** A journal is written anew when it has this many records more than twice its members. */
const SLACK = 65_536;
/** More than a set with members of its own limit can need; what follows in a file is not read. */
const MAX_RECORDS = 64_000_000;
const MAX_HEADER = 4096;

/** Whose elements a ledger lists. */
export interface LedgerKey {
  readonly address: SetAddress;
  readonly family: Family;
  /** The set is in a table that Weir owns. */
  readonly owned: boolean;
}

interface Header extends LedgerKey {
  readonly weir_ledger: number;
  readonly identity: string;
}

/**
 * What Weir has put into one kernel set, on disk: a journal of fixed-size records. Additions are written before the commit that makes them, removals after
 * it. So after a crash at any moment an element that is in the kernel and in the ledger is Weir's own, and one that is not in the ledger is somebody else's, as long
 * as it is the same kernel set: its identity is in the header. A record cut short at the end is ignored.
 *
 * The file is `<hash of the key>.log`: one line of JSON, then records of operation (1 byte), prefix length (1) and address (4 or 16). What is written survives the process,
 * not the machine: a kernel set does not either. Its size is bounded by twice the members and a fixed slack.
 */
export class Ledger {
  readonly #key: LedgerKey;
  readonly #path: string;
  readonly #writer = new Writer(256);
  /** Open for appending; -1 until the file agrees with `#identity`. */
  #fd = -1;
  #identity: string;
  #records = 0;
  #closed = false;
  #saved: PrefixColumns | undefined;

  private constructor(key: LedgerKey, path: string) {
    this.#key = key;
    this.#path = path;
    const file = readLedger(path);
    const same = file && sameKey(file.header, key);
    this.#saved = same ? file.members : undefined;
    this.#identity = same ? file.header.identity : '';
    this.#records = same ? file.records : 0;
    // A torn file is written anew, so that what follows begins at a record.
    if (same && !file.torn) this.#fd = openSync(path, 'a', 0o600);
  }

  static open(directory: string, key: LedgerKey): Ledger {
    makeDirectory(directory, 0o700);
    return new Ledger(key, join(directory, fileName(key)));
  }

  /** The ledgers in a directory. */
  static list(directory: string): readonly LedgerKey[] {
    try {
      return readdirSync(directory)
        .filter((name) => name.endsWith('.log'))
        .flatMap((name) => {
          const header = parseHeader(readFileSync(join(directory, name)));
          return header ? [{ address: header.address, family: header.family, owned: header.owned }] : [];
        });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  /** What the file said when it was opened; given once. */
  takeSaved(): PrefixColumns {
    const saved = this.#saved;
    this.#saved = undefined;
    return saved ?? { family: this.#key.family, count: 0, words: new Uint32Array(0), lengths: new Uint8Array(0) };
  }

  /** Which kernel set the members are in, as it was last told. */
  get identity(): string {
    return this.#identity;
  }

  /** From now on it is about this kernel set, and has no members. The file stays as it was until something is written. */
  restart(identity: string): void {
    this.#identity = identity;
    this.#shut();
  }

  /** Writes records; `members` gives everything that the ledger has, these changes included, for when the file is written anew. */
  write(operation: 'add' | 'remove', columns: PrefixColumns, members: () => PrefixColumns): void {
    if (this.#closed || columns.count === 0) return;
    if (this.#fd < 0) {
      this.#rewrite(members());
      return;
    }
    encode(this.#writer, operation === 'add' ? ADD : REMOVE, columns);
    this.#records += columns.count;
    appendFileSync(this.#fd, this.#writer.view());
    this.#writer.reset();
  }

  /** Writes the file anew when it has grown far beyond its members. */
  compact(count: number, members: () => PrefixColumns): void {
    if (this.#closed || this.#fd < 0 || this.#records <= 2 * count + SLACK) return;
    this.#rewrite(members());
  }

  #rewrite(members: PrefixColumns): void {
    this.#shut();
    const w = new Writer(1024 + members.count * 18);
    const { address, family, owned } = this.#key;
    const header: Header = { weir_ledger: FORMAT, address, family, owned, identity: this.#identity };
    w.bytes(new TextEncoder().encode(`${JSON.stringify(header)}\n`));
    encode(w, ADD, members);
    writeWhole(this.#path, w.view(), { mode: 0o600, survives: 'process' });
    this.#records = members.count;
    this.#fd = openSync(this.#path, 'a', 0o600);
  }

  #shut(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#closed = true;
    this.#shut();
  }

  /** Closes it and removes the file. */
  destroy(): void {
    this.close();
    rmSync(this.#path, { force: true });
  }
}

function fileName({ address, family }: LedgerKey): string {
  const name = `${family} ${address.family} ${address.table} ${address.set}`;
  return `${createHash('sha256').update(name).digest('hex').slice(0, 32)}.log`;
}

function sameKey(a: LedgerKey, b: LedgerKey): boolean {
  return (
    a.family === b.family && a.address.family === b.address.family && a.address.table === b.address.table && a.address.set === b.address.set
  );
}

interface LedgerFile {
  readonly header: Header;
  readonly members: PrefixColumns;
  readonly records: number;
  readonly torn: boolean;
}

function readLedger(path: string): LedgerFile | undefined {
  const bytes = readIfThere(path);
  const header = bytes && parseHeader(bytes);
  if (!header) return undefined;
  const { family } = header;
  const bits = family === 4 ? 32 : 128;
  const size = family === 4 ? 6 : 18;
  const from = bytes.indexOf(10) + 1;
  const records = Math.min(Math.floor((bytes.length - from) / size), MAX_RECORDS);
  const members = new PrefixTable(family, Math.max(16, Math.min(records, 1 << 20)));
  for (let i = 0; i < records; i++) {
    const at = from + i * size;
    const length = bytes[at + 1] as number;
    if (length > bits) continue;
    const word = (j: number): number => (j * 4 + 2 < size ? bytes.readUInt32BE(at + 2 + j * 4) : 0);
    if (bytes[at] === ADD) members.intern(word(0), word(1), word(2), word(3), length);
    else {
      const id = members.find(word(0), word(1), word(2), word(3), length);
      if (id >= 0) members.release(id);
    }
  }
  return { header, members: tableColumns(members), records, torn: from + records * size !== bytes.length };
}

function tableColumns(table: PrefixTable): PrefixColumns {
  const { family, size } = table;
  const k = family === 4 ? 1 : 4;
  const words = new Uint32Array(size * k);
  const lengths = new Uint8Array(size);
  let count = 0;
  for (let id = 0; id < table.limit; id++) {
    // The id of a released prefix still shows its old words.
    if (table.find(table.word(id, 0), table.word(id, 1), table.word(id, 2), table.word(id, 3), table.length(id)) !== id) continue;
    for (let j = 0; j < k; j++) words[count * k + j] = table.word(id, j);
    lengths[count++] = table.length(id);
  }
  return { family, count, words, lengths };
}

const TABLE_FAMILIES: readonly TableFamily[] = ['inet', 'ip', 'ip6'];

/** The first line; undefined when the file is not a ledger of this format. */
function parseHeader(bytes: Buffer): Header | undefined {
  const end = bytes.subarray(0, MAX_HEADER).indexOf(10);
  if (end < 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.subarray(0, end).toString('utf8'));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { weir_ledger, family, owned, identity, address } = value as Partial<Header>;
  if (weir_ledger !== FORMAT || (family !== 4 && family !== 6) || typeof owned !== 'boolean' || typeof identity !== 'string')
    return undefined;
  if (typeof address !== 'object' || address === null || !TABLE_FAMILIES.includes(address.family)) return undefined;
  if (typeof address.table !== 'string' || typeof address.set !== 'string') return undefined;
  return { weir_ledger, family, owned, identity, address };
}

function encode(w: Writer, operation: number, columns: PrefixColumns): void {
  const six = columns.family === 6;
  eachPrefix(columns, (w0, w1, w2, w3, length) => {
    w.u8(operation).u8(length).u32(w0);
    if (six) w.u32(w1).u32(w2).u32(w3);
  });
}
