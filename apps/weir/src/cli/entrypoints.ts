import type { ExitCode } from './exit.ts';
import type { Io } from './io.ts';
import type { ColorChoice } from './render/paint.ts';

export interface RunOptions {
  readonly config: string;
  /** These stand above the file. */
  readonly socket: string | undefined;
  readonly stateDirectory: string | undefined;
  readonly netns: string | undefined;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly logFormat: 'auto' | 'json' | 'text';
  /** Take out of the kernel what Weir added when the daemon ends. */
  readonly clear: boolean;
  readonly color: ColorChoice;
}

export interface RestoreOptions {
  readonly config: string;
  readonly socket: string | undefined;
  readonly stateDirectory: string | undefined;
  readonly netns: string | undefined;
  readonly color: ColorChoice;
}

export interface ClearOptions {
  readonly config: string;
  /** These stand above the file. */
  readonly socket: string | undefined;
  readonly stateDirectory: string | undefined;
  readonly netns: string | undefined;
  /** Only eBPF programs, maps and attachments; nf_tables stays. */
  readonly ebpfOnly: boolean;
}

export interface DemoOptions {
  readonly color: ColorChoice;
  readonly output: 'text' | 'json';
  /** `own`: Weir's own speaker even where real daemons are installed. */
  readonly peers: 'auto' | 'own';
}

export interface ExpireOptions {
  readonly stateDirectory: string;
  readonly socket: string;
  readonly netns: string | undefined;
  readonly generation: number;
  /** When it should have been confirmed: milliseconds since the machine was started. */
  readonly due: number;
}

export interface ExabgpOptions extends Omit<RunOptions, 'clear'> {
  /** Whether the daemon at `socket` takes the lines, instead of this process being the daemon. */
  readonly attached: boolean;
}

/** Commands that need the whole program: main.ts brings them in. A command that is not given is not offered. */
export interface Entrypoints {
  readonly run?: (options: RunOptions, io: Io) => Promise<ExitCode>;
  readonly exabgp?: (options: ExabgpOptions, io: Io) => Promise<ExitCode>;
  readonly restore?: (options: RestoreOptions, io: Io) => Promise<ExitCode>;
  readonly clear?: (options: ClearOptions, io: Io) => Promise<ExitCode>;
  readonly expire?: (options: ExpireOptions, io: Io) => Promise<ExitCode>;
  readonly demo?: (options: DemoOptions, io: Io) => Promise<ExitCode>;
}
