import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Weir } from '../e2e/weir.ts';
import { digestOf, Fleet, monotonic, printNumber, sizeOf, type Universe } from '../lab/fleet/index.ts';
import { type Host, Lab, memoryMiB, type Peer, startBird, waitFor } from '../lab/index.ts';

/** `WEIR_SCALE=1000x100000`: sessions and prefixes. */
const [SESSIONS = 0, PREFIXES = 0] = (process.env['WEIR_SCALE'] ?? '200x20000').split('x').map(Number);
const SLOW = SESSIONS / 10;
const UNIVERSE: Universe = { v4: PREFIXES - PREFIXES / 10, v6: PREFIXES / 10 };
const [ADMINS, SPAMMERS] = [1, 2];
const WAIT = 600_000;
/** MiB that the daemon may ever have had, and that clients which read nothing may cost it. */
const [MOST, GROWTH] = [256 + SESSIONS / 2 + PREFIXES / 200, 64 + SLOW / 2];
const CONFIG = `bgp:
  as: 64512
  router_id: 192.0.2.1
  listen: [0.0.0.0]
  peers: []
distribute:
  tables:
    admins: { communities: ["65000:1"] }
    spammers: { communities: ["65000:2"] }
  clients:
    - { name: fleet, from: 127.1.0.0/16, as: 64513, multihop: 8, max_sessions: 2000 }
    - { name: sample, from: 192.0.2.0/24, as: 64513, multihop: 8 }
  next_hop: [192.0.2.1, "2001:db8::1"]
`;

