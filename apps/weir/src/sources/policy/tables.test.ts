import { printExpr } from '@weir/filter/ir';
import { describe, expect, test } from 'vitest';
import { loadTexts, printAll } from './memory-policy.ts';

/** 192.0.2.0/24 is in SE and of AS 64496; nothing else is anywhere. */
const TABLE: Uint8Array = Buffer.from(
  'AAAYAAABAAAYAAACAAADAAAYAAAEAAAYAAAFAAAYAAAGAAAYAAAHAAAYAAAIAAAYAAAJAAAYAAAKAAAYAAALAAAYAAAMAAAYAAANAAAYAAAOAAAYAAAPAAAYAAAQAAAYAAARAAAYAAASAAAYAAATAAAYAAAUAAAYAAAVAAAYAAAWAAAYAAAYAAAXAAAoAAAYAAAAAAAAAAAAAAAAAAAAAOJMY291bnRyeV9jb2RlQlNFQ2FzbsQAAPvwq83vTWF4TWluZC5jb23nSm5vZGVfY291bnTEAAAAGEtyZWNvcmRfc2l6ZcQAAAAYSmlwX3ZlcnNpb27EAAAABE1kYXRhYmFzZV90eXBlRFRlc3RJbGFuZ3VhZ2VzAQRCZW5bYmluYXJ5X2Zvcm1hdF9tYWpvcl92ZXJzaW9uxAAAAAJbYmluYXJ5X2Zvcm1hdF9taW5vcl92ZXJzaW9uxAAAAAA=',
  'base64',
);

function load(expression: string): ReturnType<typeof loadTexts> {
  return loadTexts({
    'policy.yaml': `tables: { country: geo/table.mmdb, asnum: geo/table.mmdb }\nrules:\n  - { name: a, expression: '${expression}', action: deny }\n`,
    'geo/table.mmdb': TABLE,
  });
}

describe('countries and AS numbers of a table are addresses', () => {
  test.each([
    { expression: 'ip.src.country == "SE"', want: 'ip.src in {192.0.2.0/24}' },
    { expression: 'ip.src.country != "SE"', want: 'not ip.src in {192.0.2.0/24}' },
    { expression: 'ip.dst.asnum in {64496..64511} and tcp.dstport == 80', want: 'ip.dst in {192.0.2.0/24} and tcp.dstport == 80' },
  ])('$expression', ({ expression, want }) => {
    const loaded = load(expression);
    const [rule] = loaded.policy?.rules ?? [];
    expect([printAll(loaded), rule && printExpr(rule.expression), rule?.text]).toEqual(['', want, expression]);
  });
});

test('what no address of the table has is told of', () => {
  expect(printAll(load('ip.src.country == "NO"'))).toContain('W011] the whole expression is never true with these tables');
});

test('a table that cannot be used is told of once, not at every rule that asks for it', () => {
  const loaded = loadTexts({
    'policy.yaml': `tables: { country: table.mmdb }\nrules:\n  - { name: a, expression: 'ip.src.country == "SE"', action: deny }\n`,
    'table.mmdb': 'nothing',
  });
  expect(loaded.diagnostics.map(({ code }) => code)).toEqual(['E048']);
});
