// Filter expressions and schemes: whatever the text, there is a tree that prints as it was written, or a problem with a place; never an exception.
import { deepStrictEqual } from 'node:assert';
import { PACKET_SCHEME, parseScheme, type Scheme } from '@weir/filter/scheme';
import { compileRegex, parse, print, printJson, printNode, printProblem, treeToJson } from '@weir/filter/syntax';
import { invalidCases, validCases } from '../conformance/filter/cases.ts';
import type { FuzzTarget } from './fuzz.ts';

const cases = [...validCases(), ...invalidCases()];
const schemes: readonly Scheme[] = [...new Set([PACKET_SCHEME, ...cases.map(({ scheme }) => scheme)])];

export const target: FuzzTarget = {
  name: 'filter',
  /** The first octet chooses the scheme. */
  corpus: () => [
    ...cases.map(({ expression, scheme }) => Uint8Array.from([schemes.indexOf(scheme), ...Buffer.from(expression)])),
    Buffer.from('\xff{"a.b": "Map(Array(Bytes))", "c": {"Array": "Int"}}', 'latin1'),
  ],
  run(input) {
    const text = new TextDecoder().decode(input.subarray(1));
    if (input[0] === 0xff) return runScheme(text);
    const scheme = schemes[(input[0] ?? 0) % schemes.length] ?? PACKET_SCHEME;
    const result = parse(text, scheme);
    if ('problem' in result) {
      const { start, end } = result.problem.span;
      if (!(start >= 0 && start <= end && end <= text.length)) throw new Error(`no place: ${start} to ${end} of ${text.length}`);
      if (/[^\n\P{Cc}]/u.test(printProblem(text, result.problem))) throw new Error('control characters reach the terminal');
      return;
    }
    deepStrictEqual(print(result.tree), text);
    const json = printJson(treeToJson(result.tree));
    JSON.parse(json);
    // In the usual spelling it is the same expression.
    const usual = printNode(withoutSpelling(result.tree.root));
    const again = parse(usual, scheme, { maxLength: Number.POSITIVE_INFINITY });
    if ('problem' in again) throw new Error(printProblem(usual, again.problem));
    deepStrictEqual(printJson(treeToJson(again.tree)), json);
    for (const pattern of patternsOf(result.tree.root)) compileRegex(pattern).test(input);
  },
};

function runScheme(text: string): void {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return;
    throw error;
  }
  const result = parseScheme(json);
  if ('problems' in result && result.problems.length === 0) throw new Error('no scheme, and no problem');
}

/** A copy of a node in which no node has a spelling. */
function withoutSpelling<T>(node: T): T {
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return node;
  if (Array.isArray(node)) return node.map(withoutSpelling) as T;
  return Object.fromEntries(
    Object.entries(node).flatMap(([key, value]) => (key === 'spelling' ? [] : [[key, withoutSpelling(value as unknown)]])),
  ) as T;
}

function patternsOf(node: unknown): readonly Uint8Array[] {
  if (typeof node !== 'object' || node === null || node instanceof Uint8Array) return [];
  if ('kind' in node && node.kind === 'matches' && 'pattern' in node) return [(node.pattern as { readonly value: Uint8Array }).value];
  return Object.values(node).flatMap(patternsOf);
}
