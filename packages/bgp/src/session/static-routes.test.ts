import { asn, ip, type Prefix, prefix, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage, type FamilyName, MessageFramer, prefixAt, sessionContext } from '../codec/index.ts';
import type { OutgoingSession } from './announcer.ts';
import type { RouteOptions } from './own-routes.ts';
import { StaticRoutes } from './static-routes.ts';
import { FakeClock } from './test-session.ts';

/** A session that takes `room` messages and then none until given more, and prints what it takes. */
class Sink implements OutgoingSession {
  readonly peer: string;
  readonly context;
  readonly enhancedRefresh: boolean;
  readonly localAddress = '192.0.2.1';
  readonly lines: string[] = [];
  room = Number.POSITIVE_INFINITY;

  constructor(peer: string, given: Parameters<typeof sessionContext>[0] = {}, enhancedRefresh = true) {
    this.peer = peer;
    this.context = sessionContext(given);
    this.enhancedRefresh = enhancedRefresh;
  }

  send(octets: Uint8Array, count?: number): 'queued' | 'full' {
    if (this.room === 0) return 'full';
    this.room--;
    const framer = new MessageFramer();
    framer.push(octets);
    let messages = 0;
    for (let one = framer.next(); one; one = framer.next(), messages++) this.#message(one);
    expect(count ?? 1).toBe(messages);
    return 'queued';
  }

  #message(bytes: Uint8Array): void {
    const message = decodeMessage(bytes, this.context);
    if (message.kind === 'route-refresh') this.lines.push(`refresh ${message.subtype}`);
    if (message.kind !== 'update') return;
    expect(message.errors).toEqual([]);
    if (message.endOfRib) this.lines.push(`end of ${message.endOfRib}`);
    const path = message.attributes.asPath?.flatMap((s) => s.asns).join(' ');
    for (const { run } of message.announce)
      for (let i = 0; i < run.count; i++)
        this.lines.push(`+${printPrefix(prefixAt(run, i))} path ${path} pref ${message.attributes.localPref}`);
    for (const run of message.withdraw) for (let i = 0; i < run.count; i++) this.lines.push(`-${printPrefix(prefixAt(run, i))}`);
  }

  take(): string[] {
    return this.lines.splice(0);
  }
}

const P1 = prefix('203.0.113.1/32');
const P2 = prefix('203.0.113.2/32');
const P6 = prefix('2001:db8::/48');
const ENDS = ['end of ipv4 unicast', 'end of ipv6 unicast'];
const turn = (): Promise<void> => Promise.resolve();

