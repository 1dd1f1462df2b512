import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, ControlServer } from '../../api/index.ts';
import { memoryIo } from '../../cli/memory-io.ts';
import { runProgram } from '../../cli/program.ts';
import { loadText } from '../../sources/config/memory-files.ts';
import { answerNetworks, Networks, readPrefixes } from './index.ts';

/** The same tables; each calls them what it likes. */
const text = (admins: string, spammers: string): string => `bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
protected: [192.0.2.0/24]
distribute:
  tables:
    ${admins}: { communities: ["65000:1"], allow_protected: true }
    ${spammers}: { communities: ["65000:2", "64512:1:2"], max_prefixes: 50 }
  clients: [{ name: hosts, from: 198.51.100.0/24 }]
`;

let directory = '';
let open: { close(): Promise<unknown> }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-sync-'));
});

afterEach(async () => {
  for (const one of open) await one.close();
  open = [];
  rmSync(directory, { recursive: true });
});

interface Distributor {
  readonly name: string;
  readonly networks: Networks;
}

/** Tables of a daemon behind a control socket. */
async function start(name: string, yaml: string): Promise<Distributor> {
  const { config } = loadText(yaml);
  if (!config) throw new Error('not a configuration');
  const networks = new Networks({
    stateDirectory: join(directory, name),
    config: () => config,
    onError: (error) => expect.fail(error.message),
  });
  const { operator } = networks;
  const backend: Partial<Backend> = {
    status: async () => ({ bgp: { as: 64512 } }) as Awaited<ReturnType<Backend['status']>>,
    networks: async (params) => answerNetworks(networks, config, params),
    networkLoad: async (params) => ({ format_version: 1, load: operator.load(params) }),
    networkLoadPage: async (params) => {
      operator.loads.page(params.load, readPrefixes(params.prefixes), params);
      return { format_version: 1, load: params.load };
    },
    networkLoadCommit: (params, caller) => operator.commit(params, caller),
  };
  open.push(
    await ControlServer.open({ path: join(directory, `${name}.sock`), backend: backend as Backend, onError: () => undefined }),
    networks,
  );
  return { name, networks };
}

async function run({ name }: Distributor, stdin: string, ...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const io = memoryIo({ stdin });
  const code = await runProgram(['network', ...args, '--socket', join(directory, `${name}.sock`)], io, {});
  return { code, out: io.stdout, err: io.stderr };
}

const add = async ({ networks }: Distributor, table: string, ...prefixes: readonly string[]): Promise<unknown> =>
  networks.operator.add({ prefixes, tables: [table] }, 'uid 0');

