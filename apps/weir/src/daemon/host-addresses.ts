import { networkInterfaces } from 'node:os';
import { inNetworkNamespace } from '@weir/sys';
import { type Ip, parseIp } from '@weir/wire/inet';
import type { Config } from '../model/config.ts';

/**
 * The addresses of this host: those of the namespace of this process, and of the one that is managed where that is another. Deny sets never cover them. Throws SystemError when the
 * namespace cannot be entered.
 */
function hostAddresses(netns: string | undefined): readonly Ip[] {
  const here = networkInterfaces();
  const there = netns === undefined ? {} : inNetworkNamespace(netns, networkInterfaces);
  const out: Ip[] = [];
  for (const list of [...Object.values(here), ...Object.values(there)]) {
    for (const { address } of list ?? []) {
      const ip = parseIp(address.split('%')[0] ?? '');
      if (ip) out.push(ip);
    }
  }
  return out;
}

/** The addresses of the daemon's host and of each tenant's namespace, as they were last seen. */
export class HostAddresses {
  readonly #known = new Map<string | undefined, readonly Ip[]>();

  of(tenant: string | undefined): readonly Ip[] {
    return this.#known.get(tenant) ?? [];
  }

  /** Looks again; whether they are others. Of a namespace that cannot be entered what is known stays; `unknown` is told why, but for tenants, whose namespace may not be there. */
  look({ netns, tenants }: Pick<Config, 'netns' | 'tenants'>, unknown: (error: Error) => void): boolean {
    let changed = false;
    for (const one of [{ name: undefined, netns }, ...tenants]) {
      try {
        const now = hostAddresses(one.netns);
        changed ||= JSON.stringify(now) !== JSON.stringify(this.#known.get(one.name));
        this.#known.set(one.name, now);
      } catch (error) {
        if (one.name === undefined) unknown(error instanceof Error ? error : new Error(String(error)));
        else if (!this.#known.has(one.name)) this.#known.set(one.name, hostAddresses(undefined));
      }
    }
    const names = new Set<string | undefined>(tenants.map(({ name }) => name));
    for (const name of [...this.#known.keys()]) if (name !== undefined && !names.has(name)) this.#known.delete(name);
    return changed;
  }
}
