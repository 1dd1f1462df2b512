import { parseAsn, parseIp } from '@weir/wire/inet';
import type { CommunityPattern, PatternField } from '../../model/named-set.ts';

/** Communities that have a name (RFC 1997, 3765, 8326, 9494; BLACKHOLE: RFC 7999 section 5). */
export const WELL_KNOWN: ReadonlyMap<string, number> = new Map([
  ['graceful-shutdown', 0xffff0000],
  ['llgr-stale', 0xffff0006],
  ['no-llgr', 0xffff0007],
  ['blackhole', 0xffff029a],
  ['no-export', 0xffffff01],
  ['no-advertise', 0xffffff02],
  ['no-export-subconfed', 0xffffff03],
  ['no-peer', 0xffffff04],
]);

export type PatternResult = { readonly ok: true; readonly pattern: CommunityPattern } | { readonly ok: false; readonly message: string };

const FORMS = 'write AS:VALUE, AS:A:B (large), rt:ADMIN:VALUE, ro:ADMIN:VALUE, generic:HIGH:LOW or a name such as blackhole';

/**
 * A community pattern as text; `*` may stand for any field. `rt:` and `ro:` take an AS number of either size or an IPv4 address as their
 * administrator; the value has 16 bits after an address or a number over 65535, and 32 bits otherwise.
 */
export function parseCommunityPattern(text: string): PatternResult {
  const known = WELL_KNOWN.get(text);
  if (known !== undefined) return ok({ kind: 'standard', fields: [known >>> 16, known & 0xffff] });
  const parts = text.split(':');
  const head = parts[0] ?? '';
  if (head === 'rt' || head === 'ro') {
    if (parts.length !== 3) return bad(`${head}: takes an administrator and a value`);
    return extended(head, parts[1] ?? '', parts[2] ?? '');
  }
  if (head === 'generic') {
    const high = word(parts[1]);
    const low = word(parts[2]);
    if (parts.length !== 3 || high === undefined || low === undefined) return bad('generic: takes two 32-bit words, decimal or 0x hex');
    return ok({ kind: 'extended-generic', high, low });
  }
  if (parts.length === 2) {
    const [a, b] = [field(parts[0], 0xffff), field(parts[1], 0xffff)];
    if (a === undefined || b === undefined) return bad(`the fields of a standard community are 0-65535 or *`);
    return ok({ kind: 'standard', fields: [a, b] });
  }
  if (parts.length === 3) {
    const [a, b, c] = [field(parts[0], 0xffffffff), field(parts[1], 0xffffffff), field(parts[2], 0xffffffff)];
    if (a === undefined || b === undefined || c === undefined) return bad(`the fields of a large community are 0-4294967295 or *`);
    return ok({ kind: 'large', fields: [a, b, c] });
  }
  return bad(FORMS);
}

function extended(type: 'rt' | 'ro', admin: string, value: string): PatternResult {
  const ip = admin.includes('.') ? parseIp(admin) : undefined;
  const left: PatternField | undefined = admin === '*' ? '*' : ip ? ip.w0 : parseAsn(admin);
  if (left === undefined) return bad(`the administrator of ${type}: is an AS number, an IPv4 address or *`);
  const small = ip !== undefined || (left !== '*' && left > 0xffff);
  const right = field(value, small ? 0xffff : 0xffffffff);
  if (right === undefined) return bad(`the value of ${type}:${admin} is 0-${small ? 65535 : 4294967295} or *`);
  return ok({ kind: 'extended', type, fields: [left, right] });
}

function field(text: string | undefined, max: number): PatternField | undefined {
  if (text === '*') return '*';
  if (text === undefined || !/^(0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

function word(text: string | undefined): PatternField | undefined {
  if (text !== undefined && /^0x[0-9a-fA-F]{1,8}$/.test(text)) return Number.parseInt(text.slice(2), 16);
  return field(text, 0xffffffff);
}

function ok(pattern: CommunityPattern): PatternResult {
  return { ok: true, pattern };
}

function bad(message: string): PatternResult {
  return { ok: false, message };
}
