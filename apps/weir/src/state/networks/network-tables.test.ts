import { type Prefix, prefix, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NetworkChange, NetworkRecord, NetworkSource } from '../../model/network.ts';
import { decodePayload, encodeRecord, encodeState, eventOf, type HistoryFilter, NetworkHistory, NetworkTables } from './index.ts';

function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

function changesOf(payload: Uint8Array): readonly NetworkChange[] {
  const read = decodePayload(payload);
  return read.kind === 'state' ? read.changes : [];
}

const operator: NetworkSource = { kind: 'operator' };
const feed: NetworkSource = { kind: 'feed', name: 'list' };
const P = prefix('192.0.2.1/32');

function set(
  table: string,
  prefixes: readonly Prefix[],
  more: Partial<Extract<NetworkChange, { kind: 'set' }>['note']> = {},
): NetworkChange {
  return { kind: 'set', table, prefixes, note: { source: operator, by: 'uid 0', since: 5, until: undefined, comment: undefined, ...more } };
}

const unset = (table: string, prefixes: readonly Prefix[], source: NetworkSource = operator): NetworkChange => ({
  kind: 'unset',
  table,
  prefixes,
  source,
});

function tables(): { readonly tables: NetworkTables; readonly told: string[] } {
  const told: string[] = [];
  return { told, tables: new NetworkTables({ changed: (one, names) => told.push(`${printPrefix(one)} ${names.join('+')}`) }) };
}

describe('tables of networks', () => {
  it('have what was put there, by whom, and tell when a prefix is in others', () => {
    const { tables: t, told } = tables();
    t.apply([set('admins', [P]), set('spammers', [P], { comment: 'why' })]);
    t.apply([set('admins', [P], { since: 6 })]);
    expect(t.memberships(P).map(({ table, note }) => [table, note.since, note.comment])).toEqual([
      ['admins', 6, undefined],
      ['spammers', 5, 'why'],
    ]);
    t.apply([unset('admins', [P]), unset('nowhere', [P])]);
    t.apply([unset('spammers', [P])]);
    expect(told).toEqual(['192.0.2.1/32 admins', '192.0.2.1/32 admins+spammers', '192.0.2.1/32 spammers', '192.0.2.1/32 ']);
    expect([t.size, t.tables]).toEqual([0, []]);
  });

  it('keep a prefix for as long as one source has it there', () => {
    const { tables: t, told } = tables();
    t.apply([set('spammers', [P]), set('spammers', [P], { source: feed })]);
    t.apply([unset('spammers', [P])]);
    expect([t.sizeOf('spammers'), t.memberships(P).map(({ note }) => note.source)]).toEqual([1, [feed]]);
    t.apply([unset('spammers', [P], feed)]);
    expect(told).toEqual(['192.0.2.1/32 spammers', '192.0.2.1/32 ']);
  });

  it('tell when a prefix is no longer there by clients alone', () => {
    const { tables: t } = tables();
    const client: NetworkSource = { kind: 'client', name: 'mail-192.0.2.9' };
    const told: string[] = [];
    const also = new NetworkTables({ changed: (_one, names, own) => told.push(`${names.join('+')}/${own.join('+')}`) });
    for (const change of [set('a', [P], { source: client }), set('a', [P]), set('a', [P], { since: 7 }), unset('a', [P])]) {
      t.apply([change]);
      also.apply([change]);
    }
    expect([t.ownTables(P), [...t.sourcesOf('a')]]).toEqual([[], [{ source: client, prefixes: 1 }]]);
    expect(told).toEqual(['a/', 'a/a', 'a/']);
    t.apply([unset('a', [P], client)]);
    expect([[...t.sourcesOf('a')], t.sizeOf('a')]).toEqual([[], 0]);
  });

  it('say what has ended', () => {
    const { tables: t } = tables();
    const other = prefix('2001:db8::/48');
    t.apply([set('a', [P, other], { until: 100 }), set('a', [other], { source: feed }), set('b', [other], { until: 200 })]);
    expect([t.nextEnd, atOnce(t.ended(99))]).toEqual([100, []]);
    t.apply(atOnce(t.ended(100)));
    expect([t.sizeOf('a'), t.nextEnd, t.memberships(P)]).toEqual([1, 200, []]);
    t.apply(atOnce(t.ended(1000)));
    expect([t.sizeOf('a'), t.sizeOf('b'), t.nextEnd]).toEqual([1, 0, undefined]);
  });
});

