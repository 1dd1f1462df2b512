import { describe, expect, it } from 'vitest';
import { loadText, printAll } from './memory-files.ts';

const BASE = `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
distribute: { tables: { spammers: { communities: ["65000:2"] } } }
`;
const load = (feeds: string, base = BASE): ReturnType<typeof loadText> => loadText(`${base}feeds: ${feeds}\n`);

describe('feeds', () => {
  it('have bounds where none are written', () => {
    const { config, diagnostics } = load(
      '[{ name: drop, table: spammers, url: "http://192.0.2.9/list.txt?key=x#y" }, { name: own, table: spammers, file: lists/own.txt }]',
    );
    expect(diagnostics).toEqual([]);
    const [drop, own] = config?.feeds ?? [];
    expect(drop).toMatchObject({
      name: 'drop',
      table: 'spammers',
      origin: { kind: 'url', url: 'http://192.0.2.9/list.txt?key=x' },
      format: { kind: 'text' },
      every: 3_600_000,
      maxOctets: 67_108_864,
      maxPrefixes: 1_000_000,
      minLength: { 4: 8, 6: 16 },
      connectTimeout: 10_000,
      timeout: 120_000,
      redirects: 5,
      authFile: undefined,
      caFile: undefined,
      keep: undefined,
      shrink: 0.5,
      growth: 2,
      badLines: 'skip',
      badShare: 0.05,
      span: { line: 3 },
    });
    expect(own?.origin).toEqual({ kind: 'file', path: `${process.cwd()}/lists/own.txt` });
  });

  it('are read with all that can be written', () => {
    const { config, diagnostics } = load(
      `[{ name: c, table: spammers, url: "https://192.0.2.9/c", format: csv, column: dst ip, separator: tab, every: 90s, keep: 2d, shrink: 0%, growth: any, bad_lines: refuse, bad_share: 1%, auth_file: token, ca_file: tls/ca.pem },
       { name: j, table: spammers, file: j.json, format: json, path: [a, "b[*].c"], growth: 300%, min_length: { ipv4: 16 } }]`,
    );
    expect(diagnostics).toEqual([]);
    const [c, j] = config?.feeds ?? [];
    expect(c).toMatchObject({
      format: { kind: 'csv', column: 'dst ip', separator: '\t' },
      every: 90_000,
      keep: 172_800_000,
      shrink: 0,
      growth: undefined,
      badLines: 'refuse',
      badShare: 0.01,
      authFile: `${process.cwd()}/token`,
      caFile: `${process.cwd()}/tls/ca.pem`,
    });
    expect(j).toMatchObject({ growth: 3, minLength: { 4: 16, 6: 16 }, format: { kind: 'json' } });
    expect(j?.format.kind === 'json' && j.format.paths).toEqual([
      [{ kind: 'key', key: 'a' }],
      [{ kind: 'key', key: 'b' }, { kind: 'any' }, { kind: 'key', key: 'c' }],
    ]);
  });

  it('point to the mistake', () => {
    expect(printAll(load('[{ name: a, table: spamers, file: x }]'))).toBe(
      `weir.yaml:3:27 error[E054] no table is named "spamers"
feeds: [{ name: a, table: spamers, file: x }]
                          ^^^^^^^
hint: did you mean spammers?
`,
    );
  });

  it.each([
    {
      name: 'a URL of another kind',
      feeds: '[{ name: a, table: spammers, url: "ftp://192.0.2.9/x" }]',
      want: ['E056 not a URL that begins with http:// or https://'],
    },
    {
      name: 'a password in a URL',
      feeds: '[{ name: a, table: spammers, url: "http://u:p@192.0.2.9/x" }]',
      want: ['E056 a URL with a user or password in it would be shown with it'],
    },
    { name: 'neither', feeds: '[{ name: a, table: spammers }]', want: ['E007 file or url is missing in a feed'] },
    {
      name: 'both',
      feeds: '[{ name: a, table: spammers, file: x, url: "http://192.0.2.9/x" }]',
      want: ['E026 file and url exclude each other'],
    },
    {
      name: 'a name twice',
      feeds: '[{ name: a, table: spammers, file: x }, { name: a, table: spammers, file: y }]',
      want: ['E020 the name "a" is used twice'],
    },
    {
      name: 'a list twice',
      feeds: '[{ name: a, table: spammers, file: x }, { name: b, table: spammers, file: ./x }]',
      want: ['E055 the feed a pulls this list into the same table'],
    },
    {
      name: 'our own state',
      feeds: '[{ name: a, table: spammers, file: /var/lib/weir/networks/snapshot }]',
      want: [
        'E057 /var/lib/weir/networks/snapshot is in state_directory, where Weir keeps what it knows itself: a feed of it would feed itself',
      ],
    },
    { name: 'often', feeds: '[{ name: a, table: spammers, file: x, every: 5s }]', want: ['E010 every must be 1m to 30d, not 5s'] },
    {
      name: 'json without a path',
      feeds: '[{ name: a, table: spammers, file: x, format: json }]',
      want: ['E012 path is required for json'],
    },
    {
      name: 'a path that is none',
      feeds: '[{ name: a, table: spammers, file: x, format: json, path: "a..b" }]',
      want: ['E056 not a path: "a..b"'],
    },
    {
      name: 'a column of text',
      feeds: '[{ name: a, table: spammers, file: x, column: 2 }]',
      want: ['E026 column is for format: csv, and this is text'],
    },
    { name: 'a token for a file', feeds: '[{ name: a, table: spammers, file: x, auth_file: y }]', want: ['E026 auth_file is for a url'] },
    { name: 'authorities for a file', feeds: '[{ name: a, table: spammers, file: x, ca_file: y }]', want: ['E026 ca_file is for a url'] },
    {
      name: 'authorities without https',
      feeds: '[{ name: a, table: spammers, url: "http://192.0.2.9/", ca_file: y }]',
      want: ['E026 ca_file is for https, and url is http'],
    },
    {
      name: 'growth that is none',
      feeds: '[{ name: a, table: spammers, file: x, growth: 50% }]',
      want: ['E010 growth must be 101%-100000%, not "50%"'],
    },
    {
      name: 'a separator that is none',
      feeds: '[{ name: a, table: spammers, file: x, format: csv, separator: "." }]',
      want: ['E010 "." cannot separate columns'],
    },
  ])('refuse $name', ({ feeds, want }) => {
    expect(load(feeds).diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual(want);
  });

  it('need tables', () => {
    const { diagnostics } = load('[{ name: a, table: spammers, file: x }]', `${BASE.split('\n')[0]}\n`);
    expect(diagnostics.map(({ code }) => code)).toContain('E012');
  });
});
