/** So many changes of others in a row are repaired at once. */
const FREE = 10;
/** Milliseconds without a change, beyond the wait itself, after which a fight is over. */
const CALM = 10_000;
const FIRST = 1_000;
const LAST = 30_000;

interface Fight {
  strikes: number;
  /** When others changed it last. */
  last: number;
  delay: number;
  /** Repairs wait until then. */
  until: number;
}

/**
 * Whether another process keeps undoing what Weir repairs. The first repairs are made at once; when it goes on they become rarer, down to one in half a minute,
 * so that two programs that disagree do not keep the machine busy. Times are in milliseconds of the caller's clock. Holds an entry for each key that is in a fight.
 */
export class Fights {
  readonly #fights = new Map<string, Fight>();

  /** Others changed what `key` names. Returns until when its repair waits; undefined when it need not. */
  struck(key: string, now: number): number | undefined {
    let fight = this.#fights.get(key);
    if (!fight || now - fight.last > fight.delay + CALM) {
      fight = { strikes: 0, last: now, delay: 0, until: now };
      this.#fights.set(key, fight);
    }
    fight.last = now;
    // What comes while a repair waits is repaired with it.
    if (fight.until > now) return fight.until;
    if (++fight.strikes <= FREE) return undefined;
    fight.delay = fight.delay === 0 ? FIRST : Math.min(fight.delay * 2, LAST);
    fight.until = now + fight.delay;
    return fight.until;
  }

  /** Forgets the fights that are over; returns their keys. */
  settle(now: number): readonly string[] {
    const over = [...this.#fights].filter(([, fight]) => now - fight.last > fight.delay + CALM).map(([key]) => key);
    for (const key of over) this.#fights.delete(key);
    return over;
  }
}

export function fightText(what: string, process: string | undefined): string {
  const who = process === undefined ? 'another process' : `the process ${process}`;
  return `${who} keeps changing ${what}, which Weir fills; it is put right less and less often, at least every ${LAST / 1000} s`;
}
