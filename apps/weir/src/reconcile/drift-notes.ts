import type { KernelEvent } from '../model/kernel-port.ts';

interface Note {
  removed: number;
  added: number;
  process: string | undefined;
  /** Told of as not repaired. */
  told: boolean;
}

/** What other processes did to elements of Weir's, from when it is noticed until it is repaired. */
export class DriftNotes {
  readonly #notes = new Map<string, Note>();
  /** Elements put back or taken out again so far. */
  repairs = 0;

  removed(set: string, count: number, process?: string): void {
    if (count > 0) this.#note(set, process).removed += count;
  }

  added(set: string, count: number, process?: string): void {
    if (count > 0) this.#note(set, process).added += count;
  }

  #note(set: string, process: string | undefined): Note {
    const note = this.#notes.get(set) ?? { removed: 0, added: 0, process, told: false };
    note.process ??= process;
    this.#notes.set(set, note);
    return note;
  }

  /** The events to tell of after a commit; what was not repaired is told of once, and again when it is. */
  take(repaired: boolean): KernelEvent[] {
    const events: KernelEvent[] = [];
    for (const [set, note] of this.#notes) {
      const { removed, added, process } = note;
      if (!repaired && note.told) continue;
      note.told = true;
      const parts = [removed > 0 ? `${removed} removed` : '', added > 0 ? `${added} added` : ''].filter((part) => part !== '');
      const detail = `elements changed by ${process === undefined ? 'another process' : `the process ${process}`}: ${parts.join(', ')}`;
      events.push({ kind: 'drift', set, detail, repaired });
      if (repaired) this.repairs += removed + added;
    }
    if (repaired) this.#notes.clear();
    return events;
  }
}
