import { Reader, Writer } from '@weir/wire/bytes';
import { expect, it } from 'vitest';
import type { Expression } from './expr/index.ts';
import { decodeRule, encodeRule } from './rule.ts';

const counter: Expression = { kind: 'counter', packets: 3n, bytes: 180n };
const expressions: readonly Expression[] = [
  { kind: 'meta', key: 'l4proto', dreg: 1 },
  { kind: 'cmp', sreg: 1, op: 'eq', data: new Uint8Array([6]) },
  counter,
  { kind: 'unknown', name: 'counters', bytes: new Uint8Array(4) },
  { kind: 'unknown', name: 'count', bytes: new Uint8Array(4) },
];

it('only the expressions of one name are read when they are asked for', () => {
  const w = new Writer(256);
  encodeRule(w, { family: 'inet', table: 't', chain: 'c', expressions });
  const bytes = w.finish();
  expect(decodeRule('inet', new Reader(bytes)).expressions).toEqual(expressions);
  expect(decodeRule('inet', new Reader(bytes), 'counter').expressions).toEqual([counter]);
  expect(decodeRule('inet', new Reader(bytes), 'limit').expressions).toEqual([]);
});
