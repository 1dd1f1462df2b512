import { randomUUID } from 'node:crypto';
import type { Prefix } from '@weir/wire/inet';
import { ApiError, type Params } from '../../api/index.ts';
import { PrefixSet } from '../../state/index.ts';

/** What is being loaded at a time, how many prefixes it may have, and how long it may take from one page to the next. */
const MOST_LOADS = 4;
const MOST_PREFIXES = 10_000_000;
/** Tables and ends of one load. */
const MOST_PARTS = 100_000;
const PATIENCE_MS = 60_000;
/** A list that has had no page for so long makes room for another one. */
const IDLE_MS = 5_000;

/** Prefixes of one table that are put there until the same time, or taken out. */
export interface LoadPart {
  readonly table: string;
  readonly remove: boolean;
  readonly until: number | undefined;
  readonly prefixes: PrefixSet;
}

/** Lists on their way into tables: nothing of them counts before they are whole. */
export interface Load {
  /** Of what names none. */
  readonly table: string | undefined;
  /** What is in `table` and not in the list is taken out. */
  readonly replace: boolean;
  readonly until: number | undefined;
  readonly comment: string | undefined;
  readonly parts: readonly LoadPart[];
}

interface Open extends Omit<Load, 'parts'> {
  readonly parts: Map<string, LoadPart>;
  prefixes: number;
  /** When its last page came. */
  at: number;
  timer: NodeJS.Timeout;
}

/** Lists that come in pages. */
export class Loads {
  readonly #open = new Map<string, Open>();

  begin({ table, replace = false, until, comment }: Params<'network-load'>): string {
    if (replace && table === undefined) throw new ApiError('bad-request', 'which table is to be replaced?');
    this.#makeRoom();
    const load = randomUUID();
    const at = performance.now();
    this.#open.set(load, { table, replace, until, comment, parts: new Map(), prefixes: 0, at, timer: this.#patience(load) });
    return load;
  }

  /** Further prefixes: of the table of the load, or of another one. */
  page(load: string, prefixes: readonly Prefix[], of: Omit<Params<'network-load-page'>, 'load' | 'prefixes'> = {}): void {
    const open = this.#get(load);
    const { table = open.table, until = open.until, remove = false } = of;
    if (table === undefined) throw new ApiError('bad-request', 'which table are they of?');
    const part = this.#part(load, open, table, remove, remove ? undefined : until);
    if (open.prefixes + prefixes.length > MOST_PREFIXES) {
      this.abandon(load);
      throw new ApiError('refused', `a list of more than ${MOST_PREFIXES} prefixes`);
    }
    clearTimeout(open.timer);
    open.timer = this.#patience(load);
    open.at = performance.now();
    open.prefixes -= part.prefixes.length;
    for (const prefix of prefixes) part.prefixes.add(prefix);
    open.prefixes += part.prefixes.length;
  }

  take(load: string): Load {
    const open = this.#get(load);
    this.abandon(load);
    return { ...open, parts: [...open.parts.values()] };
  }

  abandon(load: string): void {
    clearTimeout(this.#open.get(load)?.timer);
    this.#open.delete(load);
  }

  /** Whoever began a list may have gone away. @throws ApiError where all of them go on */
  #makeRoom(): void {
    if (this.#open.size < MOST_LOADS) return;
    const [idle] = [...this.#open].sort(([, a], [, b]) => a.at - b.at);
    if (!idle || performance.now() - idle[1].at < IDLE_MS)
      throw new ApiError('busy', `${MOST_LOADS} lists are being loaded already: try again`);
    this.abandon(idle[0]);
  }

  #part(load: string, open: Open, table: string, remove: boolean, until: number | undefined): LoadPart {
    const key = `${table} ${remove} ${until}`;
    const known = open.parts.get(key);
    if (known) return known;
    if (open.parts.size >= MOST_PARTS) {
      this.abandon(load);
      throw new ApiError('refused', `more than ${MOST_PARTS} tables and ends in one change`);
    }
    const part: LoadPart = { table, remove, until, prefixes: new PrefixSet() };
    open.parts.set(key, part);
    return part;
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
