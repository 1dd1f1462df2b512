import { resolve, sep } from 'node:path';
import { DEFAULT_FEED, type FeedConfig, type FeedFormat, type FeedOrigin, type JsonPath } from '../../model/feed.ts';
import { parseJsonPath } from '../feeds/json-path.ts';
import { MAX_DURATION } from '../yaml/duration.ts';
import { relativeTo } from '../yaml/files.ts';
import { duration, integer, share, text, word } from '../yaml/leaves.ts';
import { defaulted, type Item, leaf, list, optional, quote, required, type Shape, type Table, table } from '../yaml/shape.ts';
import { spanOf } from '../yaml/source-text.ts';
import { suggest } from '../yaml/suggest.ts';
import type { Report } from '../yaml/tree.ts';
import type { RawFile } from './raw.ts';
import type { RawMinLength } from './raw-flowspec.ts';
import { minLengthShape, peerName } from './schema-parts.ts';

const FORMATS = ['text', 'csv', 'json'] as const;
const MINUTE = 60_000;
const DAY = 86_400_000;
/** Paths of one list. */
const MOST_PATHS = 16;
/** Feeds of one configuration. */
const MOST_FEEDS = 256;

/** An element of `feeds:` as written. */
export interface RawFeed {
  name: string | undefined;
  table: string | undefined;
  file: string | undefined;
  url: string | undefined;
  every: number;
  format: (typeof FORMATS)[number];
  column: number | string | undefined;
  separator: string;
  path: readonly Item<JsonPath>[] | undefined;
  max_octets: number;
  max_prefixes: number;
  min_length: Table<RawMinLength> | undefined;
  connect_timeout: number;
  timeout: number;
  redirects: number;
  auth_file: string | undefined;
  ca_file: string | undefined;
  keep: number | 'forever';
  shrink: number;
  growth: number | 'any';
  bad_lines: 'skip' | 'refuse';
  bad_share: number;
}

const column = (): Shape<number | string> =>
  leaf<number | string>('number or name', (written, value, place, report) => {
    if (typeof value === 'number') {
      if (Number.isInteger(value) && value >= 1 && value <= 4096) return value;
      report('E010', place, `column must be 1-4096 or a name, not ${written}`);
      return undefined;
    }
    if (typeof value === 'string' && value.length >= 1 && value.length <= 255 && !/\p{Cc}/u.test(value)) return value;
    report('E010', place, 'column must be a number or a name of 1-255 characters without control characters');
    return undefined;
  });

