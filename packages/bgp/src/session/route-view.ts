import type { Asn, Ip } from '@weir/wire/inet';
import {
  type AsPathSegment,
  encodeUpdate,
  type NextHop,
  type PathAttributes,
  type SessionContext,
  type UnicastFamily,
} from '../codec/index.ts';
import { IdSet } from './id-set.ts';
import { endOfRibBytes } from './message-bytes.ts';
import { type OwnRoutes, type RouteOptions, UNICAST } from './own-routes.ts';
import { joinMessages, type Segment } from './segment.ts';

/** A set of ids for each family. */
export type RouteIds = Readonly<Record<UnicastFamily, IdSet>>;

/** Changes as the messages that tell of them. */
interface Chunk {
  readonly segments: readonly Segment[];
  readonly octets: number;
  readonly changed: SomeIds;
}

type SomeIds = Readonly<Record<UnicastFamily, readonly number[]>>;
const NONE: SomeIds = { 'ipv4 unicast': [], 'ipv6 unicast': [] };

/** Ids whose messages are kept together. */
const BLOCK = 4096;
/** Of so many changes in a block the whole block is told, which is encoded for all. */
const MUCH = BLOCK / 4;

/** What a session knows that is too far behind for the log, and what it has missed. */
export interface Behind {
  readonly told: RouteIds;
  readonly missed: RouteIds;
  /** Of these it is told last that they are gone. */
  readonly gone: RouteIds;
}

export function noIds(): RouteIds {
  return { 'ipv4 unicast': new IdSet(), 'ipv6 unicast': new IdSet() };
}

/** What the octets of an announcement depend on, beside the route. */
export interface Recipient {
  readonly audience: string;
  readonly context: SessionContext;
  readonly localAddress: Ip | undefined;
}

/**
 * What all sessions are told that get the same octets: routes encoded once, and a log of changes in which each session has its place. A session that falls further behind than
 * the log is long has what it missed as ids, so that it costs two bits a route and is told the latest state alone.
 */
export class RouteView {
  /** Sessions that have it. */
  users: number = 0;
  /** End-of-RIB of each family. */
  readonly ends: readonly Segment[];
  readonly #tables: Readonly<Record<UnicastFamily, OwnRoutes>>;
  readonly #recipient: Recipient;
  readonly #told: RouteIds = noIds();
  readonly #pending: RouteIds = noIds();
  readonly #blocks: Record<UnicastFamily, (readonly Segment[] | undefined)[]> = { 'ipv4 unicast': [], 'ipv6 unicast': [] };
  readonly #log: Chunk[] = [];
  /** The number of the first chunk of the log. */
  #base = 0;
  #octets = 0;
  #unsendable = 0;

