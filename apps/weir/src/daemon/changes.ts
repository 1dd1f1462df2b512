import {
  ApiError,
  type ApplyAnswer,
  type ConfirmAnswer,
  FORMAT_VERSION,
  type GenerationAnswer,
  type HistoryAnswer,
  type Params,
  type ReloadAnswer,
  type RollbackAnswer,
} from '../api/index.ts';
import { describeChanges, fixedKeys } from '../compile/changes/index.ts';
import type { Config } from '../model/config.ts';
import type { Event } from '../model/event.ts';
import type { FlushReport } from '../model/flush.ts';
import type { Log } from '../observe/index.ts';
import type { Texts } from '../sources/config/index.ts';
import { generationAnswer, historyAnswer, textsOf } from './generation-answers.ts';
import type { GenerationRecord, GenerationStore } from './generations/index.ts';
import type { DaemonConfig } from './load-daemon-config.ts';
import { iso } from './summaries.ts';

/** A revert that fails is tried again after this long. */
const RETRY_MS = 5000;

/** Who asks, as the history says it. */
const DAEMON = 'weir run';

/** How reloads went. */
export interface ReloadRecord {
  readonly loaded: number;
  readonly ok: number;
  readonly failed: number;
  readonly lastError: readonly string[] | undefined;
}

/** Connections that the rules deny are to be cut. */
export interface FlushRequest {
  readonly ssh: string | undefined;
  readonly allowLockout: boolean;
}

export interface ChangesOptions {
  readonly store: GenerationStore;
  readonly log: Log;
  readonly emit: (event: Event) => void;
  readonly config: () => Config;
  /** The configuration as its files say now. */
  readonly read: () => DaemonConfig;
  /** The configuration as texts say. */
  readonly readTexts: (file: string, texts: Texts) => DaemonConfig;
  /** Puts a configuration into force. Throws ApiError when it cannot: then what was is still in force. */
  readonly adopt: (config: Config) => Promise<void>;
  /** Traffic of operators and peers that one configuration lets in and another does not, a line each. */
  readonly lockouts: (before: Config, after: Config, ssh: string | undefined) => readonly string[];
  /** What a configuration makes of the flow rules of peers, in a few words. */
  readonly flowChanges: (after: Config) => readonly string[];
  /** Cuts the tracked connections that the rules in force would deny; those of an operator (`ssh`) and of peers only where that is allowed. */
  readonly flush: (request: FlushRequest) => Promise<FlushReport>;
  /** Keeps what is loaded at boot as it is until the change is confirmed, or no longer. */
  readonly holdImage: (hold: boolean) => void;
  /** Starts the process that takes the change back when this one is gone, after so many milliseconds. */
  readonly startTimer: (generation: number, left: number) => void;
  readonly notifier: { reloading(): void };
  /** Tells the service manager how things are now. */
  readonly settled: () => void;
}

