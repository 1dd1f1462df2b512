import { AttributeCache, type FamilyName, familyOf, type MessageError, type UpdateMessage } from '../codec/index.ts';
import type { Negotiated } from '../fsm/index.ts';
import type { Connection } from './connection.ts';

/** An Established session. */
export class Upstream {
  readonly id: number;
  readonly connection: Connection;
  readonly negotiated: Negotiated;
  readonly cache: AttributeCache = new AttributeCache();
  readonly #disabled = new Set<FamilyName>();

  constructor(id: number, connection: Connection, negotiated: Negotiated) {
    this.id = id;
    this.connection = connection;
    this.negotiated = negotiated;
  }

  /** Families in use that errors disable, each once (RFC 7606 section 2, RFC 4760 section 7). */
  disable(errors: readonly MessageError[]): readonly FamilyName[] {
    const out: FamilyName[] = [];
    for (const { action, family } of errors) {
      const name = action === 'afi-safi-disable' && family ? familyOf(family.afi, family.safi)?.name : undefined;
      if (name === undefined || !this.negotiated.families.includes(name) || this.#disabled.has(name)) continue;
      this.#disabled.add(name);
      out.push(name);
    }
    return out;
  }

  /** The message without what it says of disabled families. */
  filter(update: UpdateMessage): UpdateMessage {
    if (this.#disabled.size === 0) return update;
    const on = (name: FamilyName): boolean => !this.#disabled.has(name);
    return {
      ...update,
      withdraw: update.withdraw.filter((run) => on(run.family)),
      announce: update.announce.filter(({ run }) => on(run.family)),
      endOfRib: update.endOfRib !== undefined && on(update.endOfRib) ? update.endOfRib : undefined,
    };
  }
}
