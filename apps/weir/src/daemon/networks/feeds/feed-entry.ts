import type { FeedConfig } from '../../../model/feed.ts';
import type { StateClock } from '../../../state/index.ts';
import type { FeedMemory } from './feed-memory.ts';

export type Timer = ReturnType<StateClock['setTimer']>;

/** One feed as it stands. */
export interface FeedEntry {
  config: FeedConfig;
  memory: FeedMemory;
  failures: number;
  /** When it is tried next, in milliseconds since the epoch; undefined while it is. */
  next: number | undefined;
  timer: Timer | undefined;
  expiry: Timer | undefined;
  /** How often its networks were taken out of their table. */
  sweeps: number;
  /** What is asked for or going on. */
  running: Promise<void> | undefined;
}
