import { Worker } from 'node:worker_threads';
import { wakeUp } from '@weir/sys';
import { EVENT_OCTETS } from '../../model/verdict-event-layout.ts';
import {
  type LogScope,
  READER_COUNT,
  READER_COUNTS,
  type ReaderAnswer,
  type ReaderCall,
  type ReaderData,
  type RingPlace,
  type VerdictBatch,
} from './reader-protocol.ts';

/** Sums since the reader was started, in records and packets. */
export interface ReaderCounts {
  readonly ring: number;
  readonly log: number;
  readonly queueLost: number;
  readonly logLost: number;
  readonly notOurs: number;
}

export interface VerdictReaderOptions {
  /** Gets records as they come; it must not throw. */
  readonly onBatch: (batch: VerdictBatch) => void;
  /** Something cannot be read; `message` is undefined when that is over. */
  readonly onProblem: (subject: string, message: string | undefined) => void;
  /** The thread has ended by itself. */
  readonly onFailure: (error: Error) => void;
}

/** The thread that reads verdict events, as the main thread sees it. */
export class VerdictReader {
  readonly #worker: Worker;
  readonly #wake: number;
  readonly #counts: BigInt64Array;
  readonly #exited: Promise<void>;
  #ended = false;
  #closing = false;

  private constructor(worker: Worker, wake: number, counts: BigInt64Array, exited: Promise<void>) {
    this.#worker = worker;
    this.#wake = wake;
    this.#counts = counts;
    this.#exited = exited;
  }

  /** Starts the thread, which reads nothing before it is told what. Rejects where the thread cannot be started. */
  static start({ onBatch, onProblem, onFailure }: VerdictReaderOptions): Promise<VerdictReader> {
    const shared = new SharedArrayBuffer(8 * READER_COUNTS);
    const counts = new BigInt64Array(shared);
    const worker = startWorker({ counts: shared });
    return new Promise((resolve, reject) => {
      let reader: VerdictReader | undefined;
      let ended: () => void = () => undefined;
      const exited = new Promise<void>((done) => {
        ended = done;
      });
      const fail = (error: Error): void => {
        if (!reader) reject(error);
        else if (!reader.#ended && !reader.#closing) onFailure(error);
        if (reader) reader.#ended = true;
      };
      worker.on('message', (answer: ReaderAnswer) => {
        switch (answer.kind) {
          case 'ready':
            reader = new VerdictReader(worker, answer.wake, counts, exited);
            resolve(reader);
            return;
          case 'batch':
            Atomics.add(counts, READER_COUNT.taken, BigInt(answer.batch.records.length / EVENT_OCTETS));
            onBatch(answer.batch);
            return;
          case 'problem':
            onProblem(answer.subject, answer.message);
            return;
          case 'problem-over':
            onProblem(answer.subject, undefined);
            return;
        }
      });
      worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
      worker.on('exit', () => {
        fail(new Error('the reader of verdict events has ended'));
        ended();
      });
    });
  }

  /** What it reads from now on; what waited in the ring buffer before has been read then. */
  setRing(ring: RingPlace | undefined): void {
    this.#call({ kind: 'ring', ring });
  }

  setScopes(scopes: readonly LogScope[]): void {
    this.#call({ kind: 'scopes', scopes });
  }

  counts(): ReaderCounts {
    const at = (index: number): number => Number(Atomics.load(this.#counts, index));
    return {
      ring: at(READER_COUNT.ring),
      log: at(READER_COUNT.log),
      queueLost: at(READER_COUNT.queueLost),
      logLost: at(READER_COUNT.logLost),
      notOurs: at(READER_COUNT.notOurs),
    };
  }

  /** Ends the thread. Calling it again does nothing. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#call({ kind: 'close' });
    }
    await this.#exited;
  }

  #call(call: ReaderCall): void {
    if (this.#ended) return;
    this.#worker.postMessage(call);
    wakeUp(this.#wake);
  }
}

/** From source the thread needs the loader that this one runs with; the bundle stands beside this module's. */
function startWorker(data: ReaderData): Worker {
  if (import.meta.url.endsWith('.ts'))
    return new Worker(new URL('./reader-source.mjs', import.meta.url), { workerData: data, execArgv: ['--conditions=source'] });
  const bundled = import.meta.url.includes('/chunks/') ? '../verdict-reader.mjs' : './verdict-reader.mjs';
  return new Worker(new URL(bundled, import.meta.url), { workerData: data });
}
