import { DecodeError, type Reader, type Writer } from '@weir/wire/bytes';
import { closeAttribute, eachAttribute, openNest, putBytes, putString, putU32, readBytes, readString } from '../message/index.ts';

/** What happens to a packet. `jump` comes back, `goto` does not. `code` is a verdict without a name here, kept. */
export type Verdict =
  | { readonly kind: 'accept' | 'drop' | 'continue' | 'return' | 'break' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'code'; readonly code: number };

/** What a register or a map entry holds: bytes (network order, as packets have them) or a verdict. */
export type Data = { readonly kind: 'value'; readonly bytes: Uint8Array } | { readonly kind: 'verdict'; readonly verdict: Verdict };

const CODES = { drop: 0, accept: 1, continue: -1, break: -2, jump: -3, goto: -4, return: -5 } as const;

/** NFTA_DATA_VALUE and NFTA_DATA_VERDICT. */
export function decodeData(r: Reader): Data {
  const at = r.pos;
  let data: Data | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) data = { kind: 'value', bytes: readBytes(value) };
    else if (type === 2) data = { kind: 'verdict', verdict: decodeVerdict(value) };
  });
  if (!data) throw new DecodeError('data with neither value nor verdict', at, 'NFTA_DATA');
  return data;
}

export function encodeData(w: Writer, type: number, data: Data): void {
  const nest = openNest(w, type);
  if (data.kind === 'value') putBytes(w, 1, data.bytes);
  else encodeVerdict(w, data.verdict);
  closeAttribute(w, nest);
}

/** NFTA_VERDICT_CODE and NFTA_VERDICT_CHAIN. */
export function decodeVerdict(r: Reader): Verdict {
  const at = r.pos;
  let code: number | undefined;
  let chain: string | undefined;
  eachAttribute(r, (type, value) => {
    if (type === 1) code = value.u32('NFTA_VERDICT_CODE') | 0;
    else if (type === 2) chain = readString(value);
  });
  if (code === undefined) throw new DecodeError('a verdict without a code', at, 'NFTA_VERDICT_CODE');
  for (const kind of ['drop', 'accept', 'continue', 'break', 'return'] as const) if (CODES[kind] === code) return { kind };
  for (const kind of ['jump', 'goto'] as const) if (CODES[kind] === code && chain !== undefined) return { kind, chain };
  return { kind: 'code', code };
}

function encodeVerdict(w: Writer, verdict: Verdict): void {
  const nest = openNest(w, 2);
  putU32(w, 1, verdict.kind === 'code' ? verdict.code : CODES[verdict.kind]);
  if (verdict.kind === 'jump' || verdict.kind === 'goto') putString(w, 2, verdict.chain);
  closeAttribute(w, nest);
}
