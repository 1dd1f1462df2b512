/** Lines that are kept as they came. */
const MAX_QUOTED = 8;
/** Characters of each. */
const MAX_QUOTE = 200;

export interface QuotedLine {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly message: string;
  /** Its beginning. */
  readonly line: string;
}

/** What came from ExaBGP since the daemon started. */
export interface FeedCounts {
  readonly lines: number;
  readonly updates: number;
  /** Lines that could not be read. */
  readonly bad: number;
  /** Lines of sessions with neighbours that are not configured. */
  readonly unknownNeighbors: number;
  /** Commands of ours that ExaBGP refused. */
  readonly refusedCommands: number;
  /** The last bad lines, newest first. */
  readonly quoted: readonly QuotedLine[];
}

/** Counts lines and keeps the last bad ones. Memory is bounded. */
export class LineCounter {
  lines = 0;
  updates = 0;
  unknownNeighbors = 0;
  refusedCommands = 0;
  #bad = 0;
  #quoted: QuotedLine[] = [];

  bad(at: number, message: string, line: string): void {
    this.#bad++;
    this.#quoted = [{ at, message, line: line.slice(0, MAX_QUOTE) }, ...this.#quoted].slice(0, MAX_QUOTED);
  }

  get counts(): FeedCounts {
    const { lines, updates, unknownNeighbors, refusedCommands } = this;
    return { lines, updates, bad: this.#bad, unknownNeighbors, refusedCommands, quoted: this.#quoted };
  }
}
