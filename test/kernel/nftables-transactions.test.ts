import { defineSet, type ElementColumns, type Expression, NftClient, NftTransaction } from '@weir/netlink/nftables';
import type { KernelError } from '@weir/netlink/socket';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';

let lab: Lab;
let host: Host;
let client: NftClient;

const T = { family: 'inet' as const, table: 't' };
const hosts = defineSet({ ...T, name: 'hosts', key: 'ipv4_addr' });
const nets = defineSet({ ...T, name: 'nets', key: 'ipv4_addr', interval: true });
const nets6 = defineSet({ ...T, name: 'nets6', key: 'ipv6_addr', interval: true });
const services = defineSet({ ...T, name: 'services', key: ['ipv4_addr', 'inet_service'], interval: true });
const ports = defineSet({ ...T, name: 'ports', key: 'inet_service' });

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('tx');
  client = new NftClient({ netns: host.path });
});

afterAll(async () => {
  client?.close();
  await lab?.dispose();
});

beforeEach(async () => {
  await host.nft('flush ruleset');
  client.commitOrThrow(
    new NftTransaction()
      .addTable({ family: 'inet', name: 't' })
      .addChain({ ...T, name: 'c' })
      .addSet(hosts)
      .addSet(nets)
      .addSet(nets6)
      .addSet(services)
      .addSet(ports),
  );
});

function columns(shape: ElementColumns['shape'], keyLength: number, ...words: number[]): ElementColumns {
  const perEntry = ((keyLength + 3) >> 2) * (shape === 'single' ? 1 : 2);
  return { shape, keyLength, words: Uint32Array.from(words), count: words.length / perEntry };
}

function key(...bytes: number[]): { key: Uint8Array } {
  return { key: Uint8Array.from(bytes) };
}

function refusals(result: ReturnType<NftClient['commit']>): (readonly [unknown, string, number | undefined])[] {
  if (result.kind !== 'refused') throw new Error(`not refused but ${result.kind}`);
  return result.errors.map((error: KernelError) => [error.tag, error.code, error.item]);
}

const daddr: Expression = { kind: 'payload', base: 'network', offset: 16, length: 4, dreg: 1 };
const ACCEPT: Expression = { kind: 'immediate', dreg: 0, data: { kind: 'verdict', verdict: { kind: 'accept' } } };

