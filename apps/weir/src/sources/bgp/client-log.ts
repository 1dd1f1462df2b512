import type { Clock } from '@weir/bgp/session';
import { printIp } from '@weir/wire/inet';
import type { ClientSession } from '../../model/contribution.ts';
import type { EventSink } from '../../model/event.ts';

/** Milliseconds in which what happens to a client is gathered, and between two events about it. */
const GATHER = 1000;
const PAUSE = 10_000;
/** The same where nothing but refusals is new. */
const QUIET_PAUSE = 300_000;

export interface ClientLogOptions {
  readonly events: EventSink;
  readonly clock: Pick<Clock, 'now' | 'setTimer'>;
  readonly sessionsOf: (client: string) => number;
}

interface Gathered {
  up: number;
  down: number;
  refused: number;
  errors: number;
  /** The last of them, and why it went. */
  last: string | undefined;
  toldAt: number;
  timer: { readonly at: number; cancel(): void } | undefined;
}

/** What happens to the sessions of clients, as few events however many they are: one a client every ten seconds at most. */
export class ClientLog {
  readonly #options: ClientLogOptions;
  readonly #gathered = new Map<string, Gathered>();

  constructor(options: ClientLogOptions) {
    this.#options = options;
  }

  up(session: ClientSession): void {
    const one = this.#of(session.client);
    one.up++;
    one.last = printIp(session.address);
    this.#wait(session.client, one, PAUSE);
  }

  down(session: ClientSession, reason: string): void {
    const one = this.#of(session.client);
    one.down++;
    one.last = `${printIp(session.address)}: ${reason}`;
    this.#wait(session.client, one, PAUSE);
  }

  refused(client: string, announcements: number): void {
    const one = this.#of(client);
    one.refused += announcements;
    this.#wait(client, one, QUIET_PAUSE);
  }

  /** Messages with errors that leave the session up. */
  errors(client: string, errors: number): void {
    const one = this.#of(client);
    one.errors += errors;
    this.#wait(client, one, QUIET_PAUSE);
  }

  close(): void {
    for (const { timer } of this.#gathered.values()) timer?.cancel();
    this.#gathered.clear();
  }

  #of(client: string): Gathered {
    const known = this.#gathered.get(client);
    if (known) return known;
    const one: Gathered = {
      up: 0,
      down: 0,
      refused: 0,
      errors: 0,
      last: undefined,
      toldAt: Number.NEGATIVE_INFINITY,
      timer: undefined,
    };
    this.#gathered.set(client, one);
    return one;
  }

  #wait(client: string, one: Gathered, pause: number): void {
    const { clock } = this.#options;
    const now = clock.now();
    const at = Math.max(now + GATHER, one.toldAt + pause);
    if (one.timer && one.timer.at <= at) return;
    one.timer?.cancel();
    const { cancel } = clock.setTimer(at - now, () => this.#tell(client, one));
    one.timer = { at, cancel };
  }

  #tell(client: string, one: Gathered): void {
    const at = this.#options.clock.now();
    const { up, down, refused, errors, last } = one;
    Object.assign(one, { up: 0, down: 0, refused: 0, errors: 0, last: undefined, toldAt: at, timer: undefined });
    const sessions = this.#options.sessionsOf(client);
    this.#options.events({ at, kind: 'client-sessions', client, sessions, up, down, refused, errors, last });
  }
}
