import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DirectoryLock } from './directory-lock.ts';
import { SystemError } from './libc.ts';

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'weir-lock-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('one at a time has it, and who does is told', () => {
  const path = directory();
  expect(DirectoryLock.holder(path)).toBeUndefined();
  const lock = DirectoryLock.take(path);
  expect(lock?.path).toBe(path);
  expect(DirectoryLock.take(path)).toBeUndefined();
  expect(DirectoryLock.holder(path)).toBe(process.pid);
  lock?.close();
  lock?.close();
  const again = DirectoryLock.take(path);
  expect(again).toBeDefined();
  again?.close();
});

test('a directory that is made anew has a lock of its own', () => {
  const path = join(directory(), 'inner');
  mkdirSync(path);
  const old = DirectoryLock.take(path);
  rmSync(path, { recursive: true });
  mkdirSync(path);
  const fresh = DirectoryLock.take(path);
  expect(fresh).toBeDefined();
  old?.close();
  expect(DirectoryLock.take(path)).toBeUndefined();
  fresh?.close();
});

test('what is no directory is refused', () => {
  expect(() => DirectoryLock.take(join(directory(), 'none'))).toThrow(SystemError);
});
