import { UntranslatableError } from '../iptables/values.ts';
import type { NamedSet } from '../program.ts';
import { printCidrs } from '../ranges.ts';
import { setName } from '../set-name.ts';
import { get, getString, type Json, listOf } from './json.ts';
import { readAddresses } from './values.ts';

/** Sets, maps and named limits of the tables of a ruleset, and what they are called in the policy. */
export class SetTable {
  readonly #objects = new Map<string, Json>();
  readonly #named = new Map<string, NamedSet>();
  readonly #taken = new Map<string, string>();

  /** `kind` is set, map or limit. */
  add(kind: string, object: Json): void {
    this.#objects.set(
      this.#key(kind, getString(object, 'family') ?? '', getString(object, 'table') ?? '', getString(object, 'name') ?? ''),
      object,
    );
  }

  get named(): readonly NamedSet[] {
    return [...this.#named.values()];
  }

  /** The elements of `@name`; UntranslatableError where the ruleset does not have it. */
  elements(kind: 'set' | 'map', family: string, table: string, reference: string): readonly Json[] {
    const elem = get(this.#find(kind, family, table, reference), 'elem');
    return elem === undefined ? [] : listOf(elem);
  }

  limit(family: string, table: string, name: string): Json {
    return this.#find('limit', family, table, `@${name}`);
  }

  /** Whether packets or programs change the set while it is in force, or nothing is in it yet. */
  isLive(family: string, table: string, reference: string): boolean {
    const set = this.#find('set', family, table, reference);
    const flags = listOf(get(set, 'flags'));
    return flags.includes('dynamic') || flags.includes('timeout') || this.elements('set', family, table, reference).length === 0;
  }

  /** The named set of a policy that stands for a set of addresses. */
  addressSet(family: string, table: string, reference: string): string {
    const key = this.#key('set', family, table, reference.slice(1));
    const known = this.#named.get(key);
    if (known) return known.name;
    const original = reference.slice(1);
    const plain = setName(original);
    const long = setName(`${family}_${table}_${original}`);
    const name = plain !== undefined && !this.#taken.has(plain) ? plain : long;
    if (name === undefined || this.#taken.has(name)) throw new UntranslatableError(`set ${original} has no name that a policy may have`);
    this.#taken.set(name, key);
    const live = this.isLive(family, table, reference);
    const members = live ? undefined : printCidrs(readAddresses(this.elements('set', family, table, reference)));
    this.#named.set(key, { name, original, members, purpose: `the members of set ${original} of table ${family} ${table}` });
    return name;
  }

  #find(kind: string, family: string, table: string, reference: string): Json {
    const found = this.#objects.get(this.#key(kind, family, table, reference.slice(1)));
    if (found === undefined) throw new UntranslatableError(`there is no ${kind} ${reference.slice(1)} in table ${family} ${table}`);
    return found;
  }

  #key(kind: string, family: string, table: string, name: string): string {
    return JSON.stringify([kind, family, table, name]);
  }
}
