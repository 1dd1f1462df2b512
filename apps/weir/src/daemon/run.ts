import { renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ApiError } from '../api/index.ts';
import { EXIT, type ExitCode, type Io, type RunOptions } from '../cli/index.ts';
import { version } from '../cli/version.ts';
import type { EarlierRules } from '../model/kernel-port.ts';
import { type Log, openLog } from '../observe/index.ts';
import type { Texts } from '../sources/config/index.ts';
import { chooseStart } from './choose-start.ts';
import { Daemon } from './daemon.ts';
import type { DaemonOptions } from './daemon-options.ts';
import { explainFailure } from './failure.ts';
import { GenerationStore, HistoryError } from './generations/index.ts';
import { earlierConfigs, keepFaulty } from './keep-faulty.ts';
import { type DaemonConfig, loadDaemonConfig, loadGeneration } from './load-daemon-config.ts';
import { Notifier } from './notifier.ts';
import { withoutMistakes } from './without-mistakes.ts';

/** What main.ts brings in. */
export type RunParts = Pick<DaemonOptions, 'openKernel' | 'schedule' | 'startTimer' | 'holdImage' | 'hear'> & {
  /** Resolves when there is nothing left to run for. */
  readonly ended?: Promise<string>;
};

/** `weir run`: until SIGTERM or SIGINT. An error that nobody handles is logged and ends the process; the kernel stays as it is. */
export async function runDaemon(options: RunOptions, io: Io, parts: RunParts): Promise<ExitCode> {
  // Others are told the names of the files, wherever they are when they ask.
  const file = resolve(options.config);
  const read = (): DaemonConfig => loadDaemonConfig(file, options);
  const readTexts = (name: string, texts: Texts): DaemonConfig => loadGeneration(name, texts, options);
  const first = read();
  for (const line of [...first.warnings, ...first.errors]) io.err(`${line}\n`);
  const instead = first.config ? undefined : withoutMistakes(first, options, readTexts);
  const config = first.config ?? instead?.config;
  if (!config) return first.readable ? EXIT.finding : EXIT.error;

  const log = openLog({
    level: options.logLevel,
    format: options.logFormat === 'auto' ? (io.errIsTerminal ? 'text' : 'json') : options.logFormat,
  });
  const notifier = Notifier.fromEnvironment(io.env, (error) => log.log('warn', `service manager: ${error.message}`));
  const crash = (kind: string) => (error: unknown) => {
    log.log('error', `${kind}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    log.close();
    process.exit(EXIT.error);
  };
  process.on('uncaughtException', crash('uncaught error'));
  process.on('unhandledRejection', crash('unhandled rejection'));

  try {
    let onFatal: (error: Error) => void = () => undefined;
    const fatal = new Promise<Error>((resolve) => {
      onFatal = resolve;
    });
    // From the start on: a hang-up that comes early must not end the process.
    const hangUps = new HangUps(log);
    const choose: DaemonOptions['choose'] = () => {
      const store = openHistory(config.stateDirectory, log);
      const { loaded: chosen, notices } = chooseStart(store, first, readTexts);
      const loaded = chosen.config ? chosen : (instead ?? chosen);
      for (const notice of notices) log.log('warn', notice);
      return {
        loaded: keepFaulty(loaded, earlierConfigs(store, readTexts, loaded === first ? undefined : loaded.digest)),
        store,
        mistakes: first.config ? [] : first.errors,
        earlier: () => confirmedBefore(store, loaded.digest, readTexts),
      };
    };
    const daemon = await Daemon.start({ version: version(), config, choose, reload: read, readTexts, log, notifier, onFatal, ...parts });
    hangUps.serve(daemon);
    const end = await Promise.race([untilEnd(io), fatal, ...(parts.ended ? [parts.ended] : [])]);
    const reason = typeof end === 'string' ? end : end.message;
    log.log(typeof end === 'string' ? 'info' : 'error', `ending: ${reason}`);
    await daemon.close({ clear: options.clear, message: `weir is ending (${typeof end === 'string' ? end : 'error'})` });
    log.close();
    return typeof end === 'string' ? EXIT.ok : EXIT.error;
  } catch (error) {
    const { code, message } = explainFailure(error);
    log.log('error', message);
    if (error instanceof Error) log.log('debug', error.stack ?? error.message);
    log.close();
    return code;
  }
}

/** What was confirmed last, where that is not what the daemon starts with, and can be read still. */
function confirmedBefore(
  store: GenerationStore,
  digest: string,
  readTexts: (file: string, texts: Texts) => DaemonConfig,
): EarlierRules | undefined {
  const { current } = store;
  if (!current || current.digest === digest) return undefined;
  const { config } = readTexts(current.file, store.texts(current.number));
  return config && { what: `the rules of generation ${current.number}`, config };
}

/** A history that is damaged is moved away, and begins anew. */
function openHistory(stateDirectory: string, log: Log): GenerationStore {
  const tell = (problem: string): void => log.log('error', `history: ${problem}`);
  try {
    return GenerationStore.open(stateDirectory, tell);
  } catch (error) {
    if (!(error instanceof HistoryError) || error.code !== 'HISTORY_DAMAGED') throw error;
    const history = join(stateDirectory, 'history');
    renameSync(history, `${history}.damaged-${Date.now()}`);
    log.log('error', `${error.message}: it has been moved to ${history}.damaged-...`);
    return GenerationStore.open(stateDirectory, tell);
  }
}

/** Turns SIGHUP into reloads; one that comes before the daemon runs is done when it does. */
class HangUps {
  readonly #log: Log;
  #daemon: Daemon | undefined;
  #waiting = false;

  constructor(log: Log) {
    this.#log = log;
    process.on('SIGHUP', () => {
      if (this.#daemon) this.#reload(this.#daemon);
      else this.#waiting = true;
    });
  }

  serve(daemon: Daemon): void {
    this.#daemon = daemon;
    if (this.#waiting) this.#reload(daemon);
  }

  #reload(daemon: Daemon): void {
    daemon.reload('SIGHUP').catch((error: unknown) => {
      // A refusal has been logged where it was found.
      if (!(error instanceof ApiError)) this.#log.log('error', `reload: ${error instanceof Error ? error.message : String(error)}`);
    });
  }
}

/** Resolves to the name of the signal that asks for the end. */
function untilEnd(io: Io): Promise<string> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve('SIGTERM'));
    if (io.signal.aborted) resolve('SIGINT');
    io.signal.addEventListener('abort', () => resolve('SIGINT'), { once: true });
  });
}
