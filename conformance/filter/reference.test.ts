import { readFileSync } from 'node:fs';
import { FUNCTIONS, type Hook, PACKET_SCHEME, parseScheme, printType, SLICE_PROTOCOLS } from '@weir/filter/scheme';
import { MAX_LENGTH, MAX_NESTING, parse, printJson, printProblem, treeToJson } from '@weir/filter/syntax';
import { describe, expect, it } from 'vitest';

const page = readFileSync(new URL('../../docs/filter-language.md', import.meta.url), 'utf8');
const PACKETS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'xdp', 'tc'];

/** Rows of the tables in one section. */
function rows(heading: string): readonly (readonly string[])[] {
  const section = page.split(/^##+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\| (.*) \|$/gm)].map((row) => (row[1] ?? '').split(/ \|(?: |$)/).map((cell) => cell.trim())).slice(1);
}

const names = (cell = ''): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map((name) => name[1] ?? '');

describe('docs/filter-language.md', () => {
  it('lists every field with its type and hooks', () => {
    const listed = rows('Fields of packets').flatMap(([cell, type, at = '']) =>
      names(cell).map((name) => ({
        name,
        type,
        at: at === 'everywhere' ? undefined : [...(at === 'packets' ? PACKETS : at.split(' '))].sort(),
      })),
    );
    const fields = [...PACKET_SCHEME.fields.values()].map(({ name, type, hooks }) => ({
      name,
      type: printType(type),
      at: hooks && [...hooks].sort(),
    }));
    const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);
    expect([...listed].sort(byName)).toEqual(fields.sort(byName));
  });

  it('lists every function with the number of its arguments', () => {
    const listed = rows('Functions').flatMap(([cell]) => names(cell).map((call) => [call.replace(/\(.*/, ''), call.split(',').length]));
    expect(Object.fromEntries(listed)).toEqual(
      Object.fromEntries([...FUNCTIONS.values()].map(({ name, parameters }) => [name, parameters.length])),
    );
    expect(page).toContain(SLICE_PROTOCOLS.join(' '));
  });

  it('states the limits', () => {
    expect(page).toContain(`${MAX_LENGTH.toLocaleString('en')} characters; ${MAX_NESTING} parentheses`);
  });

  it('begins with expressions that are valid', () => {
    const lines = /```\n([\s\S]*?)```/.exec(page)?.[1]?.trim().split('\n') ?? [];
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) {
      const result = parse(line, PACKET_SCHEME);
      expect('problem' in result && printProblem(line, result.problem)).toBe(false);
    }
  });

  it('shows an error as it is printed', () => {
    const [, line = '', text = ''] = /```\n(Filter parsing error .*\n(.*)\n.*\n)```/.exec(page) ?? [];
    const result = parse(text, PACKET_SCHEME);
    expect('problem' in result && `${printProblem(text, result.problem)}\n`).toBe(line);
  });

  it('shows JSON as it is printed', () => {
    const made = parseScheme({ x: 'Int' });
    const addresses = parseScheme({ x: 'Ip' });
    if ('problems' in made || 'problems' in addresses) throw new Error('no scheme');
    for (const expression of ['x == 1', 'x in {1 5..9}', 'x in $web']) {
      const result = parse(expression, made.scheme);
      expect(rows('As JSON').find(([cell]) => cell === `\`${expression}\``)?.[1]).toContain(
        'tree' in result ? `\`${printJson(treeToJson(result.tree))}\`` : '',
      );
    }
    const result = parse('x in {192.0.2.0/24 192.0.2.1}', addresses.scheme);
    expect(page).toContain('tree' in result ? `\`${printJson(treeToJson(result.tree))}\`` : undefined);
  });
});