describe(`${SESSIONS} sessions, ${PREFIXES} prefixes`, () => {
  const lab = new Lab();
  /** What every client should have. */
  const want = new Uint8Array(sizeOf(UNIVERSE));
  let server: Host;
  let weir: Weir;
  let quick: Fleet;
  let slow: Fleet;
  let bird: Peer;

  const megabytes = (field: 'VmHWM' | 'VmRSS'): number => memoryMiB(weir.pid, field);
  const count = (): number => want.reduce((sum, value) => sum + (value === 0 ? 0 : 1), 0);
  const say = (what: string, figures: Readonly<Record<string, number>>): void =>
    console.log(
      `${what}: ${Object.entries(figures)
        .map(([name, value]) => `${name} ${Math.round(value)}`)
        .join(', ')}`,
    );

  /** Prefixes of the universe, in order, as the whole of a table; the command ends when they are on disk. */
  async function load(table: string, numbers: readonly number[]): Promise<void> {
    const path = `${lab.directory('lists')}/${table}`;
    writeFileSync(path, numbers.map((number) => `${printNumber(UNIVERSE, number)}\n`).join(''));
    await weir.command('network', 'load', path, '--table', table, '--replace', '--socket', weir.socket);
    const bit = table === 'admins' ? ADMINS : SPAMMERS;
    for (let i = 0; i < want.length; i++) want[i] = (want[i] ?? 0) & ~bit;
    for (const number of numbers) want[number] = (want[number] ?? 0) | bit;
  }

  const numbers = (from: number, to: number): readonly number[] => Array.from({ length: to - from }, (_, i) => from + i);

  async function sessions(): Promise<number> {
    const answer = await weir.ask((client) => client.call('networks', { limit: 1 }));
    return answer?.clients.reduce((sum, client) => sum + client.sessions, 0) ?? -1;
  }

  /** The daemon is asked again and again until the work is done: the slowest answer, in milliseconds. */
  async function asking<T>(work: Promise<T>): Promise<{ readonly result: T; readonly slowest: number }> {
    let done = false;
    let slowest = 0;
    const ended = work.finally(() => {
      done = true;
    });
    ended.catch(() => undefined);
    while (!done) {
      const start = monotonic();
      await Promise.all([weir.status(), sessions()]);
      slowest = Math.max(slowest, monotonic() - start);
      await sleep(100);
    }
    return { result: await ended, slowest };
  }

  async function exact(fleet: Fleet): Promise<void> {
    const digest = digestOf(want);
    await waitFor('all clients to have what is announced', async () => (await fleet.summaries()).every((one) => one.digest === digest), {
      timeoutMs: 120_000,
      intervalMs: 200,
    }).catch(async (error: unknown) => {
      const wrong = (await fleet.summaries()).map((one, i) => ({ i, ...one })).filter((one) => one.digest !== digest);
      throw new Error(`${wrong.length} are wrong, ${count()} are wanted: ${JSON.stringify(wrong.slice(0, 3))}`, { cause: error });
    });
    expect((await fleet.summaries()).filter(({ strange }) => strange > 0)).toEqual([]);
  }

  beforeAll(async () => {
    server = await lab.host('server');
    const sample = await lab.host('sample');
    await lab.link(
      { host: server, name: 'eth0', addresses: ['192.0.2.1/24'] },
      { host: sample, name: 'eth0', addresses: ['192.0.2.2/24'] },
    );
    // The kernel keeps little for who does not read.
    for (const key of ['tcp_wmem', 'tcp_rmem']) await server.sysctl(`net.ipv4.${key}`, '4096 16384 65536');
    weir = new Weir(lab, server, CONFIG);
    await weir.start();
    await load('spammers', numbers(1, PREFIXES));
    const rest = { as: 64513, server: { address: '127.0.0.1', as: 64512 }, universe: UNIVERSE };
    [quick, slow] = await Promise.all([
      Fleet.launch(server, { ...rest, clients: SESSIONS - SLOW }),
      Fleet.launch(server, { ...rest, clients: SLOW, after: SESSIONS - SLOW, processes: 1, holdTime: 9 }),
    ]);
    bird = await startBird(lab, sample, {
      as: 64513,
      routerId: '192.0.2.2',
      neighbors: [{ address: '192.0.2.1', as: 64512, localAddress: '192.0.2.2', multihop: 8, gracefulRestart: 'helper' }],
    });
  }, WAIT);
  afterAll(() => lab.dispose());

  test(
    'all sessions come up and have it all, and the daemon answers meanwhile',
    async () => {
      const start = monotonic();
      const all = Promise.all([quick.watch({ count: count() }), slow.watch({ count: count() }), quick.start(), slow.start()]);
      const { result, slowest } = await asking(all);
      const times = result.slice(0, 2).flatMap((some) => some ?? []);
      say('all sessions and tables', {
        'first ms': Math.min(...times) - start,
        'last ms': Math.max(...times) - start,
        'slowest answer ms': slowest,
      });
      for (const fleet of [quick, slow]) await exact(fleet);
      await waitFor(
        'BIRD to have it all',
        async () => (await bird.command('show route count')).includes(`Total: ${count()} of ${count()} `),
        {
          timeoutMs: 60_000,
        },
      );
      expect(await sessions()).toBe(SESSIONS + 1);
      say('memory', { 'now MiB': megabytes('VmRSS'), 'most MiB': megabytes('VmHWM') });
      expect(megabytes('VmHWM')).toBeLessThan(MOST);
    },
    WAIT,
  );

  test(
    'one add and one delete reach everyone',
    async () => {
      for (const is of [ADMINS, 0]) {
        const seen = Promise.all([quick, slow].map((fleet) => fleet.watch({ value: { number: 0, is } })));
        await sleep(50);
        const start = monotonic();
        const prefixes = [printNumber(UNIVERSE, 0)];
        await weir.ask((client) =>
          is === 0 ? client.call('network-delete', { prefixes }) : client.call('network-add', { prefixes, tables: ['admins'] }),
        );
        const times = (await seen).flat();
        say(is === 0 ? 'delete' : 'add', { 'first ms': Math.min(...times) - start, 'last ms': Math.max(...times) - start });
      }
      for (const fleet of [quick, slow]) await exact(fleet);
    },
    WAIT,
  );

  test(
    'clients that read nothing hold up nobody, cost little, and have the latest when they read again',
    async () => {
      await slow.pause([0, SLOW]);
      const before = megabytes('VmRSS');
      for (let round = 0; round < 4; round++) {
        await load('admins', round % 2 === 0 ? numbers(0, PREFIXES) : numbers(0, 100));
        const start = monotonic();
        await exact(quick);
        say(`change ${round} at those that read`, { ms: monotonic() - start });
      }
      const after = megabytes('VmRSS');
      say('clients that read nothing', { sessions: SLOW, 'MiB before': before, 'MiB after': after });
      expect(after - before).toBeLessThan(GROWTH);
      const digest = digestOf(want);
      expect((await slow.summaries()).filter((one) => one.digest === digest)).toEqual([]);
      await slow.resume([0, SLOW]);
      await exact(slow);
      expect((await slow.summaries()).every((one) => one.sessions === 1)).toBe(true);
    },
    WAIT,
  );

  test(
    'clients that hang are dropped when their hold time is over, and come again',
    async () => {
      const gone = slow.watch({ up: false });
      slow.signal('SIGSTOP');
      try {
        await load('admins', numbers(0, 1000));
        await exact(quick);
        await waitFor('their sessions to end', async () => (await sessions()) === SESSIONS + 1 - SLOW, {
          timeoutMs: 60_000,
          intervalMs: 200,
        });
      } finally {
        slow.signal('SIGCONT');
      }
      await gone;
      await exact(slow);
    },
    WAIT,
  );

  test(
    'everyone is in step after a restart',
    async () => {
      const fleets = [quick, slow];
      const down = Promise.all(fleets.map((fleet) => fleet.watch({ up: false })));
      await weir.kill();
      await down;
      const start = monotonic();
      const back = Promise.all(fleets.map((fleet) => fleet.watch({ count: count() })));
      await weir.start();
      const answers = monotonic() - start;
      const { result, slowest } = await asking(back);
      const times = result.flat();
      say('after a restart', {
        'answers after ms': answers,
        'first client ms': Math.min(...times) - start,
        'last client ms': Math.max(...times) - start,
        'slowest answer ms': slowest,
        'most MiB': megabytes('VmHWM'),
      });
      for (const fleet of fleets) await exact(fleet);
      expect(megabytes('VmHWM')).toBeLessThan(MOST);
      expect(weir.report()).not.toMatch(/^\s*\S+ error /m);
    },
    WAIT,
  );
});
