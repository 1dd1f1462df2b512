import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Writer } from '@weir/wire/bytes';
import { type Family, PrefixTable } from '@weir/wire/inet';

const MAGIC = 'weir-ledger 1 ';
const ADD = 1;
const REMOVE = 0;
/** A journal is written anew when it has this many records more than twice its members. */
const SLACK = 65_536;
/** More members than a set may ever have; what follows in a file is not read. */
const MAX_RECORDS = 16_000_000;

/**
 * What Weir has put into one kernel set, on disk: a journal of fixed-size records, written before the commit that adds and after the one that removes. So
 * after a crash at any moment an element that is in the kernel and in the ledger is Weir's own, and one that is not in the ledger is somebody
 * else's. A record cut short at the end is ignored. The file is `DIRECTORY/<hash of the key>.log`: a line with the key, then records of
 * operation (1 byte), prefix length (1) and address (4 or 16).
 */
export class Ledger {
  readonly key: string;
  readonly family: Family;
  readonly #path: string;
  readonly #members: PrefixTable;
  readonly #writer = new Writer(256);
  #fd: number;
  #records = 0;

  static open(directory: string, key: string, family: Family): Ledger {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return new Ledger(directory, key, family);
  }

  /** Keys of the ledgers in a directory. */
  static keys(directory: string): readonly string[] {
    try {
      return readdirSync(directory)
        .filter((name) => name.endsWith('.log'))
        .flatMap((name) => {
          const first = readFileSync(join(directory, name)).subarray(0, 1024).toString('latin1').split('\n', 1)[0] ?? '';
          return first.startsWith(MAGIC) ? [first.slice(MAGIC.length + 2)] : [];
        });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  private constructor(directory: string, key: string, family: Family) {
    this.key = key;
    this.family = family;
    this.#path = join(directory, `${createHash('sha256').update(`${family} ${key}`).digest('hex').slice(0, 32)}.log`);
    this.#members = new PrefixTable(family);
    const bytes = this.#read();
    const header = Buffer.from(`${MAGIC}${family} ${key}\n`, 'latin1');
    const whole = bytes !== undefined && bytes.length >= header.length && bytes.subarray(0, header.length).equals(header);
    if (whole) this.#replay(bytes, header.length);
    // Written anew where it was torn, so that what follows begins at a record.
    const torn = !whole || (bytes.length - header.length) % this.#size !== 0;
    this.#fd = torn ? this.#rewrite() : openSync(this.#path, 'a', 0o600);
  }

  get #size(): number {
    return this.family === 4 ? 6 : 18;
  }

  #read(): Buffer | undefined {
    try {
      return readFileSync(this.#path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  #replay(bytes: Buffer, from: number): void {
    const size = this.#size;
    const bits = this.family === 4 ? 32 : 128;
    for (let at = from; at + size <= bytes.length && this.#records < MAX_RECORDS; at += size) {
      this.#records++;
      const length = bytes[at + 1] as number;
      if (length > bits) continue;
      const w0 = bytes.readUInt32BE(at + 2);
      const w1 = size === 6 ? 0 : bytes.readUInt32BE(at + 6);
      const w2 = size === 6 ? 0 : bytes.readUInt32BE(at + 10);
      const w3 = size === 6 ? 0 : bytes.readUInt32BE(at + 14);
      if (bytes[at] === ADD) this.#members.intern(w0, w1, w2, w3, length);
      else this.#drop(w0, w1, w2, w3, length);
    }
  }

  #drop(w0: number, w1: number, w2: number, w3: number, length: number): void {
    const id = this.#members.find(w0, w1, w2, w3, length);
    if (id >= 0) this.#members.release(id);
  }

  get size(): number {
    return this.#members.size;
  }

  has(w0: number, w1: number, w2: number, w3: number, length: number): boolean {
    return this.#members.find(w0, w1, w2, w3, length) >= 0;
  }

  /** Every member; `visit` must not change the ledger. */
  each(visit: (w0: number, w1: number, w2: number, w3: number, length: number) => void): void {
    const m = this.#members;
    for (let id = 0; id < m.limit; id++) {
      const [w0, w1, w2, w3, length] = [m.word(id, 0), m.word(id, 1), m.word(id, 2), m.word(id, 3), m.length(id)];
      // The id of a released prefix still shows its old words.
      if (m.find(w0, w1, w2, w3, length) === id) visit(w0, w1, w2, w3, length);
    }
  }

  /** Takes a change up; it is on disk after `flush`. */
  add(w0: number, w1: number, w2: number, w3: number, length: number): void {
    this.#members.intern(w0, w1, w2, w3, length);
    this.#record(ADD, w0, w1, w2, w3, length);
  }

  remove(w0: number, w1: number, w2: number, w3: number, length: number): void {
    this.#drop(w0, w1, w2, w3, length);
    this.#record(REMOVE, w0, w1, w2, w3, length);
  }

  #record(operation: number, w0: number, w1: number, w2: number, w3: number, length: number): void {
    const w = this.#writer.u8(operation).u8(length).u32(w0);
    if (this.family === 6) w.u32(w1).u32(w2).u32(w3);
    this.#records++;
  }

  /** Hands what was taken up to the system: it survives this process. */
  flush(): void {
    if (this.#writer.length === 0) return;
    if (this.#records > 2 * this.#members.size + SLACK) {
      closeSync(this.#fd);
      this.#fd = this.#rewrite();
    } else writeAll(this.#fd, this.#writer.view());
    this.#writer.reset();
  }

  #rewrite(): number {
    const w = new Writer(64 + this.#members.size * this.#size);
    w.bytes(Buffer.from(`${MAGIC}${this.family} ${this.key}\n`, 'latin1'));
    this.each((w0, w1, w2, w3, length) => {
      w.u8(ADD).u8(length).u32(w0);
      if (this.family === 6) w.u32(w1).u32(w2).u32(w3);
    });
    const fresh = `${this.#path}.new`;
    const fd = openSync(fresh, 'w', 0o600);
    writeAll(fd, w.view());
    closeSync(fd);
    renameSync(fresh, this.#path);
    this.#records = this.#members.size;
    return openSync(this.#path, 'a', 0o600);
  }

  close(): void {
    if (this.#fd < 0) return;
    this.flush();
    closeSync(this.#fd);
    this.#fd = -1;
  }

  /** Closes it and removes the file. */
  destroy(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
    rmSync(this.#path, { force: true });
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}
