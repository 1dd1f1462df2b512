import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, type JournalFiles, JournalInUseError, systemFiles } from './index.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-full-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A system on which some calls fail. */
class Disk {
  /** Octets of room. */
  room = Number.POSITIVE_INFINITY;
  readonly failing = new Set<'open' | 'truncate' | 'syncData' | 'syncWhole'>();
  readonly files: JournalFiles = {
    open: (path, name) => {
      this.#fail('open', 'EACCES: permission denied');
      return systemFiles.open(path, name);
    },
    write: async (fd, bytes, from, position) => {
      if (this.room === 0) throw new Error('ENOSPC: no space left on device');
      // What there is room for is written, as a disk does.
      const part = bytes.subarray(0, Math.min(bytes.length, from + this.room));
      const written = await systemFiles.write(fd, part, from, position);
      this.room -= written;
      return written;
    },
    truncate: async (fd, length) => {
      this.#fail('truncate', 'EIO: i/o error');
      await systemFiles.truncate(fd, length);
    },
    syncData: async (fd) => {
      this.#fail('syncData', 'EIO: i/o error');
      await systemFiles.syncData(fd);
    },
    syncWhole: async (fd) => {
      this.#fail('syncWhole', 'EIO: i/o error');
      await systemFiles.syncWhole(fd);
    },
    close: systemFiles.close,
  };

  #fail(call: 'open' | 'truncate' | 'syncData' | 'syncWhole', message: string): void {
    if (this.failing.has(call)) throw new Error(message);
  }
}

/** What was made, in order, in a journal on such a disk. */
class Changes {
  readonly made: string[] = [];
  readonly errors: string[] = [];
  readonly journal: Journal;

  constructor(path: string, { files = systemFiles, compactAfter = 4 << 20 }: { files?: JournalFiles; compactAfter?: number } = {}) {
    this.journal = new Journal({
      directory: path,
      files,
      compactAfter,
      apply: (payload) => this.made.push(Buffer.from(payload).toString()),
      snapshot: () => this.made.map((text) => Buffer.from(text)),
      onError: (error) => this.errors.push(error.message),
    });
  }

  readonly change = (text: string): Promise<void> =>
    this.journal.append(Buffer.from(text), () => {
      this.made.push(text);
    });
}

async function madeAfterStart(): Promise<readonly string[]> {
  const again = new Changes(directory);
  await again.journal.close();
  return again.made;
}

describe('a change that cannot be written', () => {
  it.each<{ readonly name: string; readonly fail: (disk: Disk) => void; readonly want: string }>([
    { name: 'no room at all', fail: (disk) => (disk.room = 0), want: 'ENOSPC' },
    { name: 'room for some octets of it', fail: (disk) => (disk.room = 7), want: 'ENOSPC' },
    { name: 'room for all but one octet', fail: (disk) => (disk.room = 20 + 'refused'.length - 1), want: 'ENOSPC' },
    {
      name: 'no room, and what was written cannot be taken back',
      fail: (disk) => {
        disk.room = 7;
        disk.failing.add('truncate');
      },
      want: 'ENOSPC',
    },
    { name: 'a disk that fails to sync', fail: (disk) => disk.failing.add('syncData'), want: 'EIO' },
    {
      name: 'a disk that fails to sync and to truncate',
      fail: (disk) => {
        disk.failing.add('syncData');
        disk.failing.add('truncate');
      },
      want: 'EIO',
    },
  ])('is refused and nowhere, and what comes later is there: $name', async ({ fail, want }) => {
    const disk = new Disk();
    const { journal, made, change } = new Changes(directory, { files: disk.files });
    await change('before');
    fail(disk);
    await expect(change('refused')).rejects.toThrow(want);
    await expect(change('refused')).rejects.toThrow(/ENOSPC|EIO/);
    expect(made).toEqual(['before']);
    expect(journal.status.problem?.message).toMatch(/^changes cannot be written: (ENOSPC|EIO)/);
    disk.room = Number.POSITIVE_INFINITY;
    disk.failing.clear();
    await change('after');
    expect(journal.status.problem).toBeUndefined();
    await journal.close();
    expect(await madeAfterStart()).toEqual(['before', 'after']);
  });

  it('is not there after a start that follows at once, where it could be taken back', async () => {
    const disk = new Disk();
    const { journal, change } = new Changes(directory, { files: disk.files });
    await change('before');
    disk.room = 20 + 'refused'.length - 1;
    await expect(change('refused')).rejects.toThrow('ENOSPC');
    await journal.close();
    expect(await madeAfterStart()).toEqual(['before']);
  });
});

