import { NFNL_SUBSYS_CTNETLINK, NLM_F_ACK } from '../message/index.ts';
import { type ConnectionOptions, NetfilterConnection, type Request } from '../socket/index.ts';
import { type ConntrackEntry, type ConntrackKey, decodeConntrackEntry, encodeConntrackKey, IPCTNL_MSG } from './entry.ts';
import { type ConnectionTarget, TargetIndex } from './target-index.ts';

const ENOENT = 2;
const AF_UNSPEC = 0;
const AF_INET = 2;
const AF_INET6 = 10;
/** Deletions in one datagram. */
const DELETIONS = 256;

/**
 * Whose destination is looked at. `before-nat`: what the client addressed. `after-nat`: what the packets carry once destination translation is done, as a forward
 * chain sees them. `either` is the default.
 */
export type Perspective = 'before-nat' | 'after-nat' | 'either';

function type(message: number): number {
  return (NFNL_SUBSYS_CTNETLINK << 8) | message;
}

/** The tracked connections of one network namespace. Calls are synchronous. KernelError where the kernel refuses. */
export class ConntrackClient {
  readonly #connection: NetfilterConnection;

  constructor(options: ConnectionOptions = {}) {
    this.#connection = new NetfilterConnection(options);
  }

  /** Calls `visit` for each tracked connection, of one family where given. When the listing has to begin again `restart` is called first. */
  each(visit: (entry: ConntrackEntry) => void, options: { readonly family?: 4 | 6; readonly restart?: () => void } = {}): void {
    const family = options.family === undefined ? AF_UNSPEC : options.family === 4 ? AF_INET : AF_INET6;
    this.#connection.dump(
      { type: type(IPCTNL_MSG.get), family, operation: 'list connections' },
      {
        start: (attempt) => {
          if (attempt > 1) options.restart?.();
        },
        message: (_header, netfilter, r) => {
          const entry = decodeConntrackEntry(netfilter.family, r);
          if (entry) visit(entry);
        },
      },
    );
  }

  /** Deletes entries; returns how many were still there. A key without an id deletes whatever has its addresses now. */
  delete(keys: readonly ConntrackKey[]): number {
    let gone = 0;
    for (let from = 0; from < keys.length; from += DELETIONS) {
      const requests = keys.slice(from, from + DELETIONS).map((key): Request => {
        return {
          type: type(IPCTNL_MSG.delete),
          family: key.family,
          operation: 'delete connection',
          flags: NLM_F_ACK,
          encode: (w) => encodeConntrackKey(w, key),
        };
      });
      let missing = 0;
      this.#connection.requestMany(
        requests,
        () => undefined,
        (_index, error) => {
          if (error.errno !== ENOENT) throw error;
          missing++;
        },
      );
      gone += requests.length - missing;
    }
    return gone;
  }

  /**
   * Deletes the entries of connections to any of the targets; returns how many. Call it after the ruleset refuses new ones: the next packet of a connection without an
   * entry is judged as a new one. One listing serves all targets.
   */
  deleteConnectionsTo(targets: readonly ConnectionTarget[], perspective: Perspective = 'either'): number {
    if (targets.length === 0) return 0;
    const index = new TargetIndex(targets);
    const family = index.onlyFamily;
    let keys: ConntrackKey[] = [];
    this.each(
      (entry) => {
        const found =
          (perspective !== 'after-nat' && index.matchesOriginal(entry.original)) ||
          (perspective !== 'before-nat' && index.matchesReply(entry.reply));
        if (found) keys.push(entry.key);
      },
      {
        ...(family === undefined ? {} : { family }),
        restart: () => {
          keys = [];
        },
      },
    );
    return this.delete(keys);
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#connection.close();
  }
}
