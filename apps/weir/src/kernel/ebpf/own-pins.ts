import { BpfError, BpfProgram, type PinDirectory } from '@weir/ebpf/kernel';
import { generationOf, PIN } from './pin-layout.ts';
import { STUB_NAME } from './stub.ts';

/** What every map and program of Weir's that is pinned by a name of its own is called, but for what rules count in. */
const OWN_NAME = /^weir_/;

interface Pinned {
  readonly kind: 'map' | 'program' | 'link';
  /** What the kernel calls it; undefined for links. */
  readonly name?: string;
  /** Of a program or a map. */
  readonly type?: string;
}

/**
 * Whether what is pinned below the directory of a layout is Weir's, by where it is, what it is, and what the kernel calls it. `path`: the directories between. Other versions pinned in the same places.
 * BpfError.
 */
export function isOwnPin(directory: PinDirectory, path: readonly string[], pin: string): boolean {
  const found = lookAt(directory, pin);
  if (!found) return false;
  const { kind, name = '' } = found;
  const [top, , third] = path;
  const own = OWN_NAME.test(name);
  if (top === PIN.attach && path.length === 2 && pin === PIN.link) return kind === 'link' && holdsStub(directory);
  if (top === PIN.hooks && path.length === 3 && generationOf(third ?? '') !== undefined && pin.startsWith(PIN.counters))
    return kind === 'map';
  const places: readonly boolean[] = [
    path.length === 0 && kind === 'map',
    top === PIN.attach && path.length === 2,
    top === PIN.hooks && (path.length === 2 || path.length === 3),
    (top === PIN.lists || top === PIN.kept) && path.length === 1 && kind === 'map',
  ];
  return own && places.includes(true);
}

/** Whether what is pinned below the directory of rules' programs is Weir's: the programs, which may be the user's own, and the members that they look addresses up in. BpfError. */
export function isOwnMatch(directory: PinDirectory, path: readonly string[], pin: string): boolean {
  const found = lookAt(directory, pin);
  if (path.length === 1 && found?.kind === 'program') return found.type === 'socket_filter';
  return found?.kind === 'map' && path.length === 2 && path[1] === PIN.lists && OWN_NAME.test(found.name ?? '');
}

/** Whether a map is called as Weir's are. BpfError. */
export function isWeirs(directory: Pick<PinDirectory, 'map'>, pin: string): boolean {
  const map = directory.map(pin);
  map?.close();
  return map !== undefined && OWN_NAME.test(map.name);
}

/** Whether a link holds a stub of Weir's: that beside which it is pinned, or one that is known by its name. */
function holdsStub(directory: PinDirectory): boolean {
  const stub = directory.program(PIN.stub);
  const link = directory.link(PIN.link);
  try {
    const held = link?.info().programId;
    return held !== undefined && (held === stub?.info().id || nameOf(held) === STUB_NAME);
  } finally {
    stub?.close();
    link?.close();
  }
}

/** Undefined where the program is gone, or may not be looked for. */
function nameOf(id: number): string | undefined {
  try {
    const program = BpfProgram.fromId(id);
    const { name } = program.info();
    program.close();
    return name;
  } catch (error) {
    if (error instanceof BpfError) return undefined;
    throw error;
  }
}

/** Undefined where nothing is pinned, or something that cannot be told. */
function lookAt(directory: PinDirectory, pin: string): Pinned | undefined {
  try {
    const kind = directory.kind(pin);
    if (kind === 'link') return { kind };
    const object = kind === 'map' ? directory.map(pin) : kind === 'program' ? directory.program(pin) : undefined;
    if (!object || kind === undefined) return undefined;
    try {
      const { name, type } = object.info();
      return { kind, name, type };
    } finally {
      object.close();
    }
  } catch (error) {
    // Another's that may not be looked at is not Weir's.
    if (error instanceof BpfError && error.reason === 'permission') return undefined;
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

export interface RemovedPins {
  readonly removed: number;
  /** Paths of what is not Weir's, and stays. */
  readonly foreign: readonly string[];
}

/** Removes Weir's pins of a layout, and the directories in which nothing else is. BpfError. */
export function removeOwnPins(
  directory: PinDirectory,
  isOwn: (directory: PinDirectory, path: readonly string[], pin: string) => boolean = isOwnPin,
  path: readonly string[] = [],
): RemovedPins {
  const { pinned, directories } = directory.list();
  const foreign: string[] = [];
  let removed = 0;
  for (const name of directories) {
    const below = removeOwnPins(directory.at(name), isOwn, [...path, name]);
    removed += below.removed;
    foreign.push(...below.foreign);
  }
  const own = pinned.filter((pin) => isOwn(directory, path, pin));
  for (const pin of own) if (directory.unpin(pin)) removed++;
  foreign.push(...pinned.filter((pin) => !own.includes(pin)).map((pin) => `${directory.path}/${pin}`));
  const { pinned: left, directories: others } = directory.list();
  if (left.length + others.length === 0) directory.remove();
  return { removed, foreign };
}
