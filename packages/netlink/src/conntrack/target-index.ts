import { type Family, type Ip, mask32, type Prefix, PrefixTable } from '@weir/wire/inet';
import type { Tuple } from './tuple.ts';

/** Connections to a destination: any of `ports` (destination ports) and `protocols` (IP protocol numbers) where given. */
export interface ConnectionTarget {
  readonly prefix: Prefix;
  readonly protocols?: readonly number[];
  readonly ports?: readonly number[];
}

/** Finds the targets that cover an address: one look-up for each prefix length in use, however many targets there are. */
export class TargetIndex {
  readonly #families = new Map<
    Family,
    { readonly table: PrefixTable; readonly lengths: number[]; readonly targets: ConnectionTarget[][] }
  >();

  constructor(targets: readonly ConnectionTarget[]) {
    for (const target of targets) {
      const { family, length } = target.prefix;
      let own = this.#families.get(family);
      if (!own) {
        own = { table: new PrefixTable(family), lengths: [], targets: [] };
        this.#families.set(family, own);
      }
      const id = own.table.internPrefix(target.prefix);
      const list = own.targets[id];
      if (list) list.push(target);
      else own.targets[id] = [target];
      if (!own.lengths.includes(length)) own.lengths.push(length);
    }
  }

  /** The family that all targets have; undefined when there are both. */
  get onlyFamily(): Family | undefined {
    const [first, second] = this.#families.keys();
    return second === undefined ? first : undefined;
  }

  /** Whether a target covers `address`, with a protocol and port that fit. */
  matches(address: Ip, protocol: number, port: number | undefined): boolean {
    const own = this.#families.get(address.family);
    if (!own) return false;
    for (const n of own.lengths) {
      const id = own.table.find(
        (address.w0 & mask32(n)) >>> 0,
        (address.w1 & mask32(n - 32)) >>> 0,
        (address.w2 & mask32(n - 64)) >>> 0,
        (address.w3 & mask32(n - 96)) >>> 0,
        n,
      );
      for (const target of own.targets[id] ?? []) {
        if (target.protocols && !target.protocols.includes(protocol)) continue;
        if (target.ports && (port === undefined || !target.ports.includes(port))) continue;
        return true;
      }
    }
    return false;
  }

  /** As a filter before address translation sees the connection, by the original direction. */
  matchesOriginal(original: Tuple): boolean {
    return this.matches(original.destination, original.protocol, original.destinationPort);
  }

  /** As a filter after destination translation sees it: whom the answers come from. */
  matchesReply(reply: Tuple): boolean {
    return this.matches(reply.source, reply.protocol, reply.sourcePort);
  }
}
