import { type Ip, printIp } from '@weir/wire/inet';
import type { PeerConfig } from './config.ts';
import { matchPeer } from './match.ts';

/** Peers by name and by address. */
export class PeerTable<T extends { readonly config: PeerConfig }> {
  readonly #byName = new Map<string, T>();
  #byAddress = new Map<string, T[]>();

  get(name: string): T | undefined {
    return this.#byName.get(name);
  }

  values(): IterableIterator<T> {
    return this.#byName.values();
  }

  add(peer: T): void {
    this.#byName.set(peer.config.name, peer);
    this.#index(peer);
  }

  delete(peer: T): void {
    const { name, address } = peer.config;
    this.#byName.delete(name);
    const key = printIp(address);
    const others = this.#byAddress.get(key)?.filter((one) => one !== peer) ?? [];
    if (others.length > 0) this.#byAddress.set(key, others);
    else this.#byAddress.delete(key);
  }

  /** Peers may have other addresses now. */
  readdress(): void {
    this.#byAddress = new Map();
    for (const peer of this.#byName.values()) this.#index(peer);
  }

  /** Who a connection is from. */
  match(remote: Ip, local: Ip | undefined): T | undefined {
    return matchPeer(this.#byAddress.get(printIp(remote)) ?? [], remote, local);
  }

  #index(peer: T): void {
    const key = printIp(peer.config.address);
    const there = this.#byAddress.get(key);
    if (there) there.push(peer);
    else this.#byAddress.set(key, [peer]);
  }
}
