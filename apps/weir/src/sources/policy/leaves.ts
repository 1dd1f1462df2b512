import { type Prefix, parsePrefix, printPrefix } from '@weir/wire/inet';
import { COUNTED, type Counted, parseCounted } from '../../model/counted.ts';
import type { PortRange } from '../../model/firewall.ts';
import { leaf, quote, type Shape } from '../yaml/shape.ts';
import type { Place } from '../yaml/source-text.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import type { OrList, RawList } from './raw.ts';

/** The name of a list as the filter language has it. */
const LIST_NAME = /^[a-z0-9_]+(\.[a-z0-9_]+)*$/;
const MAX_NAME = 64;
/** Members of one list. */
const MAX_MEMBERS = 100_000;
/** The greatest number in a list: 32 bits. */
const MAX_NUMBER = 0xffffffff;

/** A value of `shape`, or `$name`. */
export function orList<T>(shape: Shape<T>): Shape<OrList<T>> {
  return {
    doc: { type: `${shape.doc.type} or $list` },
    read(node, label, report) {
      if (node.kind === 'scalar' && typeof node.value === 'string' && node.value.startsWith('$')) {
        const name = node.value.slice(1);
        if (isListName(name)) return { kind: 'list', name };
        report('E018', node.place, `${quote(node.value)} is not the name of a list or set`, LIST_FORM);
        return undefined;
      }
      const value = shape.read(node, label, report);
      return value === undefined ? undefined : { kind: 'value', value };
    },
  };
}

const LIST_FORM = 'small letters, digits and _, in parts divided by dots';

export function isListName(name: string): boolean {
  return name.length <= MAX_NAME && LIST_NAME.test(name);
}

export function checkListName(name: string, place: Place, report: Report): void {
  if (!isListName(name)) report('E018', place, `${quote(name)} is not a name for a list`, `${LIST_FORM}, at most ${MAX_NAME} characters`);
}

/** The same shape where nothing at all after the key counts as no key. */
export function orNothing<T>(shape: Shape<T>): Shape<T> {
  return {
    doc: shape.doc,
    read: (node, label, report) => (node.kind === 'scalar' && node.value === null ? undefined : shape.read(node, label, report)),
  };
}

/** `rule`, `source`, `destination`, `process`, `cgroup`; source and destination with the lengths of prefixes: `source/24/48`. */
export function counted(): Shape<Counted> {
  return leaf(`one of ${COUNTED.join(', ')}, source and destination with lengths as in source/24/48`, (written, _value, place, report) => {
    const found = parseCounted(written);
    if (found) return found;
    const near = suggest(written, COUNTED);
    const form = `it is one of ${COUNTED.join(', ')}; source/24/48 counts by 24 bits of IPv4 addresses and 48 of IPv6`;
    report('E009', place, `${quote(written)} is not what is counted together`, near === undefined ? form : `did you mean ${near}?`);
    return undefined;
  });
}

/** A prefix whose host bits may be set: they count as clear, with a warning. */
export function cidr(): Shape<Prefix> {
  return leaf('prefix', (written, _value, place, report) => readCidr(written, place, report));
}

function readCidr(written: string, place: Place, report: Report): Prefix | undefined {
  const result = parsePrefix(written);
  if (result.ok) return result.prefix;
  if (result.error.kind === 'host-bits') {
    const masked = printPrefix(result.error.masked);
    report('W004', place, `host bits are set in ${written}; it counts as ${masked}`, `write ${masked}`);
    return result.error.masked;
  }
  report('E014', place, result.error.kind === 'length' ? result.error.message : `not a prefix: ${quote(written)}`);
  return undefined;
}

const RANGE = /^(\d{1,10})(?:-(\d{1,10}))?$/;

function readRange(written: string, max: number): PortRange | undefined {
  const match = RANGE.exec(written);
  if (!match) return undefined;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to && to <= max ? { from, to } : undefined;
}

