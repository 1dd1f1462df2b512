import { type PathAttributes, parseCommunity, parseLargeCommunity, printCommunity, printLargeCommunity } from '@weir/bgp/codec';
import { CliError, EXIT } from '../exit.ts';

/** Different communities of no table that are told apart, and in which all further ones are counted. */
const MOST_UNKNOWN = 1000;
/** Of one route. */
const MOST_OF_ROUTE = 16;
/** What routes are in that carry no community of a table or, where there are too many, one that was not told apart. */
export const NO_TABLE = 'no table';
const WELL_KNOWN = 0xffff;

/** A table of this distributor, by what its routes carry. */
export interface KnownTable {
  readonly table: string;
  readonly communities: readonly string[];
  /** Absent in a table without a name. */
  readonly max?: number;
}

/**
 * Tables of this distributor, known by their communities: what another one calls them does not matter. A community that none of them has is a name of its own, which has a colon in it as no table's has.
 */
export class KnownTables {
  /** Names of tables that are compared. */
  readonly compared: readonly string[];
  readonly #unnamed: boolean;
  /** Communities of no table are compared too, whichever they are. */
  readonly #all: boolean;
  readonly #ofCommunity = new Map<string, string>();
  readonly #unknown = new Set<string>();
  /** Attributes are shared by many routes. */
  readonly #ofAttributes = new WeakMap<PathAttributes, readonly string[]>();

  /** With `unnamed`, communities of no table are tables too. @throws CliError where one of `only` is not there */
  constructor(tables: readonly KnownTable[], { only, unnamed }: { readonly only: readonly string[]; readonly unnamed: boolean }) {
    this.#unnamed = unnamed;
    this.#all = unnamed && only.length === 0;
    const named = tables.filter(({ max }) => max !== undefined);
    for (const { table, communities } of named) for (const one of communities) this.#ofCommunity.set(canonical(one) ?? one, table);
    for (const name of only) {
      if (named.some(({ table }) => table === name) || (unnamed && canonical(name) !== undefined)) continue;
      const known = named.map(({ table }) => table).join(', ');
      throw new CliError(EXIT.error, `there is no table ${name}: ${known === '' ? 'none is configured' : `there are ${known}`}`);
    }
    this.compared = only.length > 0 ? only : named.map(({ table }) => table);
  }

  /** Whether a table, or a community of none, is compared. */
  isCompared(name: string): boolean {
    return this.compared.includes(name) || (this.#all && name.includes(':'));
  }

  /** Names of all that a route is in. */
  ofRoute(attributes: PathAttributes): readonly string[] {
    const known = this.#ofAttributes.get(attributes);
    if (known) return known;
    const { communities = [], largeCommunities = [] } = attributes;
    // What is well known says how a route is to be handled, not what it is.
    const own = communities.filter((value) => value >>> 16 !== WELL_KNOWN).map(printCommunity);
    const names = this.#names([...own, ...largeCommunities.map(printLargeCommunity)]);
    this.#ofAttributes.set(attributes, names);
    return names;
  }

  /** The name of a table that another calls `name` and knows by these communities: by the name only where there are none. Undefined where it is no name at all. */
  ofHeader(name: string, communities: readonly string[]): string | undefined {
    const texts = communities.length > 0 ? communities.map(canonical) : [canonical(name)];
    const known = texts.flatMap((text) => (text === undefined ? [] : [text]));
    if (known.length < texts.length) return communities.length === 0 && this.compared.includes(name) ? name : undefined;
    return this.#names(known)[0];
  }

  #names(communities: readonly string[]): readonly string[] {
    const names = new Set<string>();
    const unknown = communities.filter((text) => {
      const table = this.#ofCommunity.get(text);
      if (table !== undefined) names.add(table);
      return table === undefined;
    });
    // A further community of a route that has its table says nothing, unless it may be a table itself.
    if (this.#unnamed || names.size === 0) for (const text of unknown.slice(0, MOST_OF_ROUTE)) names.add(this.#counted(text));
    return names.size === 0 ? [NO_TABLE] : [...names];
  }

  #counted(community: string): string {
    if (!this.#unknown.has(community) && this.#unknown.size >= MOST_UNKNOWN) return NO_TABLE;
    this.#unknown.add(community);
    return community;
  }
}

/** A community as routes have it: without a name for it, numbers as they are always written. */
function canonical(text: string): string | undefined {
  const standard = parseCommunity(text);
  if (standard !== undefined) return printCommunity(standard);
  const large = parseLargeCommunity(text);
  return large && printLargeCommunity(large);
}
