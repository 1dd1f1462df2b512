import { type Prefix, printPrefix } from '@weir/wire/inet';
import type { StateClock } from '../route-state-options.ts';
import type { Foundation, UnicastFoundation } from './unicast-foundation.ts';

/** Looks take at most so large a share of the time, and changes gather at least so long. */
const SHARE = 10;
const GATHER_MS = 100;

export type Unicast = Pick<UnicastFoundation, 'look' | 'identifierOf' | 'watch'>;

interface Destination {
  readonly prefix: Prefix;
  users: number;
}

/** The same routes, for somebody who is not told when they change. */
export function unwatched(unicast: Unicast): Unicast {
  return { look: unicast.look.bind(unicast), identifierOf: unicast.identifierOf.bind(unicast), watch: () => undefined };
}

/** A clock at which nothing happens any more. */
export function stopped(at: number): StateClock {
  return { now: () => at, setTimer: () => ({ cancel: () => undefined }) };
}

/** What the flow rules at hand are founded on, kept up to date: a look soon after a change of routes or destinations, at once where there was none for a while. */
export class FlowFoundations {
  readonly #clock: StateClock;
  readonly #unicast: Unicast;
  readonly #changed: () => void;
  readonly #destinations = new Map<string, Destination>();
  #known = new Map<string, Foundation>();
  #enabled = false;
  /** Before it no look is taken. */
  #rest = 0;
  #timer: { cancel(): void } | undefined;

  constructor(clock: StateClock, unicast: Unicast, changed: () => void) {
    this.#clock = clock;
    this.#unicast = unicast;
    this.#changed = changed;
  }

  /** Whether any rule is validated. */
  set enabled(enabled: boolean) {
    if (enabled === this.#enabled) return;
    this.#enabled = enabled;
    this.#known.clear();
    if (enabled) this.#soon();
    else this.#unicast.watch([], () => undefined);
  }

  /** A rule about it has come. */
  use(prefix: Prefix): void {
    const key = printPrefix(prefix);
    const known = this.#destinations.get(key);
    if (known) known.users++;
    else this.#destinations.set(key, { prefix, users: 1 });
  }

  /** A rule about it has gone. */
  unuse(prefix: Prefix): void {
    const key = printPrefix(prefix);
    const known = this.#destinations.get(key);
    if (!known || --known.users > 0) return;
    this.#destinations.delete(key);
    this.#known.delete(key);
  }

  /** Undefined while it is not known yet: `changed` is called when it is. */
  of(prefix: Prefix): Foundation | undefined {
    const key = printPrefix(prefix);
    const known = this.#known.get(key);
    if (known || !this.#enabled) return known;
    if (this.#clock.now() >= this.#rest) {
      this.#look([prefix]);
      this.#watch();
    } else this.#soon();
    return this.#known.get(key);
  }

  /** Validates from now on, with one look at everything in use. */
  lookAtAll(): void {
    this.enabled = true;
    this.#look([...this.#destinations.values()].map(({ prefix }) => prefix));
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #soon(): void {
    this.#timer ??= this.#clock.setTimer(Math.max(GATHER_MS, this.#rest - this.#clock.now()), () => {
      this.#timer = undefined;
      if (!this.#enabled) return;
      this.#known.clear();
      this.#watch();
      this.#look([...this.#destinations.values()].map(({ prefix }) => prefix));
      this.#changed();
    });
  }

  #watch(): void {
    this.#unicast.watch(
      [...this.#destinations.values()].map(({ prefix }) => prefix),
      () => this.#soon(),
    );
  }

  #look(prefixes: readonly Prefix[]): void {
    const began = this.#clock.now();
    for (const [key, foundation] of this.#unicast.look(prefixes)) this.#known.set(key, foundation);
    const now = this.#clock.now();
    this.#rest = now + (now - began + 1) * SHARE;
  }
}
