import type { PathAttributes } from '@weir/bgp/codec';
import type { Asn, Family, Prefix } from '@weir/wire/inet';
import type { OwnCommunity } from '../../model/blackhole.ts';
import type { Config } from '../../model/config.ts';
import type { ContributionRefusal } from '../../model/contribution.ts';
import type { ContributeRule, DistributeClient } from '../../model/distribute.ts';
import { CoverIndex } from '../cover-index.ts';
import { isNeverMember } from '../never-members.ts';

type Covers = Readonly<Record<Family, CoverIndex>>;

/** What a client may put into one table. */
export interface GuardedRule extends ContributeRule {
  readonly covers: Covers;
  readonly allowProtected: boolean;
  /** Prefixes that the table may have. */
  readonly mostOfTable: number;
}

/** What a route is meant for, before its prefixes are looked at. */
export interface JudgedRoute {
  readonly rules: readonly GuardedRule[];
  /** Why it is not for others, once for each of them or for the route as a whole. */
  readonly refused: readonly ContributionRefusal[];
}

/** What one client may contribute by a configuration. */
export class ContributionGuard {
  readonly #localAs: Asn;
  readonly #tables: readonly { readonly name: string; readonly communities: ReadonlySet<string> }[];
  readonly #rules: ReadonlyMap<string, GuardedRule>;
  readonly #shields: Covers;

  constructor(config: Pick<Config, 'bgp' | 'distribute' | 'protected'>, { contribute }: Pick<DistributeClient, 'contribute'>) {
    const tables = config.distribute?.tables ?? [];
    this.#localAs = config.bgp.as;
    this.#tables = tables.map(({ name, communities }) => ({ name, communities: new Set(communities.map(keyOf)) }));
    this.#shields = coversOf(config.protected);
    this.#rules = new Map(
      contribute.flatMap((rule) => {
        const table = tables.find(({ name }) => name === rule.table);
        if (!table) return [];
        const { allowProtected, maxPrefixes: mostOfTable } = table;
        return [[rule.table, { ...rule, covers: coversOf(rule.prefixes), allowProtected, mostOfTable }] as const];
      }),
    );
  }

  /** Whether it may contribute anything. */
  get allows(): boolean {
    return this.#rules.size > 0;
  }

  get rules(): Iterable<GuardedRule> {
    return this.#rules.values();
  }

  rule(table: string): GuardedRule | undefined {
    return this.#rules.get(table);
  }

  /** Which tables a route is meant for: those one of whose communities it has. `as` is the AS of the client. */
  route({ asPath = [], communities = [], largeCommunities = [] }: PathAttributes, as: Asn | 0): JudgedRoute {
    if (!this.allows) return { rules: [], refused: ['not-allowed'] };
    for (const { asns } of asPath) {
      if (asns.includes(this.#localAs)) return { rules: [], refused: ['loop'] };
    }
    // Between peers of one AS the path of what one of them originates is empty.
    if (asPath.some(({ asns }) => asns.some((one) => one !== as))) return { rules: [], refused: ['not-its-own'] };
    const carried = new Set([
      ...communities.map((value) => keyOf({ kind: 'standard', value })),
      ...largeCommunities.map((value) => keyOf({ kind: 'large', value })),
    ]);
    const meant = this.#tables.filter(({ communities: own }) => [...own].some((one) => carried.has(one)));
    if (meant.length === 0) return { rules: [], refused: ['unknown-table'] };
    const rules = meant.flatMap(({ name }) => this.#rules.get(name) ?? []);
    return { rules, refused: meant.flatMap(({ name }) => (this.#rules.has(name) ? [] : ['not-allowed' as const])) };
  }

  /** Why the prefix at `words[at ..]` may not be contributed; undefined where it may. */
  refuses(rule: GuardedRule, family: Family, words: Uint32Array, at: number, length: number): ContributionRefusal | undefined {
    if (length === 0) return 'default-route';
    const { min, max } = rule.lengths[family];
    if (length < min || length > max) return 'wrong-length';
    if (isNeverMember(family, words, at, length)) return 'never';
    if (!rule.covers[family].covers(words, at, length)) return 'outside';
    return !rule.allowProtected && this.#shields[family].overlaps(words, at, length) ? 'protected' : undefined;
  }

  /** The same of one prefix. */
  refusesPrefix(rule: GuardedRule, { family, w0, w1, w2, w3, length }: Prefix): ContributionRefusal | undefined {
    return this.refuses(rule, family, Uint32Array.of(w0, w1, w2, w3), 0, length);
  }
}

function coversOf(prefixes: readonly Prefix[]): Covers {
  return { 4: new CoverIndex(4, prefixes), 6: new CoverIndex(6, prefixes) };
}

function keyOf(community: OwnCommunity): string {
  if (community.kind === 'standard') return String(community.value);
  const { global, local1, local2 } = community.value;
  return `${global}:${local1}:${local2}`;
}
