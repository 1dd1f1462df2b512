import { decodeNotification } from '@weir/netlink/nftables';
import { NetfilterMonitor, NFNLGRP_NFTABLES } from '@weir/netlink/socket';

/** A change of a set's elements, as the kernel told it; `at` is of performance.now(). */
export interface ElementChange {
  readonly at: number;
  readonly set: string;
  readonly present: boolean;
}

interface Waiting {
  readonly take: (change: ElementChange) => void;
  readonly fail: (error: unknown) => void;
}

/** Listens to nf_tables in a namespace, to know when the kernel has an element: by the kernel's own word, not by that of the daemon. */
export class ElementWatch {
  readonly #monitor: NetfilterMonitor;
  #waiting: Waiting[] = [];
  #failure: unknown;
  #closed = false;

  constructor(namespace: string) {
    this.#monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], netns: namespace, receiveBuffer: 1024 * 1024 });
    this.#read().catch((error: unknown) => {
      this.#failure = error;
      for (const { fail } of this.#waiting.splice(0)) fail(error);
    });
  }

  /** The next change of one of `sets` in that direction for each of them; undefined when `timeoutMs` passes first. To be asked before the change is caused. */
  next(sets: readonly string[], present: boolean, timeoutMs: number): Promise<readonly ElementChange[] | undefined> {
    const missing = new Set(sets);
    const seen: ElementChange[] = [];
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      const take = (change: ElementChange): void => {
        if (change.present !== present || !missing.delete(change.set)) return;
        seen.push(change);
        if (missing.size === 0) finish(seen);
      };
      const finish = (changes: readonly ElementChange[] | undefined): void => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((one) => one.take !== take);
        resolve(changes);
      };
      this.#waiting.push({ take, fail: reject });
    });
  }

  async #read(): Promise<void> {
    while (!this.#closed) {
      if (!(await this.#monitor.waitReadable(1000)) || this.#closed) continue;
      const at = performance.now();
      this.#monitor.read((header, netfilter, reader) => {
        const told = decodeNotification(header, netfilter, reader);
        if (told?.kind !== 'new-elements' && told?.kind !== 'delete-elements') return;
        for (const { take } of [...this.#waiting]) take({ at, set: told.set, present: told.kind === 'new-elements' });
      });
    }
  }

  /** Does nothing the second time. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#monitor.close();
  }
}
