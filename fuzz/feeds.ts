// Lists of feeds and paths in JSON: whatever the octets and wherever they are cut, reading gives prefixes or a FeedError, and the same ones.
import { printPrefix } from '@weir/wire/inet';
import { DEFAULT_FEED, type FeedConfig, FeedError, type FeedFormat, LEFT_OUT } from '../apps/weir/src/model/feed.ts';
import { ListReader, parseAuth, parseJsonPath, printJsonPath, readEntry } from '../apps/weir/src/sources/feeds/index.ts';
import type { FuzzTarget } from './fuzz.ts';

const CORPUS = [
  '; Spamhaus DROP\n192.0.2.0/24 ; SBL1\n2001:db8::/32 ; SBL2\n',
  '\ufeff# list\r\n192.0.2.1-192.0.2.9\r\n198.51.100.1/24\n0.0.0.0/0\nexample.org\n',
  '# c\nfirst_seen,"dst ip",port\n"2026-01-01 00:00:00", "192.0.2.1",443\n"a""b\n",192.0.2.2,1\n',
  'a;b\n192.0.2.1;x\n',
  '{"syncToken":"1","prefixes":[{"ip_prefix":"192.0.2.0/24","region":"x"},{"ipv6_prefix":"2001:db8::/32"}],"n":[-1.5e+3,true,null]}',
  '{"cidr":"192.0.2.0/24","sblid":"SBL1"}\n{"cidr":"198.51.100.0\\/24"}\n{"type":"metadata"}\n',
  '["192.0.2.1",{"a":["192.0.2.2"]},"\\u0061"]',
  'prefixes[*].ip_prefix',
  '$.a["b c"][2].*[]',
  'X-Key: abc\n',
];

const FORMATS: readonly FeedFormat[] = [
  { kind: 'text' },
  { kind: 'csv', column: 2, separator: ',' },
  { kind: 'csv', column: 'dst ip', separator: ',' },
  { kind: 'csv', column: 1, separator: ';' },
  { kind: 'json', paths: ['prefixes[*].ip_prefix', 'cidr', '[*]', '$', 'a.*[0]'].map((text) => parseJsonPath(text) ?? []) },
];

const FEED: FeedConfig = {
  ...DEFAULT_FEED,
  name: 'fuzz',
  table: 't',
  origin: { kind: 'file', path: '/list' },
  format: { kind: 'text' },
  maxPrefixes: 1000,
  badShare: 1,
  authFile: undefined,
  caFile: undefined,
  keep: undefined,
  span: { file: '', line: 1, column: 1, length: 1 },
};

function read(format: FeedFormat, octets: Buffer, piece: number): string {
  try {
    const reader = new ListReader({ ...FEED, format });
    for (let at = 0; at < octets.length; at += piece) reader.push(octets.subarray(at, at + piece));
    const { prefixes, entries, leftOut } = reader.end();
    const left = Object.values(leftOut).reduce((sum, count) => sum + count, 0);
    if (left > entries) throw new Error(`${left} of ${entries} lines were left out`);
    const all = [...prefixes];
    if (all.length > FEED.maxPrefixes) throw new Error('more prefixes than may be');
    if (all.some(({ family, length }) => length < FEED.minLength[family])) throw new Error('a prefix that is too short');
    return JSON.stringify([all.map(printPrefix), entries, leftOut]);
  } catch (error) {
    if (error instanceof FeedError) return `${error.code} ${error.message}`;
    throw error;
  }
}

export const target: FuzzTarget = {
  name: 'feeds',
  corpus: () => CORPUS.map((text) => Buffer.from(text)),
  run(input) {
    const octets = Buffer.from(input);
    for (const format of FORMATS) {
      const whole = read(format, octets, Math.max(1, octets.length));
      for (const piece of [1, 7])
        if (octets.length < 1024 && read(format, octets, piece) !== whole)
          throw new Error(`${JSON.stringify(format)} is another in pieces of ${piece}`);
    }
    const text = octets.toString('latin1');
    const entry = readEntry(text, FEED.minLength);
    if (typeof entry === 'string' && !['not-a-prefix', 'host-bits', ...LEFT_OUT].includes(entry)) throw new Error(`no reason: ${entry}`);
    const path = parseJsonPath(text);
    if (path && JSON.stringify(parseJsonPath(printJsonPath(path))) !== JSON.stringify(path))
      throw new Error('a path that is not read again');
    try {
      const [name, value] = parseAuth(text, 'f');
      if (/[^\x20-\x7e]/.test(name + value)) throw new Error('a header with control characters');
    } catch (error) {
      if (!(error instanceof FeedError)) throw error;
    }
  },
};
