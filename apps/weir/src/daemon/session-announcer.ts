import type { FamilyName } from '@weir/bgp/codec';
import type { DownReason } from '@weir/bgp/fsm';
import type { Announcer, OutgoingSession } from '@weir/bgp/session';

/** One announcer that gives each session to one of several, for as long as it lasts. */
export class SessionAnnouncer implements Announcer {
  readonly #of: (peer: string) => Announcer;
  readonly #present = new Map<string, Announcer>();

  constructor(of: (peer: string) => Announcer) {
    this.#of = of;
  }

  established(session: OutgoingSession): void {
    const announcer = this.#of(session.peer);
    this.#present.set(session.peer, announcer);
    announcer.established(session);
  }

  refresh(peer: string, family: FamilyName): void {
    this.#present.get(peer)?.refresh(peer, family);
  }

  drained(peer: string): void {
    this.#present.get(peer)?.drained(peer);
  }

  down(peer: string, reason: DownReason): void {
    this.#present.get(peer)?.down(peer, reason);
    this.#present.delete(peer);
  }
}
