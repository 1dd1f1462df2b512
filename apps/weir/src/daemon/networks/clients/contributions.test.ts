import { asn, type Prefix, parseIp, prefix, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Config } from '../../../model/config.ts';
import type { ClientSession } from '../../../model/contribution.ts';
import type { NetworkChange } from '../../../model/network.ts';
import { loadText } from '../../../sources/config/memory-files.ts';
import { NetworkTables } from '../../../state/index.ts';
import { type Said, TestClock, update } from '../../../state/test-fixtures.ts';
import { atOnce } from '../in-turns.ts';
import { Contributions } from './contributions.ts';

const HOUR = 3_600_000;
const CONTRIBUTE = '[{ table: spammers, prefixes: 0.0.0.0/0, max_prefixes: 20, lifetime: 1h }]';

function configOf(contribute = CONTRIBUTE, more = ''): Config {
  const { config, diagnostics } = loadText(`bgp: { as: 64512, router_id: 192.0.2.1, listen: [0.0.0.0], peers: [] }
distribute:
  tables:
    admins: { communities: ["65000:1"] }
    spammers: { communities: ["65000:2"], max_prefixes: 100000 }
  clients: [{ name: hosts, from: 198.51.100.0/24, contribute: ${contribute} }${more}]
`);
  if (!config) throw new Error(diagnostics.map(({ message }) => message).join());
  return config;
}

const S = ['65000:2'];

class Scene {
  readonly clock = new TestClock();
  readonly tables = new NetworkTables({ changed: () => undefined });
  readonly records: (readonly NetworkChange[])[] = [];
  readonly errors: string[] = [];
  readonly asked: string[] = [];
  readonly sessions: ClientSession[] = [];
  refused = 0;
  broken = false;
  config: Config;
  readonly contributions: Contributions;

  constructor(config: Config = configOf()) {
    this.config = config;
    const { tables, clock } = this;
    this.contributions = new Contributions({
      networks: {
        tables,
        change: async (decide) => {
          const changes = (await decide()).filter(({ prefixes }) => prefixes.length > 0);
          await Promise.resolve();
          if (this.broken) throw new Error('no space left on device');
          if (changes.length > 0) this.records.push(changes);
          tables.apply(changes);
          return { format_version: 1, added: 0, updated: 0, removed: 0 };
        },
      },
      config: () => this.config,
      clock,
      clients: {
        refresh: ({ name }) => this.asked.push(name),
        refused: (_session, count) => {
          this.refused += count;
        },
        sessions: () => this.sessions,
      },
      onError: (error) => this.errors.push(error.message),
    });
    this.contributions.configured();
  }

  up(address: string, client = 'hosts'): ClientSession {
    const session = { name: `${client}-${address}`, client, address: parseIp(address)!, as: asn(64513), established: true };
    this.sessions.push(session);
    this.contributions.established(session);
    return session;
  }

  say(session: ClientSession, said: Said): this {
    this.contributions.heard(session, update({ ...said, attributes: { asPath: [], ...said.attributes } }));
    return this;
  }

  /** Time passes; what ends meanwhile is taken out. */
  async pass(ms = 1000): Promise<this> {
    for (let left = ms; left > 0; ) {
      const step = Math.min(left, Math.max(250, ms / 100));
      left -= step;
      this.clock.advance(step);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
      this.tables.apply(atOnce(this.tables.ended(this.clock.now())));
    }
    return this;
  }

  in(table: string): readonly string[] {
    return [...this.tables.all()].flatMap(({ prefix: one, memberships }) =>
      memberships
        .filter((membership) => membership.table === table)
        .map(({ note }) => `${printPrefix(one)} ${note.source.kind === 'client' ? note.source.name : ''}`),
    );
  }

  reasons(session: ClientSession): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.contributions.refusals(session.name)].map(([reason, { count }]) => [reason, count]));
  }
}

const hosts = (from: number, count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `10.${(from + i) >>> 16}.${((from + i) >>> 8) & 255}.${(from + i) & 255}/32`);

