import type { Socket } from 'node:net';
import type { Announcer } from './announcer.ts';
import type { Clock } from './clock.ts';
import type { PeerConfig, SpeakerConfig } from './config.ts';
import type { SessionEvent } from './event.ts';

/** What a peer needs from its speaker. */
export interface PeerEnvironment {
  readonly clock: Clock;
  readonly emit: (event: SessionEvent) => void;
  /** Begins to connect; throws when there can be no such socket. */
  readonly dial: (config: PeerConfig) => Socket;
  readonly speaker: () => SpeakerConfig;
  readonly announcer: Announcer | undefined;
}
