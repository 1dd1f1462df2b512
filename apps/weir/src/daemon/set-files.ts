import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeDirectory } from '../api/index.ts';

/** Sets with more members are saved at the end only: writing them takes long enough to delay what waits for the kernel. */
const MAX_LIVE_MEMBERS = 20_000;
const PERIOD_MS = 60_000;

/** What is saved of the sets. */
export interface SetTexts {
  /** Names and sizes. */
  sets(): readonly { readonly name: string; readonly members: number }[];
  text(name: string): string;
}

/** Keeps each set's members as lines of text in `DIRECTORY/sets/NAME.txt`, for people and for bootstrapping others. Nothing reads them back. */
export class SetFiles {
  readonly #directory: string;
  readonly #texts: SetTexts;
  readonly #onError: (error: Error) => void;
  readonly #written = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  #dirty = true;

  constructor(stateDirectory: string, texts: SetTexts, onError: (error: Error) => void) {
    this.#directory = join(stateDirectory, 'sets');
    this.#texts = texts;
    this.#onError = onError;
    this.#timer = setInterval(() => this.save(MAX_LIVE_MEMBERS), PERIOD_MS);
    this.#timer.unref();
  }

  changed(): void {
    this.#dirty = true;
  }

  /** Writes the files that are out of date, each at once or not at all. */
  save(maxMembers: number = Number.POSITIVE_INFINITY): void {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      makeDirectory(this.#directory, 0o755);
      for (const { name, members } of this.#texts.sets()) {
        if (members > maxMembers) {
          this.#dirty = true;
          continue;
        }
        const text = this.#texts.text(name);
        if (this.#written.get(name) === text) continue;
        const path = join(this.#directory, `${name}.txt`);
        writeFileSync(`${path}.new`, text, { mode: 0o644 });
        renameSync(`${path}.new`, path);
        if (members <= MAX_LIVE_MEMBERS) this.#written.set(name, text);
      }
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#onError(error);
    }
  }

  /** Writes a last time. */
  close(): void {
    clearInterval(this.#timer);
    this.save();
  }
}
