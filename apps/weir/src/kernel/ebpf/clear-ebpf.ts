import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { isOnBpfFileSystem, listInterfaces, listTcFilters, PIN_DIRECTORY, PinDirectory, removeClsact, TcFilter } from '@weir/ebpf/kernel';
import { DirectoryLock } from '@weir/sys';
import { EngineBusyError } from './engine-error.ts';
import { LinkPool } from './link-pool.ts';
import { isOwnPin, removeOwnPins } from './own-pins.ts';
import { layoutOf } from './pin-layout.ts';
import { readState } from './state-record.ts';

/** Whether a directory has pins that an engine, of whatever version, has left or manages. */
export function hasEnginePins(path: string): boolean {
  return existsSync(path) && readdirSync(path).some((name) => layoutOf(name) !== undefined);
}

export interface Cleared {
  /** Places that had a program of Weir's. */
  readonly detached: number;
  /** Maps, programs and links whose pins were removed. */
  readonly unpinned: number;
  /** What others pinned among it, and stays. */
  readonly foreign: readonly string[];
}

/**
 * Removes everything that any version of Weir has pinned in a directory, and detaches it, with the directory when nothing else is in it; what others pinned there stays. `netns`:
 * where filters of clsact are looked for besides the namespaces that are written down.
 * @throws EngineBusyError while a daemon manages it; BpfError
 */
export function clearEbpf(path: string = PIN_DIRECTORY, netns?: string): Cleared {
  if (!existsSync(path) || !isOnBpfFileSystem(path)) return { detached: 0, unpinned: 0, foreign: [] };
  const lock = DirectoryLock.take(path);
  if (!lock) throw new EngineBusyError(path, DirectoryLock.holder(path));
  try {
    const root = PinDirectory.open(path);
    let [detached, unpinned] = [0, 0];
    const foreign: string[] = [];
    for (const name of root.list().directories) {
      if (layoutOf(name) === undefined) continue;
      const directory = root.at(name);
      const found = { links: 0, programs: new Set<number>() };
      survey(directory, [], found);
      detached += found.links + removeFilters(found.programs, [netns, ...readState(directory).filters.map((one) => one.netns)]);
      const pool = new LinkPool();
      pool.collect(directory);
      pool.clear();
      const removed = removeOwnPins(directory);
      // Links are unpinned as they are detached.
      unpinned += found.links + removed.removed;
      foreign.push(...removed.foreign);
    }
    if (readdirSync(path).length === 0) rmdirSync(path);
    return { detached, unpinned, foreign };
  } finally {
    lock.close();
  }
}

/** @throws EngineBusyError while a daemon manages what is pinned in a directory */
export function checkUnmanaged(path: string): void {
  if (!existsSync(path) || !isOnBpfFileSystem(path)) return;
  const lock = DirectoryLock.take(path);
  if (!lock) throw new EngineBusyError(path, DirectoryLock.holder(path));
  lock.close();
}

interface Found {
  links: number;
  readonly programs: Set<number>;
}

function survey(directory: PinDirectory, path: readonly string[], found: Found): void {
  const { pinned, directories } = directory.list();
  for (const name of pinned) {
    if (!isOwnPin(directory, path, name)) continue;
    const kind = directory.kind(name);
    if (kind === 'link') found.links++;
    if (kind !== 'program') continue;
    const program = directory.program(name);
    if (!program) continue;
    found.programs.add(program.info().id);
    program.close();
  }
  for (const name of directories) survey(directory.at(name), [...path, name], found);
}

/** Removes the filters that run these programs. Namespaces that are gone have none. */
function removeFilters(programs: ReadonlySet<number>, namespaces: readonly (string | undefined)[]): number {
  let removed = 0;
  for (const netns of new Set(namespaces)) {
    const within = netns === undefined ? {} : { netns };
    for (const { index } of interfacesOf(netns))
      for (const direction of ['ingress', 'egress'] as const) {
        const place = { interface: index, direction, ...within };
        for (const { programId, priority, handle } of listTcFilters(place)) {
          if (!programs.has(programId) || !TcFilter.at({ ...place, priority, handle }).detach()) continue;
          removed++;
          removeClsact(place);
        }
      }
  }
  return removed;
}

function interfacesOf(netns: string | undefined): ReturnType<typeof listInterfaces> {
  try {
    return listInterfaces(netns);
  } catch (error) {
    if (netns !== undefined && error instanceof Error && 'errno' in error && error.errno === ENOENT) return [];
    throw error;
  }
}

const ENOENT = 2;
