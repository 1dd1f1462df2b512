import type { Reader, Writer } from '@weir/wire/bytes';
import { closeAttribute, openNest, putString } from '../message/index.ts';
import {
  type CommitOptions,
  type CommitResult,
  type ConnectionOptions,
  KernelError,
  NetfilterConnection,
  type Request,
} from '../socket/index.ts';
import { type Chain, decodeChain } from './chain.ts';
import { decodeElementList, encodeElement, encodeTarget, type SetElement } from './element.ts';
import { ElementCollector } from './element-collector.ts';
import { type ElementColumns, encodeKeyQuery, stride, wordsPerKey } from './element-columns.ts';
import { familyName, familyNumber, type NftFamily } from './family.ts';
import { decodeGeneration, type Generation } from './generation.ts';
import { NFT_MSG, nftType } from './message-type.ts';
import { decodeObject, type NftObject } from './object.ts';
import { decodeRule, type Rule } from './rule.ts';
import { decodeSet, type NftSet, type SetRef } from './set.ts';
import { decodeTable, type Table } from './table.ts';
import type { NftTransaction } from './transaction.ts';

const ENOENT = 2;
const EINTR = 4;
const ENOBUFS = 105;
const UNSPECIFIED = 0;
/** Keyed look-ups in one datagram. */
const LOOKUPS = 256;

/** Narrows a listing; what is absent is not looked at. */
export interface Scope {
  readonly family?: NftFamily;
  readonly table?: string;
}

/**
 * `consistent`: nothing was committed while the dump ran. When commits kept coming, the last attempt is given as it was: elements may be missing in it,
 * none is wrong.
 */
export interface ElementDump {
  readonly columns: ElementColumns;
  readonly generation: number;
  readonly consistent: boolean;
}

/** Whether an entry of some columns is in a set: not at all, exactly so, or its key or ends belong to something else there (a range that overlaps it). */
export type Presence = 'absent' | 'present' | 'other';

/** The nf_tables ruleset of one network namespace. Calls are synchronous. KernelError where the kernel refuses. */
export class NftClient {
  readonly connection: NetfilterConnection;

  constructor(options: ConnectionOptions = {}) {
    this.connection = new NetfilterConnection(options);
  }

  generation(): Generation {
    let generation: Generation = { id: 0 };
    const request = { type: nftType(NFT_MSG.getGen), family: UNSPECIFIED, operation: 'get generation' };
    this.connection.request(request, (_header, _netfilter, r) => {
      generation = decodeGeneration(r);
    });
    return generation;
  }

  commit<Tag>(transaction: NftTransaction<Tag>, options?: CommitOptions): CommitResult<Tag> {
    return this.connection.commit(transaction, options);
  }

  /** Commits; throws the first KernelError when it is refused, and one with ERESTART or ENOBUFS for the other outcomes. */
  commitOrThrow<Tag>(transaction: NftTransaction<Tag>, options?: CommitOptions): void {
    const result = this.commit(transaction, options);
    if (result.kind === 'refused') throw result.errors[0] ?? new KernelError('commit', ENOBUFS);
    if (result.kind === 'stale') throw new KernelError('commit', 85, { message: 'the ruleset has changed' });
    if (result.kind === 'unknown') throw new KernelError('commit', ENOBUFS, { message: 'the answer was lost' });
  }

  tables(family?: NftFamily): Table[] {
    return this.#list('list tables', NFT_MSG.getTable, family === undefined ? {} : { family }, decodeTable);
  }

  /** Undefined when there is no such table. */
  table(family: NftFamily, name: string): Table | undefined {
    return this.#get('get table', NFT_MSG.getTable, family, (w) => putString(w, 1, name), decodeTable);
  }

  chains(scope: Scope = {}): Chain[] {
    return this.#list('list chains', NFT_MSG.getChain, scope, decodeChain).filter((chain) => within(chain, scope));
  }

