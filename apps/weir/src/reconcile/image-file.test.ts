import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KernelPlan } from '../compile/nft/targets.ts';
import { holdImage, lastTable, loadConfirmedImage, loadImage, saveImage } from './image-file.ts';

let directory = '';
const named = (name: string): KernelPlan => ({ targets: [], table: { name, sets: [], chains: [] } });
const image = (): string => join(directory, 'image.json');
const held = (): string => join(directory, 'image.confirmed.json');

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-image-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

it('what was saved is loaded', () => {
  expect([loadImage(directory), loadConfirmedImage(directory), lastTable(directory)]).toEqual([
    undefined,
    { plan: undefined, fault: undefined },
    { name: undefined, fault: undefined },
  ]);
  saveImage(directory, named('weir'));
  expect(loadImage(directory)).toMatchObject(named('weir'));
  expect(lastTable(directory)).toEqual({ name: 'weir', fault: undefined });
  expect(statSync(image()).mode & 0o777).toBe(0o600);
  saveImage(directory, { targets: [], table: undefined });
  expect(lastTable(directory)).toEqual({ name: undefined, fault: undefined });
});

it('while a change waits, a boot loads what was before it', () => {
  holdImage(directory, true);
  expect(existsSync(held())).toBe(false);
  saveImage(directory, named('before'));
  holdImage(directory, true);
  saveImage(directory, named('after'));
  expect(loadConfirmedImage(directory)).toMatchObject({ plan: named('before'), fault: undefined });
  expect(statSync(held()).mode & 0o777).toBe(0o600);
  holdImage(directory, false);
  holdImage(directory, false);
  expect(loadConfirmedImage(directory)).toMatchObject({ plan: named('after'), fault: undefined });
});

const DAMAGED = [
  { name: 'empty', text: '', want: 'is damaged' },
  { name: 'cut short', text: '{"format_version":2,"targets":[', want: 'is damaged' },
  { name: 'no object', text: '[]', want: 'it has no version' },
  { name: 'null', text: 'null', want: 'it has no version' },
  { name: 'without a version', text: '{"targets":[]}', want: 'it has no version' },
  { name: 'a table without a name', text: '{"format_version":2,"table":{}}', want: 'is damaged' },
  { name: 'a table that is none', text: '{"format_version":2,"table":"weir"}', want: 'is damaged' },
];

describe.each(DAMAGED)('a file that is damaged: $name', ({ text, want }) => {
  it('is no image', () => {
    writeFileSync(image(), text);
    expect(() => loadImage(directory)).toThrow(want);
    expect(() => loadConfirmedImage(directory)).toThrow(want);
  });

  it('tells no table, and why', () => {
    writeFileSync(image(), text);
    const { name, fault } = lastTable(directory);
    expect(name).toBe(undefined);
    expect(fault).toContain(want);
    expect(fault).toContain(image());
  });

  it('held for a boot, what was in force last is loaded in its place', () => {
    saveImage(directory, named('after'));
    writeFileSync(held(), text);
    const { plan, fault } = loadConfirmedImage(directory);
    expect(plan).toMatchObject(named('after'));
    expect(fault).toContain(held());
  });
});

it.each([1, 3])('a file of version %i is not loaded, but tells its table', (version) => {
  writeFileSync(image(), JSON.stringify({ format_version: version, targets: [], table: { name: 'old' } }));
  expect(() => loadImage(directory)).toThrow('was written by another version');
  expect(lastTable(directory)).toEqual({ name: 'old', fault: undefined });
  saveImage(directory, named('weir'));
  expect(JSON.parse(readFileSync(image(), 'utf8'))).toMatchObject({ format_version: 2 });
});
