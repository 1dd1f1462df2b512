import { readFileSync } from 'node:fs';
import { PACKET_SCHEME, parseScheme, type Scheme } from '@weir/filter/scheme';

export interface Case {
  readonly name: string;
  readonly expression: string;
  readonly scheme: Scheme;
}

export interface ValidCase extends Case {
  /** What `weir filter parse` prints, without white space. */
  readonly json: string;
}

export interface InvalidCase extends Case {
  readonly error: string;
}

type Row = { readonly name: string; readonly expression: string; readonly scheme?: string };

function readText(file: string): string {
  return readFileSync(new URL(file, import.meta.url), 'utf8');
}

const schemes = new Map(
  Object.entries(JSON.parse(readText('schemes.json')) as Record<string, unknown>).map(([name, json]): [string, Scheme] => {
    const result = parseScheme(json);
    if ('problems' in result) throw new Error(`${name}: ${result.problems.join('; ')}`);
    return [name, result.scheme];
  }),
);

function scheme({ scheme: name }: Row): Scheme {
  const found = name === undefined ? PACKET_SCHEME : schemes.get(name);
  if (!found) throw new Error(`no scheme ${name}`);
  return found;
}

/** The JSON is kept as it is in the file: two lines a row, the second is `"json": ...`. */
export function validCases(): readonly ValidCase[] {
  const text = readText('valid.json');
  const json = [...text.matchAll(/^ {3}"json": (.*?)\},?$/gm)].map((match) => match[1] ?? '');
  return (JSON.parse(text) as readonly Row[]).map((row, i) => ({ ...row, scheme: scheme(row), json: json[i] ?? '' }));
}

export function invalidCases(): readonly InvalidCase[] {
  return (JSON.parse(readText('invalid.json')) as readonly (Row & { readonly error: string })[]).map((row) => ({
    ...row,
    scheme: scheme(row),
  }));
}
