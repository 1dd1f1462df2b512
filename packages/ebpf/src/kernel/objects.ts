import { closeFd, SystemError } from '@weir/sys';
import { Attribute, COMMAND } from './attribute.ts';
import { attempt, type BpfFailure } from './bpf-error.ts';
import { type LinkInfo, readLinkInfo } from './link-info.ts';
import { type MapInfo, readMapInfo } from './map-info.ts';
import { type ProgramInfo, readProgramInfo } from './program-info.ts';

const ENOENT = 2;
const EAGAIN = 11;
/** Objects of one kind that a walk looks at. */
const MAX_OBJECTS = 1_000_000;

/** Every map of the machine that is there during the walk. Needs CAP_SYS_ADMIN. BpfError. */
export function listMaps(): readonly MapInfo[] {
  return list('maps', COMMAND.nextMapId, COMMAND.mapById, readMapInfo);
}

/** Every program. Needs CAP_SYS_ADMIN. BpfError. */
export function listPrograms(): readonly ProgramInfo[] {
  return list('programs', COMMAND.nextProgramId, COMMAND.programById, readProgramInfo);
}

/** Every link. It has no name of its own, but its program has. Needs CAP_SYS_ADMIN. BpfError. */
export function listLinks(): readonly LinkInfo[] {
  return list('links', COMMAND.nextLinkId, COMMAND.linkById, readLinkInfo);
}

function list<T>(what: string, next: number, open: number, read: (fd: number) => T): readonly T[] {
  const failure: BpfFailure = { operation: 'list', object: what, needs: ['CAP_SYS_ADMIN'] };
  return attempt(failure, () => {
    const found: T[] = [];
    eachId(next, (id) => {
      const one = withDescriptor(open, id, read);
      if (one !== undefined) found.push(one);
    });
    return found;
  });
}

/** Visits the ids of a kind of object in ascending order. SystemError. */
export function eachId(next: number, visit: (id: number) => void): void {
  let id = 0;
  for (let count = 0; count < MAX_OBJECTS; count++) {
    const attribute = new Attribute().u32(0, id);
    if (!exists(() => attribute.call(next))) return;
    id = attribute.getU32(4);
    visit(id);
  }
}

/** Reads an object through a descriptor of its own; undefined when it went meanwhile. SystemError. */
export function withDescriptor<T>(open: number, id: number, read: (fd: number) => T): T | undefined {
  let fd = -1;
  if (!exists(() => (fd = new Attribute().u32(0, id).call(open)))) return undefined;
  try {
    return read(fd);
  } finally {
    closeFd(fd);
  }
}

function exists(action: () => unknown): boolean {
  try {
    action();
    return true;
  } catch (error) {
    // EAGAIN: a program or map that is being made.
    if (error instanceof SystemError && (error.errno === ENOENT || error.errno === EAGAIN)) return false;
    throw error;
  }
}
