import type { UpdateMessage } from '@weir/bgp/codec';
import type { Clock, PeerStatus, SessionEvent } from '@weir/bgp/session';
import type { Asn } from '@weir/wire/inet';
import type { ClientSession } from '../../model/contribution.ts';
import type { EventSink } from '../../model/event.ts';
import type { Speaker } from './bgp-source.ts';
import { ClientLog } from './client-log.ts';

/** Who hears what clients say. */
export interface ClientListener {
  established(session: ClientSession): void;
  heard(session: ClientSession, update: UpdateMessage): void;
  down(session: ClientSession): void;
  /** A client that has had no session for a while is not known any more. */
  forgotten(session: ClientSession): void;
}

export interface ClientSessionsOptions {
  readonly events: EventSink;
  readonly clock: Pick<Clock, 'now' | 'setTimer'>;
}

interface Known extends ClientSession {
  as: Asn | 0;
  established: boolean;
}

const NOBODY: ClientListener = {
  established: () => undefined,
  heard: () => undefined,
  down: () => undefined,
  forgotten: () => undefined,
};

/**
 * Sessions of clients that come by themselves. They are no peers: what they say goes to one listener and to no set, and their comings and goings are told a client at a time.
 * It holds one entry for each of them, which are as many as `max_sessions` allows.
 */
export class ClientSessions {
  readonly #sessions = new Map<string, Known>();
  readonly #log: ClientLog;
  #listener = NOBODY;
  #speaker: Pick<Speaker, 'peers' | 'requestRefresh'> | undefined;

  constructor({ events, clock }: ClientSessionsOptions) {
    this.#log = new ClientLog({ events, clock, sessionsOf: (client) => this.established(client) });
  }

  /** From now on. */
  listen(listener: ClientListener): void {
    this.#listener = listener;
  }

  /** Whose sessions they are. */
  attach(speaker: Pick<Speaker, 'peers' | 'requestRefresh'>): void {
    this.#speaker = speaker;
  }

  /** Those of all clients, or of one. */
  sessions(client?: string): readonly ClientSession[] {
    const all = [...this.#sessions.values()];
    return client === undefined ? all : all.filter((one) => one.client === client);
  }

  /** How many of a client are up. */
  established(client: string): number {
    return this.sessions(client).filter(({ established }) => established).length;
  }

  /** What the speaker knows of sessions, by their names. */
  statuses(): ReadonlyMap<string, PeerStatus> {
    return new Map((this.#speaker?.peers ?? []).filter(({ name }) => this.#sessions.has(name)).map((status) => [status.name, status]));
  }

  /** Asks a client for everything once more, where it can be asked. */
  refresh({ name }: ClientSession): void {
    for (const family of ['ipv4 unicast', 'ipv6 unicast'] as const)
      if (this.#sessions.get(name)?.established) this.#speaker?.requestRefresh(name, family);
  }

  /** Something of what a client announced was refused. */
  refused({ client }: ClientSession, announcements: number): void {
    this.#log.refused(client, announcements);
  }

  /** Whether an event is of a client; then it is dealt with. */
  take(event: SessionEvent): boolean {
    if (event.kind === 'peer-added') {
      const { peer: name, group: client, address } = event;
      this.#sessions.set(name, { name, client, address, as: 0, established: false });
      return true;
    }
    const session = 'peer' in event ? this.#sessions.get(event.peer) : undefined;
    if (!session) return event.kind === 'peer-forgotten';
    switch (event.kind) {
      case 'established':
        session.as = event.negotiated.peerAs;
        session.established = true;
        this.#log.up(session);
        this.#listener.established(session);
        break;
      case 'update':
        this.#listener.heard(session, event.update);
        break;
      case 'error':
        this.#log.errors(session.client, event.errors.length);
        break;
      case 'family-disabled':
        // What it has said of the family stays until its lifetime ends.
        this.#log.errors(session.client, 1);
        break;
      case 'down':
        session.established = false;
        this.#log.down(session, event.detail === undefined ? event.reason : `${event.reason}: ${event.detail}`);
        this.#listener.down(session);
        break;
      case 'peer-forgotten':
        this.#sessions.delete(event.peer);
        this.#listener.forgotten(session);
        break;
      case 'key-failed':
      case 'max-prefixes':
      case 'route-refresh':
      case 'state':
      case 'attempt-failed':
      case 'drain':
        break;
    }
    return true;
  }

  close(): void {
    this.#log.close();
  }
}
