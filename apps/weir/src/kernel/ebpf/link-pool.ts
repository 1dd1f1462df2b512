import type { PinDirectory } from '@weir/ebpf/kernel';
import { type Attachment, isAt, isAttached, type PinnedLink, type Surroundings } from './attachment.ts';
import { isOwnPin } from './own-pins.ts';
import type { AttachPlace } from './pin-layout.ts';

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

  /** Adds every link of Weir's that is pinned in the directory of a layout, or in one below it, which `path` names. */
  collect(directory: PinDirectory, path: readonly string[] = []): void {
    const { pinned, directories } = directory.list();
    for (const pin of pinned) {
      const link = isOwnPin(directory, path, pin) ? directory.link(pin) : undefined;
      if (link) this.add({ link, directory, pin });
    }
    for (const name of directories) this.collect(directory.at(name), [...path, name]);
  }

  /** Whether what holds the place of an attachment has to be taken off before that can be attached: a link keeps its mode for good. */
  isInTheWay({ place }: Attachment, around: Surroundings): boolean {
    return this.#links.some(({ link }) => isAt(link.info(), place, around)) && !modeFits(place, around);
  }

  /** Lets an attachment take over the link that is at its place; false when there is none. */
  take(attachment: Attachment, around: Surroundings): boolean {
    const { place } = attachment;
    const index = this.#links.findIndex(({ link }) => isAt(link.info(), place, around));
    const found = this.#links[index];
    if (!found) return false;
    const fits = modeFits(place, around);
    // An interface has room for one.
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

function modeFits(place: AttachPlace, { interfaces }: Surroundings): boolean {
  return place.kind !== 'xdp' || place.mode === 'auto' || interfaces.get(place.interface)?.xdp?.mode === place.mode;
}

function detach({ link, directory, pin }: PinnedLink): void {
  try {
    if (isAttached(link.info())) link.detach();
    directory.unpin(pin);
  } finally {
    link.close();
  }
}
