import { printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_FEED, type FeedConfig, FeedError, type FeedFormat } from '../../model/feed.ts';
import { LONGEST_LINE } from './feed-parser.ts';
import { type FeedList, ListReader, parseAuth, parseJsonPath, printJsonPath, readEntry } from './index.ts';

const FEED: FeedConfig = {
  ...DEFAULT_FEED,
  name: 'drop',
  table: 'spammers',
  origin: { kind: 'file', path: '/list' },
  format: { kind: 'text' },
  authFile: undefined,
  caFile: undefined,
  keep: undefined,
  badShare: 1,
  span: { file: '', line: 1, column: 1, length: 1 },
};
const feed = (format: FeedFormat, more: Partial<FeedConfig> = {}): FeedConfig => ({ ...FEED, ...more, format });
const json = (...paths: readonly string[]): FeedFormat => ({ kind: 'json', paths: paths.map((text) => parseJsonPath(text) ?? []) });
const csv = (column: number | string, separator = ','): FeedFormat => ({ kind: 'csv', column, separator });

/** Reads a text in pieces that end at `cuts`. */
function read(config: FeedConfig, text: string | Buffer, cuts: readonly number[] = []): FeedList {
  const octets = Buffer.from(text as string);
  const reader = new ListReader(config);
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    if (cut <= at || cut >= octets.length) continue;
    reader.push(octets.subarray(at, cut));
    at = cut;
  }
  reader.push(octets.subarray(at));
  return reader.end();
}

function prefixes(list: FeedList): readonly string[] {
  return [...list.prefixes].map(printPrefix);
}