const anyPrefix = fc
  .record({ six: fc.boolean(), at: fc.nat(40), length: fc.constantFrom(0, 8, 24, 31, 32) })
  .map(({ six, at, length }) =>
    six
      ? prefix(`2001:db8:${at.toString(16)}::/48`)
      : length < 24
        ? prefix(`10.0.0.0/${Math.max(8, length)}`)
        : prefix(`198.51.100.${at & ~1}/${length === 24 ? 32 : length}`),
  );
const anySource = fc.constantFrom(operator, feed, { kind: 'client', name: 'mail' } as const);
const time = fc.option(
  fc.nat(1000).map((ms) => ms + 1),
  { nil: undefined },
);
const anyChange: fc.Arbitrary<NetworkChange> = fc.oneof(
  fc.record({
    kind: fc.constant('set' as const),
    table: fc.constantFrom('a', 'b', '65000:1'),
    prefixes: fc.uniqueArray(anyPrefix, { maxLength: 8, selector: printPrefix }),
    note: fc.record({
      source: anySource,
      by: fc.string({ maxLength: 5 }),
      since: fc.nat(3),
      until: time,
      comment: fc.option(fc.string(), { nil: undefined }),
    }),
  }),
  fc.record({
    kind: fc.constant('unset' as const),
    table: fc.constantFrom('a', 'b', '65000:1'),
    prefixes: fc.uniqueArray(anyPrefix, { maxLength: 8, selector: printPrefix }),
    source: anySource,
  }),
);

it('are as one entry for each prefix, table and source, also after their snapshot', () => {
  fc.assert(
    fc.property(fc.array(anyChange, { maxLength: 30 }), (changes) => {
      const now = new Map<string, readonly string[]>();
      const t = new NetworkTables({
        changed: (one, names) => (names.length === 0 ? now.delete(printPrefix(one)) : now.set(printPrefix(one), names)),
      });
      const model = new Map<string, unknown>();
      for (const change of changes) {
        t.apply([change]);
        for (const one of change.prefixes) {
          const source = change.kind === 'set' ? change.note.source : change.source;
          const key = JSON.stringify([printPrefix(one), change.table, source]);
          if (change.kind === 'set') model.set(key, change.note);
          else model.delete(key);
        }
      }
      const seen = (of: NetworkTables): Map<string, unknown> =>
        new Map(
          [...of.all()].flatMap(({ prefix: one, memberships }) =>
            memberships.map(({ table, note }) => [JSON.stringify([printPrefix(one), table, note.source]), note] as const),
          ),
        );
      expect(seen(t)).toEqual(model);
      const tablesOf = new Map<string, Set<string>>();
      for (const key of model.keys()) {
        const [one, table] = JSON.parse(key) as [string, string];
        tablesOf.set(one, (tablesOf.get(one) ?? new Set()).add(table));
      }
      expect(new Map([...now].map(([one, names]) => [one, new Set(names)]))).toEqual(tablesOf);
      const bySource = new Map<string, number>();
      for (const key of model.keys()) {
        const [, table, source] = JSON.parse(key) as [string, string, NetworkSource];
        const of = `${table} ${JSON.stringify(source)}`;
        bySource.set(of, (bySource.get(of) ?? 0) + 1);
      }
      const counted = ['a', 'b', '65000:1'].flatMap((table) =>
        [...t.sourcesOf(table)].map(({ source, prefixes }) => [`${table} ${JSON.stringify(source)}`, prefixes] as const),
      );
      expect(new Map(counted)).toEqual(bySource);
      for (const name of ['a', 'b']) expect(t.sizeOf(name)).toBe([...tablesOf.values()].filter((names) => names.has(name)).length);
      const again = new NetworkTables({ changed: () => undefined });
      for (const step of t.snapshot()) again.apply(changesOf(encodeState(step)));
      expect(seen(again)).toEqual(model);
    }),
  );
});

