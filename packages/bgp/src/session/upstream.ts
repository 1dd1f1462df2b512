import {
  AttributeCache,
  type FamilyName,
  familyOf,
  type Message,
  type MessageError,
  messageKind,
  type UpdateMessage,
} from '../codec/index.ts';
import type { Negotiated } from '../fsm/index.ts';
import type { OutgoingSession } from './announcer.ts';
import type { Connection } from './connection.ts';
import type { Deadline } from './deadline.ts';
import type { MessageCounts } from './stats.ts';

/** What a session uses of its peer. */
interface UpstreamParts {
  /** Counts of what was sent to the peer, this session's too. */
  readonly sent: MessageCounts;
  /** The timer within which sending has to make progress (RFC 9687); undefined once the connection is finished. */
  readonly sendHold: () => Deadline | undefined;
}

/** An Established session. */
export class Upstream {
  readonly id: number;
  readonly connection: Connection;
  readonly negotiated: Negotiated;
  readonly cache: AttributeCache = new AttributeCache();
  readonly #parts: UpstreamParts;
  readonly #disabled = new Set<FamilyName>();

  constructor(id: number, connection: Connection, negotiated: Negotiated, parts: UpstreamParts) {
    this.id = id;
    this.connection = connection;
    this.negotiated = negotiated;
    this.#parts = parts;
  }

  /** Queues a message, however much waits. */
  send(kind: Message['kind'], bytes: Uint8Array): void {
    this.#parts.sent[kind]++;
    this.connection.send(bytes);
    this.#watchSending();
  }

  /** Queues messages of one kind unless too much waits; whether it did. */
  offer(bytes: Uint8Array, count: number = 1): boolean {
    if (!this.connection.offer(bytes)) return false;
    this.#parts.sent[messageKind(bytes[18] ?? 0) ?? 'update'] += count;
    this.#watchSending();
    return true;
  }

  /** Something waits to be sent: progress is expected within the send hold time (RFC 9687). */
  #watchSending(): void {
    const timer = this.#parts.sendHold();
    if (timer && !timer.running) timer.start(this.negotiated.sendHoldTime);
  }

  sendProgress(idle: boolean): void {
    const timer = this.#parts.sendHold();
    if (idle) timer?.stop();
    else timer?.start(this.negotiated.sendHoldTime);
  }

  /** What an announcer gets of the session, for as long as it is `live`. */
  outgoing(peer: string, live: () => boolean): OutgoingSession {
    return {
      peer,
      context: this.negotiated.send,
      enhancedRefresh: this.negotiated.enhancedRouteRefresh,
      localAddress: this.connection.localAddress,
      send: (messages, count) => {
        if (!live()) return 'down';
        return this.offer(messages, count) ? 'queued' : 'full';
      },
    };
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
