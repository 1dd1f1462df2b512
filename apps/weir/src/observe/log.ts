import { pino } from 'pino';
import type { EventSink } from '../model/event.ts';
import { describeEvent, type Level } from './describe-event.ts';

const ORDER: readonly Level[] = ['debug', 'info', 'warn', 'error'];

/** Bytes that may wait for a slow reader of the log; beyond that lines are dropped, so that the log never stops the daemon. */
const MAX_WAITING = 4 * 1024 * 1024;

export interface LogOptions {
  readonly level: Level;
  /** `json`: one object a line (pino). `text`: for a terminal. */
  readonly format: 'json' | 'text';
  /** Tests pass their own. */
  readonly write?: (line: string) => void;
}

/** A log on stderr. `close` writes out what waits. */
export interface Log {
  log(level: Level, message: string, fields?: { readonly [key: string]: unknown }): void;
  readonly events: EventSink;
  close(): void;
}

export function openLog(options: LogOptions): Log {
  const log = options.format === 'json' ? jsonLog(options) : textLog(options);
  const min = ORDER.indexOf(options.level);
  return {
    ...log,
    events: (event) => {
      // The commonest events are debug lines: nothing is put together for them unless they are wanted.
      if (min > 0 && (event.kind === 'member' || event.kind === 'refused')) return;
      const described = describeEvent(event);
      if (ORDER.indexOf(described.level) >= min) log.log(described.level, described.message, described.fields);
    },
  };
}

function jsonLog(options: LogOptions): Omit<Log, 'events'> {
  const settings = { level: options.level, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime, messageKey: 'message' };
  if (options.write) {
    const logger = pino(settings, { write: options.write });
    return { log: (level, message, fields) => logger[level](fields ?? {}, message), close: () => undefined };
  }
  const destination = pino.destination({ fd: 2, sync: false, maxLength: MAX_WAITING });
  const logger = pino(settings, destination);
  return {
    log: (level, message, fields) => logger[level](fields ?? {}, message),
    close: () => {
      try {
        destination.flushSync();
      } catch (error) {
        // The descriptor may be gone, or not open yet: there is nobody left to tell.
        if (!(error instanceof Error)) throw error;
      }
    },
  };
}

function textLog(options: LogOptions): Omit<Log, 'events'> {
  const min = ORDER.indexOf(options.level);
  const write = options.write ?? ((line: string) => process.stderr.write(line));
  return {
    log: (level, message) => {
      if (ORDER.indexOf(level) < min) return;
      const time = new Date().toISOString().slice(11, 23);
      write(`${time} ${level.padEnd(5)} ${message.replace(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}\n`);
    },
    close: () => undefined,
  };
}
