import { join } from 'node:path';
import type { FamilyName } from '@weir/bgp/codec';
import type { DownReason } from '@weir/bgp/fsm';
import type { Announcer, OutgoingSession } from '@weir/bgp/session';
import { type Ip, parseIp, printIp } from '@weir/wire/inet';
import { readIfThere, writeWhole } from '../../../files/index.ts';
import type { DistributeConfig } from '../../../model/distribute.ts';
import { clientOfSession } from '../../../sources/bgp/index.ts';

/** Between two writings of the file, milliseconds. */
const PAUSE = 200;
/** Clients have this long after a start to come by themselves. */
const PATIENCE = 2000;
/** Addresses at most. */
const MOST = 100_000;

/** A client that has a session, or has had one. */
interface Remembered {
  readonly address: Ip;
  /** What it calls us. */
  readonly source: Ip | undefined;
  /** When its session ended, milliseconds since the epoch. */
  lost: number | undefined;
}

export interface ClientMemoryOptions {
  readonly stateDirectory: string;
  readonly distribute: () => DistributeConfig | undefined;
  readonly onError: (error: Error) => void;
}

/**
 * Clients that have sessions, in a file: after a restart those that do not come by themselves are called. FRR keeps what it was told while it waits for us, and forgets it when the restart time is over; OpenBGPD tries
 * again after two minutes. Stands between the sessions and the announcer of them all.
 */
export class ClientMemory implements Announcer {
  readonly #inner: Announcer;
  readonly #options: ClientMemoryOptions;
  readonly #path: string;
  readonly #clients = new Map<string, Remembered>();
  #writing: NodeJS.Timeout | undefined;
  #calling: NodeJS.Timeout | undefined;

  constructor(inner: Announcer, options: ClientMemoryOptions) {
    this.#inner = inner;
    this.#options = options;
    this.#path = join(options.stateDirectory, 'clients.json');
    if (options.distribute()) this.#read();
  }

  /** Calls, a little later, those that were there before the start and have not come. */
  begin(recall: (address: Ip, source: Ip | undefined) => void): void {
    const before = new Set(this.#clients.keys());
    this.#calling = setTimeout(() => {
      for (const [peer, { address, source, lost }] of this.#clients) if (before.has(peer) && lost !== undefined) recall(address, source);
    }, PATIENCE);
    this.#calling.unref();
  }

  established(session: OutgoingSession): void {
    const { peer } = session;
    const client = clientOfSession(this.#options.distribute()?.clients ?? [], peer);
    const address = client && parseIp(peer.slice(client.name.length + 1));
    if (address && (this.#clients.size < MOST || this.#clients.has(peer))) {
      this.#clients.set(peer, { address, source: parseIp(session.localAddress?.replace(/%.*$/, '') ?? ''), lost: undefined });
      this.#change();
    }
    this.#inner.established(session);
  }

  refresh(peer: string, family: FamilyName): void {
    this.#inner.refresh(peer, family);
  }

  drained(peer: string): void {
    this.#inner.drained(peer);
  }

  /** Who ends a session on purpose comes again by itself, or has got what it wanted. */
  down(peer: string, reason: DownReason): void {
    const known = this.#clients.get(peer);
    if (known) {
      if (reason === 'notification-received') this.#clients.delete(peer);
      else known.lost = Date.now();
      this.#change();
    }
    this.#inner.down(peer, reason);
  }

  close(): void {
    clearTimeout(this.#calling);
    if (this.#writing) this.#write();
  }

  #change(): void {
    this.#writing ??= setTimeout(() => this.#write(), PAUSE);
    this.#writing.unref();
  }

  #write(): void {
    clearTimeout(this.#writing);
    this.#writing = undefined;
    const now = Date.now();
    for (const [peer, { lost }] of this.#clients) if (lost !== undefined && now - lost > this.#keptFor(peer)) this.#clients.delete(peer);
    const clients = [...this.#clients].map(([peer, { address, source, lost }]) => ({
      peer,
      address: printIp(address),
      ...(source ? { source: printIp(source) } : {}),
      ...(lost === undefined ? {} : { lost }),
    }));
    try {
      writeWhole(this.#path, `${JSON.stringify({ clients })}\n`, { mode: 0o600, survives: 'process' });
    } catch (error) {
      this.#failed('written', error);
    }
  }

  /** Milliseconds for which a client may keep what it was told. */
  #keptFor(peer: string): number {
    return (clientOfSession(this.#options.distribute()?.clients ?? [], peer)?.restartTime ?? 0) * 1000;
  }

  /** What is not as it was written is left out: at worst a client is not called. */
  #read(): void {
    const now = Date.now();
    try {
      const parsed: unknown = JSON.parse(readIfThere(this.#path)?.toString() ?? '{}');
      for (const entry of entries(parsed).slice(0, MOST)) {
        const address = parseIp(entry.address);
        const lost = entry.lost ?? now;
        if (address && now - lost < this.#keptFor(entry.peer))
          this.#clients.set(entry.peer, { address, source: parseIp(entry.source ?? ''), lost });
      }
    } catch (error) {
      this.#failed('read', error);
    }
  }

  #failed(what: string, error: unknown): void {
    this.#options.onError(new Error(`${this.#path} cannot be ${what}: ${error instanceof Error ? error.message : String(error)}`));
  }
}

interface Entry {
  readonly peer: string;
  readonly address: string;
  readonly source?: string;
  readonly lost?: number;
}

function entries(parsed: unknown): readonly Entry[] {
  const list = isRecord(parsed) && Array.isArray(parsed['clients']) ? (parsed['clients'] as readonly unknown[]) : [];
  return list.filter(isEntry);
}

function isEntry(value: unknown): value is Entry {
  if (!isRecord(value)) return false;
  const { peer, address, source = '', lost = 0 } = value;
  return typeof peer === 'string' && typeof address === 'string' && typeof source === 'string' && typeof lost === 'number';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
