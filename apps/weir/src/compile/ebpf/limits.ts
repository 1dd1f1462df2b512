import type { MapNeed } from '../../model/ebpf-program.ts';
import type { Action, HookRules, RateLimit, Rule } from '../../model/rule.ts';
import { digest } from '../nft/fingerprint.ts';
import { bucketTimes, refillTime } from './limits-gcra.ts';

/**
 * Rate limits: a bucket for each rule, or for each address or prefix that a rule counts by.
 *
 * Buckets of addresses are in an LRU map, `limits`, so that none has to be cleared away while no daemon runs. What an LRU map does under a flood of addresses is forget the bucket that was used
 * least recently, and who is forgotten before the bucket is full again has a full one: more addresses than entries, each coming back after the others, and no limit would hold. So programs
 * let new addresses in at a rate of their own: at most a quarter of the entries at once and a quarter in the time that the slowest bucket takes to fill. No more than half of the map is
 * taken in any such time; what the map forgets is older than that, and lost nothing. An address that finds no room shares one bucket with all others of its rule that find none, with the rate of
 * one: there is always a bucket. How often that happens is counted, by rule and in all.
 *
 * Buckets of rules, and those that are shared, are in a plain hash map, `limit_shared`, where nothing is forgotten. Both maps live on when rules change: what is in them goes by a key that is made of
 * the rule's ref and the parameters of its limit. A limit with another rate is another bucket.
 */
export const LIMITS = 'limits';
export const LIMIT_SHARED = 'limit_shared';
/** How many addresses have come in, and how many found no room. */
export const LIMIT_ROOM = 'limit_room';

/** Addresses with a bucket: four times as many as may come in at once. */
export const LIMIT_ENTRIES = 131_072;
/** Rules with a limit, of all generations whose entries have not been cleared away. */
const SHARED_ENTRIES = 65_536;

/** { key of the rule u64 · address, IPv4 as ::ffff:a.b.c.d, or number of the process or cgroup u64 and zeros } */
export const LIMIT_KEY = { rule: 0, address: 8, octets: 24 } as const;
/** { time at which the bucket is full u64 } */
const BUCKET_OCTETS = 8;
/** { time at which the bucket is full u64 · packets judged by it because their addresses found no room u64 } */
export const SHARED_BUCKET = { time: 0, sharing: 8, octets: 16 } as const;
/** { the bucket of new addresses u64 · addresses that came in u64 · packets whose address found no room u64 } */
export const ROOM = { time: 0, admitted: 8, refused: 16, octets: 24 } as const;

const MAP_NO_PREALLOC = 1;

function limitOf(action: Action): RateLimit | undefined {
  return action.kind === 'rate-limit' || action.kind === 'police' ? action.limit : undefined;
}

/** The maps that the limits of a hook need; none where it has none. */
export function limitNeeds({ rules }: HookRules): readonly MapNeed[] {
  const limits = rules.flatMap(({ action }) => limitOf(action) ?? []);
  if (limits.length === 0) return [];
  const shared = { type: 'hash', keySize: 8, valueSize: SHARED_BUCKET.octets, maxEntries: SHARED_ENTRIES, flags: MAP_NO_PREALLOC } as const;
  const needs: MapNeed[] = [{ kind: 'limits', symbol: LIMIT_SHARED, shape: shared }];
  if (limits.every(({ per }) => per === 'rule')) return needs;
  const own = { type: 'lru_hash', keySize: LIMIT_KEY.octets, valueSize: BUCKET_OCTETS, maxEntries: LIMIT_ENTRIES } as const;
  const room = { type: 'array', keySize: 4, valueSize: ROOM.octets, maxEntries: 1 } as const;
  return [...needs, { kind: 'limits', symbol: LIMITS, shape: own }, { kind: 'limits', symbol: LIMIT_ROOM, shape: room }];
}

/** The bucket by which new addresses come into the map. */
export interface Admission {
  /** Nanoseconds that one address takes up. */
  readonly cost: bigint;
  readonly tolerance: bigint;
}

const LEAST_REFILL = 1_000_000_000n;