/** `443` or `8000-8010`. */
export function ports(): Shape<PortRange> {
  return leaf('port or range', (written, _value, place, report) => {
    const range = readRange(written, 65535);
    if (!range) report('E019', place, `not a port or range of ports: ${quote(written)}`, 'write 443 or 8000-8010; ports are 0-65535');
    return range;
  });
}

/** A time in milliseconds since the epoch, from `2026-12-01T00:00:00Z` (RFC 3339) or a day, which begins at midnight UTC. */
export function time(): Shape<number> {
  return leaf('time', (written, _value, place, report) => {
    const ms = parseTime(written);
    if (ms === undefined) {
      const local = parseTime(`${written}Z`) !== undefined;
      report(
        'E043',
        place,
        `not a point in time: ${quote(written)}`,
        local ? `write the time zone: ${written}Z` : 'write 2026-12-01T00:00:00Z',
      );
    }
    return ms;
  });
}

/** Undefined when it is none. */
export function parseTime(text: string): number | undefined {
  const match =
    /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(\.\d{1,9})?)?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d))?$/.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match;
  const whole = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  const read = new Date(whole);
  if (read.getUTCMonth() !== Number(month) - 1 || read.getUTCDate() !== Number(day)) return undefined;
  const sign = zone[0] === '-' ? 1 : -1;
  const offset = zone.length === 6 ? sign * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4))) : 0;
  return whole + offset * 60_000 + (fraction === '' ? 0 : Math.floor(Number(fraction) * 1000));
}

/** A list of prefixes, of numbers and ranges of numbers, or of texts; the first member says which. */
export function listShape(): Shape<RawList> {
  return {
    doc: { type: 'list of prefixes, of numbers and ranges, or of texts' },
    read(node, label, report) {
      if (node.kind !== 'list' || node.items.length === 0) {
        const empty = node.kind === 'list' || (node.kind === 'scalar' && node.value === null);
        if (empty) report('E028', node.place === label ? label : node.place, 'expected a list with at least one member');
        else report('E008', node.place, 'expected a list of prefixes, of numbers and ranges, or of texts');
        return undefined;
      }
      if (node.items.length > MAX_MEMBERS) {
        report('E040', node.place, `more than ${MAX_MEMBERS} members in one list`);
        return undefined;
      }
      const prefixes: Prefix[] = [];
      const ranges: PortRange[] = [];
      const texts: string[] = [];
      let type: RawList['type'] | undefined;
      for (const item of node.items) {
        if (item.kind !== 'scalar' || item.value === null) {
          report('E008', item.place, 'a member of a list must be a prefix, a number, a range or a text');
          continue;
        }
        const own = typeOf(item.text);
        type ??= own;
        if (own !== type) {
          report('E037', item.place, `${quote(item.text)} is ${KINDS[own]}, and the first of the list is ${KINDS[type]}`);
          continue;
        }
        if (own === 'Ip') {
          const prefix = readCidr(item.text, item.place, report);
          if (prefix) prefixes.push(prefix);
        } else if (own === 'Int') {
          const range = readRange(item.text, MAX_NUMBER);
          if (range) ranges.push(range);
          else report('E010', item.place, `not a number or range of numbers: ${quote(item.text)}`, `numbers are 0-${MAX_NUMBER}`);
        } else if (/\p{Cc}/u.test(item.text) || item.text.length > 255) {
          report('E010', item.place, 'a text of a list must have 1-255 characters and no control characters');
        } else texts.push(item.text);
      }
      if (type === 'Int') return { type, ranges };
      return type === 'Ip' ? { type, prefixes } : { type: 'Bytes', texts };
    },
  };
}

const KINDS: { readonly [T in RawList['type']]: string } = { Ip: 'a prefix', Int: 'a number', Bytes: 'a text' };

function typeOf(text: string): RawList['type'] {
  if (RANGE.test(text)) return 'Int';
  return /^[0-9a-fA-F.:]+(\/\d+)?$/.test(text) && /[.:]/.test(text) ? 'Ip' : 'Bytes';
}
