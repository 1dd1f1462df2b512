import { type AfiSafi, CeaseSubcode, ErrorCode, type FamilyName, type Notification } from '../codec/index.ts';
import type { MaxPrefixes } from './config.ts';

export type PrefixLevel = 'clear' | 'warning' | 'exceeded';

const DEFAULT_WARN_AT = 75;

/** Where a count stands against its limit. A level is left downwards only 5 % of the limit below where it was entered, so that a count on the edge does not flap. */
export function prefixLevel(limit: MaxPrefixes, count: number, before: PrefixLevel): PrefixLevel {
  const slack = limit.limit * 0.05;
  const warnAt = (limit.limit * (limit.warnAt ?? DEFAULT_WARN_AT)) / 100;
  if (count > limit.limit || (before === 'exceeded' && count > limit.limit - slack)) return 'exceeded';
  if (count >= warnAt || (before !== 'clear' && count >= warnAt - slack)) return 'warning';
  return 'clear';
}

/**
 * Cease with subcode Maximum Number of Prefixes Reached (RFC 4486 section 4).
 *
 * ```
 * | AFI (2) | SAFI (1) | limit (4) |
 * ```
 */
export function maximumPrefixes(family: AfiSafi, limit: number): Notification {
  const data = new Uint8Array(7);
  const view = new DataView(data.buffer);
  view.setUint16(0, family.afi);
  view.setUint8(2, family.safi);
  view.setUint32(3, limit);
  return { code: ErrorCode.cease, subcode: CeaseSubcode.maximumPrefixes, data };
}

/** What a consumer holds of one peer by family, and how that stands against the limits. */
export class PrefixCounts {
  readonly #counts = new Map<FamilyName, number>();
  readonly #levels = new Map<FamilyName, PrefixLevel>();

  get all(): Partial<Readonly<Record<FamilyName, number>>> {
    return Object.fromEntries(this.#counts);
  }

  entries(): readonly (readonly [FamilyName, number])[] {
    return [...this.#counts];
  }

  /** The new level when it is another one. */
  set(name: FamilyName, count: number, limit: MaxPrefixes | undefined): PrefixLevel | undefined {
    this.#counts.set(name, count);
    const before = this.#levels.get(name) ?? 'clear';
    const level = limit ? prefixLevel(limit, count, before) : 'clear';
    this.#levels.set(name, level);
    return level === before ? undefined : level;
  }

  clear(): void {
    this.#counts.clear();
    this.#levels.clear();
  }
}
