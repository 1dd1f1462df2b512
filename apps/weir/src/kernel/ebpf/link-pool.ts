import type { PinDirectory } from '@weir/ebpf/kernel';
import { type Attachment, isAt, isAttached, type PinnedLink, type Surroundings } from './attachment.ts';

/**
 * Links that hold a place and are not as they should be: of another version of the layout, of an interface that is called otherwise now. Whoever needs their place takes
 * it over by putting its program there, so that no packet goes by between; what is left is detached. BpfError.
 */
export class LinkPool {
  readonly #links: PinnedLink[] = [];

  /** Adds a pinned link, which is the pool's from then on. */
  add(pinned: PinnedLink): void {
    if (isAttached(pinned.link.info())) this.#links.push(pinned);
    else {
      pinned.directory.unpin(pinned.pin);
      pinned.link.close();
    }
  }

  /** Adds every link that is pinned in a directory, and below. */
  collect(directory: PinDirectory): void {
    const { pinned, directories } = directory.list();
    for (const pin of pinned) {
      const link = directory.link(pin);
      if (link) this.add({ link, directory, pin });
    }
    for (const name of directories) this.collect(directory.at(name));
  }

  /** Lets an attachment take over the link that is at its place; false when there is none. */
  take(attachment: Attachment, around: Surroundings): boolean {
    const { place } = attachment;
    const index = this.#links.findIndex(({ link }) => isAt(link.info(), place, around));
    const found = this.#links[index];
    if (!found) return false;
    const mode = place.kind === 'xdp' && place.mode !== 'auto' ? place.mode : undefined;
    const fits = mode === undefined || (place.kind === 'xdp' && around.interfaces.get(place.interface)?.xdp?.mode === mode);
    // A link keeps its mode for good, and an interface has room for one.
    if (fits) attachment.takeOver(found);
    else detach(found);
    this.#links.splice(index, 1);
    return fits;
  }

  /** Detaches what nobody took. */
  clear(): void {
    for (const pinned of this.#links.splice(0)) detach(pinned);
  }
}

function detach({ link, directory, pin }: PinnedLink): void {
  try {
    if (isAttached(link.info())) link.detach();
    directory.unpin(pin);
  } finally {
    link.close();
  }
}
