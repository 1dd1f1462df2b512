import { compareIp, type Ip, parseIp, parsePrefix } from '@weir/wire/inet';
import type { Cursor } from './cursor.ts';
import type { IpLiteral, SetItem } from './tree.ts';

/** All that an address, a prefix or a range is made of is taken, so that `10.0.0.1and` is an error. */
const ADDRESS = /[0-9A-Fa-f:./]*/y;

/** An address alone. */
export function lexIp(c: Cursor): IpLiteral {
  const start = c.at;
  const text = c.match(ADDRESS);
  if (text === '') c.fail('expected an address', start, start + 1);
  if (text.includes('/') || text.includes('..')) c.fail('prefixes and ranges of addresses stand only inside { }', start);
  return { kind: 'ip', value: address(c, text, start), text, span: c.span(start) };
}

/** In a set: an address, a prefix, or a range `a..b` without spaces. */
export function lexIpItem(c: Cursor): SetItem {
  const start = c.at;
  const text = c.match(ADDRESS);
  if (text === '') c.fail('expected an address, a prefix or a range of addresses', start, start + 1);
  const span = c.span(start);
  const dots = text.indexOf('..');
  if (dots >= 0) {
    const first = address(c, text.slice(0, dots), start);
    const last = address(c, text.slice(dots + 2), start + dots + 2);
    if (first.family !== last.family) c.fail('the ends of a range are of one family', start);
    if (compareIp(first, last) > 0) c.fail('a range goes from the smaller to the larger address', start);
    return { kind: 'ip-range', first, last, text, span };
  }
  const slash = text.indexOf('/');
  if (slash < 0) return { kind: 'ip', value: address(c, text, start), text, span };
  address(c, text.slice(0, slash), start);
  const length = /^\d+$/.test(text.slice(slash + 1)) ? text.slice(slash + 1).replace(/^0+(?=.)/, '') : '';
  const result = parsePrefix(`${text.slice(0, slash)}/${length}`);
  if (!result.ok) {
    const why = result.error.kind === 'host-bits' ? result.error.message : `${text.slice(slash)} is not the length of a prefix`;
    c.fail(why, result.error.kind === 'host-bits' ? start : start + slash);
  }
  return { kind: 'prefix', value: result.prefix, text, span };
}

function address(c: Cursor, text: string, start: number): Ip {
  const ip = parseIp(text);
  if (ip) return ip;
  const glued = /^(.*?\d)[A-Fa-f]+$/.exec(text);
  const why = glued && parseIp(glued[1] ?? '') ? ': letters up to f belong to an address; put white space after it' : '';
  return c.fail(text === '' ? 'expected an address' : `${text} is not an address${why}`, start, start + Math.max(1, text.length));
}