describe('a snapshot that cannot be written', () => {
  it.each(['room', 'syncWhole', 'open'] as const)('leaves all changes where they are: %s', async (what) => {
    const disk = new Disk();
    const { journal, errors, change } = new Changes(directory, { files: disk.files, compactAfter: 200 });
    const texts = Array.from({ length: 9 }, (_, i) => `change ${i}`);
    // The next change is beyond 200 octets, and begins a snapshot; with `room`, it is the last that fits.
    for (const text of texts.slice(0, 7)) await change(text);
    if (what === 'room') disk.room = 20 + 'change 7'.length;
    else disk.failing.add(what);
    await change(texts[7] ?? '');
    await expect.poll(() => errors.length, { timeout: 60_000 }).toBe(1);
    expect(journal.status.problem?.message).toMatch(/^no snapshot can be written: (ENOSPC|EIO|EACCES)/);
    expect(readdirSync(directory)).not.toContain('snapshot.new');
    disk.room = Number.POSITIVE_INFINITY;
    disk.failing.clear();
    await change(texts[8] ?? '');
    await journal.close();
    expect(await madeAfterStart()).toEqual(texts);
  });
});

describe('at the start', () => {
  it('what cannot be written to is read, and says so at the first change', async () => {
    const { journal, change } = new Changes(directory);
    await change('before');
    await journal.close();
    const disk = new Disk();
    disk.failing.add('open');
    const again = new Changes(directory, { files: disk.files });
    expect(again.made).toEqual(['before']);
    expect(again.journal.status.problem?.message).toBe('changes cannot be written: EACCES: permission denied');
    await expect(again.change('refused')).rejects.toThrow('EACCES');
    disk.failing.clear();
    await again.change('after');
    await again.journal.close();
    expect(await madeAfterStart()).toEqual(['before', 'after']);
  });

  it('what is no directory is an error', () => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => new Changes(join(directory, 'file', 'inner'))).toThrow('ENOTDIR');
  });

  it('another has it: it is told who, and it is free when that one is gone', async () => {
    const { journal, change } = new Changes(directory);
    await change('before');
    const second = (): Changes => new Changes(directory);
    expect(second).toThrow(JournalInUseError);
    expect(second).toThrow(`in use by process ${process.pid}`);
    await journal.close();
    expect(await madeAfterStart()).toEqual(['before']);
  });
});

describe('a small journal', () => {
  const texts = ['one', 'two', 'three'];
  /** Where each record begins, and where the last ends. */
  const bounds = [0, 23, 46, 71];

  /** What is read of these octets, and what is told. */
  async function read(bytes: Buffer): Promise<{ readonly made: readonly string[]; readonly told: boolean }> {
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    writeFileSync(join(directory, 'journal-1'), bytes);
    const { journal, made } = new Changes(directory);
    await journal.close();
    return { made, told: journal.report.damage.length > 0 };
  }

  async function small(): Promise<Buffer> {
    const { journal, change } = new Changes(directory);
    for (const text of texts) await change(text);
    await journal.close();
    return readFileSync(join(directory, 'journal-1'));
  }

  it('cut off after any octet has what is whole, and tells of the rest', async () => {
    const whole = await small();
    expect(whole).toHaveLength(71);
    for (let length = 0; length <= whole.length; length++) {
      const want = { made: texts.filter((_, i) => (bounds[i + 1] ?? 0) <= length), told: !bounds.includes(length) };
      expect({ length, ...(await read(whole.subarray(0, length))) }).toEqual({ length, ...want });
    }
  });

  it('with any bit turned has every other change, and tells of it', async () => {
    const whole = await small();
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = Buffer.from(whole);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const hit = bounds.findLastIndex((start) => start <= bit >> 3);
      expect({ bit, ...(await read(bytes)) }).toEqual({ bit, made: texts.filter((_, i) => i !== hit), told: true });
    }
  });
});
