import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryLock } from '@weir/sys';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { awaitState, lockState, StateInUseError } from './state-lock.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-state-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const never = (text: string): void => expect.unreachable(text);

test('one has it at a time, and who is told', () => {
  const lock = lockState(directory, never);
  const why = `${directory} is in use by process ${process.pid}: two must not keep one state; end that one, or name another directory (state_directory)`;
  expect(() => lockState(directory, never)).toThrow(new StateInUseError(directory, process.pid));
  expect(() => lockState(directory, never)).toThrow(why);
  lock?.close();
  lockState(directory, never)?.close();
});

test('whoever is ending is waited for, whoever stays is not for ever', async () => {
  const lock = DirectoryLock.take(directory);
  await expect(awaitState(directory, never, 100)).rejects.toThrow(StateInUseError);
  const waiting = awaitState(directory, never, 60_000);
  lock?.close();
  const next = await waiting;
  expect(next?.path).toBe(directory);
  next?.close();
});

test('where there is no directory there is nothing to lock; a file is no directory', () => {
  expect(lockState(join(directory, 'none'), never)).toBeUndefined();
  writeFileSync(join(directory, 'file'), '');
  expect(() => lockState(join(directory, 'file'), never)).toThrow('ENOTDIR');
});