describe('contributions of clients', () => {
  it('are refused and counted where nothing is said of them, and nothing is kept', async () => {
    const scene = new Scene(configOf('[]'));
    const session = scene.up('198.51.100.7');
    for (let i = 0; i < 50; i++) scene.say(session, { announce: hosts(i * 1000, 1000), communities: S });
    expect([scene.reasons(session), scene.contributions.waiting, scene.refused]).toEqual([{ 'not-allowed': 50_000 }, 0, 50_000]);
    await scene.pass(HOUR);
    expect([scene.records, scene.asked]).toEqual([[], []]);
  });

  it('come into their table with who put them there, and go when they are withdrawn', async () => {
    const scene = new Scene();
    const [a, b] = [scene.up('198.51.100.7'), scene.up('198.51.100.8')];
    scene
      .say(a, { announce: ['203.0.113.1/32', '203.0.113.2/32'], communities: S })
      .say(b, { announce: ['203.0.113.1/32'], communities: S });
    await scene.pass();
    expect(scene.in('spammers')).toEqual([`203.0.113.1/32 ${a.name}`, `203.0.113.1/32 ${b.name}`, `203.0.113.2/32 ${a.name}`]);
    expect(scene.tables.memberships(prefix('203.0.113.2/32'))[0]?.note).toMatchObject({ by: 'AS 64513', until: expect.any(Number) });
    scene.say(a, { withdraw: ['203.0.113.1/32', '203.0.113.2/32', '203.0.113.3/32'] });
    await scene.pass();
    expect([scene.in('spammers'), scene.records.length]).toEqual([[`203.0.113.1/32 ${b.name}`], 2]);
  });

  it('are in the tables of their communities, and no longer in those of the ones before', async () => {
    const both = '[{ table: spammers, prefixes: 0.0.0.0/0 }, { table: admins, prefixes: 203.0.113.0/24 }]';
    const scene = new Scene(configOf(both));
    const session = scene.up('198.51.100.7');
    const say = async (communities: readonly string[], attributes: Said['attributes'] = {}): Promise<readonly number[]> => {
      await scene.say(session, { announce: ['203.0.113.1/32'], communities, attributes }).pass();
      return [scene.in('admins').length, scene.in('spammers').length];
    };
    expect(await say(['65000:1', '65000:2'])).toEqual([1, 1]);
    expect(await say(['65000:1'])).toEqual([1, 0]);
    expect(await say(['65000:9'])).toEqual([0, 0]);
    expect(await say(['65000:2'])).toEqual([0, 1]);
    expect(await say(['65000:2'], { asPath: [{ kind: 'sequence', asns: [asn(64513), asn(64512)] }] })).toEqual([0, 0]);
    expect(scene.reasons(session)).toEqual({ 'unknown-table': 1, loop: 1 });
  });

  it('are few changes, however many they are', async () => {
    const scene = new Scene(configOf('[{ table: spammers, prefixes: 0.0.0.0/0, max_prefixes: 10000 }]'));
    const session = scene.up('198.51.100.7');
    for (let i = 0; i < 100; i++) scene.say(session, { announce: hosts(i * 100, 100), communities: S });
    await scene.pass();
    expect([scene.tables.sizeOf('spammers'), scene.records.length, scene.records[0]?.length]).toEqual([10_000, 1, 1]);
    for (let i = 0; i < 100; i++) scene.say(session, { withdraw: hosts(i * 100, 100) });
    await scene.pass();
    expect([scene.tables.size, scene.records.length]).toEqual([0, 2]);
  });

  it('are as many as they may be, of all sessions together, and what is kept of the rest is a number', async () => {
    const scene = new Scene();
    const [a, b] = [scene.up('198.51.100.7'), scene.up('198.51.100.8')];
    scene.say(a, { announce: hosts(0, 15), communities: S });
    await scene.pass();
    for (let i = 0; i < 100; i++) scene.say(b, { announce: hosts(i * 1000, 1000), communities: S });
    expect(scene.contributions.waiting).toBeLessThanOrEqual(20);
    await scene.pass();
    expect([scene.in('spammers').length, scene.reasons(b)]).toEqual([20, { 'too-many': 99_995 }]);
    // There is room again for what is announced then.
    scene.say(a, { withdraw: hosts(0, 15) }).say(b, { announce: hosts(50, 20), communities: S });
    await scene.pass();
    expect(scene.in('spammers').length).toBe(20);
  });

  it('do not make a table larger than it may be', async () => {
    const config = configOf('[{ table: spammers, prefixes: 0.0.0.0/0 }]');
    const [table] = config.distribute?.tables.filter(({ name }) => name === 'spammers') ?? [];
    const small = { ...config, distribute: { ...config.distribute!, tables: [{ ...table!, maxPrefixes: 3 }] } };
    const scene = new Scene(small);
    const [a, b] = [scene.up('198.51.100.7'), scene.up('198.51.100.8')];
    scene.say(a, { announce: hosts(0, 5), communities: S }).say(b, { announce: hosts(0, 3), communities: S });
    await scene.pass();
    expect([scene.tables.sizeOf('spammers'), scene.in('spammers').length, scene.reasons(a)]).toEqual([3, 6, { 'table-full': 2 }]);
  });

  it('end a lifetime after they were last announced, whatever becomes of the session', async () => {
    const scene = new Scene();
    const session = scene.up('198.51.100.7');
    scene.say(session, { announce: ['203.0.113.1/32', '203.0.113.2/32'], communities: S });
    await scene.pass();
    scene.contributions.down(session);
    scene.contributions.forgotten(session);
    await scene.pass(HOUR / 2);
    expect(scene.in('spammers').length).toBe(2);
    const again = scene.up('198.51.100.7');
    scene.say(again, { announce: ['203.0.113.1/32'], communities: S });
    await scene.pass(HOUR * 0.6);
    expect(scene.in('spammers')).toEqual([`203.0.113.1/32 ${session.name}`]);
    await scene.pass(HOUR / 2);
    expect(scene.in('spammers')).toEqual([]);
  });

  it('are asked for again in time, as long as the session lasts', async () => {
    const scene = new Scene();
    const session = scene.up('198.51.100.7');
    scene.say(session, { announce: ['203.0.113.1/32'], communities: S });
    for (let third = 0; third < 12; third++) {
      await scene.pass(HOUR / 3 + 1000);
      if (scene.asked.splice(0).length > 0) scene.say(session, { announce: ['203.0.113.1/32'], communities: S });
    }
    await scene.pass();
    expect(scene.in('spammers').length).toBe(1);
    scene.contributions.down(session);
    await scene.pass(HOUR * 2);
    expect([scene.in('spammers'), scene.asked]).toEqual([[], []]);
  });

  it('are written seldom, however often they come and go', async () => {
    const scene = new Scene();
    const session = scene.up('198.51.100.7');
    const P = { announce: hosts(0, 20), communities: S };
    await scene.say(session, P).pass();
    // The same again and again is a change for each tenth of the lifetime at most.
    for (let second = 0; second < 3600; second += 10) await scene.say(session, P).pass(10_000);
    expect(scene.records.length).toBeLessThanOrEqual(11);
    scene.records.length = 0;
    // Coming and going between two changes is none.
    for (let i = 0; i < 1000; i++) scene.say(session, { withdraw: hosts(0, 20) }).say(session, P);
    await scene.pass();
    expect(scene.records).toEqual([]);
    // What comes and goes for ever: twice what there may be, and then one a second.
    let there = true;
    for (let i = 0; i < 600; i++) {
      there = !there;
      await scene.say(session, there ? P : { withdraw: hosts(0, 20) }).pass(1000);
    }
    const moved = scene.records.flat().reduce((sum, { prefixes }) => sum + prefixes.length, 0);
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThanOrEqual(40 + 600 + 20);
    await scene.say(session, { withdraw: hosts(0, 20) }).pass(60_000);
    expect(scene.in('spammers')).toEqual([]);
  });

  it('are what was said last, also while a change is being written', async () => {
    const scene = new Scene();
    const session = scene.up('198.51.100.7');
    scene.say(session, { announce: ['203.0.113.1/32'], communities: S });
    scene.clock.advance(50);
    expect(scene.contributions.waiting).toBe(1);
    scene.say(session, { withdraw: ['203.0.113.1/32'] });
    await scene.pass();
    expect([scene.in('spammers'), scene.records.length, scene.contributions.waiting]).toEqual([[], 2, 0]);
  });

  it('wait where they cannot be written', async () => {
    const scene = new Scene();
    const session = scene.up('198.51.100.7');
    scene.broken = true;
    scene.say(session, { announce: hosts(0, 20), communities: S });
    await scene.pass(2000);
    expect([scene.errors, scene.contributions.waiting]).toEqual([['contributions of clients: no space left on device'], 20]);
    scene.broken = false;
    scene.say(session, { withdraw: hosts(0, 10) });
    await scene.pass(6000);
    expect([scene.in('spammers').length, scene.contributions.waiting]).toEqual([10, 0]);
  });

  it('are taken out where a client may not contribute them any more, and asked for where it may again', async () => {
    const scene = new Scene(
      configOf(CONTRIBUTE, ', { name: mail, from: 203.0.113.9, contribute: [{ table: spammers, prefixes: "::/0" }] }'),
    );
    const [session, mail] = [scene.up('198.51.100.7'), scene.up('203.0.113.9', 'mail')];
    scene.say(session, { announce: ['203.0.113.1/32', '198.51.100.0/24'], communities: S });
    scene.say(mail, { announce: ['2001:db8::/48'], communities: S });
    await scene.pass();
    scene.config = configOf('[{ table: spammers, prefixes: 203.0.113.0/24 }]');
    scene.contributions.configured();
    await scene.pass();
    expect([scene.in('spammers'), scene.asked]).toEqual([[`203.0.113.1/32 ${session.name}`], [session.name]]);
    scene.contributions.configured();
    expect(scene.asked.length).toBe(1);
    scene.config = configOf('[]');
    scene.contributions.configured();
    await scene.pass();
    expect(scene.in('spammers')).toEqual([]);
  });

  it('are written when it ends', async () => {
    const scene = new Scene();
    const session = scene.up('198.51.100.7');
    scene.say(session, { announce: hosts(0, 20), communities: S });
    await scene.contributions.close();
    expect(scene.in('spammers').length).toBe(20);
  });
});

