import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { FeedError, type FeedErrorCode } from '../../model/feed.ts';

const PIECE = 65_536;

/**
 * The octets of a list in a file, piece by piece. Only what is a file by itself: not a symbolic link, a directory, a pipe or a device, and nothing in `stateDirectory`, which is Weir's own. Throws FeedError, also
 * when the file changes while it is read.
 */
export async function* fetchFile(path: string, maxOctets: number, stateDirectory: string): AsyncGenerator<Buffer> {
  const file = await openFile(path, constants.O_NOFOLLOW);
  try {
    const [own, real] = [await realDirectory(stateDirectory), await realpath(path)];
    if (own !== undefined && real.startsWith(own + sep))
      throw new FeedError('loop', `${path} is in ${stateDirectory}, where Weir keeps what it knows itself`);
    yield* readPieces(file, path, maxOctets, ' (max_octets)');
  } finally {
    await file.close();
  }
}

/** A file that goes with a feed, whole: symbolic links are followed, as mounted secrets are such. Throws FeedError with a code of its own, and what the file is for before the message. */
export async function readBeside(
  path: string,
  { what, code, maxOctets }: { readonly what: string; readonly code: FeedErrorCode; readonly maxOctets: number },
): Promise<Buffer> {
  try {
    const file = await openFile(path, 0);
    try {
      const parts: Buffer[] = [];
      for await (const part of readPieces(file, path, maxOctets, '')) parts.push(part);
      return Buffer.concat(parts);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof FeedError) throw new FeedError(code, `${what}: ${error.message}`);
    throw error;
  }
}

async function* readPieces(file: FileHandle, path: string, maxOctets: number, bound: string): AsyncGenerator<Buffer> {
  const before = await file.stat();
  if (!before.isFile())
    throw new FeedError('file', `${path} is ${before.isDirectory() ? 'a directory' : 'no file: a pipe, socket or device'}`);
  if (before.size > maxOctets) throw new FeedError('too-large', `${path} has ${before.size} octets, at most ${maxOctets}${bound}`);
  let total = 0;
  for (;;) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE), 0, PIECE, total);
    if (bytesRead === 0) break;
    total += bytesRead;
    if (total > maxOctets) throw new FeedError('too-large', `${path} has more than ${maxOctets} octets${bound}`);
    yield buffer.subarray(0, bytesRead);
  }
  const after = await file.stat();
  if (after.mtimeMs !== before.mtimeMs || after.size !== total)
    throw new FeedError('truncated', `${path} changed while it was read: write a new file and rename it`);
}

async function openFile(path: string, flags: number): Promise<FileHandle> {
  try {
    // A pipe that nobody writes to must not be waited for.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK | flags);
  } catch (error) {
    throw new FeedError('file', `${path}: ${describe(error)}`);
  }
}

async function realDirectory(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

function describe(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return 'no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'ELOOP') return 'a symbolic link: name the file itself';
  if (code === 'ENXIO') return 'no file: a socket';
  return error instanceof Error ? error.message : String(error);
}
