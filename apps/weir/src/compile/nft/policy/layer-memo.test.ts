import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FieldRange, Match, RuleImage } from '../image.ts';
import { keyedRule } from './key-box.ts';
import { LayerMemo } from './layer-memo.ts';
import { layersOf } from './layers.ts';

const ends = fc.tuple(fc.nat(9), fc.nat(3)).map(([first, more]) => [first, Math.min(9, first + more)] as const);
const source = ends.map(([a, b]): Match => ({ kind: 'field', field: 'saddr4', ranges: [[`192.0.2.${a}`, `192.0.2.${b}`]] }));
const source6 = ends.map(([a, b]): Match => ({ kind: 'field', field: 'saddr6', ranges: [[`2001:db8::${a}`, `2001:db8::${b}`]] }));
const port = fc
  .tuple(fc.constantFrom('tcpDport' as const, 'udpDport' as const), fc.array(ends, { minLength: 1, maxLength: 2 }))
  .map(([field, ranges]): Match => ({ kind: 'field', field, ranges: ranges.map(([a, b], i): FieldRange => [a + i * 10, b + i * 10]) }));
const inside = fc.constantFrom('eth0', 'eth1').map((name): Match => ({ kind: 'interface', direction: 'in', name }));
const image = fc
  .tuple(fc.option(fc.oneof(source, source6)), fc.option(port), fc.option(inside))
  .map((matches): RuleImage => ({ name: 'x', matches: matches.filter((match) => match !== null), verdict: { kind: 'drop' } }));

test('the layers of a list that was changed are those of the list', () => {
  const edit = fc.record({ at: fc.nat(30), remove: fc.nat(2), add: fc.array(image, { maxLength: 2 }) });
  fc.assert(
    fc.property(fc.array(image, { minLength: 1, maxLength: 30 }), fc.array(edit, { minLength: 1, maxLength: 6 }), (first, edits) => {
      let images = first;
      let layers = layersOf(images.map(keyedRule));
      for (const { at, remove, add } of edits) {
        const memo = layers && new LayerMemo(images.map(keyedRule), layers);
        images = [...images];
        images.splice(at % (images.length + 1), remove, ...add);
        layers = memo?.layersOf(images.map(keyedRule));
        expect(layers?.of).toEqual(layersOf(images.map(keyedRule))?.of);
      }
    }),
    { numRuns: 100 },
  );
});
