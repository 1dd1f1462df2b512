import { inNetworkNamespace, interfaceName, SystemError } from '@weir/sys';
import type { InterfaceName } from './reader-protocol.ts';

/** Interfaces that are remembered; more than that are asked for again. */
const MOST = 4096;
/** They may be renamed: after so many milliseconds they are asked for again. */
const FRESH = 30_000;

/** Names of the interfaces that are seen in events, each told once. */
export class InterfaceNames {
  readonly #known = new Map<number, { readonly name: string | undefined; readonly until: number }>();
  readonly #namespaces: ReadonlyMap<number, string | undefined>;
  #fresh: InterfaceName[] = [];

  /** Names or paths of namespaces by scope; undefined is the daemon's own. */
  constructor(namespaces: ReadonlyMap<number, string | undefined>) {
    this.#namespaces = namespaces;
  }

  see(scope: number, index: number, now: number): void {
    if (index === 0) return;
    const key = scope * 2 ** 32 + index;
    const known = this.#known.get(key);
    if (known && known.until > now) return;
    const name = this.#ask(scope, index);
    if (this.#known.size >= MOST) this.#known.clear();
    this.#known.set(key, { name, until: now + FRESH });
    if (name !== undefined && name !== known?.name) this.#fresh.push({ scope, index, name });
  }

  takeFresh(): readonly InterfaceName[] {
    if (this.#fresh.length === 0) return [];
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  #ask(scope: number, index: number): string | undefined {
    const netns = this.#namespaces.get(scope);
    if (netns === undefined) return this.#namespaces.has(scope) || scope === 0 ? interfaceName(index) : undefined;
    try {
      return inNetworkNamespace(netns, () => interfaceName(index));
    } catch (error) {
      // The namespace is gone: then the interface has no name any more.
      if (error instanceof SystemError) return undefined;
      throw error;
    }
  }
}