  constructor(tables: Readonly<Record<UnicastFamily, OwnRoutes>>, recipient: Recipient) {
    this.#tables = tables;
    this.#recipient = recipient;
    this.ends = joinMessages(recipient.context.families.map(endOfRibBytes));
    for (const name of UNICAST) {
      const table = tables[name];
      for (let id = 0; id < table.limit; id++) {
        const options = this.#options(name, id);
        if (options && this.#wants(name, options)) this.#told[name].add(id);
      }
    }
  }

  /** Announcements left out for want of a next hop. */
  get unsendable(): number {
    return this.#unsendable;
  }

  /** Routes that sessions have when they have had the whole log. */
  get size(): number {
    return UNICAST.reduce((sum, name) => sum + this.#told[name].size, 0);
  }

  /** The number of the first chunk that is kept, and of the one to come. */
  get base(): number {
    return this.#base;
  }

  get head(): number {
    return this.#base + this.#log.length;
  }

  /** Octets of the log. */
  get octets(): number {
    return this.#octets;
  }

  has(name: UnicastFamily, id: number): boolean {
    return this.#told[name].has(id);
  }

  /** Whether an id is still needed to tell of what it stood for. */
  awaits(name: UnicastFamily, id: number): boolean {
    return this.#told[name].has(id) || this.#pending[name].has(id);
  }

  mark(name: UnicastFamily, id: number): void {
    this.#pending[name].add(id);
    this.#blocks[name][Math.floor(id / BLOCK)] = undefined;
  }

  /** Puts what has changed into the log: first what there is, then what is gone, so that what has others in its place is never without. */
  encode(): void {
    const gone = { 'ipv4 unicast': [] as number[], 'ipv6 unicast': [] as number[] };
    while (UNICAST.some((name) => this.#pending[name].size > 0)) {
      const changed = takeSome(this.#pending);
      const wanted = { 'ipv4 unicast': [] as number[], 'ipv6 unicast': [] as number[] };
      for (const name of UNICAST) {
        for (const id of changed[name]) {
          const options = this.#options(name, id);
          if (options && this.#wants(name, options)) {
            this.#told[name].add(id);
            wanted[name].push(id);
          } else if (this.#told[name].delete(id)) gone[name].push(id);
        }
      }
      this.#append(
        UNICAST.flatMap((name) => this.#announce(name, wanted[name])),
        wanted,
      );
    }
    for (const name of UNICAST) {
      for (let at = 0; at < gone[name].length; at += BLOCK) {
        const some = gone[name].slice(at, at + BLOCK);
        this.#append(this.#withdraw(name, some), { ...NONE, [name]: some });
      }
    }
  }

  #append(messages: readonly Uint8Array[], changed: SomeIds): void {
    const segments = joinMessages(messages);
    if (segments.length === 0) return;
    const octets = segments.reduce((sum, one) => sum + one.octets.length, 0);
    this.#log.push({ segments, octets, changed });
    this.#octets += octets;
  }

  chunk(number: number): readonly Segment[] {
    return this.#log[number - this.#base]?.segments ?? [];
  }

  /** The first chunk from which on the log has at most so many octets. */
  within(octets: number): number {
    let number = this.head;
    for (let left = octets; number > this.#base; number--) {
      left -= this.#log[number - 1 - this.#base]?.octets ?? 0;
      if (left < 0) break;
    }
    return number;
  }

  /** Drops chunks that every session has had; `to` is the first that some session needs. */
  drop(to: number): void {
    const gone = this.#log.splice(0, Math.max(0, Math.min(to, this.head) - this.#base));
    this.#base += gone.length;
    for (const { octets } of gone) this.#octets -= octets;
  }

  /** What a session knows and has missed that has had the log up to `from`: at least what it was told, and what has changed since. */
  missedSince(from: number): Behind {
    const told = { 'ipv4 unicast': this.#told['ipv4 unicast'].copy(), 'ipv6 unicast': this.#told['ipv6 unicast'].copy() };
    const missed = { 'ipv4 unicast': this.#pending['ipv4 unicast'].copy(), 'ipv6 unicast': this.#pending['ipv6 unicast'].copy() };
    for (const { changed } of this.#log.slice(from - this.#base)) {
      for (const name of UNICAST) {
        for (const id of changed[name]) {
          told[name].add(id);
          missed[name].add(id);
        }
      }
    }
    return { told, missed, gone: noIds() };
  }

  /** How many blocks a family has. */
  blocks(name: UnicastFamily): number {
    return Math.ceil(this.#tables[name].limit / BLOCK);
  }

  /** Some routes of a family, as after the whole log. */
  block(name: UnicastFamily, number: number): readonly Segment[] {
    this.encode();
    const known = this.#blocks[name][number];
    if (known) return known;
    const told = this.#told[name];
    const ids: number[] = [];
    for (let id = number * BLOCK; id < (number + 1) * BLOCK; id++) if (told.has(id)) ids.push(id);
    const segments = joinMessages(this.#announce(name, ids));
    this.#blocks[name][number] = segments;
    return segments;
  }

  /** Some of what a session has missed, as after the whole log; undefined when that was all. */
  catchUp({ told, missed, gone }: Behind): readonly Segment[] | undefined {
    this.encode();
    for (const name of UNICAST) {
      const ids = missed[name].takeRange(BLOCK);
      const [first] = ids;
      if (first === undefined) continue;
      const wanted: number[] = [];
      for (const id of ids) {
        if (this.#told[name].has(id)) wanted.push(id);
        else if (told[name].has(id)) gone[name].add(id);
      }
      if (ids.length < MUCH) {
        for (const id of wanted) told[name].add(id);
        return joinMessages(this.#announce(name, wanted));
      }
      const number = Math.floor(first / BLOCK);
      for (let id = number * BLOCK; id < (number + 1) * BLOCK; id++) if (this.#told[name].has(id)) told[name].add(id);
      return this.block(name, number);
    }
    for (const name of UNICAST) {
      const ids = gone[name].take(BLOCK);
      if (ids.length === 0) continue;
      const over = ids.filter((id) => !this.#told[name].has(id) && told[name].delete(id));
      return joinMessages(this.#withdraw(name, over));
    }
    return undefined;
  }

  /** What those who know all of another view have to forget before they are told all of this one. */
  forget(other: RouteView): readonly Segment[] {
    this.encode();
    const out: Uint8Array[] = [];
    for (const name of UNICAST) {
      const gone: number[] = [];
      for (let id = 0; id < this.#tables[name].limit; id++) if (other.has(name, id) && !this.has(name, id)) gone.push(id);
      out.push(...this.#withdraw(name, gone));
    }
    return joinMessages(out);
  }

  #withdraw(name: UnicastFamily, ids: readonly number[]): readonly Uint8Array[] {
    return ids.length === 0 ? [] : [...encodeUpdate({ withdraw: [this.#run(name, ids)] }, this.#recipient.context)];
  }

  #announce(name: UnicastFamily, ids: readonly number[]): readonly Uint8Array[] {
    const { context } = this.#recipient;
    const groups = new Map<RouteOptions, number[]>();
    for (const id of ids) {
      const options = this.#options(name, id);
      if (!options) continue;
      const group = groups.get(options);
      if (group) group.push(id);
      else groups.set(options, [id]);
    }
    const out: Uint8Array[] = [];
    for (const [options, group] of groups) {
      const nextHop = this.#nextHop(name, options);
      if (!nextHop) continue;
      out.push(
        ...encodeUpdate({ attributes: attributesFor(context, options), announce: [{ nextHop, run: this.#run(name, group) }] }, context),
      );
    }
    return out;
  }

  #run(name: UnicastFamily, ids: readonly number[]): ReturnType<OwnRoutes['run']> {
    // With add-path every prefix has one path, so one identifier does for all (RFC 7911 section 3).
    return this.#tables[name].run(ids, this.#recipient.context.addPath.includes(name));
  }

  /** What a route is here; undefined where it is not for this audience. */
  #options(name: UnicastFamily, id: number): RouteOptions | undefined {
    const options = this.#tables[name].options(id);
    if (options?.audiences) return options.audiences.get(this.#recipient.audience);
    return options?.peers && !options.peers.includes(this.#recipient.audience) ? undefined : options;
  }

  /** Whether a route can be told here; counts those that have no next hop. */
  #wants(name: UnicastFamily, options: RouteOptions): boolean {
    const { context } = this.#recipient;
    if (!context.families.includes(name)) return false;
    if (this.#nextHop(name, options)) return true;
    this.#unsendable++;
    return false;
  }

  #nextHop(name: UnicastFamily, options: RouteOptions): NextHop | undefined {
    const { context, localAddress } = this.#recipient;
    const nextHop = options.nextHop ?? (localAddress && { address: localAddress });
    if (!nextHop) return undefined;
    const fits = nextHop.address.family === (name === 'ipv4 unicast' ? 4 : 6) || (name === 'ipv4 unicast' && context.extendedNextHop);
    return fits ? nextHop : undefined;
  }
}

/** Takes out some ids of both families. */
function takeSome(ids: RouteIds): SomeIds {
  return { 'ipv4 unicast': ids['ipv4 unicast'].take(BLOCK), 'ipv6 unicast': ids['ipv6 unicast'].take(BLOCK) };
}

export function attributesFor(context: SessionContext, { attributes = {} }: RouteOptions): PathAttributes {
  const asPath = attributes.asPath ?? [];
  const given: PathAttributes = { origin: 'igp', ...attributes };
  if (context.peerKind === 'ibgp') return { localPref: 100, ...given, asPath };
  const { localPref: _internal, ...external } = given;
  return { ...external, asPath: prepend(context.localAs, asPath) };
}

function prepend(as: Asn, path: readonly AsPathSegment[]): readonly AsPathSegment[] {
  const [first, ...rest] = path;
  if (first?.kind === 'sequence' && first.asns.length < 255) return [{ kind: 'sequence', asns: [as, ...first.asns] }, ...rest];
  return [{ kind: 'sequence', asns: [as] }, ...path];
}
