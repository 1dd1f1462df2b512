import { DecodeError, Reader, Writer } from '@weir/wire/bytes';
import { type Family, type Prefix, prefixFromWords } from '@weir/wire/inet';
import type { NetworkChange, NetworkNote, NetworkSource } from '../../model/network.ts';

const SET = 1;
const UNSET = 2;
const SOURCES = ['operator', 'client', 'feed'] as const;
const NO_TIME = 0n;

/** Changes that are made together: for each a kind, the table, who, and the prefixes of each family. */
export function encodeChanges(changes: readonly NetworkChange[]): Uint8Array {
  const w = new Writer(256);
  for (const change of changes) {
    w.u8(change.kind === 'set' ? SET : UNSET);
    text(w, change.table);
    if (change.kind === 'set') {
      const { source, by, since, until, comment } = change.note;
      encodeSource(w, source);
      text(w, by);
      w.u64(BigInt(Math.round(since))).u64(until === undefined ? NO_TIME : BigInt(Math.round(until)));
      w.u8(comment === undefined ? 0 : 1);
      text(w, comment ?? '');
    } else encodeSource(w, change.source);
    for (const family of [4, 6] as const) {
      const prefixes = change.prefixes.filter((prefix) => prefix.family === family);
      w.u32(prefixes.length);
      for (const prefix of prefixes) {
        w.u8(prefix.length);
        const words = [prefix.w0, prefix.w1, prefix.w2, prefix.w3];
        for (let word = 0; word * 32 < prefix.length; word++) w.u32(words[word] ?? 0);
      }
    }
  }
  return w.finish();
}

/** Throws DecodeError for what was not written so. */
export function decodeChanges(payload: Uint8Array): readonly NetworkChange[] {
  const r = new Reader(payload);
  const out: NetworkChange[] = [];
  while (!r.done) {
    const kind = r.u8('kind');
    if (kind !== SET && kind !== UNSET) throw new DecodeError(`no kind of change: ${kind}`, r.pos - 1, 'kind');
    const table = readText(r);
    if (kind === UNSET) {
      const source = readSource(r);
      out.push({ kind: 'unset', table, source, prefixes: readPrefixes(r) });
      continue;
    }
    const source = readSource(r);
    const by = readText(r);
    const since = Number(r.u64('since'));
    const until = r.u64('until');
    const hasComment = r.u8('comment') === 1;
    const comment = readText(r);
    const note: NetworkNote = {
      source,
      by,
      since,
      until: until === NO_TIME ? undefined : Number(until),
      comment: hasComment ? comment : undefined,
    };
    out.push({ kind: 'set', table, note, prefixes: readPrefixes(r) });
  }
  return out;
}

function readPrefixes(r: Reader): readonly Prefix[] {
  const out: Prefix[] = [];
  for (const family of [4, 6] as const) {
    const count = r.u32('count');
    for (let i = 0; i < count; i++) out.push(readPrefix(r, family));
  }
  return out;
}

function readPrefix(r: Reader, family: Family): Prefix {
  const length = r.u8('length');
  if (length > (family === 4 ? 32 : 128)) throw new DecodeError(`a prefix of ${length} bits`, r.pos - 1, 'length');
  const word = (i: number): number => (i * 32 < length ? r.u32('address') : 0);
  return prefixFromWords(family, word(0), word(1), word(2), word(3), length);
}

function encodeSource(w: Writer, source: NetworkSource): void {
  w.u8(SOURCES.indexOf(source.kind));
  text(w, source.kind === 'operator' ? '' : source.name);
}

function readSource(r: Reader): NetworkSource {
  const kind = SOURCES[r.u8('source')];
  const name = readText(r);
  if (kind === undefined) throw new DecodeError('no kind of source', r.pos, 'source');
  return kind === 'operator' ? { kind } : { kind, name };
}

function text(w: Writer, value: string): void {
  const octets = new TextEncoder().encode(value);
  w.u16(octets.length).bytes(octets);
}

function readText(r: Reader): string {
  return new TextDecoder().decode(r.take(r.u16('length')));
}