describe('a transaction', () => {
  it('is refused whole, with every refusal, its message and its item', () => {
    client.commitOrThrow(new NftTransaction().addElements(hosts, [key(192, 0, 2, 7)]));
    const before = client.generation().id;
    const tx = new NftTransaction<string>()
      .addElements(hosts, [key(198, 51, 100, 1)], { tag: 'good' })
      .addRule({ ...T, chain: 'missing', expressions: [ACCEPT] }, { tag: 'no chain' })
      .addElements(hosts, [key(198, 51, 100, 2), key(198, 51, 100, 3), key(192, 0, 2, 7)], { exclusive: true, tag: 'third exists' })
      .addRule({ ...T, chain: 'c', expressions: [ACCEPT, { kind: 'lookup', set: 'missing', sreg: 1 }] }, { tag: 'no set' })
      .deleteElements(hosts, [key(192, 0, 2, 7), key(192, 0, 2, 99)], { tag: 'second is missing' })
      .addElements(hosts, [key(1, 2, 3)], { tag: 'short key' })
      .deleteChain({ ...T, name: 'nothing' }, { tag: 'no such chain' });
    expect(refusals(client.commit(tx))).toEqual([
      ['no chain', 'ENOENT', undefined],
      ['third exists', 'EEXIST', 2],
      ['no set', 'ENOENT', 1],
      ['second is missing', 'ENOENT', 1],
      ['short key', 'EINVAL', 0],
      ['no such chain', 'ENOENT', undefined],
    ]);
    expect(client.generation().id).toBe(before);
    expect(client.elements(hosts)).toEqual([key(192, 0, 2, 7)]);
  });

  it('names the entry of columns that was refused, across messages, also where ranges end open', () => {
    client.commitOrThrow(new NftTransaction().addElementColumns(hosts, columns('single', 4, 10_000)));
    const many = Uint32Array.from({ length: 12_000 }, (_, i) => i + 1);
    const tx = new NftTransaction<string>().addElementColumns(
      hosts,
      { shape: 'single', keyLength: 4, words: many, count: many.length },
      { exclusive: true, tag: 'x' },
    );
    expect(tx.count).toBe(3);
    expect(refusals(client.commit(tx))).toEqual([['x', 'EEXIST', 9_999]]);
    expect(client.elements(hosts)).toHaveLength(1);

    client.commitOrThrow(new NftTransaction().addElementColumns(nets, columns('interval', 4, 0x0a000100, 0x0a000200)));
    const ranges = columns('interval', 4, 0xf0000000, 0, 0x0a000000, 0x0a000100, 0x0a000180, 0x0a000190);
    expect(refusals(client.commit(new NftTransaction<string>().addElementColumns(nets, ranges, { exclusive: true, tag: 'r' })))).toEqual([
      ['r', 'EEXIST', 2],
    ]);
  });

  it('says when the ruleset is of another generation', () => {
    const { id } = client.generation();
    const tx = new NftTransaction().addElements(hosts, [key(192, 0, 2, 1)]);
    expect(client.commit(tx, { generation: id }).kind).toBe('committed');
    expect(client.commit(tx, { generation: id }).kind).toBe('stale');
    expect(client.commit(tx).kind).toBe('committed');
    tx.reset();
    expect(client.commit(tx.addElements(hosts, [key(192, 0, 2, 2)]), { generation: client.generation().id }).kind).toBe('committed');
  });

  it('is reported right when thousands of its messages are refused, and the next one is not confused by that', () => {
    const tx = new NftTransaction<number>();
    for (let i = 0; i < 5_000; i++) tx.addRule({ ...T, chain: 'missing', expressions: [ACCEPT] }, { tag: i });
    const result = client.commit(tx);
    expect(result.kind).toBe('refused');
    if (result.kind !== 'refused') return;
    expect(result.complete).toBe(true);
    expect(result.errors.map((error) => error.tag)).toEqual(Array.from({ length: 5_000 }, (_, i) => i));
    expect(client.commit(new NftTransaction().addElements(hosts, [key(192, 0, 2, 1)])).kind).toBe('committed');
  });

  it('is refused when only its last message, or only its first of many, is wrong', () => {
    for (const wrong of [0, 1, 50, 99]) {
      const tx = new NftTransaction<number>();
      for (let i = 0; i < 100; i++) tx.addRule({ ...T, chain: i === wrong ? 'missing' : 'c', expressions: [ACCEPT] }, { tag: i });
      expect(refusals(client.commit(tx))).toEqual([[wrong, 'ENOENT', undefined]]);
      expect(client.rules(T)).toEqual([]);
    }
  });

  it('is refused as a whole when only all of it together is wrong', () => {
    // The jumps make a loop, which the kernel finds when it checks the table that would come out.
    const jump = (chain: string): Expression => ({
      kind: 'immediate',
      dreg: 0,
      data: { kind: 'verdict', verdict: { kind: 'jump', chain } },
    });
    const tx = new NftTransaction<string>()
      .addChain({ ...T, name: 'base', base: { type: 'filter', hook: 'input', priority: 0 } })
      .addChain({ ...T, name: 'a' })
      .addChain({ ...T, name: 'b' })
      .addRule({ ...T, chain: 'base', expressions: [jump('a')] }, { tag: 'base' })
      .addRule({ ...T, chain: 'a', expressions: [jump('b')] }, { tag: 'a' })
      .addRule({ ...T, chain: 'b', expressions: [jump('a')] }, { tag: 'b' });
    const result = client.commit(tx);
    expect(result).toMatchObject({ kind: 'refused', errors: [{ code: expect.stringMatching(/^(EMLINK|ELOOP)$/) as string }] });
    expect(client.chains(T).map((chain) => chain.name)).toEqual(['c']);
  });

  it('carries 16 MB in one go: a million hosts', () => {
    const count = 1_000_000;
    const big = defineSet({ ...T, name: 'big', key: 'ipv4_addr', size: count });
    const words = Uint32Array.from({ length: count }, (_, i) => 0x0a000000 + i * 7);
    client.commitOrThrow(
      new NftTransaction(20_000_000)
        .addSet(big)
        .addElementColumns(big, { shape: 'single', keyLength: 4, words, count }, { exclusive: true }),
    );
    const probe = {
      shape: 'single' as const,
      keyLength: 4,
      words: Uint32Array.of(0x0a000000, 0x0a000001, 0x0a000000 + 7 * (count - 1)),
      count: 3,
    };
    expect(client.presence(big, probe)).toEqual(['present', 'absent', 'present']);
    const once = client.commit(new NftTransaction<string>().addElements(big, [key(192, 0, 2, 1)], { tag: 'full' }));
    expect(refusals(once)).toEqual([['full', 'ENFILE', 0]]);
    client.commitOrThrow(new NftTransaction().deleteSet(big));
  });

  it('gives handles by echo, and rules are replaced, inserted and deleted by them', () => {
    const handles = new Map<number, bigint>();
    const rule = (name: string) => ({ ...T, chain: 'c', expressions: [ACCEPT], comment: name });
    const echoed = (tx: NftTransaction): void => {
      let seen = 0;
      expect(client.commit(tx, { echo: () => void seen++ }).kind).toBe('committed');
      expect(seen).toBeGreaterThan(0);
    };
    echoed(new NftTransaction().addRule(rule('one'), { echo: true }).addRule(rule('two'), { echo: true }));
    for (const [i, found] of client.rules(T).entries()) handles.set(i, found.handle!);
    client.commitOrThrow(
      new NftTransaction()
        .addRule({ ...rule('after one'), position: handles.get(0)! })
        .addRule({ ...rule('before two'), position: handles.get(1)! }, { insert: true })
        .addRule(rule('first'), { insert: true })
        .replaceRule(handles.get(1)!, rule('two, replaced')),
    );
    expect(client.rules(T).map((r) => r.comment)).toEqual(['first', 'one', 'after one', 'before two', 'two, replaced']);
    client.commitOrThrow(new NftTransaction().deleteRule({ ...T, chain: 'c', handle: handles.get(0)! }));
    expect(client.rules(T).map((r) => r.comment)).toEqual(['first', 'after one', 'before two', 'two, replaced']);
    client.commitOrThrow(new NftTransaction().flushChain({ ...T, name: 'c' }));
    expect(client.rules(T)).toEqual([]);
  });

  it('may refer to what it adds itself', () => {
    const fresh = defineSet({ ...T, name: 'fresh', key: 'ipv4_addr', id: 7 });
    client.commitOrThrow(
      new NftTransaction()
        .addSet(fresh)
        .addElements(fresh, [key(192, 0, 2, 1)])
        .addRule({ ...T, chain: 'c', id: 1, expressions: [daddr, { kind: 'lookup', set: 'fresh', setId: 7, sreg: 1 }] }),
    );
    expect(client.elements(fresh)).toEqual([key(192, 0, 2, 1)]);
  });

  it('destroys what may not be there, deletes what must be', () => {
    const set = { ...T, name: 'none' };
    client.commitOrThrow(
      new NftTransaction()
        .deleteSet(set, { destroy: true })
        .deleteChain(set, { destroy: true })
        .deleteTable({ family: 'ip', name: 'none' }, { destroy: true })
        .deleteElements(hosts, [key(192, 0, 2, 1)], { destroy: true })
        .deleteElementColumns(hosts, columns('single', 4, 1, 2, 3), { destroy: true })
        .deleteRule({ ...T, chain: 'c', handle: 999n }, { destroy: true }),
    );
    for (const tx of [
      new NftTransaction().deleteSet(set),
      new NftTransaction().deleteTable({ family: 'ip', name: 'none' }),
      new NftTransaction().deleteElements(hosts, [key(192, 0, 2, 1)]),
      new NftTransaction().deleteRule({ ...T, chain: 'c', handle: 999n }),
    ]) {
      expect(client.commit(tx)).toMatchObject({ kind: 'refused', errors: [{ code: 'ENOENT' }] });
    }
  });

  it('without anything in it is committed and changes nothing', () => {
    const { id } = client.generation();
    expect(client.commit(new NftTransaction())).toEqual({ kind: 'committed' });
    expect(client.generation().id).toBe(id);
  });
});

