import { writeSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { ExabgpFeed, ExabgpSpeaker } from '../sources/exabgp/index.ts';

/** Octets of ExaBGP's that may wait for the main thread, a minute or so of what it prints. Then its pipe fills, and ExaBGP waits. */
export const MAX_WAITING: number = 64 * 1024 * 1024;

/** What ExaBGP prints is read by a thread of its own, so that ExaBGP never waits for a long turn of the main thread. */
const READER = `
const { fstatSync, createReadStream } = require('node:fs');
const { Socket } = require('node:net');
const { parentPort, workerData } = require('node:worker_threads');
const kind = fstatSync(0);
const input = kind.isFIFO() || kind.isSocket() ? new Socket({ fd: 0, readable: true, writable: false }) : createReadStream('', { fd: 0 });
let waiting = 0;
input.on('data', (chunk) => {
  const copy = Uint8Array.from(chunk);
  waiting += copy.length;
  parentPort.postMessage(copy, [copy.buffer]);
  if (waiting > workerData.most) input.pause();
});
parentPort.on('message', (taken) => {
  waiting -= taken;
  if (waiting <= workerData.most / 2) input.resume();
});
const end = () => { parentPort.postMessage(null); parentPort.close(); };
input.once('end', end);
input.once('error', end);
`;

/** The process that ExaBGP runs: its own stdin is what ExaBGP prints, and what it prints are commands. */
export class ExabgpInput {
  /** Resolves when ExaBGP has ended, or has closed its end. */
  readonly ended: Promise<string>;
  readonly #worker: Worker;
  #feed: ExabgpFeed | undefined;
  #early: Uint8Array[] = [];

  constructor() {
    this.#worker = new Worker(READER, { eval: true, workerData: { most: MAX_WAITING }, stdin: false });
    this.#worker.unref();
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#feed?.close('ExaBGP has ended');
        resolve('ExaBGP has ended');
      };
      this.#worker.on('message', (chunk: Uint8Array | null) => {
        if (chunk === null) end();
        else if (this.#feed) this.#push(this.#feed, chunk);
        // The reader stops by itself when there is too much of it.
        else this.#early.push(chunk);
      });
      this.#worker.on('error', end);
    });
  }

  /** Who listens from now on. What came before is given to it first. */
  attach(speaker: ExabgpSpeaker): void {
    const feed = speaker.openFeed(command);
    this.#feed = feed;
    for (const chunk of this.#early.splice(0)) this.#push(feed, chunk);
  }

  /** Throws away what ExaBGP prints: it must not wait for a process that cannot work. */
  discard(): void {
    this.#feed = { push: () => undefined, close: () => undefined };
    for (const chunk of this.#early.splice(0)) this.#push(this.#feed, chunk);
  }

  #push(feed: ExabgpFeed, chunk: Uint8Array): void {
    feed.push(chunk);
    this.#worker.postMessage(chunk.length);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Gives ExaBGP a command. It reads whenever it has nothing else to do; a pipe that is full after many commands, or closed, is not waited for. */
export function command(text: string): void {
  try {
    writeSync(1, `${text}\n`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'EAGAIN'))) throw error;
  }
}