describe('StaticRoutes', () => {
  it('sends all, then End-of-RIB, then each change once', async () => {
    const routes = new StaticRoutes();
    routes.announce([P1]);
    const sink = new Sink('x');
    routes.established(sink);
    expect(sink.take()).toEqual(['+203.0.113.1/32 path 64512 pref undefined', ...ENDS]);
    routes.announce([P2]);
    routes.announce([P2], { attributes: { med: 5 } });
    routes.withdraw([P1]);
    await turn();
    // What takes the place of others is there before they go.
    expect(sink.take()).toEqual(['+203.0.113.2/32 path 64512 pref undefined', '-203.0.113.1/32']);
    routes.announce([P1]);
    routes.withdraw([P1]);
    await turn();
    expect(sink.take()).toEqual([]);
  });

  it('has LOCAL_PREF and no AS of its own towards internal peers', () => {
    const routes = new StaticRoutes();
    routes.announce([P1], { attributes: { asPath: [] } });
    const sink = new Sink('x', { peerKind: 'ibgp' });
    routes.established(sink);
    expect(sink.take()[0]).toBe('+203.0.113.1/32 path  pref 100');
  });

  it('tells a peer only what is for it, and withdraws what no longer is', async () => {
    const routes = new StaticRoutes();
    routes.announce([P1], { peers: ['x'] });
    routes.announce([P2], { peers: ['y'] });
    const sink = new Sink('x');
    routes.established(sink);
    expect(sink.take()).toEqual(['+203.0.113.1/32 path 64512 pref undefined', ...ENDS]);
    routes.announce([P1], { peers: ['y'] });
    await turn();
    expect(sink.take()).toEqual(['-203.0.113.1/32']);
  });

  it('is another route for each audience that there is one for', () => {
    const routes = new StaticRoutes();
    const x: RouteOptions = { attributes: { asPath: [{ kind: 'sequence', asns: [asn(64496)] }] } };
    routes.announce([P1], {
      audiences: new Map([
        ['x', x],
        ['y', {}],
      ]),
    });
    const told = ['x', 'y', 'z'].map((peer) => {
      const sink = new Sink(peer);
      routes.established(sink);
      return sink.take()[0];
    });
    expect(told).toEqual(['+203.0.113.1/32 path 64512 64496 pref undefined', '+203.0.113.1/32 path 64512 pref undefined', ENDS[0]]);
  });

  it('says how far a session is', async () => {
    const routes = new StaticRoutes();
    routes.announce([P1]);
    const sink = new Sink('x');
    sink.room = 0;
    routes.established(sink);
    expect([routes.progress('x'), routes.progress('y')]).toEqual([{ routes: 1, inStep: false }, undefined]);
    sink.room = 2;
    routes.drained('x');
    expect(routes.progress('x')).toEqual({ routes: 1, inStep: true });
    routes.announce([P2]);
    await turn();
    expect(routes.progress('x')).toEqual({ routes: 2, inStep: false });
    routes.down('x');
    expect(routes.progress('x')).toBeUndefined();
  });

  it('counts what has no next hop', () => {
    const routes = new StaticRoutes();
    routes.announce([P6]);
    const sink = new Sink('x');
    routes.established(sink);
    expect(sink.take()).toEqual(ENDS);
    expect(routes.unsendable).toBe(1);
    routes.announce([P6], { nextHop: { address: ip('2001:db8::1') } });
  });

  const refreshes: { name: string; enhanced: boolean; family: FamilyName; want: string[] }[] = [
    {
      name: 'enhanced',
      enhanced: true,
      family: 'ipv4 unicast',
      want: ['refresh 1', '+203.0.113.1/32 path 64512 pref undefined', 'refresh 2'],
    },
    { name: 'plain', enhanced: false, family: 'ipv4 unicast', want: ['+203.0.113.1/32 path 64512 pref undefined'] },
    { name: 'of a family without routes', enhanced: true, family: 'ipv6 unicast', want: ['refresh 1', 'refresh 2'] },
  ];
  for (const { name, enhanced, family, want } of refreshes) {
    it(`answers a refresh: ${name}`, () => {
      const routes = new StaticRoutes();
      routes.announce([P1]);
      const sink = new Sink('x', {}, enhanced);
      routes.established(sink);
      sink.take();
      routes.refresh('x', family);
      expect(sink.take()).toEqual(want);
    });
  }

  it('waits for room, keeps the order, and tells the latest state once there is some', () => {
    const routes = new StaticRoutes();
    routes.announce([P1]);
    const sink = new Sink('x');
    sink.room = 1;
    routes.established(sink);
    routes.refresh('x', 'ipv4 unicast');
    routes.refresh('x', 'ipv4 unicast');
    routes.withdraw([P1]);
    expect(sink.take()).toEqual(['+203.0.113.1/32 path 64512 pref undefined']);
    sink.room = 1;
    routes.drained('x');
    sink.room = Number.POSITIVE_INFINITY;
    routes.drained('x');
    expect(sink.take()).toEqual([...ENDS, '-203.0.113.1/32', 'refresh 1', 'refresh 2']);
  });

  it('tells many sessions of a burst together, once they have had what came before', async () => {
    const clock = new FakeClock();
    const routes = new StaticRoutes({ audienceOf: () => '', clock });
    const sinks = Array.from({ length: 100 }, (_, i) => new Sink(`x${i}`));
    for (const sink of sinks) routes.established(sink);
    const tell = async (...prefixes: Prefix[]): Promise<number[]> => {
      for (const sink of sinks) sink.take();
      for (const one of prefixes) routes.announce([one]);
      await turn();
      return [...new Set(sinks.map(({ lines }) => lines.length))];
    };
    expect(await tell(P1)).toEqual([1]);
    expect(await tell(P1, P2)).toEqual([0]);
    expect(await tell(P1)).toEqual([0]);
    clock.advance(5);
    expect([...new Set(sinks.map(({ lines }) => lines.length))]).toEqual([2]);
    clock.advance(5);
    expect(await tell(P2)).toEqual([1]);
  });

  it('shares the octets of a session that has missed much, and of one that moves to another audience', () => {
    const many = Array.from({ length: 4000 }, (_, i) => prefix(`198.51.${i >> 8}.${i & 255}/32`));
    let moved = false;
    const routes = new StaticRoutes({ audienceOf: (peer) => (moved ? 'b' : peer.slice(0, 1)), history: 1000 });
    routes.announce(many.slice(0, 2000), { peers: ['a', 'b'] });
    routes.announce(many.slice(2000), { peers: ['a'] });
    const got: Uint8Array[][] = [[], []];
    const room = [9, 9];
    const send =
      (i: number) =>
      (octets: Uint8Array): 'queued' | 'full' => {
        if (room[i] === 0) return 'full';
        got[i]?.push(octets);
        return 'queued';
      };
    const rest = { context: sessionContext(), enhancedRefresh: true, localAddress: '192.0.2.1' };
    for (const i of [0, 1]) routes.established({ ...rest, peer: `a${i}`, send: send(i) });
    const same = (): boolean => got[0]?.length === got[1]?.length && got[0]?.every((octets, i) => octets === got[1]?.[i]) === true;
    expect([got[0]?.length, same()]).toEqual([2, true]);
    moved = true;
    for (const i of [0, 1]) routes.regroup(`a${i}`);
    expect([got[0]?.length, same()]).toEqual([4, true]);
    for (const i of [0, 1]) {
      room[i] = 0;
      got[i]?.splice(0);
    }
    routes.announce(many.slice(0, 3000), { peers: ['b'] });
    routes.drained('a0');
    for (const i of [0, 1]) {
      room[i] = 9;
      routes.drained(`a${i}`);
    }
    expect([got[0]?.length, same()]).toEqual([1, true]);
  });

  it.each([
    { name: 'of their own', ownNextHops: () => true, want: true },
    { name: 'that are ours on the session', ownNextHops: () => false, want: false },
  ])('shares octets over our addresses where routes have next hops: $name', ({ ownNextHops, want }) => {
    const routes = new StaticRoutes({ audienceOf: () => '', ownNextHops });
    routes.announce([P1], { nextHop: { address: ip('192.0.2.9') } });
    const got = ['192.0.2.1', '192.0.2.5'].map((localAddress) => {
      const messages: Uint8Array[] = [];
      const send = (octets: Uint8Array): 'queued' => {
        messages.push(octets);
        return 'queued';
      };
      routes.established({ peer: localAddress, context: sessionContext(), enhancedRefresh: true, localAddress, send });
      return messages;
    });
    expect(got[0]?.[0] === got[1]?.[0]).toBe(want);
    expect(got[0]).toEqual(got[1]);
  });

  it('splits large tables and refuses attributes that no message holds', () => {
    const routes = new StaticRoutes();
    const many: Prefix[] = Array.from({ length: 10_000 }, (_, i) => prefix(`198.51.${i >> 8}.${i & 255}/32`));
    routes.announce(many);
    const sink = new Sink('x');
    routes.established(sink);
    expect(sink.take()).toHaveLength(10_002);
    expect(() => routes.announce([P1], { attributes: { communities: Array.from({ length: 1000 }, (_, i) => i) } })).toThrow(
      /path attributes of/,
    );
    expect(routes.size).toBe(10_000);
  });

  it('forgets a session that is down', async () => {
    const routes = new StaticRoutes();
    const sink = new Sink('x');
    routes.established(sink);
    routes.down('x');
    sink.take();
    routes.announce([P1]);
    await turn();
    expect(sink.take()).toEqual([]);
  });

  it('gives sessions of one audience the same octets, and each only its own routes', async () => {
    const routes = new StaticRoutes({ audienceOf: (peer) => peer.slice(0, 1) });
    const taken = new Map<string, Uint8Array[]>();
    const session = (peer: string): OutgoingSession => {
      const messages: Uint8Array[] = [];
      taken.set(peer, messages);
      return {
        peer,
        context: sessionContext(),
        enhancedRefresh: true,
        localAddress: '192.0.2.1',
        send: (message) => {
          messages.push(message);
          return 'queued';
        },
      };
    };
    routes.announce([P1], { peers: ['a'] });
    for (const peer of ['a1', 'a2', 'b1']) routes.established(session(peer));
    routes.announce([P2], { peers: ['a'] });
    await turn();
    const [a1, a2, b1] = ['a1', 'a2', 'b1'].map((peer) => taken.get(peer) ?? []);
    expect(a1).toHaveLength(3);
    expect(a2?.filter((octets, i) => octets === a1?.[i])).toEqual(a1);
    expect(b1).toHaveLength(1);
  });

  /** What a peer has after all it was sent; told to be gone only what it had. */
  class Table extends Sink {
    readonly has = new Set<string>();
    ends = 0;

    read(): void {
      for (const line of this.take()) {
        const [prefix = ''] = line.slice(1).split(' ');
        if (line.startsWith('+')) this.has.add(prefix);
        else if (line.startsWith('-')) this.has.delete(prefix);
        else if (line.startsWith('end') || line === 'refresh 2') this.ends++;
      }
    }
  }

  it('leaves every session with what is announced to it, however slow it is', async () => {
    const at = (i: number): Prefix => (i % 3 === 0 ? prefix(`2001:db8:${i.toString(16)}::/48`) : prefix(`198.51.${i >> 8}.${i & 255}/32`));
    const step = fc.oneof(
      fc.record({ kind: fc.constant('announce' as const), from: fc.nat(3000), count: fc.nat(2000), to: fc.nat(2) }),
      fc.record({ kind: fc.constant('withdraw' as const), from: fc.nat(3000), count: fc.nat(2000) }),
      fc.record({
        kind: fc.constantFrom('turn' as const, 'up' as const, 'down' as const, 'refresh' as const, 'move' as const),
        peer: fc.nat(3),
      }),
      fc.record({ kind: fc.constant('room' as const), peer: fc.nat(3), room: fc.nat(5) }),
    );
    const names = ['a1', 'a2', 'b1', 'b2'];
    const audiences: readonly (readonly string[] | undefined)[] = [['a'], ['b'], undefined];
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const moved = new Set<string>();
        const audienceOf = (peer: string): string => (moved.has(peer) ? 'b' : peer.slice(0, 1));
        const routes = new StaticRoutes({ audienceOf, history: 2000 });
        const want = new Map<string, readonly string[] | undefined>();
        const up = new Map<string, Table>();
        const options = audiences.map((peers) => ({ ...(peers ? { peers } : {}), nextHop: { address: ip('2001:db8::1') } }));
        const four = audiences.map((peers) => (peers ? { peers } : {}));
        for (const one of steps) {
          if (one.kind === 'announce') {
            const all = Array.from({ length: one.count }, (_, i) => at(one.from + i));
            for (const p of all) want.set(printPrefix(p), audiences[one.to]);
            routes.announce(
              all.filter((p) => p.family === 4),
              four[one.to],
            );
            routes.announce(
              all.filter((p) => p.family === 6),
              options[one.to],
            );
          } else if (one.kind === 'withdraw') {
            const all = Array.from({ length: one.count }, (_, i) => at(one.from + i));
            for (const p of all) want.delete(printPrefix(p));
            routes.withdraw(all);
          } else {
            const name = names[one.peer] ?? '';
            const table = up.get(name);
            if (one.kind === 'turn') await turn();
            else if (one.kind === 'up' && !table) {
              const made = new Table(name);
              made.room = 3;
              up.set(name, made);
              routes.established(made);
            } else if (one.kind === 'down' && table) {
              up.delete(name);
              routes.down(name);
            } else if (one.kind === 'move') {
              if (!moved.delete(name)) moved.add(name);
              routes.regroup(name);
            } else if (one.kind === 'refresh') routes.refresh(name, 'ipv4 unicast');
            else if (one.kind === 'room' && table) {
              table.room = one.room;
              routes.drained(name);
            }
          }
        }
        await turn();
        for (const [name, table] of up) {
          table.room = Number.POSITIVE_INFINITY;
          routes.drained(name);
          table.read();
          const mine = [...want].filter(([, peers]) => peers?.includes(audienceOf(name)) ?? true).map(([p]) => p);
          expect([...table.has].sort()).toEqual(mine.sort());
          expect(table.ends).toBeGreaterThanOrEqual(2);
        }
      }),
      { numRuns: 30 },
    );
  });
});
