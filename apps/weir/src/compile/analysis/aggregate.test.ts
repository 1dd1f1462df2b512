import { prefix, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregate, aggregatesOf } from './aggregate.ts';

const rows = [
  { name: 'nothing', input: [], want: [] },
  { name: 'two halves', input: ['192.0.2.128/25', '192.0.2.0/25'], want: ['192.0.2.0/24'] },
  { name: 'neighbours that are no halves', input: ['192.0.2.64/26', '192.0.2.128/26'], want: ['192.0.2.64/26', '192.0.2.128/26'] },
  { name: 'covered', input: ['192.0.2.7/32', '192.0.2.0/24'], want: ['192.0.2.0/24'] },
  { name: 'twice', input: ['192.0.2.7/32', '192.0.2.7/32'], want: ['192.0.2.7/32'] },
  { name: 'halves of halves', input: ['192.0.2.0/26', '192.0.2.64/26', '192.0.2.128/25'], want: ['192.0.2.0/24'] },
  {
    name: 'all of a family',
    input: ['0.0.0.0/1', '128.0.0.0/1', '2001:db8::/33', '2001:db8:8000::/33'],
    want: ['0.0.0.0/0', '2001:db8::/32'],
  },
];

describe('aggregate', () => {
  it.each(rows)('$name', ({ input, want }) => {
    expect(aggregate(input.map(prefix)).map(printPrefix)).toEqual(want);
  });

  it('says which prefixes became which', () => {
    const found = aggregatesOf(['192.0.2.0/25', '198.51.100.0/24', '192.0.2.128/25', '192.0.2.9/32'].map(prefix));
    expect(found.map(({ whole, parts }) => [printPrefix(whole), parts.map(printPrefix)])).toEqual([
      ['192.0.2.0/24', ['192.0.2.0/25', '192.0.2.9/32', '192.0.2.128/25']],
    ]);
  });

  it('is the same addresses in the fewest prefixes', () => {
    const some = fc.array(fc.record({ host: fc.nat(31), length: fc.integer({ min: 27, max: 32 }) }), { maxLength: 12 });
    fc.assert(
      fc.property(some, (list) => {
        const prefixes = list.map(({ host, length }) => prefix(`192.0.2.${host - (host % 2 ** (32 - length))}/${length}`));
        const members = (ps: typeof prefixes): number[] => {
          const hosts = new Set<number>();
          for (const p of ps) for (let i = 0; i < 2 ** (32 - p.length); i++) hosts.add((p.w0 & 255) + i);
          return [...hosts].sort((a, b) => a - b);
        };
        const out = aggregate(prefixes);
        expect(members([...out])).toEqual(members(prefixes));
        // Fewest: greedily the largest block that fits at each place.
        const hosts = new Set(members(prefixes));
        let fewest = 0;
        for (let at = 0; at < 32; ) {
          if (!hosts.has(at)) {
            at++;
            continue;
          }
          let size = 1;
          while (at % (size * 2) === 0 && Array.from({ length: size * 2 }, (_, i) => at + i).every((h) => hosts.has(h))) size *= 2;
          fewest++;
          at += size;
        }
        expect(out.length).toBe(fewest);
      }),
    );
  });
});