describe('elements in columns', () => {
  const rows: { name: string; set: typeof hosts; columns: ElementColumns; listed: string }[] = [
    { name: 'hosts', set: hosts, columns: columns('single', 4, 0xc0000201, 0xc0000202), listed: '192.0.2.1, 192.0.2.2' },
    { name: 'ports of two bytes', set: ports, columns: columns('single', 2, 80 << 16, 443 << 16), listed: '80, 443' },
    {
      name: 'ranges, adjacent ones too, and one up to the highest address',
      set: nets,
      columns: columns('interval', 4, 0, 0x01000000, 0xc0000200, 0xc0000300, 0xc0000300, 0xc0000305, 0xe0000000, 0),
      listed: '0.0.0.0/8, 192.0.2.0/24, 192.0.3.0-192.0.3.4, 224.0.0.0/3',
    },
    {
      name: 'IPv6 ranges',
      set: nets6,
      columns: columns(
        'interval',
        16,
        0x20010db8,
        0,
        0,
        0,
        0x20010db9,
        0,
        0,
        0,
        0x20010dba,
        0,
        0,
        1,
        0x20010dba,
        0,
        0,
        2,
        0xff000000,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
      ),
      listed: '2001:db8::/32, 2001:dba::1, ff00::/8',
    },
    {
      name: 'address and port ranges',
      set: services,
      columns: columns('concatenated', 8, 0xc0000200, 80 << 16, 0xc00002ff, 90 << 16),
      listed: '192.0.2.0/24 . 80-90',
    },
  ];
  it.each(rows)('$name: added, listed by nft, read back, present, deleted', async ({ set, columns: input, listed }) => {
    client.commitOrThrow(new NftTransaction().addElementColumns(set, input, { exclusive: true }));
    const text = (await host.nftList('set', 'inet', 't', set.name)).replaceAll(/\s+/g, ' ');
    expect(/elements = \{ (.*?) \}/.exec(text)?.[1]).toBe(listed);
    const dump = client.elementColumns(set);
    expect(dump).toMatchObject({ consistent: true, generation: client.generation().id });
    const taken = (c: ElementColumns) => [...c.words.subarray(0, (c.words.length / Math.max(c.count, 1)) * c.count)];
    expect(dump.columns.count).toBe(input.count);
    if (input.shape === 'single') expect(new Set(taken(dump.columns).slice(0, dump.columns.count))).toEqual(new Set(taken(input)));
    else expect(taken(dump.columns)).toEqual(taken(input));
    expect(client.presence(set, input)).toEqual(new Array(input.count).fill('present'));
    const again = client.commit(new NftTransaction<string>().addElementColumns(set, input, { exclusive: true, tag: 'again' }));
    expect(again).toMatchObject({ kind: 'refused', errors: [{ code: 'EEXIST', tag: 'again', item: 0 }] });
    client.commitOrThrow(new NftTransaction().deleteElementColumns(set, input));
    expect(client.elementColumns(set).columns.count).toBe(0);
    expect(client.presence(set, input)).toEqual(new Array(input.count).fill('absent'));
  });

  it('carry comments and timeouts, a range up to the highest address too', async () => {
    const timed = defineSet({ ...T, name: 'timed', key: 'ipv4_addr', interval: true, timeout: 0n });
    const input = columns('interval', 4, 0xc0000200, 0xc0000300, 0xe0000000, 0);
    client.commitOrThrow(
      new NftTransaction().addSet(timed).addElementColumns(timed, input, { extras: { comment: 'why', timeout: 3_600_000n } }),
    );
    const text = (await host.nftList('set', 'inet', 't', 'timed')).replaceAll(/\s+/g, ' ').replaceAll(/ expires \S+/g, '');
    expect(text).toContain('elements = { 192.0.2.0/24 timeout 1h comment "why", 224.0.0.0/3 timeout 1h comment "why" }');
  });

  it('of maps carry their values', async () => {
    const map = defineSet({ ...T, name: 'm', key: 'inet_service', value: 'ipv4_addr' });
    const input = columns('single', 2, 80 << 16, 443 << 16);
    client.commitOrThrow(
      new NftTransaction()
        .addSet(map)
        .addElementColumns(map, input, { extras: { data: { length: 4, words: Uint32Array.of(0xc0000201, 0xc0000202) } } }),
    );
    expect((await host.nftList('map', 'inet', 't', 'm')).replaceAll(/\s+/g, ' ')).toContain(
      'elements = { 80 : 192.0.2.1, 443 : 192.0.2.2 }',
    );
  });

  it('read what nft wrote: its element at the lowest address, its open ends', async () => {
    await host.nft('add element inet t nets { 10.0.0.0/8, 192.0.2.0-192.0.2.9, 240.0.0.0/4 }\nadd element inet t nets6 { 8000::/1 }');
    const { columns: got } = client.elementColumns(nets);
    expect(got.count).toBe(3);
    expect([...got.words.subarray(0, 6)]).toEqual([0x0a000000, 0x0b000000, 0xc0000200, 0xc000020a, 0xf0000000, 0]);
    const six = client.elementColumns(nets6).columns;
    expect([six.count, ...six.words.subarray(0, 8)]).toEqual([1, 0x80000000, 0, 0, 0, 0, 0, 0, 0]);
    client.commitOrThrow(new NftTransaction().deleteElementColumns(nets, columns('interval', 4, 0xf0000000, 0, 0x0a000000, 0x0b000000)));
    expect((await host.nftList('set', 'inet', 't', 'nets')).replaceAll(/\s+/g, ' ')).toContain('elements = { 192.0.2.0-192.0.2.9 }');
  });

  it('presence tells a range that overlaps from one that is the same', () => {
    client.commitOrThrow(new NftTransaction().addElementColumns(nets, columns('interval', 4, 0x0a000000, 0x0a000100)));
    const asked = columns(
      'interval',
      4,
      0x0a000000,
      0x0a000100,
      0x0a000000,
      0x0a000080,
      0x0a000080,
      0x0a000200,
      0x0a000100,
      0x0a000200,
      0x0a000010,
      0,
    );
    expect(client.presence(nets, asked)).toEqual(['present', 'other', 'other', 'absent', 'other']);
  });

  it('presence of a thousand needs no dump; a missing set is an error', () => {
    const words = Uint32Array.from({ length: 1_000 }, (_, i) => 0xc6336400 + i);
    client.commitOrThrow(
      new NftTransaction().addElementColumns(hosts, { shape: 'single', keyLength: 4, words: words.subarray(0, 500), count: 500 }),
    );
    const found = client.presence(hosts, { shape: 'single', keyLength: 4, words, count: 1_000 });
    expect(found).toEqual(words.length ? [...new Array(500).fill('present'), ...new Array(500).fill('absent')] : []);
    expect(() => client.presence({ ...T, name: 'nope' }, columns('single', 4, 1))).toThrow(/ENOENT/);
  });
});

