import { type Message, prefixAt, sessionContext } from '@weir/bgp/codec';
import { covers, type Prefix, prefix, prefixFromWords, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DistributeConfig } from '../../model/distribute.ts';
import { loadText } from '../config/memory-files.ts';
import { NetworkAnnouncer } from './network-announcer.ts';
import { TestOutgoing } from './test-session.ts';

function configOf(merged: string): DistributeConfig {
  const aggregate = (name: string): string => (merged.includes(name) ? ', aggregate: true' : '');
  const { config, diagnostics } = loadText(`bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
distribute:
  tables:
    a: { communities: ["65000:1"]${aggregate('a')} }
    b: { communities: ["65000:2"]${aggregate('b')} }
  clients:
    - { name: all, from: 198.51.100.0/24 }
    - { name: some, from: 203.0.113.0/24, tables: [b] }
`);
  if (!config?.distribute) throw new Error(diagnostics.map(({ message }) => message).join());
  return config.distribute;
}

const NAMES = new Map([
  [0xfde8_0001, 'a'],
  [0xfde8_0002, 'b'],
]);

/** A client, and the routes that it has. */
class Client extends TestOutgoing {
  readonly context = sessionContext({ families: ['ipv4 unicast'] });
  override readonly localAddress = '192.0.2.1';
  readonly routes = new Map<string, string>();
  /** Addresses that must be in some route whenever a message has come. */
  covered: readonly Prefix[] = [];

  protected take(message: Message): void {
    if (message.kind !== 'update') return;
    const tables = (message.attributes.communities ?? []).map((community) => NAMES.get(community)).join('+');
    for (const { run } of message.announce) for (let i = 0; i < run.count; i++) this.routes.set(printPrefix(prefixAt(run, i)), tables);
    for (const run of message.withdraw) for (let i = 0; i < run.count; i++) this.routes.delete(printPrefix(prefixAt(run, i)));
    const routes = [...this.routes.keys()].map(prefix);
    for (const address of this.covered) expect(routes.some((route) => covers(route, address))).toBe(true);
  }

  get text(): readonly string[] {
    return [...this.routes].map(([route, tables]) => `${route} ${tables}`).sort();
  }
}

function start(merged: string): { readonly announcer: NetworkAnnouncer; readonly all: Client; readonly some: Client } {
  const announcer = new NetworkAnnouncer(configOf(merged));
  const all = new Client('all-198.51.100.1');
  const some = new Client('some-203.0.113.1');
  for (const one of [all, some]) announcer.established(one);
  return { announcer, all, some };
}

const turn = (): Promise<void> => Promise.resolve();

describe('tables that are merged', () => {
  it('are told to each client as what it sees of them', async () => {
    const { announcer, all, some } = start('ab');
    announcer.set(prefix('10.0.0.0/25'), ['a', 'b']);
    announcer.set(prefix('10.0.0.128/25'), ['b']);
    announcer.set(prefix('10.0.0.7/32'), ['a']);
    await turn();
    expect([all.text, some.text]).toEqual([['10.0.0.0/25 a+b', '10.0.0.128/25 b', '10.0.0.7/32 a'], ['10.0.0.0/24 b']]);
  });

  it('are merged alone: what is in another table as well stays as it is', async () => {
    const { announcer, all, some } = start('b');
    for (const text of ['10.0.0.0/25', '10.0.0.128/25']) announcer.set(prefix(text), ['b']);
    for (const text of ['10.1.0.0/25', '10.1.0.128/25']) announcer.set(prefix(text), ['a', 'b']);
    await turn();
    expect([all.text, some.text]).toEqual([
      ['10.0.0.0/24 b', '10.1.0.0/25 a+b', '10.1.0.128/25 a+b'],
      ['10.0.0.0/24 b', '10.1.0.0/24 b'],
    ]);
  });

  it('leave no address uncovered when one of many goes and comes back', async () => {
    const { announcer, some } = start('b');
    const hosts = Array.from({ length: 8192 }, (_, i) => prefixFromWords(4, 0x0a000000 + i, 0, 0, 0, 32));
    for (const one of hosts) announcer.set(one, ['b']);
    await turn();
    expect(some.text).toEqual(['10.0.0.0/19 b']);
    const out = prefix('10.0.7.7/32');
    some.covered = hosts.filter((_, i) => i % 97 === 0 && i !== 0x0707);
    announcer.set(out, []);
    await turn();
    expect(some.routes.size).toBe(13);
    announcer.set(out, ['b']);
    await turn();
    expect(some.text).toEqual(['10.0.0.0/19 b']);
  });

  it('are so from one configuration to the next', async () => {
    const { announcer, all } = start('');
    const members = new Map<string, readonly string[]>();
    for (const text of ['10.0.0.0/25', '10.0.0.128/25', '10.2.0.0/24']) {
      members.set(text, ['b']);
      announcer.set(prefix(text), ['b']);
    }
    const raw = ['10.0.0.0/25 b', '10.0.0.128/25 b', '10.2.0.0/24 b'];
    const seen: unknown[] = [];
    for (const merged of ['b', 'ab', '']) {
      announcer.configure(
        configOf(merged),
        [...members].map(([text, tables]) => ({ prefix: prefix(text), tables })),
      );
      await turn();
      seen.push(all.text);
    }
    expect(seen).toEqual([['10.0.0.0/24 b', '10.2.0.0/24 b'], ['10.0.0.0/24 b', '10.2.0.0/24 b'], raw]);
  });
});

const step = fc.record({
  at: fc.nat(31),
  length: fc.integer({ min: 25, max: 32 }),
  tables: fc.constantFrom([], ['a'], ['b'], ['a', 'b']),
});

it('every address is in the tables that it is in, for each client, whatever is merged', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('', 'a', 'b', 'ab'), fc.array(step, { maxLength: 40 }), async (merged, steps) => {
      const { announcer, all, some } = start(merged);
      const members = new Map<string, readonly string[]>();
      for (const { at, length, tables } of steps) {
        const one = prefixFromWords(4, 0x0a000000 + at * 8, 0, 0, 0, length);
        members.set(printPrefix(one), tables);
        announcer.set(one, tables);
        if (at % 3 === 0) await turn();
      }
      await turn();
      for (const [client, sees] of [
        [all, ['a', 'b']],
        [some, ['b']],
      ] as const) {
        const inTables = (routes: Iterable<readonly [string, readonly string[]]>, address: Prefix): readonly string[] =>
          [...new Set([...routes].flatMap(([text, tables]) => (covers(prefix(text), address) ? tables : [])))].sort();
        const want = [...members].map(
          ([text, tables]) => [text, tables.filter((name) => (sees as readonly string[]).includes(name))] as const,
        );
        const has = [...client.routes].map(([text, tables]) => [text, tables.split('+')] as const);
        for (let i = 0; i < 256; i += 4) {
          const address = prefixFromWords(4, 0x0a000000 + i, 0, 0, 0, 32);
          expect(inTables(has, address)).toEqual(inTables(want, address));
        }
      }
    }),
    { numRuns: 60 },
  );
});
