import { comparePrefix, covers, ip4, overlaps, type Prefix, prefix, printPrefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemberSet } from './member-set.ts';

class Probe {
  readonly desired = new Set<string>();
  readonly set: MemberSet;

  constructor(family: 4 | 6, interval: boolean) {
    this.set = new MemberSet(family, interval, (id) => {
      const text = this.text(id);
      if (this.set.isDesired(id)) this.desired.add(text);
      else this.desired.delete(text);
    });
  }

  text(id: number): string {
    const columns = this.set.columns([id]);
    const w = (j: number): number => columns.words[j] ?? 0;
    return printPrefix({ family: columns.family, w0: w(0), w1: w(1), w2: w(2), w3: w(3), length: columns.lengths[0]! } as Prefix);
  }

  want(text: string, wanted = true): this {
    const p = prefix(text);
    this.set.setWanted(this.set.intern(p.w0, p.w1, p.w2, p.w3, p.length), wanted);
    return this;
  }

  get elements(): string[] {
    return [...this.desired].map(prefix).sort(comparePrefix).map(printPrefix);
  }
}

describe('members to elements', () => {
  it('an interval set has the widest; narrower ones come back when it goes', () => {
    const probe = new Probe(4, true).want('192.0.2.0/24').want('192.0.2.128/25').want('192.0.2.129/32').want('198.51.100.1/32');
    expect(probe.elements).toEqual(['192.0.2.0/24', '198.51.100.1/32']);
    expect(probe.set.covered).toBe(2);
    expect(probe.want('192.0.2.0/24', false).elements).toEqual(['192.0.2.128/25', '198.51.100.1/32']);
  });

  it('a hash set has hosts only; the rest is left out as unfit', () => {
    const probe = new Probe(6, false).want('2001:db8::/32').want('2001:db8::1/128');
    expect(probe.elements).toEqual(['2001:db8::1/128']);
    expect(probe.set.leftOut(9)).toEqual({ conflicts: [], unfit: [prefix('2001:db8::/32')] });
  });

  it('what others have keeps out what overlaps it, and no more', () => {
    const probe = new Probe(4, true).want('192.0.2.0/24').want('192.0.2.128/25');
    probe.set.foreignAdded(ip4(0xc0000203), ip4(0xc0000209));
    expect(probe.elements).toEqual(['192.0.2.128/25']);
    expect(probe.set.leftOut(9).conflicts).toEqual([prefix('192.0.2.0/24')]);
    expect(probe.set.foreignRemoved(ip4(0xc0000203))).toBe(true);
    expect(probe.elements).toEqual(['192.0.2.0/24']);
  });

  it('what collided stays out until it is tried again', () => {
    const probe = new Probe(4, true).want('192.0.2.0/24').want('192.0.2.128/25');
    const id = probe.set.find(prefix('192.0.2.0/24').w0, 0, 0, 0, 24);
    probe.set.collide(id);
    expect(probe.elements).toEqual(['192.0.2.128/25']);
    probe.set.retryCollided();
    expect(probe.elements).toEqual(['192.0.2.0/24']);
  });

  it('random members and foreign elements: as a naive model says', () => {
    const block = fc
      .tuple(fc.nat({ max: 31 }), fc.integer({ min: 27, max: 32 }))
      .map(([host, length]) => prefix(`192.0.2.${(host >> (32 - length)) << (32 - length)}/${length}`));
    const step = fc.tuple(fc.constantFrom('want', 'drop', 'foreign', 'gone'), block);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, interval) => {
        const probe = new Probe(4, interval);
        const wanted = new Map<string, Prefix>();
        const foreign = new Map<string, Prefix>();
        for (const [kind, p] of steps) {
          const text = printPrefix(p);
          if (kind === 'want') wanted.set(text, p);
          else if (kind === 'drop') wanted.delete(text);
          if (kind === 'want' || kind === 'drop') probe.want(text, kind === 'want');
          const first = { family: 4, w0: p.w0, w1: 0, w2: 0, w3: 0 } as const;
          if (kind === 'foreign' && (interval || p.length === 32) && ![...foreign.values()].some((f) => overlaps(f, p))) {
            foreign.set(text, p);
            probe.set.foreignAdded(first, { ...first, w0: (p.w0 + 2 ** (32 - p.length) - 1) >>> 0 });
          }
          if (kind === 'gone' && foreign.delete(text)) probe.set.foreignRemoved(first);
        }
        const fit = [...wanted.values()].filter((p) => (interval || p.length === 32) && ![...foreign.values()].some((f) => overlaps(f, p)));
        const widest = fit.filter((p) => !fit.some((q) => q.length < p.length && covers(q, p)));
        expect(probe.elements).toEqual((interval ? widest : fit).sort(comparePrefix).map(printPrefix));
        expect(probe.set.wanted).toBe(wanted.size);
      }),
      { numRuns: 500 },
    );
  });
});
