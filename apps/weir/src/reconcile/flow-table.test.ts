import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ActiveFlow } from '../model/flow.ts';
import { FlowTable } from './flow-table.ts';

function flow(key: number, version: number): ActiveFlow {
  return { rule: { key: String(key) }, order: String(key).padStart(4, '0'), treatment: version } as unknown as ActiveFlow;
}

const change = fc.record({
  reset: fc.boolean(),
  gone: fc.array(fc.nat(60)),
  put: fc.array(fc.nat(60), { maxLength: 50 }),
});

test('flow rules are in their order after any changes, as a sorted list of all of them', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(change, fc.nat(9)), { maxLength: 12 }), (changes) => {
      const table = new FlowTable();
      let naive = new Map<number, ActiveFlow>();
      let version = 0;
      for (const [{ reset, gone, put }, rarely] of changes) {
        const anew = reset && rarely === 0;
        if (anew) naive = new Map();
        for (const key of gone) naive.delete(key);
        const flows = put.map((key) => flow(key, version++));
        for (const [i, key] of put.entries()) naive.set(key, flows[i] as ActiveFlow);
        table.apply({ reset: anew, gone: gone.map(String), put: flows });
        expect(table.list).toEqual([...naive].sort(([a], [b]) => a - b).map(([, one]) => one));
      }
    }),
  );
});
