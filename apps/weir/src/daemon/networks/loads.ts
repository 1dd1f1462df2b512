import { randomUUID } from 'node:crypto';
import type { Prefix } from '@weir/wire/inet';
import { printPrefix } from '@weir/wire/inet';
import { ApiError, type Params } from '../../api/index.ts';

/** What is being loaded at a time, how many prefixes it may have, and how long it may take from one page to the next. */
const MOST_LOADS = 4;
const MOST_PREFIXES = 10_000_000;
const PATIENCE_MS = 60_000;

/** A list on its way into a table: nothing of it counts before it is whole. */
export interface Load {
  readonly table: string;
  readonly replace: boolean;
  readonly until: number | undefined;
  readonly comment: string | undefined;
  readonly prefixes: readonly Prefix[];
}

interface Open extends Load {
  readonly prefixes: Prefix[];
  readonly seen: Set<string>;
  timer: NodeJS.Timeout;
}

/** Lists that come in pages. */
export class Loads {
  readonly #open = new Map<string, Open>();

  begin({ table, replace = false, until, comment }: Params<'network-load'>): string {
    if (this.#open.size >= MOST_LOADS) throw new ApiError('busy', `${MOST_LOADS} lists are being loaded already: try again`);
    const load = randomUUID();
    this.#open.set(load, { table, replace, until, comment, prefixes: [], seen: new Set(), timer: this.#patience(load) });
    return load;
  }

  page(load: string, prefixes: readonly Prefix[]): void {
    const open = this.#get(load);
    if (open.prefixes.length + prefixes.length > MOST_PREFIXES) {
      this.abandon(load);
      throw new ApiError('refused', `a list of more than ${MOST_PREFIXES} prefixes`);
    }
    clearTimeout(open.timer);
    open.timer = this.#patience(load);
    for (const prefix of prefixes) {
      const key = printPrefix(prefix);
      if (open.seen.has(key)) continue;
      open.seen.add(key);
      open.prefixes.push(prefix);
    }
  }

  take(load: string): Load {
    const open = this.#get(load);
    this.abandon(load);
    return open;
  }

  abandon(load: string): void {
    clearTimeout(this.#open.get(load)?.timer);
    this.#open.delete(load);
  }

  #get(load: string): Open {
    const open = this.#open.get(load);
    if (!open) throw new ApiError('not-found', 'nothing of that name is being loaded: it took too long, or it was refused');
    return open;
  }

  #patience(load: string): NodeJS.Timeout {
    return setTimeout(() => this.abandon(load), PATIENCE_MS).unref();
  }
}
