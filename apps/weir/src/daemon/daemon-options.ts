import type { Config } from '../model/config.ts';
import type { EarlierRules, KernelEvent, KernelPort } from '../model/kernel-port.ts';
import type { MemberDelta } from '../model/member-delta.ts';
import type { Log } from '../observe/index.ts';
import type { Texts } from '../sources/config/index.ts';
import type { RouteState } from '../state/index.ts';
import type { Hear } from './exabgp-feeds.ts';
import type { GenerationStore } from './generations/index.ts';
import type { DaemonConfig } from './load-daemon-config.ts';
import type { Notifier } from './notifier.ts';

/** Carries changes of the state to the kernel, one commit at a time. */
export interface Scheduling {
  /** Resolves when nothing waits and nothing is in flight. */
  idle(): Promise<void>;
  /** Lets the commit in flight end and starts no other. */
  close(): Promise<void>;
  /** Sends everything that is wanted again. */
  resync(): void;
}

/** What the scheduling works with. */
export interface SchedulingParts {
  readonly source: RouteState;
  readonly kernel: KernelPort;
  /** Everything that is wanted. */
  readonly complete: () => readonly MemberDelta[];
  readonly setLagging: (lagging: boolean) => void;
  readonly onError: (error: Error) => void;
}

export interface DaemonOptions {
  readonly version: string;
  /** As the files say: where the socket and the state are. */
  readonly config: Config;
  /** What to start with, and the history. Asked when it is certain that no other daemon runs. */
  readonly choose: () => {
    readonly loaded: DaemonConfig;
    readonly store: GenerationStore;
    /** Why the files are not what it starts with: they are told of until a reload takes others. */
    readonly mistakes?: readonly string[];
    /** What was confirmed last, where that is something else: for what the kernel refuses. */
    readonly earlier?: () => EarlierRules | undefined;
  };
  readonly reload: () => DaemonConfig;
  readonly readTexts: (file: string, texts: Texts) => DaemonConfig;
  /** Starts the process that takes an unconfirmed change back when this one is gone, after so many milliseconds. */
  readonly startTimer: (config: Config, generation: number, left: number, onError: (error: Error) => void) => void;
  /** Keeps what `weir restore` loads until a change is confirmed. */
  readonly holdImage: (stateDirectory: string, hold: boolean) => void;
  readonly log: Log;
  readonly notifier: Notifier;
  readonly openKernel: (config: Config, events: (event: KernelEvent) => void) => Promise<KernelPort>;
  readonly schedule: (parts: SchedulingParts) => Scheduling;
  /** Where this is ExaBGP's own process: what it prints. */
  readonly hear?: Hear;
  /** Called at most once, when the kernel side is gone for good. */
  readonly onFatal: (error: Error) => void;
}
