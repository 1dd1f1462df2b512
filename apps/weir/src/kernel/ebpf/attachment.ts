import { statSync } from 'node:fs';
import {
  attachCgroup,
  attachTcx,
  attachXdp,
  type BpfLink,
  type BpfMap,
  type BpfProgram,
  type InterfaceInfo,
  type LinkInfo,
  type PinDirectory,
  readTcx,
  removeClsact,
  TcFilter,
  type TcFilterOptions,
} from '@weir/ebpf/kernel';
import type { HeldPin } from './held-pin.ts';
import { PROGRAM_TYPES } from './load-hook.ts';
import { type AttachPlace, PIN, placeName } from './pin-layout.ts';
import { createPrograms, loadStub, placeOf, putProgram, readSlot, STUB_NAME } from './stub.ts';

/** Of Weir's filters of clsact: late enough that the system's own come before, by a number that nobody else is likely to use. */
const FILTER_PRIORITY = 0x5745;
const FILTER_HANDLE = 1;
/** Where Weir's filters stand among others. */
export const FILTER_PLACE: { readonly priority: number; readonly handle: number } = { priority: FILTER_PRIORITY, handle: FILTER_HANDLE };

/** How a stub is held in its place. */
export type Hold = { readonly kind: 'link'; readonly link: BpfLink } | { readonly kind: 'filter'; readonly filter: TcFilter };

/** A link with where it is pinned. */
export interface PinnedLink {
  readonly link: BpfLink;
  readonly directory: PinDirectory;
  readonly pin: string;
}

/** What an attachment needs to know of the machine at the moment. */
export interface Surroundings {
  readonly netns: string | undefined;
  /** By name. */
  readonly interfaces: ReadonlyMap<string, InterfaceInfo>;
  readonly tcx: boolean;
}

/** A stub at its place, with the program array that it calls: pinned, so that it goes on without this process. BpfError from everything. */
export class Attachment {
  readonly name: string;
  #place: AttachPlace;
  readonly programs: BpfMap;
  readonly stub: BpfProgram;
  readonly #directory: PinDirectory;
  #hold: Hold | undefined;
  #closed = false;

  private constructor(place: AttachPlace, directory: PinDirectory, programs: BpfMap, stub: BpfProgram) {
    this.#place = place;
    this.name = placeName(place);
    this.#directory = directory;
    this.programs = programs;
    this.stub = stub;
  }

  /** Opens what is pinned for a place, or makes it: an array without a program and a stub that is attached to nothing. `parent` is where attachments are pinned. */
  static open(place: AttachPlace, parent: PinDirectory): Attachment {
    const directory = parent.at(placeName(place));
    const pinned = directory.map(PIN.programs);
    const programs = pinned ?? createPrograms();
    let stub: BpfProgram | undefined;
    try {
      if (!pinned) directory.pin(programs, PIN.programs);
      // A stub calls the array that it was loaded with.
      const known = pinned && directory.program(PIN.stub);
      stub = known ?? loadStub(place, programs);
      if (!known) directory.pin(stub, PIN.stub);
      const attachment = new Attachment(place, directory, programs, stub);
      const link = directory.link(PIN.link);
      if (link) attachment.#hold = { kind: 'link', link };
      return attachment;
    } catch (error) {
      programs.close();
      stub?.close();
      throw error;
    }
  }

  get place(): AttachPlace {
    return this.#place;
  }

  /** The same place, in another mode perhaps. RangeError where it is another one. */
  aimAt(place: AttachPlace): void {
    if (placeName(place) !== this.name) throw new RangeError(`${placeName(place)} is not ${this.name}`);
    this.#place = place;
  }

  get held(): boolean {
    return this.#hold !== undefined;
  }

  /** The filter, where it is one. */
  get filter(): TcFilter | undefined {
    return this.#hold?.kind === 'filter' ? this.#hold.filter : undefined;
  }

