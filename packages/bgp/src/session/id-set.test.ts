import fc from 'fast-check';
import { expect, it } from 'vitest';
import { IdSet } from './id-set.ts';

it('is a set that gives its lowest members first', () => {
  const step = fc.record({ kind: fc.constantFrom('add', 'add', 'delete', 'take', 'range', 'copy', 'all'), id: fc.nat(5000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      let ids = new IdSet();
      const model = new Set<number>();
      for (const { kind, id } of steps) {
        if (kind === 'add') {
          ids.add(id);
          model.add(id);
        } else if (kind === 'delete') expect(ids.delete(id)).toBe(model.delete(id));
        else if (kind === 'copy') {
          const other = ids.copy();
          ids.add(5001);
          ids = other;
        } else if (kind === 'all') {
          const other = new IdSet();
          for (const one of [id, id + 40]) {
            other.add(one);
            model.add(one);
          }
          ids.addAll(other);
        } else if (kind === 'range') {
          const least = Math.min(...model);
          const range = [...model].filter((one) => Math.floor(one / 1024) === Math.floor(least / 1024)).sort((a, b) => a - b);
          expect(ids.takeRange(1024)).toEqual(range);
          for (const one of range) model.delete(one);
        } else {
          const lowest = [...model].sort((a, b) => a - b).slice(0, id % 7);
          expect(ids.take(id % 7)).toEqual(lowest);
          for (const one of lowest) model.delete(one);
        }
        expect(ids.size).toBe(model.size);
        expect(ids.has(id)).toBe(model.has(id));
      }
    }),
  );
});
