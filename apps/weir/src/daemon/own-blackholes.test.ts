import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asn, overlaps, prefix, printPrefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Params } from '../api/index.ts';
import { type BlackholeAnnounce, DEFAULT_BLACKHOLES } from '../model/blackhole.ts';
import type { Config } from '../model/config.ts';
import { OwnAnnouncer } from '../sources/bgp/index.ts';
import { loadConfig } from '../sources/config/index.ts';
import { OwnBlackholes } from './own-blackholes.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-own-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const BASE = loadConfig('examples/blocklist.yaml').config as Config;
const ANNOUNCE: BlackholeAnnounce = {
  ...DEFAULT_BLACKHOLES,
  // One is spoken with over IPv4, the other over IPv6.
  peers: ['distributor', 'distributor6'],
  prefixes: ['203.0.113.0/24', '2001:db8:113::/48'].map(prefix),
  maxRoutes: 2,
  maxTime: undefined,
  nextHop: { 4: undefined, 6: undefined },
};

function open(announce: Partial<BlackholeAnnounce> | undefined = {}) {
  const announcer = new OwnAnnouncer();
  const errors: string[] = [];
  const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };
  const blackholes = announce && { announce: { ...ANNOUNCE, ...announce }, fromFlows: undefined, span };
  const own = new OwnBlackholes({
    announcer,
    stateDirectory: directory,
    config: () => ({ ...BASE, blackholes }),
    isProtected: (one) => overlaps(one, prefix('203.0.113.1/32')),
    onError: ({ message }) => errors.push(message),
  });
  const routes = () => announcer.prefixes.map((route) => `${printPrefix(route.prefix)} ${route.peers.join(' ')}`);
  return { own, announcer, errors, routes };
}