describe('network sync', () => {
  it('puts in what is missing, and with --replace takes out the rest; both are seen before', async () => {
    const [a, b] = [await start('a', text('admins', 'spammers')), await start('b', text('staff', 'abuse'))];
    await add(a, 'spammers', '203.0.113.1', '203.0.113.2', '2001:db8::/48');
    await add(a, 'admins', '192.0.2.7');
    await add(b, 'abuse', '203.0.113.2', '203.0.113.3');
    await add(b, 'staff', '192.0.2.8');
    const { out: dump } = await run(a, '', 'dump');
    expect(await run(b, dump, 'sync', '-', '--dry-run', '--detailed-exitcode')).toEqual({
      code: 2,
      out: `table staff: 1 here, 1 there; 1 only there; 1 only here, of which 1 stay
+ 192.0.2.7/32
- 192.0.2.8/32
table abuse: 2 here, 3 there; 2 only there; 1 only here, of which 1 stay
+ 203.0.113.1/32
+ 2001:db8::/48
- 203.0.113.3/32
`,
      err: '',
    });
    expect(b.networks.tables.size).toBe(3);
    expect((await run(b, dump, 'sync', '-', '--comment', 'moved')).out).toContain('\n3 added, 0 removed\n');
    expect(b.networks.tables.memberships(prefix('203.0.113.1/32'))).toMatchObject([{ table: 'abuse', note: { comment: 'moved' } }]);
    expect((await run(b, dump, 'sync', '-', '--replace', '--table', 'abuse')).out).toBe(
      'table abuse: 4 here, 3 there; 0 only there; 1 only here\n- 203.0.113.3/32\n0 added, 1 removed\n',
    );
    const json = await run(b, dump, 'sync', '-', '--replace', '-o', 'json');
    expect(JSON.parse(json.out)).toMatchObject({
      format_version: 1,
      from: '-',
      tables: [{ table: 'staff', only_there: [], only_here: [{ prefix: '192.0.2.8/32' }] }, { table: 'abuse' }],
      unknown: [],
      added: 0,
      removed: 1,
    });
    expect(await run(b, dump, 'sync', '-', '--dry-run', '--detailed-exitcode')).toMatchObject({ code: 0 });
  });

  it.each([
    {
      name: 'what is protected',
      dump: 'table admins\n203.0.113.1\ntable spammers\n192.0.2.7\n',
      err: '192.0.2.7/32 overlaps 192.0.2.0/24',
    },
    {
      name: 'more than there may be',
      dump: `table admins\n203.0.113.1\ntable spammers\n${Array.from({ length: 51 }, (_, i) => `203.0.113.${i}\n`).join('')}`,
      err: 'at most 50 (max_prefixes)',
    },
    { name: 'every address', dump: 'table admins\n203.0.113.1\n::/0\n', err: '::/0 is every address' },
    {
      name: 'a table that would be empty',
      dump: 'table admins\n203.0.113.1\ntable spammers\n',
      err: 'has nothing in spammers: nothing is changed',
    },
  ])('is refused with $name, and changes nothing', async ({ dump, err }) => {
    const a = await start('a', text('admins', 'spammers'));
    await add(a, 'spammers', '198.51.100.1');
    for (const more of [['--dry-run'], ['--dry-run', '--detailed-exitcode', '-o', 'json'], []]) {
      const result = await run(a, dump, 'sync', '-', '--replace', ...more);
      expect([more, result.code, result.err]).toEqual([more, 1, expect.stringContaining(err)]);
    }
    expect([a.networks.tables.sizeOf('admins'), a.networks.tables.sizeOf('spammers')]).toEqual([0, 1]);
  });

  it('empties a table only where that is meant', async () => {
    const a = await start('a', text('admins', 'spammers'));
    await add(a, 'spammers', '198.51.100.1');
    expect(await run(a, 'table spammers\n', 'sync', '-', '--replace', '--allow-empty')).toMatchObject({ code: 0 });
    expect(a.networks.tables.size).toBe(0);
  });

  it('says what it cannot read', async () => {
    const a = await start('a', text('admins', 'spammers'));
    const file = join(directory, 'list');
    writeFileSync(file, 'table admins\n203.0.113.1/24\n');
    expect(await run(a, '', 'sync', file)).toMatchObject({ code: 2, err: expect.stringContaining(`${file}:2: host bits are set`) });
    expect(await run(a, '', 'sync', join(directory, 'none'))).toMatchObject({ code: 1, err: expect.stringContaining('ENOENT') });
    expect(await run(a, '', 'sync', directory)).toMatchObject({ code: 1, err: expect.stringContaining('EISDIR') });
    expect(await run(a, '', 'sync', '-', '--table', 'admin')).toMatchObject({ code: 1, err: expect.stringContaining('no table admin') });
    expect(await run(a, '', 'sync', '192.0.2.2:0')).toMatchObject({ code: 64 });
    expect(await run(a, '', 'sync', '192.0.2.2', '--source', 'eth0')).toMatchObject({ code: 64 });
    expect(a.networks.tables.size).toBe(0);
  });
});

const anyEntry = fc.record({
  table: fc.constantFrom('admins', 'spammers'),
  text: fc.oneof(
    fc.nat(9).map((n) => `203.0.113.${n}/32`),
    fc.nat(9).map((n) => `198.51.100.${16 * n}/28`),
    fc.nat(9).map((n) => `2001:db8:${n}::/48`),
  ),
  until: fc.option(
    fc.nat(3).map((n) => Date.UTC(2099, 0, 1 + n)),
    { nil: undefined },
  ),
});
const anyEntries = fc.array(anyEntry, { maxLength: 12 });

it('after a dump has been taken in place of everything there is no difference', async () => {
  const [a, b] = [await start('a', text('admins', 'spammers')), await start('b', text('admins', 'spammers'))];
  const fill = async (
    { networks }: Distributor,
    entries: readonly { readonly table: string; readonly text: string; readonly until: number | undefined }[],
  ) => {
    const all = [...networks.tables.all()].map(({ prefix: one }) => one);
    await networks.change(() =>
      networks.tables.tables.map((table) => ({ kind: 'unset', table, source: { kind: 'operator' }, prefixes: all })),
    );
    for (const { table, text: one, until } of entries) await networks.operator.add({ prefixes: [one], tables: [table], until }, 'uid 0');
  };
  await fc.assert(
    fc.asyncProperty(anyEntries, anyEntries, async (there, here) => {
      await fill(a, there);
      await fill(b, here);
      const { out: dump } = await run(a, '', 'dump');
      expect((await run(b, dump, 'sync', '-', '--replace', '--allow-empty')).code).toBe(0);
      expect(await run(b, dump, 'sync', '-', '--dry-run', '--detailed-exitcode')).toMatchObject({ code: 0, err: '' });
      // Of what was there on both sides the end stays what it was here.
      const prefixes = (dumped: string): readonly string[] => dumped.split('\n').map((line) => line.replace(/ until .*/, ''));
      expect(prefixes((await run(b, '', 'dump')).out)).toEqual(prefixes(dump));
    }),
    { numRuns: 10 },
  );
});
