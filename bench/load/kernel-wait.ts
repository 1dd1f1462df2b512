import { decodeNotification } from '@weir/netlink/nftables';
import { NetfilterMonitor, NFNLGRP_NFTABLES } from '@weir/netlink/socket';

/**
 * Waits, with this thread asleep in poll(2), for the kernel to tell of one element of `web4`: neither an event loop nor a polling period is in the
 * figure.
 */
export class KernelWait {
  readonly #monitor: NetfilterMonitor;

  constructor(namespace: string) {
    this.#monitor = new NetfilterMonitor({ groups: [NFNLGRP_NFTABLES], netns: namespace, receiveBuffer: 64 * 1024 * 1024 });
  }

  /** Throws away what waits. */
  drain(): void {
    while (this.#monitor.read(() => undefined) !== 'empty');
  }

  /** Milliseconds from `start` until the element was told of; RangeError after `timeoutMs`. */
  element(key: number, present: boolean, start: number, timeoutMs: number): number {
    const kind = present ? 'new-elements' : 'delete-elements';
    for (;;) {
      const left = timeoutMs - (performance.now() - start);
      if (left <= 0 || !this.#monitor.wait(left)) throw new RangeError(`no element was told of in ${timeoutMs} ms`);
      const at = performance.now();
      let found = false;
      this.#monitor.read((header, netfilter, reader) => {
        const told = decodeNotification(header, netfilter, reader);
        if (told?.kind !== kind || told.set !== 'web4') return;
        for (const { key: bytes } of told.elements) {
          if (bytes !== undefined && new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) === key) found = true;
        }
      });
      if (found) return at - start;
    }
  }

  close(): void {
    this.#monitor.close();
  }
}
