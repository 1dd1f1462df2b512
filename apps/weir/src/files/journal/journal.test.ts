import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal } from './journal.ts';

let directory = '';

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-journal-'));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A table of names and values that lives in a journal. */
class Table {
  readonly values = new Map<string, string>();
  readonly errors: Error[] = [];
  readonly journal: Journal;

  constructor(path = directory, compactAfter = 4 << 20) {
    this.journal = new Journal({
      directory: path,
      compactAfter,
      apply: (payload) => this.#make(payload),
      snapshot: () => this.#all(),
      onError: (error) => this.errors.push(error),
    });
  }

  *#all(): Iterable<Uint8Array> {
    for (const [key, value] of this.values) yield Buffer.from(`${key}=${value}`);
  }

  #make(payload: Uint8Array): void {
    const [key = '', value] = Buffer.from(payload).toString().split('=');
    if (value === undefined) this.values.delete(key);
    else this.values.set(key, value);
  }

  change(text: string): Promise<void> {
    const payload = Buffer.from(text);
    return this.journal.append(payload, () => this.#make(payload));
  }
}

const file = (name: string): string => join(directory, name);

it('has after a start what was acknowledged before', async () => {
  const table = new Table();
  await Promise.all(['a=1', 'b=2', 'a=3', 'b', 'c=4'].map((text) => table.change(text)));
  await table.journal.close();
  const again = new Table();
  expect([...again.values]).toEqual([
    ['a', '3'],
    ['c', '4'],
  ]);
  expect(again.journal.report).toEqual({ changes: 5, damage: [], missing: 0 });
  await again.change('d=5');
  await again.journal.close();
  expect(readdirSync(directory)).toEqual(['journal-1']);
  expect(statSync(file('journal-1')).mode & 0o777).toBe(0o600);
  const third = new Table();
  expect([...third.values.keys()]).toEqual(['a', 'c', 'd']);
  await third.journal.close();
  await expect(third.change('x=1')).rejects.toThrow('closed');
});

it('makes a change only when it is on disk, in order', async () => {
  const table = new Table();
  const first = table.change('a=1');
  expect(table.values.size).toBe(0);
  await first;
  expect(table.values.get('a')).toBe('1');
  await table.journal.close();
});

it('puts a snapshot in the place of many changes, while more come', async () => {
  const table = new Table(directory, 2000);
  for (let i = 0; i < 500; i++) await table.change(`k${i % 20}=${i}`);
  await table.journal.close();
  const octets = readdirSync(directory).reduce((sum, name) => sum + statSync(file(name)).size, 0);
  expect(octets).toBeLessThan(8000);
  expect(readdirSync(directory).filter((name) => name !== 'snapshot')).toHaveLength(1);
  const again = new Table();
  expect([...again.values].sort()).toEqual([...table.values].sort());
  expect(table.errors).toEqual([]);
  await again.journal.close();
});

describe('what is damaged', () => {
  const fill = async (): Promise<void> => {
    const table = new Table();
    for (let i = 0; i < 10; i++) await table.change(`k${i}=${i}`);
    await table.journal.close();
  };

  it('is cut off where a write was', async () => {
    await fill();
    const { size } = statSync(file('journal-1'));
    truncateSync(file('journal-1'), size - 3);
    const table = new Table();
    expect([...table.values.keys()]).toEqual(['k0', 'k1', 'k2', 'k3', 'k4', 'k5', 'k6', 'k7', 'k8']);
    expect(table.journal.report.damage).toEqual([
      { path: file('journal-1'), offset: size - 24, octets: 21, atEnd: true, torn: true, cutOff: true, copy: undefined },
    ]);
    await table.change('x=1');
    await table.journal.close();
    const again = new Table();
    expect(again.values.size).toBe(10);
    expect(again.journal.report.damage).toEqual([]);
    await again.journal.close();
  });

  it('is left out, told and kept aside, and what follows is not lost', async () => {
    await fill();
    const bytes = readFileSync(file('journal-1'));
    bytes[24 * 3 + 5] = 0xff;
    writeFileSync(file('journal-1'), bytes);
    const table = new Table();
    expect([...table.values.keys()]).toEqual(['k0', 'k1', 'k2', 'k4', 'k5', 'k6', 'k7', 'k8', 'k9']);
    expect(table.journal.report).toMatchObject({
      changes: 9,
      missing: 1,
      damage: [{ offset: 72, octets: 24, copy: file('journal-1.damaged') }],
    });
    expect(readFileSync(file('journal-1.damaged')).equals(bytes)).toBe(true);
    await table.change('x=1');
    await table.journal.close();
    const again = new Table();
    expect([again.values.size, again.journal.report.damage]).toEqual([10, []]);
    await again.journal.close();
  });

  it('never is taken for a change: any octet flipped, any cut, anything behind', async () => {
    await fill();
    const whole = readFileSync(file('journal-1'));
    const path = mkdtempSync(join(directory, 'x'));
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.constantFrom('flip', 'cut', 'more'),
        async (at, by, kind) => {
          rmSync(path, { recursive: true });
          writeFileSync(file('untouched'), '');
          const bytes = Buffer.from(whole);
          if (kind === 'flip') bytes[at] = (bytes[at] as number) ^ by;
          const table0 = new Table(path);
          await table0.journal.close();
          writeFileSync(join(path, 'journal-1'), kind === 'cut' ? bytes.subarray(0, at) : bytes);
          if (kind === 'more') appendFileSync(join(path, 'journal-1'), Buffer.alloc(by, kind));
          const table = new Table(path);
          await table.journal.close();
          const lost =
            kind === 'flip' ? [Math.floor(at / 24)] : kind === 'cut' ? [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].slice(Math.floor(at / 24)) : [];
          const want = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].filter((i) => !lost.includes(i)).map((i) => [`k${i}`, `${i}`]);
          expect([...table.values]).toEqual(want);
        },
      ),
      { numRuns: 100 },
    );
  });
});

it('refuses changes that it cannot write', async () => {
  const table = new Table();
  await expect(table.journal.append(new Uint8Array(0), () => undefined)).rejects.toThrow('a change of 0 octets');
  await expect(table.journal.append(new Uint8Array((192 << 20) + 1), () => undefined)).rejects.toThrow('octets: 1 to');
  await table.change('a=1');
  await table.journal.close();
  const again = new Table();
  expect([...again.values]).toEqual([['a', '1']]);
  await again.journal.close();
});
