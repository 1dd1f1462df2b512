import { createHash } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AclFileError } from './error.ts';

export interface AclPlace {
  readonly directory: string;
  /** Place among the files of the directory, 0-99. */
  readonly number: number;
  readonly name: string;
  /** Who writes here: of what others have written nothing is touched. */
  readonly owner: string;
}

/** What `writeAclFile` found and did. */
export interface AclWrite {
  readonly path: string;
  /** The file, or one that is not wanted any more, was not as it should be. */
  readonly changed: boolean;
  /** What is there has not been committed: `committed` says when it is. */
  readonly pending: boolean;
}

/** Names of files that Weir writes. */
const OURS = /^\d\dweir-[a-z0-9_-]+\.rules$/;
const MARK = '# Written by weir';
/** What is read of a file of the directory to know whose it is. */
const MOST_BYTES = 64 << 20;

export function aclFileName({ number, name }: Pick<AclPlace, 'number' | 'name'>): string {
  return `${String(number).padStart(2, '0')}weir-${name}.rules`;
}

/** The first line, which says whose the file is. */
export function aclHeader(owner: string): string {
  return `${MARK} (${owner.replace(/[^\x20-\x7e]/g, '_')}); what is changed here is lost.\n`;
}

/**
 * Makes the file say `body`, whole or not at all, and removes other files that the same owner has written there. Undefined: none is wanted. `commits`: remembers, also when the process or the
 * machine ends, that this is to be committed. Throws AclFileError; then the file is what it was.
 */
export async function writeAclFile(place: AclPlace, body: string | undefined, commits: boolean): Promise<AclWrite> {
  const { directory } = place;
  const file = aclFileName(place);
  const path = join(directory, file);
  const pending = join(directory, pendingName(place));
  try {
    const names = await list(directory, body === undefined);
    const { own, found } = await look(place, file, names, body !== undefined);
    const text = body === undefined ? undefined : aclHeader(place.owner) + body;
    const stale = own.filter((one) => text === undefined || one !== file);
    const differs = text !== undefined && found !== text;
    const waits = await exists(pending);
    if (stale.length === 0 && !differs) return { path, changed: false, pending: waits };
    if (commits && !waits) await (await open(pending, 'w', 0o644)).close();
    if (commits) await syncDirectory(directory);
    if (text !== undefined && differs) await replace(path, text, found === undefined, place);
    for (const one of stale) await rm(join(directory, one), { force: true });
    await syncDirectory(directory);
    return { path, changed: true, pending: commits };
  } catch (error) {
    if (error instanceof AclFileError) throw error;
    throw new AclFileError('acl-not-writable', `${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** What is there has been committed, or is not to be. Throws AclFileError. */
export async function markCommitted(place: AclPlace): Promise<void> {
  const path = join(place.directory, pendingName(place));
  try {
    await rm(path, { force: true });
    await syncDirectory(place.directory);
  } catch (error) {
    throw new AclFileError('acl-not-writable', `${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

/** The owner's own files, and what the wanted one says now. Throws AclFileError where that is somebody else's. */
async function look(
  { directory, owner }: AclPlace,
  file: string,
  names: readonly string[],
  wanted: boolean,
): Promise<{ readonly own: readonly string[]; readonly found: string | undefined }> {
  const header = aclHeader(owner);
  const own: string[] = [];
  let found: string | undefined;
  for (const name of names.filter((one) => OURS.test(one)).sort()) {
    const text = await readFile(join(directory, name), 'utf8');
    if (text.length > MOST_BYTES) continue;
    const mine = text.startsWith(header);
    // What is not wanted is not in the way.
    if (name === file && !mine && wanted) throw foreign(join(directory, file), text);
    if (mine) own.push(name);
    if (name === file) found = text;
  }
  return { own, found };
}

/** Where nothing is wanted the directory need not be there. */
async function list(directory: string, optional: boolean): Promise<readonly string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (optional && error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

function foreign(path: string, text: string): AclFileError {
  const [, other] = /^# Written by weir \((.*)\); /.exec(text) ?? [];
  const who = other === undefined ? 'it was not written by weir' : `another weir (${other}) has written it`;
  return new AclFileError('acl-foreign-file', `${path}: ${who}; it stays as it is, another \`name\` has a file of its own`);
}

async function replace(path: string, text: string, isNew: boolean, place: AclPlace): Promise<void> {
  const fresh = join(place.directory, `.${aclFileName(place)}.${ownerKey(place)}.new`);
  try {
    const handle = await open(fresh, 'w', 0o644);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (isNew) {
      // Another process may have begun at the same time: whose file is there first stays.
      await link(fresh, path);
      await rm(fresh);
    } else await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') throw foreign(path, await readFile(path, 'utf8'));
    throw error;
  }
}

function pendingName(place: AclPlace): string {
  return `.weir-${place.name}.${ownerKey(place)}.pending`;
}

function ownerKey({ owner }: AclPlace): string {
  return createHash('sha256').update(owner).digest('hex').slice(0, 12);
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path, 'r')).close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