  /** In the order of their chains. With `only`, without the expressions of other names: reading all of many rules takes several times as long. */
  rules(scope: Scope & { readonly chain?: string; readonly only?: string } = {}): Rule[] {
    const filter = (w: Writer): void => {
      if (scope.table !== undefined) putString(w, 1, scope.table);
      if (scope.chain !== undefined) putString(w, 2, scope.chain);
    };
    return this.#list('list rules', NFT_MSG.getRule, scope, (family, r) => decodeRule(family, r, scope.only), filter).filter(
      (rule) => within(rule, scope) && (scope.chain === undefined || rule.chain === scope.chain),
    );
  }

  /** Sets and maps, without their elements; anonymous ones too. */
  sets(scope: Scope = {}): NftSet[] {
    const filter = (w: Writer): void => {
      if (scope.table !== undefined) putString(w, 1, scope.table);
    };
    return this.#list('list sets', NFT_MSG.getSet, scope, decodeSet, filter).filter((set) => within(set, scope));
  }

  /** Undefined when there is no such table or set. */
  set(ref: SetRef): NftSet | undefined {
    const encode = (w: Writer): void => encodeTarget(w, { table: ref.table, set: ref.name });
    return this.#get('get set', NFT_MSG.getSet, ref.family, encode, decodeSet);
  }

  objects(scope: Scope = {}): NftObject[] {
    return this.#list('list objects', NFT_MSG.getObj, scope, decodeObject).filter((object) => within(object, scope));
  }

  /** Every element with all that it carries. For large sets see `elementColumns`; what it says about consistency holds here too. */
  elements(ref: SetRef): SetElement[] {
    let out: SetElement[] = [];
    this.connection.dump(elementRequest(ref), {
      start: () => {
        out = [];
      },
      message: (_header, _netfilter, r) => {
        for (const element of decodeElementList(r).elements) out.push(element);
      },
    });
    return out;
  }

  /**
   * The keys of a set in columns, without an object for each. A dump that runs while others commit can miss live elements without saying so, so the generation is compared before and
   * after and the dump made again, at most `attempts` times. The time grows faster than the set: 0.1 s for 100,000, seconds for a million.
   */
  elementColumns(set: NftSet, attempts = 4): ElementDump {
    const collector = new ElementCollector(set.keyLength);
    for (let attempt = 1; ; attempt++) {
      const before = this.generation().id;
      let complete = true;
      try {
        this.connection.dump(
          elementRequest(set),
          { start: () => collector.reset(), message: (_header, _netfilter, r) => void collector.add(r, set.name) },
          1,
        );
      } catch (error) {
        if (!(error instanceof KernelError) || (error.errno !== EINTR && error.errno !== ENOBUFS) || attempt >= attempts) throw error;
        complete = false;
      }
      const consistent = complete && this.generation().id === before;
      if (!consistent && attempt < attempts) continue;
      const { interval, concatenated } = set.flags;
      const columns = !interval ? collector.singles() : concatenated ? collector.concatenated() : collector.intervals();
      return { columns, generation: before, consistent };
    }
  }

  /** Looks elements up by key; undefined where there is none. KernelError with ENOENT when the set is missing. A key inside a range of an interval set gives the beginning of that range. */
  getElements(ref: SetRef, keys: readonly SetElement[]): (SetElement | undefined)[] {
    return this.#lookup(ref, keys.length, (w, index) => {
      encodeTarget(w, { table: ref.table, set: ref.name });
      const list = openNest(w, 3);
      const item = openNest(w, 1);
      encodeElement(w, keys[index] ?? {});
      closeAttribute(w, item);
      closeAttribute(w, list);
    });
  }

  /**
   * Asks for each entry of the columns whether the set has it: one or two look-ups each, whatever the size of the set. A range of the set that lies strictly inside an
   * entry is not noticed.
   */
  presence(ref: SetRef, columns: ElementColumns): Presence[] {
    const k = wordsPerKey(columns.keyLength);
    const step = stride(columns);
    const queries: { readonly entry: number; readonly closing: boolean; readonly at: number }[] = [];
    for (let entry = 0; entry < columns.count; entry++) {
      const at = entry * step;
      queries.push({ entry, closing: false, at });
      const open = columns.words.subarray(at + k, at + 2 * k).every((word) => word === 0);
      if (columns.shape === 'interval' && !open) queries.push({ entry, closing: true, at: at + k });
    }
    const target = { table: ref.table, set: ref.name };
    const found = this.#lookup(ref, queries.length, (w, index) => {
      const query = queries[index];
      if (query) encodeKeyQuery(w, target, columns, query.entry, query.closing);
    });
    const out = new Array<Presence | undefined>(columns.count).fill(undefined);
    queries.forEach(({ entry, closing, at }, index) => {
      const element = found[index];
      const same =
        sameKey(element?.key, columns, at) &&
        (element?.intervalEnd ?? false) === closing &&
        (columns.shape !== 'concatenated' || sameKey(element?.keyEnd, columns, at + k));
      const state = element === undefined ? 'absent' : same ? 'present' : 'other';
      out[entry] = out[entry] === undefined || out[entry] === state ? state : 'other';
    });
    return out.map((state) => state ?? 'absent');
  }

  #lookup(ref: SetRef, count: number, encode: (w: Writer, index: number) => void): (SetElement | undefined)[] {
    const out = new Array<SetElement | undefined>(count).fill(undefined);
    const head = {
      type: nftType(NFT_MSG.getSetElem),
      family: familyNumber(ref.family),
      operation: `get element of ${ref.family} ${ref.table} ${ref.name}`,
    };
    for (let from = 0; from < count; from += LOOKUPS) {
      const requests = Array.from(
        { length: Math.min(LOOKUPS, count - from) },
        (_, i): Request => ({ ...head, encode: (w) => encode(w, from + i) }),
      );
      this.connection.requestMany(
        requests,
        (index, _header, _netfilter, r) => {
          out[from + index] = decodeElementList(r).elements[0];
        },
        (_index, error) => {
          if (error.errno !== ENOENT) throw error;
        },
      );
    }
    // A set that is not there answers as an element that is not.
    if (out.includes(undefined) && !this.set(ref)) throw new KernelError(head.operation, ENOENT, { message: 'no such table or set' });
    return out;
  }

  /** Calling it again does nothing. */
  close(): void {
    this.connection.close();
  }

  #list<T>(
    operation: string,
    message: number,
    scope: Scope,
    decode: (family: NftFamily, r: Reader) => T,
    encode?: (w: Writer) => void,
  ): T[] {
    let out: T[] = [];
    const family = scope.family === undefined ? UNSPECIFIED : familyNumber(scope.family);
    this.connection.dump(
      { type: nftType(message), family, operation, ...(encode ? { encode } : {}) },
      {
        start: () => {
          out = [];
        },
        message: (_header, netfilter, r) => {
          const name = familyName(netfilter.family);
          if (name) out.push(decode(name, r));
        },
      },
    );
    return out;
  }

  #get<T>(
    operation: string,
    message: number,
    family: NftFamily,
    encode: (w: Writer) => void,
    decode: (family: NftFamily, r: Reader) => T,
  ): T | undefined {
    let out: T | undefined;
    try {
      this.connection.request({ type: nftType(message), family: familyNumber(family), operation, encode }, (_header, _netfilter, r) => {
        out = decode(family, r);
      });
    } catch (error) {
      if (error instanceof KernelError && error.errno === ENOENT) return undefined;
      throw error;
    }
    return out;
  }
}

function elementRequest(ref: SetRef): Request {
  return {
    type: nftType(NFT_MSG.getSetElem),
    family: familyNumber(ref.family),
    operation: `list elements of ${ref.family} ${ref.table} ${ref.name}`,
    encode: (w) => encodeTarget(w, { table: ref.table, set: ref.name }),
  };
}

function within(object: { readonly family: NftFamily; readonly table: string }, scope: Scope): boolean {
  return (scope.family === undefined || object.family === scope.family) && (scope.table === undefined || object.table === scope.table);
}

function sameKey(key: Uint8Array | undefined, columns: ElementColumns, at: number): boolean {
  if (key?.length !== columns.keyLength) return false;
  return key.every((byte, i) => byte === (((columns.words[at + (i >> 2)] ?? 0) >>> (24 - 8 * (i & 3))) & 0xff));
}