const separator = (): Shape<string> =>
  leaf<string>('one character', (written, _value, place, report) => {
    const one = written === 'tab' || written === '\\t' ? '\t' : written;
    if (/^[\t\x20-\x7e]$/.test(one) && !/["#\w.:/-]/.test(one)) return one;
    report('E010', place, `${quote(written)} cannot separate columns`, 'write ",", ";", "|" or tab');
    return undefined;
  });

const jsonPath = (): Shape<JsonPath> =>
  leaf<JsonPath>('JSON path', (written, value, place, report) => {
    const path = typeof value === 'string' && written.length <= 255 ? parseJsonPath(written) : undefined;
    if (path) return path;
    report(
      'E056',
      place,
      `not a path: ${quote(written.slice(0, 80))}`,
      'write prefixes[*].ip_prefix or data[].cidr; ["a name"] for other names',
    );
    return undefined;
  });

const url = (): Shape<string> =>
  leaf<string>('URL', (written, _value, place, report) => {
    const parsed = written.length <= 2048 && URL.canParse(written) ? new URL(written) : undefined;
    if (!parsed || (parsed.protocol !== 'http:' && parsed.protocol !== 'https:')) {
      report('E056', place, 'not a URL that begins with http:// or https://');
      return undefined;
    }
    if (parsed.username !== '' || parsed.password !== '') {
      report('E056', place, 'a URL with a user or password in it would be shown with it', 'use auth_file');
      return undefined;
    }
    parsed.hash = '';
    return parsed.href;
  });

/** A whole percentage, read as a number: `50%` is 0.5. */
const percentage = (type: string, min: number, max: number): Shape<number> =>
  leaf<number>('percentage', (written, _value, place, report) => {
    const percent = Number(/^(\d{1,6})%$/.exec(written)?.[1] ?? Number.NaN);
    if (percent >= min && percent <= max) return percent / 100;
    report('E010', place, `${type} must be ${min}%-${max}%, not ${quote(written)}`);
    return undefined;
  });

/** A word, or what another shape reads. */
function orWord<T extends {}, W extends string>(other: Shape<T>, only: W): Shape<T | W> {
  return {
    doc: { ...other.doc, type: `${other.doc.type} or ${only}` },
    read: (node, label, report) => (node.kind === 'scalar' && node.text === only ? only : other.read(node, label, report)),
  };
}

const D = DEFAULT_FEED;

export const feedsShape: Shape<readonly Item<Table<RawFeed>>[]> = list(
  table<RawFeed>('a feed', {
    name: required(peerName(), 'What commands and logs call it. Another name is another feed.'),
    table: required(text('a table', 32), 'The table of `distribute` that it fills.'),
    file: optional(text('a file name', 4096), 'A file to read, relative to this file. Not a symbolic link.'),
    url: optional(url(), 'Where to get the list from: http or https.'),
    every: defaulted(
      duration('every', MINUTE, 30 * DAY),
      D.every,
      '1h',
      'How often. After a failure it is tried earlier, after a minute, two, four and so on.',
    ),
    format: defaulted(
      word('a format', FORMATS),
      'text',
      'text',
      '`text` is the first word of each line, `csv` a column, `json` texts at a path.',
    ),
    column: optional(column(), 'For `csv`: the number of the column, from 1, or its name in the first row.', 'the first'),
    separator: defaulted(separator(), ',', '","', 'For `csv`: what is between columns. `tab` for a tabulator.'),
    path: optional(
      list(jsonPath(), { alone: true, atLeastOne: true }),
      'For `json`: where the prefixes are, as `prefixes[*].ip_prefix`. One document or one a line.',
    ),
    max_octets: defaulted(
      integer('max_octets', 1, 1 << 30),
      D.maxOctets,
      String(D.maxOctets),
      'Octets of the list at most, also when it is unpacked.',
    ),
    max_prefixes: defaulted(
      integer('max_prefixes', 1, 10_000_000),
      D.maxPrefixes,
      String(D.maxPrefixes),
      'Prefixes at most. A list with more is refused.',
    ),
    min_length: optional(minLengthShape('a prefix', D.minLength), 'Prefixes that are larger are left out. 0.0.0.0/0 and ::/0 always are.'),
    connect_timeout: defaulted(duration('connect_timeout', 100, 5 * MINUTE), D.connectTimeout, '10s', 'How long a connection may take.'),
    timeout: defaulted(duration('timeout', 100, 60 * MINUTE), D.timeout, '2m', 'How long all of it may take.'),
    redirects: defaulted(integer('redirects', 0, 20), D.redirects, String(D.redirects), 'Redirects that are followed.'),
    auth_file: optional(
      text('a file name', 4096),
      'File whose first line is a token, `Bearer TOKEN`, `Basic ..` or a whole header `Name: value`. Read each time; relative to this file.',
    ),
    ca_file: optional(
      text('a file name', 4096),
      'PEM file with the certificates of the authorities, or of the server itself, that https is checked against in place of those that Node.js knows. Read each time; relative to this file.',
    ),
    keep: defaulted(
      orWord(duration('keep', MINUTE, MAX_DURATION), 'forever'),
      'forever',
      'forever',
      'How long the last good list counts when no other can be had.',
    ),
    shrink: defaulted(
      percentage('shrink', 0, 100),
      D.shrink,
      '50%',
      'A list with less than this share of the last one is refused until `weir feed accept`. `0%` refuses none.',
    ),
    growth: defaulted(
      orWord(percentage('growth', 101, 100_000), 'any'),
      D.growth,
      '200%',
      'A list with more than this share of the last one, and 1000 more, is refused until `weir feed accept`. `any` refuses none.',
    ),
    bad_lines: defaulted(
      word('what becomes of bad lines', ['skip', 'refuse'] as const),
      D.badLines,
      'skip',
      'Lines that are no addresses: `skip` leaves them out, `refuse` refuses the list.',
    ),
    bad_share: defaulted(share('bad_share'), D.badShare, '5%', 'With `skip`: a list with more bad lines is refused.'),
  }),
);

/** Without those of which something required is missing: that was reported where it was read. */
export function buildFeeds(raw: RawFile['feeds'], file: string): readonly FeedConfig[] {
  return raw.flatMap(({ value }) => {
    const { get } = value;
    const origin = originOf(get, file);
    const format = formatOf(get);
    if (get.name === undefined || get.table === undefined || !origin || !format) return [];
    const min = get.min_length?.get;
    return [
      {
        name: get.name,
        table: get.table,
        origin,
        format,
        every: get.every,
        maxOctets: get.max_octets,
        maxPrefixes: get.max_prefixes,
        minLength: min ? { 4: min.ipv4, 6: min.ipv6 } : D.minLength,
        connectTimeout: get.connect_timeout,
        timeout: get.timeout,
        redirects: get.redirects,
        authFile: get.auth_file === undefined ? undefined : resolve(relativeTo(file, get.auth_file)),
        caFile: get.ca_file === undefined ? undefined : resolve(relativeTo(file, get.ca_file)),
        keep: get.keep === 'forever' ? undefined : get.keep,
        shrink: get.shrink,
        growth: get.growth === 'any' ? undefined : get.growth,
        badLines: get.bad_lines,
        badShare: get.bad_share,
        span: spanOf(value.label),
      },
    ];
  });
}

function originOf(raw: Pick<RawFeed, 'file' | 'url'>, file: string): FeedOrigin | undefined {
  if (raw.url !== undefined) return { kind: 'url', url: raw.url };
  return raw.file === undefined ? undefined : { kind: 'file', path: resolve(relativeTo(file, raw.file)) };
}

function formatOf({ format, column: own, separator: between, path }: RawFeed): FeedFormat | undefined {
  if (format === 'csv') return { kind: 'csv', column: own ?? 1, separator: between };
  if (format === 'json') return path && { kind: 'json', paths: path.map((item) => item.value) };
  return { kind: 'text' };
}

/** Tables that there are, lists that are not pulled twice into one, and nothing out of Weir's own state. */
export function checkFeeds(raw: RawFile, report: Report): void {
  const { feeds } = raw;
  const known = (raw.distribute?.get.tables ?? []).map(({ name }) => name);
  const names = new Set<string>();
  const origins = new Map<string, string>();
  for (const [i, { value, place }] of feeds.entries()) {
    const { get } = value;
    if (i === MOST_FEEDS) report('E010', place, `more than ${MOST_FEEDS} feeds`);
    if (!raw.distribute && i === 0) report('E012', place, 'distribute is required: it has the tables that feeds fill');
    if (get.name !== undefined) {
      if (names.has(get.name)) report('E020', value.place('name'), `the name ${quote(get.name)} is used twice`);
      names.add(get.name);
    }
    if (get.table !== undefined && raw.distribute && !known.includes(get.table)) {
      const near = suggest(get.table, known);
      report(
        'E054',
        value.place('table'),
        `no table is named ${quote(get.table)}`,
        near === undefined ? undefined : `did you mean ${near}?`,
      );
    }
    if (value.has('file') === value.has('url'))
      report(
        value.has('file') ? 'E026' : 'E007',
        value.has('file') ? value.place('url') : value.label,
        value.has('file') ? 'file and url exclude each other' : 'file or url is missing in a feed',
      );
    for (const [key, format] of [
      ['column', 'csv'],
      ['separator', 'csv'],
      ['path', 'json'],
    ] as const)
      if (value.has(key) && get.format !== format)
        report('E026', value.place(key), `${key} is for format: ${format}, and this is ${get.format}`);
    if (get.format === 'json' && !value.has('path'))
      report('E012', value.place('format'), 'path is required for json', 'write path: prefixes[*].ip_prefix, or cidr');
    if (get.path && get.path.length > MOST_PATHS) report('E010', value.place('path'), `more than ${MOST_PATHS} paths`);
    for (const key of ['auth_file', 'ca_file', 'redirects', 'connect_timeout'] as const)
      if (value.has(key) && value.has('file') && !value.has('url')) report('E026', value.place(key), `${key} is for a url`);
    if (value.has('ca_file') && get.url?.startsWith('http:') === true)
      report('E026', value.place('ca_file'), 'ca_file is for https, and url is http', 'write the url with https://');
    checkOrigin(raw, value, origins, report);
  }
}

function checkOrigin(raw: RawFile, value: Table<RawFeed>, origins: Map<string, string>, report: Report): void {
  const { file, url: from, table: into, name = '', path, column: which } = value.get;
  const place = value.place(from === undefined ? 'file' : 'url');
  const own = file === undefined ? undefined : resolve(relativeTo(place.source.file, file));
  if (own?.startsWith(resolve(raw.state_directory) + sep))
    report('E057', place, `${file} is in state_directory, where Weir keeps what it knows itself: a feed of it would feed itself`);
  if (from === undefined && own === undefined) return;
  const key = JSON.stringify([from ?? own, into, path?.map((item) => item.value), which]);
  const other = origins.get(key);
  if (other !== undefined) report('E055', place, `the feed ${other} pulls this list into the same table`);
  else origins.set(key, name);
}