function outcome(config: FeedConfig, text: string | Buffer, cuts?: readonly number[]): unknown {
  try {
    const list = read(config, text, cuts);
    return { prefixes: prefixes(list), entries: list.entries, leftOut: list.leftOut, examples: list.examples };
  } catch (error) {
    if (error instanceof FeedError) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe('an entry', () => {
  it.each([
    { input: '192.0.2.0/24', want: ['192.0.2.0/24'] },
    { input: '192.0.2.1', want: ['192.0.2.1/32'] },
    { input: '2001:DB8::', want: ['2001:db8::/128'] },
    { input: '192.0.2.1-192.0.2.4', want: ['192.0.2.1/32', '192.0.2.2/31', '192.0.2.4/32'] },
    { input: '192.0.2.4-192.0.2.1', want: 'not-a-prefix' },
    { input: '192.0.2.4-2001:db8::', want: 'not-a-prefix' },
    { input: '0.0.0.0-255.255.255.255', want: 'default-route' },
    { input: '10.0.0.0-12.0.0.0', want: 'too-short' },
    { input: '0.0.0.0/0', want: 'default-route' },
    { input: '::/0', want: 'default-route' },
    { input: '192.0.0.0/6', want: 'too-short' },
    { input: '2000::/3', want: 'too-short' },
    { input: '192.0.2.1/24', want: 'host-bits' },
    { input: '192.0.2.256', want: 'not-a-prefix' },
    { input: '192.000.2.1', want: 'not-a-prefix' },
    { input: 'example.org', want: 'not-a-prefix' },
    { input: '', want: 'not-a-prefix' },
    { input: '1'.repeat(5000), want: 'not-a-prefix' },
  ])('$input', ({ input, want }) => {
    const got = readEntry(input, { 4: 8, 6: 16 });
    expect(typeof got === 'string' ? got : got.map(printPrefix)).toEqual(want);
  });
});

describe('plain text', () => {
  it.each([
    {
      name: 'comments, blank lines and what follows a word',
      input: '\ufeff# list\n; list\n\n 192.0.2.0/24 ; SBL1\r\n198.51.100.1#x\n\t203.0.113.9\tseen 2 times',
      want: ['192.0.2.0/24', '198.51.100.1/32', '203.0.113.9/32'],
    },
    { name: 'no break at the end', input: '192.0.2.1', want: ['192.0.2.1/32'] },
    {
      name: 'both families and the same again',
      input: '2001:db8::/32\n192.0.2.1\n192.0.2.1/32\n',
      want: ['192.0.2.1/32', '2001:db8::/32'],
    },
  ])('$name', ({ input, want }) => {
    expect(prefixes(read(FEED, input))).toEqual(want);
  });

  it('counts what it leaves out, with its lines', () => {
    const long = ` ${'x'.repeat(LONGEST_LINE + 1)}`;
    expect(outcome(FEED, `192.0.2.1\nnonsense\n\n192.0.2.1/24\n0.0.0.0/0\n${long}\n10.0.0.0/7\n203.0.113.1,x`)).toEqual({
      prefixes: ['192.0.2.1/32'],
      entries: 7,
      leftOut: { 'not-a-prefix': 2, 'host-bits': 1, 'default-route': 1, 'too-long': 1, 'too-short': 1 },
      examples: [
        { line: 2, reason: 'not-a-prefix', text: 'nonsense' },
        { line: 4, reason: 'host-bits', text: '192.0.2.1/24' },
        { line: 5, reason: 'default-route', text: '0.0.0.0/0' },
        { line: 6, reason: 'too-long', text: '' },
        { line: 7, reason: 'too-short', text: '10.0.0.0/7' },
      ],
    });
  });

  it.each([
    { name: 'nothing', input: '# nothing\n', want: 'empty: nothing is in it' },
    { name: 'what is packed', input: Buffer.from([0x1f, 0x8b, 8, 0]), want: 'format: line 1: not text: an octet 0x1f' },
    { name: 'zeros', input: Buffer.from('192.0.2.1\n\0\0'), want: 'format: line 2: not text: an octet 0x00' },
    { name: 'more than may be', input: '192.0.2.1\n192.0.2.2\n192.0.2.3', want: 'too-many: more than 2 prefixes (max_prefixes)' },
    {
      name: 'a page',
      input: '<!doctype html>\n<p>Sign in\n192.0.2.1',
      more: { badShare: 0.5 },
      want: 'bad-lines: 2 of 3 lines are no addresses or prefixes, at most 50% may be (bad_share): line 1: not-a-prefix: <!doctype; line 2: not-a-prefix: <p>Sign',
    },
    {
      name: 'a bad line where none may be',
      input: '192.0.2.1\nx',
      more: { badLines: 'refuse' as const },
      want: 'bad-lines: 1 of 2 lines are no addresses or prefixes, none may be (bad_lines: refuse): line 2: not-a-prefix: x',
    },
  ])('refuses $name', ({ input, want, more }) => {
    expect(outcome(feed({ kind: 'text' }, { maxPrefixes: 2, ...more }), input)).toBe(want);
  });

  it('a line out of bounds costs no memory and no other line', () => {
    const reader = new ListReader(FEED);
    for (let i = 0; i < 200; i++) reader.push(Buffer.alloc(LONGEST_LINE, 'x'));
    reader.push(Buffer.from('\n192.0.2.1\n'));
    expect(reader.end()).toMatchObject({ entries: 2, leftOut: { 'too-long': 1 } });
  });
});

describe('CSV', () => {
  it.each([
    {
      name: 'a column by number',
      format: csv(2),
      input: '# c\nx,192.0.2.1,y\r\n\r\nx, 192.0.2.2 \n',
      want: ['192.0.2.1/32', '192.0.2.2/32'],
    },
    {
      name: 'a column by name',
      format: csv('dst ip'),
      input: '\ufefffirst,"dst ip"\n1,192.0.2.1\n2,"192.0.2.2"\n',
      want: ['192.0.2.1/32', '192.0.2.2/32'],
    },
    {
      name: 'quotes, separators and breaks in quotes (RFC 4180)',
      format: csv(3),
      input: '"a,""b""\n\nc", "x" ,"192.0.2.1"\n,,192.0.2.2',
      want: ['192.0.2.1/32', '192.0.2.2/32'],
    },
    { name: 'semicolons', format: csv(1, ';'), input: '192.0.2.0/24;1\n', want: ['192.0.2.0/24'] },
    { name: 'tabulators', format: csv(2, '\t'), input: 'a\t192.0.2.0/24\n\t192.0.2.1\t\n', want: ['192.0.2.0/24', '192.0.2.1/32'] },
    { name: 'ranges', format: csv(1), input: '192.0.2.0-192.0.2.255,x\n', want: ['192.0.2.0/24'] },
  ])('$name', ({ format, input, want }) => {
    expect(prefixes(read(feed(format), input))).toEqual(want);
  });

  it('says in which line a row begins', () => {
    expect(outcome(feed(csv(2)), '"a\nb",192.0.2.1\nshort\nx,"y" z\n')).toEqual({
      prefixes: ['192.0.2.1/32'],
      entries: 3,
      leftOut: { 'no-column': 1, 'not-a-prefix': 1 },
      examples: [
        { line: 3, reason: 'no-column', text: '' },
        { line: 4, reason: 'not-a-prefix', text: 'y' },
      ],
    });
  });

  it.each([
    { name: 'a name that is none', format: csv('ip'), input: 'a,b\n1,2\n', want: 'format: line 1: no column is named ip: there are a, b' },
    { name: 'no first row', format: csv('ip'), input: '# only this\n', want: 'format: there is no first row with the names of columns' },
    { name: 'an open quote', format: csv(1), input: '192.0.2.1\n"192', want: 'format: line 2: a quote is not closed' },
    {
      name: 'a quote without an end',
      format: csv(1),
      input: `"${'x'.repeat(LONGEST_LINE + 9)}"`,
      want: 'format: line 1: a quote is not closed within 65536 octets',
    },
    { name: 'zeros', format: csv(1), input: 'a\0', want: 'format: line 1: not text: an octet 0x00' },
    { name: 'columns without end', format: csv(1), input: ','.repeat(5000), want: 'format: line 1: more than 4096 columns' },
  ])('refuses $name', ({ format, input, want }) => {
    expect(outcome(feed(format), input)).toBe(want);
  });
});

describe('a path', () => {
  it.each([
    { input: 'prefixes[*].ip_prefix', want: '$.prefixes[*].ip_prefix' },
    { input: '.data[].cidr', want: '$.data[*].cidr' },
    { input: '$.values[2]["a b"].*', want: '$.values[2]["a b"][*]' },
    { input: '[*]', want: '$[*]' },
    { input: '$', want: '$' },
    { input: 'cidr', want: '$.cidr' },
    { input: 'a["\\u0062"]', want: '$.a.b' },
    ...['', 'a..b', 'a b', 'a[', 'a[-1]', 'a[x]', '..a', 'a.', '["a]', '["\\x"]', Array(20).fill('a').join('.')].map((input) => ({
      input,
      want: undefined,
    })),
  ])('$input', ({ input, want }) => {
    const path = parseJsonPath(input);
    expect(path && printJsonPath(path)).toBe(want);
    if (path) expect(parseJsonPath(printJsonPath(path))).toEqual(path);
  });
});

describe('JSON', () => {
  const aws =
    '{"syncToken":"1","prefixes":[{"ip_prefix":"192.0.2.0/24","region":"x"},{"ip_prefix":"198.51.100.0/24"}],"ipv6_prefixes":[{"ipv6_prefix":"2001:db8::/32"}]}';
  it.each([
    {
      name: 'members of elements, by two paths',
      paths: ['prefixes[*].ip_prefix', 'ipv6_prefixes[*].ipv6_prefix'],
      input: aws,
      want: ['192.0.2.0/24', '198.51.100.0/24', '2001:db8::/32'],
    },
    { name: 'one element', paths: ['prefixes[1].ip_prefix'], input: aws, want: ['198.51.100.0/24'] },
    { name: 'a list of texts', paths: ['[*]'], input: '[ "192.0.2.1" ,\n"192.0.2.2"]', want: ['192.0.2.1/32', '192.0.2.2/32'] },
    {
      name: 'a document a line, with one that has nothing',
      paths: ['cidr'],
      input: '{"cidr":"192.0.2.0/24","sblid":"x"}\n{"cidr":"198.51.100.0/24"}\n{"type":"metadata","copyright":"c"}\n',
      want: ['192.0.2.0/24', '198.51.100.0/24'],
    },
    {
      name: 'members of any name, also null',
      paths: ['a.*[]'],
      input: '{"a":{"x":["192.0.2.1"],"y":["192.0.2.2",null],"z":null}}',
      want: ['192.0.2.1/32', '192.0.2.2/32'],
    },
    { name: 'escapes in names and texts', paths: ['a.b'], input: '\ufeff{"\\u0061":{"b":"192.0.2.1\\u002f32"}}', want: ['192.0.2.1/32'] },
    {
      name: 'numbers and words elsewhere',
      paths: ['p'],
      input: '{"n":[-1.5e+3,0,true,false,null,{}],"p":"192.0.2.1"}',
      want: ['192.0.2.1/32'],
    },
  ])('$name', ({ paths, input, want }) => {
    expect(prefixes(read(feed(json(...paths)), input))).toEqual(want);
  });

  it('counts what is no text at its path', () => {
    expect(outcome(feed(json('[*]')), '[1,\n"x",\n{"a":1},["192.0.2.9"],null,"192.0.2.1"]')).toEqual({
      prefixes: ['192.0.2.1/32'],
      entries: 5,
      leftOut: { 'not-a-prefix': 4 },
      examples: [
        { line: 1, reason: 'not-a-prefix', text: '1' },
        { line: 2, reason: 'not-a-prefix', text: 'x' },
        { line: 3, reason: 'not-a-prefix', text: '{...}' },
        { line: 3, reason: 'not-a-prefix', text: '[...]' },
      ],
    });
  });

  it.each([
    { name: 'another path', input: '{"b":"192.0.2.1"}', want: 'empty: nothing is in it at its path' },
    { name: 'no document', input: ' \n', want: 'format: line 2: there is no document' },
    { name: 'a cut', input: '{"a":"192.0.2.1"', want: 'format: line 1: the document ends in the middle' },
    { name: 'a cut in a text', input: '{"a":"192', want: 'format: line 1: the document ends in the middle' },
    { name: 'a page', input: '<html>', want: 'format: line 1: not JSON: "<" where a value should be' },
    { name: 'a comma too many', input: '{"a":[1,],\n}', want: 'format: line 1: not JSON: "]" where a value should be' },
    { name: 'no comma', input: '[1\n2]', want: 'format: line 2: not JSON: "2" where a comma or the end should be' },
    { name: 'no colon', input: '{"a" 1}', want: 'format: line 1: not JSON: "1" where a colon should be' },
    { name: 'a name that is none', input: '{a:1}', want: 'format: line 1: not JSON: "a" where a name or } should be' },
    { name: 'the wrong end', input: '[}', want: 'format: line 1: not JSON: "}" where a value or ] should be' },
    { name: 'a word that is none', input: '[nan]', want: 'format: line 1: not JSON: nan' },
    { name: 'a break in a text', input: '["a\nb"]', want: 'format: line 1: a control character in a text' },
    { name: 'an escape that is none', input: '{"a":"\\x"}', want: 'format: line 1: an escape that is none in a text' },
    { name: 'depth', input: '['.repeat(65), want: 'format: line 1: values are inside of each other more than 64 deep' },
    { name: 'a long number', input: `[${'1'.repeat(65)}]`, want: 'format: line 1: a number or word of more than 64 characters' },
  ])('refuses $name', ({ input, want }) => {
    expect(outcome(feed(json('a')), input)).toBe(want);
  });

  it('a text out of bounds is a bad line, and no name', () => {
    const long = 'x'.repeat(LONGEST_LINE + 1);
    expect(outcome(feed(json('a')), `{"${long}":"192.0.2.2","a":"${long}"}`)).toMatchObject({ prefixes: [], leftOut: { 'too-long': 1 } });
  });
});

describe('whatever the text', () => {
  const formats = fc.constantFrom<FeedFormat>({ kind: 'text' }, csv(2), csv('ip'), json('a[*].ip', '[*]'), json('cidr'));
  const word = fc.constantFrom(
    '192.0.2.1',
    '2001:db8::/32',
    '"',
    ',',
    '\n',
    '\r\n',
    '#',
    '{"a":[',
    '{"ip":',
    '"cidr":',
    ']',
    '}',
    '[',
    ':',
    ' ',
    '\\',
    'null',
    '-',
    '\ufeff',
    'x',
    'ip',
  );
  const texts = fc.oneof(
    fc.array(word, { maxLength: 30 }).map((words) => words.join('')),
    fc.json(),
    fc.array(fc.nat(0x10ffff)).map((points) => String.fromCodePoint(...points)),
  );

  it('comes to the same wherever it is cut', () => {
    fc.assert(
      fc.property(formats, texts, fc.array(fc.nat(200), { maxLength: 20 }), (format, text, cuts) => {
        expect(outcome(feed(format), text, cuts)).toEqual(outcome(feed(format), text));
      }),
      { numRuns: 500 },
    );
  });

  it('JSON is what JSON.parse takes for it, and the texts are those at the path', () => {
    const value = fc.letrec((tie) => ({
      one: fc.oneof(
        { depthSize: 'small' },
        fc.ipV4(),
        fc.ipV6(),
        fc.constant(null),
        fc.integer(),
        fc.boolean(),
        fc.array(tie('one'), { maxLength: 4 }),
        fc.dictionary(fc.constantFrom('a', 'b', 'é"\\'), tie('one'), { maxKeys: 3 }),
      ),
    })).one;
    fc.assert(
      fc.property(value, fc.constantFrom('a', 'a.b', '[*].a', 'b[1]', '[*][*]', '["é\\"\\\\"]'), (document, path) => {
        const found: unknown[] = [];
        const walk = (at: unknown, steps: NonNullable<ReturnType<typeof parseJsonPath>>): void => {
          const [step, ...rest] = steps;
          if (!step) {
            if (at !== null) found.push(at);
          } else if (Array.isArray(at)) {
            for (const [i, one] of at.entries()) if (step.kind === 'any' || (step.kind === 'index' && step.index === i)) walk(one, rest);
          } else if (typeof at === 'object' && at !== null)
            for (const [key, one] of Object.entries(at))
              if (step.kind === 'any' || (step.kind === 'key' && step.key === key)) walk(one, rest);
        };
        const steps = parseJsonPath(path);
        if (steps) walk(document, steps);
        let entries = 0;
        try {
          entries = read(feed(json(path)), JSON.stringify(document, null, 1)).entries;
        } catch (error) {
          if (!(error instanceof FeedError) || error.code !== 'empty') throw error;
        }
        expect(entries).toBe(found.length);
      }),
    );
  });

  it('fields of CSV are found again', () => {
    const field = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', ' ', '.', 'é'), maxLength: 6 });
    fc.assert(
      fc.property(fc.array(fc.tuple(field, fc.ipV4(), field), { minLength: 1, maxLength: 8 }), (rows) => {
        const text = rows.map((row) => row.map((one) => `"${one.replaceAll('"', '""')}"`).join(',')).join('\r\n');
        expect(prefixes(read(feed(csv(2), { minLength: { 4: 1, 6: 1 } }), text))).toEqual([...new Set(rows.map(([, ip]) => `${ip}/32`))]);
      }),
    );
  });

  it('addresses of plain text are found again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.constantFrom('', ' x', '\t# y', ';z')), { minLength: 1 }),
        (rows) => {
          const list = read(FEED, rows.map(([ip, more]) => ip + more).join('\n'));
          expect([list.entries, list.leftOut]).toEqual([rows.length, {}]);
        },
      ),
    );
  });
});

describe('what identifies us', () => {
  it.each([
    { input: 'abc\nsecond', want: ['Authorization', 'Bearer abc'] },
    { input: 'Basic dTpw', want: ['Authorization', 'Basic dTpw'] },
    { input: 'X-Api-Key: abc ', want: ['X-Api-Key', 'abc'] },
    { input: '\n', want: 'auth_file: the first line of f is empty' },
    { input: 'a\u0007b', want: 'auth_file: the first line of f has characters that a header cannot have' },
  ])('$input', ({ input, want }) => {
    const got = ((): unknown => {
      try {
        return parseAuth(input, 'f');
      } catch (error) {
        return (error as Error).message;
      }
    })();
    expect(got).toEqual(want);
  });
});
