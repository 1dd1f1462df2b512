import { crc32 } from 'node:zlib';

/** `WJR1`: what a record begins with, and what is looked for behind a damaged one. */
const MAGIC = 0x574a5231;
const HEADER = 20;
/** Octets of one record's payload. */
export const LONGEST_PAYLOAD: number = 192 << 20;

/** One change, as it stands in a file. */
export interface JournalRecord {
  /** Counts up by one with each record. */
  readonly number: number;
  readonly payload: Uint8Array;
}

/** What of a file is no record. */
export interface Damage {
  readonly offset: number;
  readonly octets: number;
  readonly atEnd: boolean;
  /** Whether it is as a write leaves it that was cut off: the end of the file, and less than a record, or nothing but zeros. */
  readonly torn: boolean;
}

/** Magic, length of the payload, number (64 bits), CRC-32 of these three and the payload; then the payload. */
export function encodeRecord({ number, payload }: JournalRecord): Uint8Array {
  const out = Buffer.alloc(HEADER + payload.length);
  out.writeUInt32BE(MAGIC, 0);
  out.writeUInt32BE(payload.length, 4);
  out.writeBigUInt64BE(BigInt(number), 8);
  out.set(payload, HEADER);
  out.writeUInt32BE(checksum(out, 0, payload.length), 16);
  return out;
}

/** The records of a file and what is damaged between them. A record is taken only when its checksum holds; behind a damaged one the next is looked for. */
export function readRecords(bytes: Buffer): { readonly records: readonly JournalRecord[]; readonly damage: readonly Damage[] } {
  const records: JournalRecord[] = [];
  const damage: Damage[] = [];
  let at = 0;
  while (at < bytes.length) {
    const record = recordAt(bytes, at);
    if (record) {
      records.push(record);
      at += HEADER + record.payload.length;
      continue;
    }
    const next = nextRecord(bytes, at + 1);
    const atEnd = next === bytes.length;
    damage.push({ offset: at, octets: next - at, atEnd, torn: atEnd && isTorn(bytes.subarray(at)) });
    at = next;
  }
  return { records, damage };
}

function recordAt(bytes: Buffer, at: number): JournalRecord | undefined {
  if (at + HEADER > bytes.length || bytes.readUInt32BE(at) !== MAGIC) return undefined;
  const length = bytes.readUInt32BE(at + 4);
  if (length > LONGEST_PAYLOAD || at + HEADER + length > bytes.length) return undefined;
  if (bytes.readUInt32BE(at + 16) !== checksum(bytes, at, length)) return undefined;
  return { number: Number(bytes.readBigUInt64BE(at + 8)), payload: bytes.subarray(at + HEADER, at + HEADER + length) };
}

/** Whether octets are the beginning of one record, or were never written. */
function isTorn(bytes: Buffer): boolean {
  const magic = Buffer.alloc(4);
  magic.writeUInt32BE(MAGIC);
  if (bytes.every((octet) => octet === 0)) return true;
  const seen = Math.min(4, bytes.length);
  if (bytes.compare(magic, 0, seen, 0, seen) !== 0) return false;
  return bytes.length < HEADER || bytes.length < HEADER + Math.min(LONGEST_PAYLOAD + 1, bytes.readUInt32BE(4));
}

function nextRecord(bytes: Buffer, from: number): number {
  const magic = Buffer.alloc(4);
  magic.writeUInt32BE(MAGIC);
  for (let at = bytes.indexOf(magic, from); at >= 0; at = bytes.indexOf(magic, at + 1)) if (recordAt(bytes, at)) return at;
  return bytes.length;
}

function checksum(bytes: Buffer, at: number, length: number): number {
  return crc32(bytes.subarray(at + HEADER, at + HEADER + length), crc32(bytes.subarray(at, at + 16)));
}
