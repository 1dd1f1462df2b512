import { describe, expect, it } from 'vitest';
import {
  LIMIT_ENTRIES,
  LIMIT_ROOM,
  LIMIT_SHARED,
  LIMITS,
  limitKey,
  readPressure,
  SHARED_BUCKET,
} from '../../apps/weir/src/compile/ebpf/limits.ts';
import { bucketTimes } from '../../apps/weir/src/compile/ebpf/limits-gcra.ts';
import type { LoadedHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { RateLimit } from '../../apps/weir/src/model/rule.ts';
import { readU64, u64 } from './ebpf-bed.ts';
import { counted, flooding, limitHook, limitRule, loadLimits, sharing, startElsewhere, udp4, udp6, under } from './ebpf-limits-bed.ts';

const LIMIT = 0;
/** The rule behind the limit. */
const REST = 1;
/** So many times the rate is offered. */
const OVERLOAD = 10;

/** How many of `times` packets are under the limit. */
function countUnder(loaded: LoadedHook, frame: Uint8Array, times: number): number {
  const before = counted(loaded, REST);
  loaded.program.run({ data: frame, discard: true, repeat: times });
  return times - (counted(loaded, REST) - before);
}

/** Nanoseconds of one packet over a limit that lets none through, on this machine as busy as it is: by the clock, because others take their turns meanwhile. */
function costOf(place: 'xdp' | 'tc', per: RateLimit['per']): number {
  const loaded = loadLimits(limitHook(limitRule({ unit: 'packets', rate: 1, burst: 1, per })), place);
  const packets = 1_000_000;
  const from = process.hrtime.bigint();
  loaded.program.run({ data: udp4(1), discard: true, repeat: packets });
  return Number(process.hrtime.bigint() - from) / packets;
}

function pressure({ maps }: LoadedHook): ReturnType<typeof readPressure> {
  return readPressure(maps.get(LIMIT_ROOM)!.lookup(new Uint8Array(4))!);
}

/** When the only bucket will be full, by the kernel's clock in nanoseconds. */
function fullAt({ maps }: LoadedHook, limit: RateLimit): bigint {
  const map = maps.get(limit.per === 'rule' ? LIMIT_SHARED : LIMITS)!;
  return readU64(map.lookup(map.nextKey()!), SHARED_BUCKET.time)! >> BigInt(bucketTimes(limit).shift);
}

/**
 * Packets that come through while `run` runs, and how many the rate makes of that time. Before and after the bucket is emptied, so that both times are those at which it was empty, and a second
 * in which nothing is offered changes nothing.
 */
async function measure(
  loaded: LoadedHook,
  limit: RateLimit,
  octets: number,
  run: () => Promise<unknown> | unknown,
): Promise<{ readonly allowed: number; readonly stated: number }> {
  const { shift, tolerance } = bucketTimes(limit);
  const frame = udp4(0xc0000201, undefined, octets);
  const size = limit.unit === 'bytes' ? octets : 1;
  const empty = (): bigint => {
    const before = process.hrtime.bigint();
    loaded.program.run({ data: frame, discard: true, repeat: Math.ceil((3 * limit.rate) / size) });
    const at = fullAt(loaded, limit) - (tolerance >> BigInt(shift));
    expect(at > before && at <= process.hrtime.bigint()).toBe(true);
    return at;
  };
  const from = empty();
  const before = [counted(loaded, LIMIT), counted(loaded, REST)] as const;
  await run();
  const to = empty();
  const offered = counted(loaded, LIMIT) - before[0];
  const allowed = offered - (counted(loaded, REST) - before[1]);
  // However busy the machine has become.
  expect(offered).toBeGreaterThan(1.1 * allowed);
  return { allowed, stated: (limit.rate * Number(to - from)) / 1e9 / size };
}

describe('at ten times the rate, what comes through is the rate', () => {
  it.each([
    { place: 'xdp', unit: 'packets', per: 'rule' },
    { place: 'tc', unit: 'packets', per: 'source' },
    { place: 'tc', unit: 'bytes', per: 'destination' },
  ] as const)('$unit per $per at $place, on one CPU', async ({ place, unit, per }) => {
    const frame = udp4(0xc0000201, undefined, 128);
    const times = Math.ceil(1e9 / costOf(place, per));
    const rate = Math.ceil(times / OVERLOAD) * (unit === 'bytes' ? 128 : 1);
    const limit = { unit, rate, burst: rate, per };
    const loaded = loadLimits(limitHook(limitRule(limit)), place);
    const { allowed, stated } = await measure(loaded, limit, 128, () => loaded.program.run({ data: frame, discard: true, repeat: times }));
    expect(Math.abs(allowed / stated - 1)).toBeLessThan(0.01);
  });

  it.each([{ per: 'rule' }, { per: 'source' }] as const)(
    'packets per $per, on several CPUs',
    async ({ per }) => {
      const frame = udp4(0xc0000201, undefined, 28);
      const times = Math.ceil(1e9 / costOf('xdp', per));
      const rate = Math.ceil(times / OVERLOAD);
      const limit = { unit: 'packets', rate, burst: rate, per } as const;
      const loaded = loadLimits(limitHook(limitRule(limit)), 'xdp');
      const { id } = loaded.program.info();
      const others = await Promise.all([startElsewhere(id, frame, times), startElsewhere(id, frame, times)]);
      const { allowed, stated } = await measure(loaded, limit, 28, () => Promise.all(others.map((other) => other.run())));
      expect(Math.abs(allowed / stated - 1)).toBeLessThan(0.01);
    },
    30_000,
  );
});

/** Of a burst of 50 at one a second: a slow machine may see some seconds go by. */
function some(packets: number): boolean {
  return packets >= 50 && packets < 100;
}

describe('whose traffic is counted together', () => {
  const few = (per: RateLimit['per'], prefix?: RateLimit['prefix']): LoadedHook =>
    loadLimits(limitHook(limitRule({ unit: 'packets', rate: 1, burst: 50, per, ...(prefix && { prefix }) })));
  it('a rule', () => {
    const loaded = few('rule');
    expect(some(countUnder(loaded, udp4(1), 200))).toBe(true);
    expect(countUnder(loaded, udp4(2), 200)).toBeLessThan(50);
    expect(countUnder(loaded, udp6(2), 200)).toBeLessThan(50);
  });

  it.each([
    { name: 'a source', per: 'source', same: udp4(7, 9), other: udp4(8, 5) },
    { name: 'a destination', per: 'destination', same: udp4(8, 5), other: udp4(7, 9) },
    { name: 'an IPv4 prefix', per: 'source', prefix: { ip4: 24, ip6: 48 }, same: udp4(255), other: udp4(256) },
    { name: 'one bit of IPv4', per: 'source', prefix: { ip4: 1, ip6: 1 }, same: udp4(0x7fffffff), other: udp4(0x80000000) },
  ] as const)('$name', ({ per, same, other, ...more }) => {
    const loaded = few(per, 'prefix' in more ? more.prefix : undefined);
    expect(some(countUnder(loaded, udp4(7, 5), 200))).toBe(true);
    expect(countUnder(loaded, same, 200)).toBeLessThan(50);
    expect(some(countUnder(loaded, other, 200))).toBe(true);
  });

  it.each([
    { bits: 128, same: [1, 2, 3, 4, 5, 6], other: [1, 2, 3, 4, 5, 7] },
    { bits: 127, same: [1, 2, 3, 4, 5, 7], other: [1, 2, 3, 4, 5, 8] },
    { bits: 96, same: [1, 2, 3, 4, 9, 9], other: [1, 2, 3, 5, 5, 6] },
    { bits: 65, same: [1, 2, 0x7fff, 9, 9, 9], other: [1, 2, 0x8000, 4, 5, 6] },
    { bits: 64, same: [1, 2, 9, 9, 9, 9], other: [1, 3, 3, 4, 5, 6] },
    { bits: 48, same: [1, 9, 9, 9, 9, 9], other: [2, 2, 3, 4, 5, 6] },
    { bits: 1, same: [9, 9, 9, 9, 9, 9], other: undefined },
  ])('$bits bits of IPv6', ({ bits, same, other }) => {
    const loaded = few('source', { ip4: 24, ip6: bits });
    expect(some(countUnder(loaded, udp6(1, 2, 3, 4, 5, 6), 200))).toBe(true);
    expect(countUnder(loaded, udp6(...same), 200)).toBeLessThan(50);
    if (other) expect(some(countUnder(loaded, udp6(...other), 200))).toBe(true);
  });
});

describe('a police', () => {
  it('leaves what is under its rate to the rules that follow', () => {
    const limit = { unit: 'packets', rate: 1, burst: 50, per: 'rule' } as const;
    const police = limitRule(limit, 'police', { action: { kind: 'police', limit }, audit: false });
    const allow = limitRule(limit, 'allow', { action: { kind: 'allow' }, audit: false });
    const loaded = loadLimits(limitHook(police, allow));
    const allowed = (hook: LoadedHook): number => Array.from({ length: 200 }, () => under(hook, udp4(1))).filter(Boolean).length;
    const first = allowed(loaded);
    expect(some(first)).toBe(true);
    expect([counted(loaded, 0), counted(loaded, 1)]).toEqual([200, first]);
    expect(allowed(loadLimits(limitHook(police)))).toBe(0);
  });
});

describe('octets', () => {
  it('are those of the IP packet', () => {
    const loaded = loadLimits(limitHook(limitRule({ unit: 'bytes', rate: 1, burst: 20_000, per: 'source' })));
    expect(countUnder(loaded, udp4(1, undefined, 1000), 100)).toBe(20);
    expect(under(loaded, udp4(1, undefined, 1000))).toBe(false);
    expect(countUnder(loaded, udp4(2, undefined, 40), 1000)).toBe(500);
  });
});

describe('buckets live on', () => {
  const limit = { unit: 'packets', rate: 1, burst: 1000, per: 'source' } as const;

  it('in the next program, for the same rule and limit, wherever it stands', () => {
    const first = loadLimits(limitHook(limitRule(limit, 'web')));
    expect(countUnder(first, udp4(1), 900)).toBe(900);
    const others = limitRule({ ...limit, burst: 7 }, 'other');
    const next = loadLimits(limitHook(limitRule(limit, 'web'), others), 'xdp', sharing(first));
    expect(under(next, udp4(2))).toBe(true);
    const left = Array.from({ length: 500 }, () => next.program.run({ data: udp4(1), discard: true }).result >>> 8).filter(
      (rule) => rule === 1,
    );
    expect(left.length).toBeGreaterThanOrEqual(100);
    expect(left.length).toBeLessThan(200);
  });

  it('for another rate or another rule they are others', () => {
    const first = loadLimits(limitHook(limitRule(limit, 'web')));
    expect(countUnder(first, udp4(1), 1000)).toBe(1000);
    for (const rule of [limitRule({ ...limit, rate: 2 }, 'web'), limitRule(limit, 'web-2')])
      expect(countUnder(loadLimits(limitHook(rule), 'tc', sharing(first)), udp4(1), 1000)).toBe(1000);
  });
});

describe('a map that is full', () => {
  it('lets further addresses share one bucket, and says how many packets that were', () => {
    const limit = { unit: 'packets', rate: 1, burst: 1000, per: 'source' } as const;
    const loaded = loadLimits(limitHook(limitRule(limit)));
    let [known, unknown] = [0, 0];
    // In a thousand seconds, as long as a bucket takes to fill, a quarter of the map is given away, after the first quarter.
    for (let source = 0; source < LIMIT_ENTRIES / 4 + 3000; source++) if (under(loaded, udp4(source))) known++;
    const { admitted, refused } = pressure(loaded);
    expect(Number(admitted)).toBeGreaterThanOrEqual(LIMIT_ENTRIES / 4);
    expect(Number(admitted)).toBeLessThan(LIMIT_ENTRIES / 4 + 2000);
    expect(Number(admitted + refused)).toBe(LIMIT_ENTRIES / 4 + 3000);
    // Those that found no room had a thousand packets between them.
    const over = LIMIT_ENTRIES / 4 + 3000 - known;
    expect(over).toBeGreaterThan(0);
    expect(Math.abs(Number(refused) - 1000 - over)).toBeLessThan(100);
    for (let source = 1 << 24; source < (1 << 24) + 2000; source++) if (under(loaded, udp4(source))) unknown++;
    expect(unknown).toBeLessThan(200);
    const bucket = loaded.maps.get(LIMIT_SHARED)!.lookup(u64(limitKey('prerouting', 'limit', limit)));
    expect(readU64(bucket, SHARED_BUCKET.sharing)).toBe(pressure(loaded).refused);
    // Who is in keeps a bucket of its own.
    expect(under(loaded, udp4(5))).toBe(true);
  });

  it('forgets no bucket that is not full again, however many addresses come', () => {
    // A bucket takes a second to fill.
    const limit = { unit: 'packets', rate: 200, burst: 200, per: 'source' } as const;
    const loaded = loadLimits(limitHook(limitRule(limit)), 'xdp');
    const flood = flooding(loaded, 0x20000000);
    const probes: { readonly frame: Uint8Array; readonly emptied: number }[] = [];
    const forgotten: { readonly got: number; readonly since: number }[] = [];
    let looked = 0;
    const now = (): number => Number(process.hrtime.bigint()) / 1e9;
    for (let round = 0; Number(pressure(loaded).admitted) < 1.3 * LIMIT_ENTRIES; round++) {
      const frame = udp4(0x0a000000 + round);
      const { refused } = pressure(loaded);
      const emptied = now();
      countUnder(loaded, frame, 300);
      // It is one with a bucket of its own.
      if (pressure(loaded).refused === refused) probes.push({ frame, emptied });
      flood(20_000);
      for (let oldest = probes[0]; oldest && now() - oldest.emptied > 0.7; oldest = probes[0]) {
        probes.shift();
        const got = countUnder(loaded, oldest.frame, 300);
        const since = now() - oldest.emptied;
        if (since > 0.95) continue;
        looked++;
        if (got > 200 * since + 1) forgotten.push({ got, since });
      }
    }
    expect(looked).toBeGreaterThan(0);
    expect(forgotten).toEqual([]);
  });
});
