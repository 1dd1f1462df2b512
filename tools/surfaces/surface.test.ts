import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type ExportedName, printSurface, readSurfaces } from './surface.ts';

const index = `/** What this is. */
export { a, type B, C as Renamed } from './inner.ts';
`;

const inner = `/** A constant. */
export declare const a: number;
/** A link: https://example.net/ */
export interface B {
  /** Bytes. */
  readonly size: number;
  readonly where: 'https://example.net/*' | "//";
}
export declare class C {
  #private;
  private hidden;
  constructor(size?: number);
  close(): void; // idempotent
}
export declare function d(x: string): string;
export declare function d(x: number): number;
`;

function read(files: Readonly<Record<string, string>>): ReadonlyMap<string, readonly ExportedName[]> {
  const root = mkdtempSync(join(tmpdir(), 'weir-surfaces-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const surfaces = readSurfaces(
    root,
    Object.keys(files).map((name) => join(root, name)),
  );
  return new Map([...surfaces].map(([path, names]) => [basename(path), names]));
}

test('names with their declarations, sorted, without comments and private parts', () => {
  const surfaces = read({ 'index.d.ts': index, 'inner.d.ts': inner });
  const names = surfaces.get('index.d.ts') ?? [];
  expect(printSurface('@weir/x', names)).toBe(`# @weir/x

interface B {
    readonly size: number;
    readonly where: 'https://example.net/*' | "//";
}

export { C as Renamed };
class C {
    constructor(size?: number);
    close(): void;
}

const a: number;
`);
  expect(surfaces.get('inner.d.ts')?.at(-1)).toEqual({
    name: 'd',
    declarations: ['function d(x: string): string;', 'function d(x: number): number;'],
  });
});

test('a changed signature changes the text', () => {
  const text = (source: string) => printSurface('m', read({ 'm.d.ts': source }).get('m.d.ts') ?? []);
  expect(text('export declare function f(x: string): void;')).not.toBe(text('export declare function f(x: string | undefined): void;'));
});

test('what is not a module is an error', () => {
  expect(() => read({ 'm.d.ts': 'declare const a: 1;' })).toThrow('is not a module');
});