/** Undefined where no rule counts by address. */
export function admission({ rules }: HookRules): Admission | undefined {
  let refill: bigint | undefined;
  for (const { action } of rules) {
    const limit = limitOf(action);
    if (!limit || limit.per === 'rule') continue;
    const own = refillTime(limit);
    refill ??= LEAST_REFILL;
    if (own > refill) refill = own;
  }
  return refill === undefined ? undefined : { cost: refill / BigInt(LIMIT_ENTRIES >> 2) + 1n, tolerance: refill };
}

/** The key of a rule's buckets: another one for other parameters. */
export function limitKey(hook: HookRules['hook'], ref: string, limit: RateLimit): bigint {
  return BigInt(`0x${digest(JSON.stringify([hook, ref, limit.unit, limit.rate, limit.burst, limit.per, limit.prefix]))}`);
}

/** Keys of `limit_shared` that the rules of a hook use: others may be deleted once no program that used them runs. */
export function limitKeys({ hook, rules }: HookRules): readonly bigint[] {
  return rules.flatMap(({ action, ref }) => {
    const limit = limitOf(action);
    return limit ? [limitKey(hook, ref, limit)] : [];
  });
}

/** The limit of a rule in its entry of the table, as offsets from the first of its octets. Integers in host order. */
export const LIMIT_ENTRY = {
  key: 0,
  perPacket: 8,
  perOctet: 16,
  tolerance: 24,
  horizon: 32,
  /** u8: by how much nanoseconds are shifted. */
  shift: 40,
  /** u8: COUNTED_BY. */
  by: 41,
  /** u8 each: bits at the end of an address that do not count: of IPv4; of the two halves of IPv6, that of the second in two parts of at most 32. */
  clear4: 42,
  clear6: 43,
  clear6Low: 44,
  clear6High: 45,
  octets: 48,
} as const;

export const COUNTED_BY = { rule: 0, source: 1, destination: 2, process: 3, cgroup: 4 } as const;

/** Writes the limit of a rule. */
export function writeLimit(entry: DataView, at: number, hook: HookRules['hook'], { ref }: Rule, limit: RateLimit): void {
  const { shift, perPacket, perOctet, tolerance, horizon } = bucketTimes(limit);
  entry.setBigUint64(at + LIMIT_ENTRY.key, limitKey(hook, ref, limit), true);
  entry.setBigUint64(at + LIMIT_ENTRY.perPacket, perPacket, true);
  entry.setBigUint64(at + LIMIT_ENTRY.perOctet, perOctet, true);
  entry.setBigUint64(at + LIMIT_ENTRY.tolerance, tolerance, true);
  entry.setBigUint64(at + LIMIT_ENTRY.horizon, horizon, true);
  entry.setUint8(at + LIMIT_ENTRY.shift, shift);
  entry.setUint8(at + LIMIT_ENTRY.by, COUNTED_BY[limit.per]);
  const { ip4, ip6 } = limit.prefix ?? { ip4: 32, ip6: 128 };
  const second = Math.min(64, 128 - ip6);
  entry.setUint8(at + LIMIT_ENTRY.clear4, 32 - ip4);
  entry.setUint8(at + LIMIT_ENTRY.clear6, Math.max(0, 64 - ip6));
  entry.setUint8(at + LIMIT_ENTRY.clear6Low, Math.min(32, second));
  entry.setUint8(at + LIMIT_ENTRY.clear6High, Math.max(0, second - 32));
}

/** What `limit_room` says: the map's pressure. */
export interface LimitPressure {
  /** Addresses that were given a bucket of their own. Those beyond LIMIT_ENTRIES took the place of one that had rested. */
  readonly admitted: bigint;
  /** Packets that were judged by a shared bucket because the map was full. */
  readonly refused: bigint;
}

export function readPressure(room: Uint8Array): LimitPressure {
  const view = new DataView(room.buffer, room.byteOffset, room.byteLength);
  return { admitted: view.getBigUint64(ROOM.admitted, true), refused: view.getBigUint64(ROOM.refused, true) };
}