  /** Takes a filter that an earlier process attached. */
  adoptFilter(filter: TcFilter): void {
    this.#hold ??= { kind: 'filter', filter };
  }

  /** Puts a program into the slot. */
  judgeBy(program: BpfProgram): void {
    putProgram(this.programs, program);
  }

  /** The id of the program in the slot. */
  get judging(): number | undefined {
    return readSlot(this.programs);
  }

  /** Whether the stub still holds its place, wherever that is now. */
  get alive(): boolean {
    const hold = this.#hold;
    if (!hold) return false;
    const id = this.stub.info().id;
    if (hold.kind === 'filter') return hold.filter.info()?.programId === id;
    const info = hold.link.info();
    return info.programId === id && isAttached(info);
  }

  /** Whether the stub is where it should be, as it should be. */
  fits(around: Surroundings): boolean {
    const hold = this.#hold;
    if (!hold) return false;
    if (hold.kind === 'filter') return this.#filterFits(hold.filter, around);
    const info = hold.link.info();
    return info.programId === this.stub.info().id && isAt(info, this.place, around) && this.#modeFits(around);
  }

  #filterFits(filter: TcFilter, around: Surroundings): boolean {
    if (this.place.kind !== 'tc' || around.tcx) return false;
    const here = around.interfaces.get(this.place.interface);
    return here !== undefined && filter.options.interface === here.index && filter.info()?.programId === this.stub.info().id;
  }

  #modeFits({ interfaces }: Surroundings): boolean {
    if (this.place.kind !== 'xdp' || this.place.mode === 'auto') return true;
    return interfaces.get(this.place.interface)?.xdp?.mode === this.place.mode;
  }

  /** Puts this stub where a link of another one is, without a packet between them. The link is this one's from then on. */
  takeOver({ link, directory, pin }: PinnedLink): void {
    link.update(this.stub);
    this.#keep(link);
    if (directory.path !== this.#directory.path) directory.unpin(pin);
  }

  /** Attaches the stub. Returns why it is not as was asked for, where it is not. `absent` where there is no such interface or cgroup. */
  attach(around: Surroundings): string | undefined {
    const { place } = this;
    const netns = around.netns === undefined ? {} : { netns: around.netns };
    switch (place.kind) {
      case 'xdp': {
        const mode = place.mode === 'auto' ? 'any' : place.mode;
        const attached = attachXdp(this.stub, { interface: indexOf(place.interface, around), mode, ...netns });
        this.#keep(attached.link);
        return attached.mode === 'generic' ? attached.why : undefined;
      }
      case 'tc': {
        const at = { interface: indexOf(place.interface, around), direction: place.direction, ...netns };
        if (around.tcx) {
          this.#keep(attachTcx(this.stub, at));
          return undefined;
        }
        this.#hold = { kind: 'filter', filter: this.#attachFilter({ ...at, ...FILTER_PLACE }) };
        return 'attached by clsact: tcx came with Linux 6.6';
      }
      case 'cgroup': {
        const { attachType } = PROGRAM_TYPES[placeOf(place)];
        if (attachType?.startsWith('cgroup_') !== true) throw new TypeError(`${place.at} is no place of a cgroup`);
        this.#keep(attachCgroup(this.stub, place.path, attachType as Parameters<typeof attachCgroup>[2]));
        return undefined;
      }
    }
  }

  #attachFilter(options: TcFilterOptions): TcFilter {
    const there = TcFilter.at(options);
    if (there.info()?.name !== STUB_NAME) return TcFilter.attach(this.stub, options);
    // Of a process before, which nobody wrote down.
    there.replace(this.stub);
    return there;
  }

  #keep(link: BpfLink): void {
    this.#directory.pin(link, PIN.link);
    this.#release();
    this.#hold = { kind: 'link', link };
  }

  /** Gives the link away without detaching it; undefined when it is held by none. Its pin stays. */
  giveUp(): PinnedLink | undefined {
    if (this.#hold?.kind !== 'link') return undefined;
    const { link } = this.#hold;
    this.#hold = undefined;
    return { link, directory: this.#directory, pin: PIN.link };
  }

  /** What is pinned of it. */
  pins(): readonly HeldPin[] {
    const directory = this.#directory;
    const link = this.#hold?.kind === 'link' ? this.#hold.link : undefined;
    return [
      { directory, pin: PIN.programs, kind: 'map', object: this.programs },
      { directory, pin: PIN.stub, kind: 'program', object: this.stub },
      ...(link ? [{ directory, pin: PIN.link, kind: 'link', object: link } as const] : []),
    ];
  }

  /** Takes the stub from its place; what is pinned of it stays. */
  detach(): void {
    const hold = this.#hold;
    this.#hold = undefined;
    if (hold?.kind === 'link') {
      this.#directory.unpin(PIN.link);
      if (isAttached(hold.link.info())) hold.link.detach();
      hold.link.close();
    } else if (hold?.kind === 'filter') {
      const { filter } = hold;
      // Another's filter that came in its place stays.
      if (filter.info()?.programId === this.stub.info().id) filter.detach();
      removeClsact(filter.options);
    }
  }

  /** Takes the stub away with everything that is pinned of it. Calling it again does nothing. */
  remove(): void {
    if (this.#closed) return;
    this.detach();
    this.close();
    this.#directory.remove();
  }

  #release(): void {
    if (this.#hold?.kind === 'link') this.#hold.link.close();
    this.#hold = undefined;
  }

  /** Gives the descriptors back: it goes on judging. Calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#release();
    this.stub.close();
    this.programs.close();
  }
}

/** Whether a link is at a place: at the interface that has the name now, at the cgroup that has the path. */
export function isAt(info: LinkInfo, place: AttachPlace, around: Surroundings): boolean {
  switch (place.kind) {
    case 'xdp': {
      const here = around.interfaces.get(place.interface);
      // An index alone does not tell the namespace; what runs there does.
      return info.kind === 'xdp' && here !== undefined && info.interface === here.index && here.xdp?.programId === info.programId;
    }
    case 'tc': {
      const here = around.interfaces.get(place.interface);
      const type = place.direction === 'ingress' ? 'tcx_ingress' : 'tcx_egress';
      if (!around.tcx || info.kind !== 'tcx' || info.attachType !== type || info.interface !== here?.index) return false;
      const netns = around.netns === undefined ? {} : { netns: around.netns };
      const { programs } = readTcx({ interface: here.index, direction: place.direction, ...netns });
      return programs.some(({ linkId }) => linkId === info.id);
    }
    case 'cgroup':
      return info.kind === 'cgroup' && info.attachType === PROGRAM_TYPES[place.at].attachType && info.cgroup === cgroupId(place.path);
  }
}

/** Whether a link still holds its program somewhere. */
export function isAttached(info: LinkInfo): boolean {
  switch (info.kind) {
    case 'xdp':
    case 'tcx':
      return info.interface !== 0;
    case 'cgroup':
      return info.cgroup !== 0n;
    default:
      return true;
  }
}

/** Undefined where there is no such directory. Another one that is made at the path has another. */
export function cgroupId(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}

function indexOf(name: string, { interfaces }: Surroundings): number {
  const found = interfaces.get(name);
  if (!found) throw new AbsentPlaceError(`there is no interface ${name}`);
  // They would take octets of addresses for the type, and most packets for none of IP.
  if (!found.ethernet)
    throw new UnsuitablePlaceError(
      `packets of ${name} have no Ethernet header, which programs at xdp and tc read: judge them at input, forward or output`,
    );
  return found.index;
}

/** What comes by the interface cannot be judged. */
export class UnsuitablePlaceError extends Error {
  override readonly name = 'UnsuitablePlaceError';
  readonly code = 'EPROTONOSUPPORT';
}

/** The interface is not there. */
export class AbsentPlaceError extends Error {
  override readonly name = 'AbsentPlaceError';
  readonly code = 'ENODEV';
}