const step = fc.oneof(
  fc.record({ kind: fc.constant('announce' as const), who: fc.nat(2), from: fc.nat(5), count: fc.nat(4), to: fc.nat(3) }),
  fc.record({ kind: fc.constant('withdraw' as const), who: fc.nat(2), from: fc.nat(5), count: fc.nat(4) }),
  fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(1, 60, 600, 20_000, 90_000) }),
);

it('come to what each session announced last, within its lifetime', async () => {
  const communities = [[], ['65000:1'], ['65000:2'], ['65000:1', '65000:2']] as const;
  const names = ['admins', 'spammers'] as const;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const rule = 'prefixes: 0.0.0.0/0, max_prefixes: 1000, lifetime: 100s';
      const scene = new Scene(configOf(`[{ table: admins, ${rule} }, { table: spammers, ${rule} }]`));
      const sessions = ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((address) => scene.up(address));
      // By session, prefix and table when it was announced last.
      const model = new Map<string, number>();
      for (const one of steps) {
        if (one.kind === 'pass') {
          await scene.pass(one.ms);
          continue;
        }
        const session = sessions[one.who]!;
        const prefixes = hosts(one.from, one.count);
        const carried: readonly string[] = one.kind === 'announce' ? (communities[one.to] ?? []) : [];
        scene.say(session, one.kind === 'announce' ? { announce: prefixes, communities: carried } : { withdraw: prefixes });
        for (const text of prefixes)
          for (const [i, table] of names.entries()) {
            const key = `${text} ${session.name} ${table}`;
            if (carried.includes(`65000:${i + 1}`)) model.set(key, scene.clock.now());
            else model.delete(key);
          }
      }
      await scene.pass(1500);
      const now = scene.clock.now();
      const seen = new Set(names.flatMap((table) => scene.in(table).map((one) => `${one} ${table}`)));
      for (const key of seen) expect(now - (model.get(key) ?? Number.NEGATIVE_INFINITY)).toBeLessThanOrEqual(102_000);
      // A repetition counts from a tenth of the lifetime on.
      for (const [key, at] of model) if (now - at < 88_000) expect(seen).toContain(key);
    }),
    { numRuns: 60 },
  );
});

it('are never more than they may be, whatever is announced', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const scene = new Scene(configOf('[{ table: spammers, prefixes: 0.0.0.0/0, max_prefixes: 4, lifetime: 100s }]'));
      const sessions = ['198.51.100.1', '198.51.100.2', '198.51.100.3'].map((address) => scene.up(address));
      for (const one of steps) {
        if (one.kind === 'pass') await scene.pass(one.ms);
        else {
          const prefixes = hosts(one.from, one.count);
          scene.say(sessions[one.who]!, one.kind === 'announce' ? { announce: prefixes, communities: S } : { withdraw: prefixes });
        }
        const held: readonly Prefix[] = scene.in('spammers').map((text) => prefix(text.split(' ')[0] ?? ''));
        expect(held.length).toBeLessThanOrEqual(4);
        expect(scene.contributions.waiting).toBeLessThanOrEqual(12);
      }
    }),
    { numRuns: 60 },
  );
});
