import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '@weir/bgp/session';
import { ApiError, type Backend, ControlServer, type ExabgpSummary, type Feed } from '../api/index.ts';
import type { Config } from '../model/config.ts';
import type { EventSink } from '../model/event.ts';
import type { Log } from '../observe/index.ts';
import { ExabgpSpeaker } from '../sources/exabgp/index.ts';
import { iso } from './summaries.ts';

/** How long the end of ExaBGP's own process waits for the last commit. */
const LAST_COMMIT_MS = 5000;

/** Begins to read what ExaBGP prints to this process. */
export type Hear = (speaker: ExabgpSpeaker) => void;

export interface ExabgpFeedsOptions {
  readonly config: () => Config;
  readonly events: EventSink;
  readonly log: Log;
  readonly hear: Hear | undefined;
}

/** What ExaBGP hands over: its sessions, who may hand over lines, and where: root, the daemon's own user and the configured one, on the control socket or one for that alone. */
export class ExabgpFeeds {
  readonly speaker: ExabgpSpeaker;
  readonly #options: ExabgpFeedsOptions;
  #server: ControlServer | undefined;

  constructor(options: ExabgpFeedsOptions) {
    this.#options = options;
    this.speaker = new ExabgpSpeaker({ config: options.config(), clock: systemClock, events: options.events });
  }

  /** Begins to listen, also on the socket that the configuration names. What keeps it from that is logged: everything else works without it. */
  async open(backend: Backend): Promise<void> {
    const { log, hear } = this.#options;
    hear?.(this.speaker);
    const { socket, user } = this.#options.config().exabgp ?? {};
    if (socket === undefined) return;
    const onError = (error: Error): void => log.log('error', `socket of ExaBGP: ${error.message}`);
    const uid = user === undefined ? process.geteuid?.() : userId(user);
    if (uid === undefined) {
      onError(new Error(`there is no user ${user}`));
      return;
    }
    try {
      this.#server = await ControlServer.open({ path: socket, backend, only: { method: 'exabgp', user: uid }, onError });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      onError(error);
    }
  }

  /** Throws ApiError for who may not, and where there are too many. */
  feed(uid: number | undefined, send: (command: string) => void): Feed {
    const { config, log } = this.#options;
    const { user } = config().exabgp ?? {};
    const allowed = [0, process.geteuid?.(), user === undefined ? undefined : userId(user)];
    if (uid === undefined || !allowed.includes(uid))
      throw new ApiError('refused', `uid ${uid ?? 'unknown'} may not hand over routes: exabgp.user says who may`);
    if (!this.speaker.hasRoom) throw new ApiError('busy', 'too many processes of ExaBGP');
    log.log('info', `a process of ExaBGP is heard (uid ${uid})`);
    return this.speaker.openFeed(send);
  }

  /** Undefined where no peer is ExaBGP's. */
  summary(): ExabgpSummary | undefined {
    if (!this.#options.config().bgp.peers.some(({ via }) => via === 'exabgp')) return undefined;
    const { feeds, lines, updates, bad, unknownNeighbors, refusedCommands, quoted } = this.speaker.counts;
    return {
      processes: feeds,
      lines,
      updates,
      bad_lines: bad,
      unknown_neighbours: unknownNeighbors,
      refused_commands: refusedCommands,
      quoted: quoted.map(({ at, message, line }) => ({ at: iso(at), message, line })),
    };
  }

  /** Idempotent. Where this is ExaBGP's own process, what ExaBGP has said until its end is committed first. */
  async close(idle: () => Promise<void>): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
    if (this.#options.hear) await Promise.race([idle(), sleep(LAST_COMMIT_MS)]);
  }
}

/** A user's number, from /etc/passwd where a name is given. */
function userId(user: string): number | undefined {
  if (/^\d{1,10}$/.test(user)) return Number(user);
  const fields = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const uid = Number(fields.find(([name]) => name === user)?.[2]);
  return Number.isInteger(uid) ? uid : undefined;
}