describe('blackhole routes of our own', () => {
  test('carry BLACKHOLE and NO_EXPORT unless told otherwise', () => {
    const { own, announcer } = open();
    expect(own.add({ prefix: '203.0.113.7' }, 'x')).toMatchObject({ prefix: '203.0.113.7/32', communities: ['65535:666', '65535:65281'] });
    own.add({ prefix: '203.0.113.8/32', communities: ['64496:666', '64496:1:2'], next_hop: '192.0.2.66' }, 'x');
    const [, other] = announcer.prefixes;
    expect([other?.communities, other?.largeCommunities, other?.nextHop?.w0]).toEqual([
      [((64496 << 16) | 666) >>> 0],
      [{ global: asn(64496), local1: 1, local2: 2 }],
      0xc0000242,
    ]);
    own.close();
  });

  test('are on disk before they are announced, and there after a restart', () => {
    const first = open({ nextHop: { 4: undefined, 6: BASE.bgp.peers[1]?.address } });
    const until = Date.now() + 3_600_000;
    first.own.add({ prefix: '2001:db8:113::7/128', peers: ['distributor'], until, comment: 'test' }, 'uid 0, pid 1');
    first.own.close();
    expect(readFileSync(join(directory, 'own-blackholes.json'), 'utf8')).toContain('2001:db8:113::7/128');
    const { own, routes, errors } = open();
    expect([errors, routes(), own.list()]).toEqual([
      [],
      ['2001:db8:113::7/128 distributor'],
      [expect.objectContaining({ comment: 'test', by: 'uid 0, pid 1', until: new Date(until).toISOString() })],
    ]);
    expect(own.delete({ prefix: '2001:db8:113::7/128' })).toBe('2001:db8:113::7/128');
    own.close();
    expect([routes(), open().own.list()]).toEqual([[], []]);
  });

  test('that cannot be written are not announced', () => {
    const { own, routes } = open();
    rmSync(directory, { recursive: true });
    expect(() => own.add({ prefix: '203.0.113.7/32' }, 'x')).toThrow('ENOENT');
    expect([routes(), own.list()]).toEqual([[], []]);
    directory = mkdtempSync(join(tmpdir(), 'weir-own-'));
  });

  test('go when their time is over, which is bounded where the configuration says so', () => {
    vi.useFakeTimers();
    const { own, routes } = open({ maxTime: 5000 });
    own.add({ prefix: '203.0.113.7/32' }, 'x');
    expect(() => own.add({ prefix: '203.0.113.8/32', until: Date.now() + 60_000 }, 'x')).toThrow('max_time');
    vi.advanceTimersByTime(4999);
    expect(routes()).toHaveLength(1);
    vi.advanceTimersByTime(2000);
    expect([routes(), own.list()]).toEqual([[], []]);
    own.close();
  });

  test('of a configuration that does not allow them any more are told to nobody', () => {
    open().own.add({ prefix: '203.0.113.7/32' }, 'x');
    expect(open({ prefixes: [prefix('198.51.100.0/24')] }).routes()).toEqual(['203.0.113.7/32 ']);
    expect(open({ peers: ['distributor6'] }).routes()).toEqual(['203.0.113.7/32 distributor6']);
  });

  test.each<{
    readonly name: string;
    readonly announce?: Partial<BlackholeAnnounce>;
    readonly none?: true;
    readonly params?: Partial<Params<'blackhole-add'>>;
    readonly want: string;
    readonly code?: string;
  }>([
    { name: 'nothing may be announced', none: true, want: 'blackholes.announce is not configured' },
    { name: 'another prefix', params: { prefix: '198.51.100.7/32' }, want: 'not in blackholes.announce.prefixes' },
    { name: 'too much of the network', params: { prefix: '203.0.113.0/31' }, want: 'min_length.ipv4' },
    { name: 'a protected address', params: { prefix: '203.0.113.1/32' }, want: '--allow-protected' },
    { name: 'a peer that may not be told', params: { peers: ['core'] }, want: 'does not name core' },
    { name: 'its time is over', params: { until: 1 }, want: 'over already' },
    { name: 'no next hop of its family', params: { prefix: '2001:db8:113::7/128' }, want: '--next-hop' },
    {
      name: 'a next hop of the other family',
      params: { prefix: '2001:db8:113::7/128', next_hop: '192.0.2.1' },
      want: 'none of an IPv6',
      code: 'bad-request',
    },
    { name: 'bits behind the length', params: { prefix: '203.0.113.7/24' }, want: 'not a prefix', code: 'bad-request' },
    { name: 'no community', params: { communities: ['rt:1:2'] }, want: 'not a community', code: 'bad-request' },
    { name: 'no address', params: { next_hop: 'x' }, want: 'not an address', code: 'bad-request' },
  ])('are refused: $name', ({ announce, none, params, want, code = 'refused' }) => {
    const { own, routes } = none ? openNone() : open(announce);
    expect(() => own.add({ prefix: '203.0.113.7/32', ...params }, 'x')).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(want) }),
    );
    expect([routes(), own.list()]).toEqual([[], []]);
    own.close();
  });

  test('with protected addresses are announced when that is said', () => {
    const { own, routes } = open();
    own.add({ prefix: '203.0.113.1/32', allow_protected: true }, 'x');
    expect(routes()).toHaveLength(1);
    own.close();
  });

  test('are not more than the configuration says, but one that is there can change', () => {
    const { own } = open();
    for (const last of [7, 8]) own.add({ prefix: `203.0.113.${last}/32` }, 'x');
    expect(() => own.add({ prefix: '203.0.113.9/32' }, 'x')).toThrow('max_routes');
    expect(own.add({ prefix: '203.0.113.8/32', peers: ['distributor'] }, 'x').peers).toEqual(['distributor']);
    expect(() => own.delete({ prefix: '203.0.113.9/32' })).toThrow(expect.objectContaining({ code: 'not-found' }));
    own.close();
  });

  test('a file that cannot be read is told, and nothing is announced', () => {
    writeFileSync(join(directory, 'own-blackholes.json'), '{"version":1,"blackholes":[{}]}');
    const { own, errors } = open();
    expect([own.list(), errors]).toEqual([[], [expect.stringContaining('own-blackholes.json')]]);
    own.close();
  });
});

function openNone() {
  const announcer = new OwnAnnouncer();
  const own = new OwnBlackholes({
    announcer,
    stateDirectory: directory,
    config: () => BASE,
    isProtected: () => false,
    onError: () => undefined,
  });
  return { own, routes: () => announcer.prefixes };
}
