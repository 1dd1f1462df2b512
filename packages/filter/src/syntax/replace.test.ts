import { ip4, prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import {
  bytesLiteral,
  combine,
  comparison,
  field,
  intLiteral,
  intRange,
  ipLiteral,
  not,
  patternLiteral,
  prefixItem,
  quantified,
} from './build.ts';
import { parse } from './parse.ts';
import { printNode } from './print.ts';
import { replaceNode } from './replace.ts';
import { RECORDS } from './test-scheme.ts';
import type { Expression, Node } from './tree.ts';

function root(text: string): Expression {
  const result = parse(text, RECORDS);
  if ('problem' in result) throw new Error(result.problem.message);
  return result.tree.root;
}

/** The first node, from the root down, whose text this is. */
function find(node: unknown, text: string): Node {
  const queue: unknown[] = [node];
  for (const next of queue) {
    if (typeof next !== 'object' || next === null || next instanceof Uint8Array) continue;
    if ('kind' in next && 'span' in next && printNode(next as Node) === text) return next as Node;
    queue.push(...Object.values(next));
  }
  throw new Error(`no ${text}`);
}

const or = combine('or', [comparison(field('ssl')), not(comparison(field('ssl')))]);

describe('replaceNode', () => {
  it.each([
    { name: 'a literal keeps the rest', text: 'port  ==\n0x50', from: '0x50', to: intLiteral(443), want: 'port  ==\n443' },
    { name: 'a literal that touched its operator', text: 'port eq80', from: '80', to: intLiteral(81), want: 'port eq 81' },
    { name: 'a sign needs no space', text: 'port==80', from: '80', to: intLiteral(81), want: 'port==81' },
    { name: 'a value of a set', text: 'port in { 1  2\n3 }', from: '2', to: intRange(7, 9), want: 'port in { 1  7..9\n3 }' },
    {
      name: 'a value that touched another',
      text: 'host in {"a""b"}',
      from: '"b"',
      to: bytesLiteral(Uint8Array.of(0xff)),
      want: 'host in {"a""\\xff"}',
    },
    {
      name: 'a prefix',
      text: 'addr in {192.0.2.1}',
      from: '192.0.2.1',
      to: prefixItem(prefix('192.0.2.0/24')),
      want: 'addr in {192.0.2.0/24}',
    },
    { name: 'a field', text: 'lower( host )  == "a"', from: 'host', to: field('body'), want: 'lower( body )  == "a"' },
    { name: 'a side of and takes parentheses', text: 'ssl  &&  port == 80', from: 'port == 80', to: or, want: 'ssl  &&  (ssl or not ssl)' },
    { name: 'inside of not', text: 'not(ssl)', from: '(ssl)', to: or, want: 'not(ssl or not ssl)' },
    { name: 'what grows together with not', text: 'not(ssl)', from: '(ssl)', to: comparison(field('ssl')), want: 'not ssl' },
    {
      name: 'what grows together with and',
      text: '(ssl)and port == 1',
      from: '(ssl)',
      to: comparison(field('ssl')),
      want: 'ssl and port == 1',
    },
    { name: 'the root', text: 'ssl', from: 'ssl', to: or, want: 'ssl or not ssl' },
  ])('$name', ({ text, from, to, want }) => {
    const tree = root(text);
    expect(printNode(replaceNode(tree, find(tree, from), to))).toBe(want);
  });

  it.each([
    { name: 'a node of another tree', text: 'ssl', from: field('ssl'), to: field('x') },
    { name: 'a literal for an expression', text: 'ssl', from: undefined, to: intLiteral(1) },
    { name: 'a range outside of a set', text: 'port == 80', from: '80', to: intRange(1, 2) },
    { name: 'an expression as an operand', text: 'port == 80', from: 'port', to: or },
  ])('$name is a RangeError', ({ text, from, to }) => {
    const tree = root(text);
    expect(() => replaceNode(tree, typeof from === 'string' ? find(tree, from) : (from ?? tree), to)).toThrow(RangeError);
  });

  it('leaves the old tree as it was', () => {
    const tree = root('port == 80');
    replaceNode(tree, find(tree, '80'), intLiteral(81));
    expect(printNode(tree)).toBe('port == 80');
  });
});

describe('builders', () => {
  it.each([
    { name: 'or inside and', input: combine('and', [or, or]), want: '(ssl or not ssl) and (ssl or not ssl)' },
    {
      name: 'and inside or',
      input: combine('or', [combine('and', [or, or]), or]),
      want: '(ssl or not ssl) and (ssl or not ssl) or (ssl or not ssl)',
    },
    { name: 'not of or', input: not(or), want: 'not (ssl or not ssl)' },
    {
      name: 'any of or',
      input: quantified('any', combine('or', [comparison(field('flags')), comparison(field('flags'))])),
      want: 'any((flags or flags))',
    },
    {
      name: 'an address',
      input: comparison(field('addr'), { kind: 'order', op: 'Equal', value: ipLiteral(ip4(0xc0000201)) }),
      want: 'addr == 192.0.2.1',
    },
    { name: 'an empty set', input: comparison(field('port'), { kind: 'in', items: [] }), want: 'port in {}' },
    {
      name: 'a pattern with a quote',
      input: comparison(field('host'), { kind: 'matches', pattern: patternLiteral('a"b') }),
      want: 'host matches r#"a"b"#',
    },
  ])('$name', ({ input, want }) => {
    expect(printNode(input)).toBe(want);
  });

  it('a pattern that no string can say', () => {
    expect(() => patternLiteral('"####')).toThrow(RangeError);
  });
});
