import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeDirectory, readIfThere, removeFile, writeWhole } from './index.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-files-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

describe('directories', () => {
  it('are made with what is above them, and stay as they are', () => {
    const path = join(directory, 'a/b/c');
    makeDirectory(path, 0o700);
    writeFileSync(join(path, 'file'), '');
    makeDirectory(path, 0o755);
    expect([statSync(path).mode & 0o777, readdirSync(path)]).toEqual([0o700, ['file']]);
  });

  it.each([
    { name: 'a file is not one', path: 'file', want: /file cannot be made: EEXIST/ },
    { name: 'nor has it any', path: 'file/x', want: /file\/x cannot be made: ENOTDIR/ },
  ])('$name', ({ path, want }) => {
    writeFileSync(join(directory, 'file'), '');
    expect(() => makeDirectory(join(directory, path), 0o700)).toThrow(want);
  });

  it.each(['/proc/nowhere', '/proc/self/weir/below'])('%s is refused at once', (path) => {
    expect(() => makeDirectory(path, 0o700)).toThrow(/ENOENT|EPERM|EACCES/);
  });
});

describe.each(['process', 'machine'] as const)('a file that survives the %s', (survives) => {
  it.each([0o600, 0o644] as const)('is written whole, with mode %o', (mode) => {
    const path = join(directory, 'x');
    writeWhole(path, 'first', { mode, survives });
    writeWhole(path, Uint8Array.of(0, 255), { mode, survives });
    expect([...readFileSync(path)]).toEqual([0, 255]);
    expect(statSync(path).mode & 0o777).toBe(mode);
    expect(readdirSync(directory)).toEqual(['x']);
  });

  it('leaves nothing behind when it cannot take its place', () => {
    const path = join(directory, 'x');
    mkdirSync(path);
    expect(() => writeWhole(path, 'text', { mode: 0o600, survives })).toThrow('EISDIR');
    expect(readdirSync(directory)).toEqual(['x']);
  });

  it('needs its directory', () => {
    expect(() => writeWhole(join(directory, 'a', 'x'), '', { mode: 0o600, survives })).toThrow('ENOENT');
  });
});

it('a file that is not there is no error to a reader and to who removes it', () => {
  const path = join(directory, 'x');
  expect(readIfThere(path)).toBe(undefined);
  removeFile(path);
  writeFileSync(path, 'text');
  expect(readIfThere(path)?.toString()).toBe('text');
  removeFile(path);
  expect(existsSync(path)).toBe(false);
});

it('what cannot be read or removed is an error', () => {
  expect(() => readIfThere(directory)).toThrow('EISDIR');
  expect(() => removeFile(directory)).toThrow(/EISDIR|EPERM/);
});