const plain = (changes: readonly NetworkChange[]): readonly unknown[] =>
  changes.map((change) => ({ ...change, prefixes: [...change.prefixes].sort((a, b) => a.family - b.family) }));
const head = fc.record({
  number: fc.nat(),
  at: fc.nat(),
  by: fc.string({ maxLength: 9 }),
  added: fc.nat(),
  updated: fc.nat(),
  removed: fc.nat(),
});

it('changes are the same after having been written', () => {
  fc.assert(
    fc.property(head, fc.array(anyChange, { maxLength: 5 }), (first, changes) => {
      const octets = atOnce(encodeRecord({ ...first, changes }));
      const read = decodePayload(octets);
      if (read.kind !== 'record') throw new Error(read.kind);
      expect({ ...read.record, changes: plain(read.record.changes) }).toEqual({ ...first, changes: plain(changes) });
      expect(Buffer.compare(atOnce(encodeRecord(read.record)), octets)).toBe(0);
      for (let cut = 1; cut < Math.min(60, octets.length); cut++) {
        try {
          decodePayload(octets.subarray(0, octets.length - cut));
        } catch (error) {
          expect((error as { code?: string }).code).toBeDefined();
        }
      }
    }),
  );
});

describe('the history', () => {
  const many = Array.from({ length: 300 }, (_, i) => prefix(`10.0.${i >> 8}.${i & 255}/32`));
  const wide = Array.from({ length: 101 }, (_, i) => prefix(`2001:db8::${i.toString(16)}/128`));
  const record = (number: number, changes: readonly NetworkChange[]): NetworkRecord => ({
    number,
    at: number,
    by: 'uid 0',
    added: 1,
    updated: 0,
    removed: 0,
    changes,
  });
  const seen = (history: NetworkHistory, filter: Partial<HistoryFilter>): readonly number[] =>
    history.list({ limit: 100, ...filter }).map(({ number }) => number);

  it('is told the latest first, by table, by prefix and by number', () => {
    const history = new NetworkHistory();
    const changes = [[set('admins', [P])], [unset('spammers', [P])], [set('spammers', many)], [set('admins', [prefix('2001:db8::/32')])]];
    for (const [i, own] of changes.entries()) history.add(eventOf(record(i + 1, own)));
    // What is read a second time is known.
    history.add(eventOf(record(2, [set('admins', [P])])));
    expect([seen(history, {}), seen(history, { limit: 2 }), seen(history, { before: 3 })]).toEqual([
      [4, 3, 2, 1],
      [4, 3],
      [2, 1],
    ]);
    expect([seen(history, { table: 'admins' }), seen(history, { prefix: prefix('192.0.2.0/24') })]).toEqual([
      [4, 1],
      [3, 2, 1],
    ]);
    const [third] = history.list({ limit: 1, before: 4 });
    expect([third?.parts[0]?.count, third?.parts[0]?.prefixes.length]).toEqual([300, 100]);
  });

  it('is bounded, and the same after a snapshot', () => {
    const history = new NetworkHistory();
    for (let number = 1; number <= 10_500; number++) history.add(eventOf(record(number, [set('a', many.slice(0, 2))])));
    for (let number = 10_501; number <= 13_000; number++) history.add(eventOf(record(number, [set('a', wide)])));
    let octets = 0;
    const again = new NetworkHistory();
    for (const payload of history.snapshot()) {
      octets += payload.length;
      const read = decodePayload(payload);
      if (read.kind === 'events') for (const event of read.events) again.add(event);
    }
    expect([history.size < 10_000, octets < 4.2 * 2 ** 20, again.size, again.last]).toEqual([true, true, history.size, 13_000]);
    expect(again.list({ limit: 5 })).toEqual(history.list({ limit: 5 }));
  });
});