/** Changes of the configuration while the daemon runs: one at a time, each with a record, and taken back where that was asked for and nobody confirms. */
export class Changes {
  readonly #options: ChangesOptions;
  #reloads: ReloadRecord = { loaded: Date.now(), ok: 0, failed: 0, lastError: undefined };
  #running: Promise<unknown> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  /** What is to be cut when the change that waits is confirmed. */
  #flushAtConfirm: FlushRequest | undefined;
  #inForce: Pick<DaemonConfig, 'digest' | 'texts'> | undefined;
  #closed = false;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  get reloads(): ReloadRecord {
    return this.#reloads;
  }

  /** Writes down what the daemon has started with, and the mistakes of the files where it is not with them. */
  started(loaded: DaemonConfig, mistakes: readonly string[] = []): void {
    this.#inForce = loaded;
    if (mistakes.length > 0) this.#reloads = { ...this.#reloads, failed: 1, lastError: mistakes };
    this.#record(() => {
      const { store } = this.#options;
      if (store.current?.digest === loaded.digest) return;
      const texts = loaded.texts;
      store.add({ at: Date.now(), cause: 'start', by: DAEMON, file: this.#options.config().file, changes: [] }, texts);
    });
  }

  /** Does something while no change is under way. */
  alone(action: () => Promise<void>): Promise<void> {
    return this.#queue(action);
  }

  /** Takes back what nobody has confirmed, and takes no further change. */
  async close(): Promise<void> {
    if (!this.#closed && this.#options.store.index.pending) {
      try {
        await this.#queue(() => this.#takeBack(DAEMON));
      } catch (error) {
        this.#options.log.log('error', `a change that nobody confirmed stays: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  /** Reads the configuration again and applies the difference. Throws ApiError when it is refused: then nothing has changed. */
  reload(by: string): Promise<ReloadAnswer> {
    return this.#queue(async () => {
      this.#refuseWhilePending();
      const loaded = this.#load();
      const { store } = this.#options;
      if (loaded.digest !== store.current?.digest && store.wasReverted(loaded.digest))
        throw new ApiError('stale', 'these files were taken back: change them, or take them with weir apply');
      const { changed } = await this.#put(loaded, 'reload', by, undefined);
      return { format_version: FORMAT_VERSION, changed, warnings: loaded.warnings };
    });
  }

  apply(params: Params<'apply'>, by: string): Promise<ApplyAnswer> {
    return this.#queue(async () => {
      this.#refuseWhilePending();
      const { store, lockouts } = this.#options;
      if (params.base !== undefined && params.base !== store.current?.digest)
        throw new ApiError('stale', 'the plan is stale: another configuration is in force than it was made for; make a new plan');
      const loaded = this.#load();
      if (params.digest !== undefined && params.digest !== loaded.digest)
        throw new ApiError('stale', 'the plan is stale: the files are not what it was made from; make a new plan');
      const locked = loaded.config ? lockouts(this.#options.config(), loaded.config, params.ssh) : [];
      if (locked.length > 0 && !params.allow_lockout)
        throw new ApiError('lockout', 'this would lock out whoever has to mend it; --allow-lockout does it all the same', locked);
      const deadline = params.confirm_timeout_ms === undefined ? undefined : Date.now() + params.confirm_timeout_ms;
      const { record, changed } = await this.#put(loaded, 'apply', by, deadline);
      const flush = params.flush_states ? { ssh: params.ssh, allowLockout: params.allow_lockout ?? false } : undefined;
      const waits = deadline !== undefined && store.index.pending !== undefined;
      // What is cut does not come back with what was in force: not before somebody says that this stays.
      this.#flushAtConfirm = waits ? flush : undefined;
      return {
        format_version: FORMAT_VERSION,
        generation: written(record),
        changed,
        warnings: [...loaded.warnings, ...locked],
        ...(waits ? { confirm_before: iso(deadline), ...(flush ? { flush_at_confirm: true } : {}) } : await this.#flush(flush)),
      };
    });
  }

  confirm(by: string): Promise<ConfirmAnswer> {
    return this.#queue(async () => {
      const { store, log } = this.#options;
      const { pending } = store.index;
      if (!pending) throw new ApiError('not-found', 'nothing waits for confirmation');
      store.confirm();
      clearTimeout(this.#timer);
      this.#options.holdImage(false);
      log.log('info', `generation ${pending.generation} is confirmed by ${by}`);
      const flush = this.#flushAtConfirm;
      this.#flushAtConfirm = undefined;
      return { format_version: FORMAT_VERSION, generation: pending.generation, ...(await this.#flush(flush)) };
    });
  }

  /** Goes back: to a generation, or to the one before. A change that waits for confirmation is taken back. */
  rollback(params: Params<'rollback'>, by: string): Promise<RollbackAnswer> {
    return this.#queue(async () => {
      const { store } = this.#options;
      const { pending, inForce } = store.index;
      if (params.unconfirmed !== undefined && pending?.generation !== params.unconfirmed)
        throw new ApiError('not-found', `generation ${params.unconfirmed} does not wait for confirmation`);
      if (pending && (params.to === undefined || params.to === pending.previous)) return this.#takeBack(by);
      this.#refuseWhilePending();
      const target = params.to === undefined ? store.before(inForce ?? 0) : store.find(params.to);
      if (!target)
        throw new ApiError('not-found', params.to === undefined ? 'there is nothing to go back to' : `there is no generation ${params.to}`);
      const left = this.#inForce;
      const { record, changed } = await this.#put(this.#loadGeneration(target), 'rollback', by, undefined);
      // The files on disk still say what was left: they are not to come back by themselves.
      if (left && left.digest !== target.digest)
        this.#record(() => store.refuse({ at: Date.now(), cause: 'start', by: DAEMON, file: target.file }, left.texts));
      return { format_version: FORMAT_VERSION, generation: written(record), to: target.number, changed };
    });
  }

  /** The configuration as its files say now. */
  read(): DaemonConfig {
    return this.#options.read();
  }

  history(): HistoryAnswer {
    return historyAnswer(this.#options.store);
  }

  /** The texts of a generation; of the one in force when none is named. */
  generation(params: Params<'generation'>): GenerationAnswer {
    return generationAnswer(this.#options.store, params.number);
  }

  /** The change is in force whatever becomes of this. */
  async #flush(request: FlushRequest | undefined): Promise<Pick<ApplyAnswer, 'flushed' | 'flush_error'>> {
    if (!request) return {};
    const { log, flush } = this.#options;
    try {
      const { examples, ...counts } = await flush(request);
      log.log('info', 'connections that the rules deny are cut', { ...counts });
      return { flushed: { ...counts, examples } };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log.log('error', `connections that the rules deny are not cut: ${message}`);
      return { flush_error: message };
    }
  }

  #queue<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#running.then(async () => {
      if (this.#closed) throw new ApiError('failed', 'the daemon is ending');
      this.#options.notifier.reloading();
      try {
        return await change();
      } finally {
        this.#options.settled();
      }
    });
    this.#running = result.catch(() => undefined);
    return result;
  }

  #refuseWhilePending(): void {
    const { pending } = this.#options.store.index;
    if (pending) throw new ApiError('busy', `generation ${pending.generation} waits for weir confirm or weir rollback`);
  }

  #load(): DaemonConfig {
    const loaded = this.#options.read();
    if (!loaded.config) throw this.#refuse('the configuration has mistakes and was not taken', loaded.errors);
    return loaded;
  }

  #loadGeneration(record: GenerationRecord): DaemonConfig {
    const loaded = this.#options.readTexts(record.file, textsOf(this.#options.store, record));
    if (!loaded.config) throw this.#refuse(`generation ${record.number} cannot be taken any more`, loaded.errors);
    return loaded;
  }

  /** Puts a configuration into force and writes it down. */
  async #put(
    loaded: DaemonConfig,
    cause: 'reload' | 'apply' | 'rollback',
    by: string,
    deadline: number | undefined,
  ): Promise<{ readonly record: GenerationRecord | undefined; readonly changed: readonly string[] }> {
    const { store, holdImage, startTimer } = this.#options;
    const { config } = loaded;
    if (!config) throw this.#refuse('the configuration has mistakes and was not taken', loaded.errors);
    const before = this.#options.config();
    const fixed = fixedKeys(before, config);
    if (fixed.length > 0)
      throw this.#refuse(`${fixed.join(', ')} cannot change while the daemon runs`, [`restart the daemon to change ${fixed.join(', ')}`]);
    const changed = [...describeChanges(before, config), ...this.#options.flowChanges(config)];
    const waits = deadline !== undefined;
    // What is to come back has to be on disk.
    if (waits && this.#inForce && store.current?.digest !== this.#inForce.digest)
      store.add({ at: Date.now(), cause: 'start', by: DAEMON, file: before.file, changes: [] }, this.#inForce.texts);
    const last = store.current;
    if (waits && last?.digest === loaded.digest) throw new ApiError('bad-request', 'nothing changes: there is nothing to confirm');
    if (waits) holdImage(true);
    let record = last;
    try {
      // On disk before it is in force: whoever starts after a crash in between goes back, and not on.
      if (waits) {
        const due = performance.now() + deadline - Date.now();
        record = store.add({ at: Date.now(), cause, by, file: config.file, changes: changed }, loaded.texts, deadline);
        // The clock may be set from here on.
        this.#wait(due - performance.now());
        startTimer(record.number, due - performance.now());
      }
      await this.#adopt(config);
      this.#inForce = loaded;
      if (!waits && (last?.digest !== loaded.digest || cause !== 'reload')) {
        record = undefined;
        this.#record(() => {
          record = store.add({ at: Date.now(), cause, by, file: config.file, changes: changed }, loaded.texts);
        });
      }
    } catch (error) {
      if (waits) {
        // What cannot be written down stays pending, and its timers go back in time.
        this.#record(() => {
          store.takeBack();
          clearTimeout(this.#timer);
          holdImage(false);
        });
      }
      throw error;
    }
    this.#reloads = { loaded: Date.now(), ok: this.#reloads.ok + 1, failed: this.#reloads.failed, lastError: undefined };
    for (const warning of loaded.warnings) this.#options.log.log('warn', warning.split('\n', 1)[0] ?? '', { detail: warning });
    this.#options.emit({ at: Date.now(), kind: 'reload', ok: true, changed });
    return { record, changed };
  }

  /** When a configuration cannot come into force as a whole, what was is put back. */
  async #adopt(config: Config): Promise<void> {
    const before = this.#options.config();
    try {
      await this.#options.adopt(config);
    } catch (error) {
      // Refused before anything was different.
      if (!(error instanceof ApiError && error.code === 'invalid-config')) await this.#putBack(before);
      throw error;
    }
  }

  async #putBack(config: Config): Promise<void> {
    try {
      await this.#options.adopt(config);
    } catch (error) {
      this.#options.log.log('error', `what was in force cannot be put back: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #wait(left: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#expire(), Math.max(0, left));
  }

  /** Nobody has confirmed: back to what was. What stands in the way is told of, and tried again. */
  async #expire(): Promise<void> {
    const { log, store } = this.#options;
    if (this.#closed || !store.index.pending) return;
    try {
      await this.#queue(() => this.#takeBack(DAEMON));
    } catch (error) {
      log.log('error', `a change that nobody confirmed cannot be taken back: ${error instanceof Error ? error.message : String(error)}`);
      if (!this.#closed) this.#timer = setTimeout(() => void this.#expire(), RETRY_MS);
    }
  }

  async #takeBack(by: string): Promise<RollbackAnswer> {
    const { store, log, holdImage, emit } = this.#options;
    const { pending } = store.index;
    const previous = store.find(pending?.previous);
    if (!pending || !previous) throw new ApiError('not-found', 'nothing waits for confirmation');
    const loaded = this.#loadGeneration(previous);
    if (!loaded.config) throw this.#refuse(`generation ${previous.number} cannot be taken any more`, loaded.errors);
    const changed = describeChanges(this.#options.config(), loaded.config);
    await this.#options.adopt(loaded.config);
    this.#inForce = loaded;
    store.takeBack();
    clearTimeout(this.#timer);
    holdImage(false);
    log.log('warn', `generation ${pending.generation} was not confirmed: generation ${previous.number} is in force again`, { by });
    emit({ at: Date.now(), kind: 'reload', ok: true, changed });
    return { format_version: FORMAT_VERSION, generation: previous.number, to: previous.number, changed };
  }

  /** A record that cannot be written does not stop the daemon, but is told of. */
  #record(write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#options.log.log('error', `history: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #refuse(message: string, details: readonly string[]): ApiError {
    this.#reloads = { ...this.#reloads, failed: this.#reloads.failed + 1, lastError: details };
    this.#options.emit({ at: Date.now(), kind: 'reload', ok: false, changed: [] });
    // The place and the message; the line and the carets are for whoever asks.
    for (const detail of details) this.#options.log.log('error', detail.split('\n', 1)[0] ?? '', { detail });
    return new ApiError('invalid-config', message, details);
  }
}

function written(record: GenerationRecord | undefined): number {
  if (record) return record.number;
  throw new ApiError('failed', 'the configuration is in force, but its record could not be written: see the log');
}