describe('listing', () => {
  it('is undefined for what is not there, and narrowed by family, table and chain', () => {
    expect(client.table('ip', 't')).toBeUndefined();
    expect(client.set({ ...T, name: 'nope' })).toBeUndefined();
    expect(client.set({ family: 'inet', table: 'nope', name: 'hosts' })).toBeUndefined();
    expect(client.set(hosts)).toMatchObject({ name: 'hosts', keyLength: 4 });
    client.commitOrThrow(new NftTransaction().addTable({ family: 'ip', name: 't' }).addChain({ family: 'ip', table: 't', name: 'x' }));
    expect(client.tables('ip').map((table) => table.name)).toEqual(['t']);
    expect(client.chains(T).map((chain) => chain.name)).toEqual(['c']);
    expect(client.chains({ family: 'ip' }).map((chain) => chain.name)).toEqual(['x']);
    expect(client.sets({ family: 'ip' })).toEqual([]);
    expect(client.rules({ ...T, chain: 'nope' })).toEqual([]);
  });

  it('of a set that is missing is an error', () => {
    expect(() => client.elements({ ...T, name: 'nope' })).toThrow(expect.objectContaining({ code: 'ENOENT' }) as Error);
  });

  it('goes on after a visitor threw in the middle of a dump', () => {
    const words = Uint32Array.from({ length: 20_000 }, (_, i) => i + 1);
    client.commitOrThrow(new NftTransaction().addElementColumns(hosts, { shape: 'single', keyLength: 4, words, count: words.length }));
    const request = { type: (10 << 8) | 4, family: 0, operation: 'list chains' };
    expect(() =>
      client.connection.dump(request, {
        message: () => {
          throw new Error('enough');
        },
      }),
    ).toThrow('enough');
    expect(client.elementColumns(hosts).columns.count).toBe(20_000);
  });
});
