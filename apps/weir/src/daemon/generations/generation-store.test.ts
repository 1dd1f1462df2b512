import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestTexts } from '../../sources/config/index.ts';
import { GenerationStore, MAX_GENERATIONS } from './generation-store.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-history-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

const texts = (n: number): ReadonlyMap<string, string> => new Map([['weir.yaml', `text ${n}`]]);

function add(store: GenerationStore, n: number, deadline?: number): number {
  return store.add({ at: n, cause: 'apply', by: 'test', file: 'weir.yaml', changes: [] }, texts(n), deadline).number;
}

test('what was written is there again', () => {
  const store = GenerationStore.open(directory);
  expect(store.current).toBe(undefined);
  expect([add(store, 1), add(store, 2)]).toEqual([1, 2]);
  const again = GenerationStore.open(directory);
  expect(again.current?.number).toBe(2);
  expect(again.before(2)?.number).toBe(1);
  expect([...again.texts(1)]).toEqual([...texts(1)]);
});

test('a change that waits is confirmed, or taken back', () => {
  const store = GenerationStore.open(directory);
  add(store, 1);
  add(store, 2, 5000);
  expect(GenerationStore.open(directory).index.pending).toEqual({ generation: 2, previous: 1, deadline: 5000 });
  store.confirm();
  expect(GenerationStore.open(directory).index).toMatchObject({ inForce: 2, pending: undefined });
  add(store, 3, 5000);
  expect(store.takeBack()).toBe(2);
  const again = GenerationStore.open(directory);
  expect(again.index).toMatchObject({ inForce: 2, pending: undefined });
  expect(again.wasReverted(again.find(3)?.digest ?? '')).toBe(true);
  expect(again.wasReverted(again.find(2)?.digest ?? '')).toBe(false);
  // What was taken back is nothing to go back to.
  add(store, 4);
  expect(store.before(4)?.number).toBe(2);
});

test('applied again and confirmed it is no longer one that was taken back', () => {
  const store = GenerationStore.open(directory);
  add(store, 1);
  add(store, 2, 5000);
  const digest = store.current?.digest ?? '';
  store.takeBack();
  expect(store.wasReverted(digest)).toBe(true);
  add(store, 2, 5000);
  store.confirm();
  expect(store.wasReverted(digest)).toBe(false);
});

test('texts that are left are refused, known or not', () => {
  const store = GenerationStore.open(directory);
  add(store, 1);
  add(store, 2);
  store.refuse({ at: 3, cause: 'start', by: 'test', file: 'weir.yaml' }, texts(1));
  store.refuse({ at: 3, cause: 'start', by: 'test', file: 'weir.yaml' }, texts(9));
  const again = GenerationStore.open(directory);
  expect(again.index.inForce).toBe(2);
  expect([1, 2, 9].map((n) => again.wasReverted(digestTexts(texts(n))))).toEqual([true, false, true]);
});

test('there is nothing to go back to before the first', () => {
  const store = GenerationStore.open(directory);
  add(store, 1, 5000);
  expect(store.index.pending).toBe(undefined);
  expect(store.before(1)).toBe(undefined);
});

test('only so many are kept, with what is needed', () => {
  const store = GenerationStore.open(directory);
  for (let n = 1; n <= MAX_GENERATIONS + 10; n++) add(store, n);
  expect(store.index.records.length).toBe(MAX_GENERATIONS);
  expect(store.find(10)).toBe(undefined);
  expect(() => store.texts(10)).toThrow('the texts of generation 10 are not kept any more');
  expect(readdirSync(join(directory, 'history')).length).toBe(MAX_GENERATIONS + 1);
});

test.each(['{', '{}', '[]', '{"format_version":1,"records":[{}]}'])('a damaged index %j is told of', (text) => {
  add(GenerationStore.open(directory), 1);
  writeFileSync(join(directory, 'history', 'index.json'), text);
  expect(() => GenerationStore.open(directory)).toThrow('is damaged');
});

test('what cannot be removed is told of, and what was added counts', () => {
  const told: string[] = [];
  const store = GenerationStore.open(directory, (problem) => told.push(problem));
  mkdirSync(join(directory, 'history', 'not-ours', 'at-all'), { recursive: true });
  expect(add(store, 1)).toBe(1);
  expect(told).toEqual([expect.stringMatching(/^old generations cannot be removed: .*not-ours/)]);
  expect(GenerationStore.open(directory).index).toMatchObject({ inForce: 1, records: [{ number: 1 }] });
});
