import type { Place } from './source-text.ts';

/** Remembers where each key was first used. */
export class Seen {
  readonly #places = new Map<string, Place>();

  /** Where `key` was used first, as text; or undefined, and it is remembered. */
  add(key: string, place: Place): string | undefined {
    const first = this.#places.get(key);
    if (!first) {
      this.#places.set(key, place);
      return undefined;
    }
    const line = first.source.span(first.start, first.end).line;
    return first.source === place.source ? `on line ${line}` : `at ${first.source.file}:${line}`;
  }
}
