import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MatchBed } from './bpf-match-bed.ts';

let bed: MatchBed;
beforeEach(async () => {
  bed = await MatchBed.create();
});
afterEach(() => bed.dispose());

/** A list with the network that datagrams come from, or without it. */
function lists(home: boolean, count = 5000): string {
  const others = Array.from({ length: count }, (_, i) => `10.${i >> 8}.${i & 255}.0/${24 + (i % 2)}`);
  const all = [...others, ...(home ? ['198.51.100.0/30', '"2001:db8::/32"'] : [])];
  return `lists:\n  many:\n${all.map((one) => `    - ${one}\n`).join('')}`;
}

const RULE = "  - { name: listed, protocol: udp, action: allow, expression: 'ip.src in $many' }";

describe('a long list of a policy', () => {
  it('is a map that a program looks into, and another list is another one', async () => {
    const reconciler = bed.start();
    expect(bed.configureRules(reconciler, RULE, bed.pins, lists(true))).toEqual([]);
    const before = bed.lists();
    expect([bed.pinned().length, before.length]).toEqual([1, 2]);
    expect(await bed.gets('a')).toBe(true);
    expect(bed.configureRules(reconciler, RULE, bed.pins, lists(false))).toEqual([]);
    expect([await bed.gets('a'), bed.lists().length]).toEqual([false, 1]);
    expect(bed.lists()).not.toEqual(before.slice(0, 1));
  });

  it('is there again after a restart, as it was', async () => {
    const first = bed.start();
    bed.configureRules(first, RULE, bed.pins, lists(true));
    const [before, programs] = [await bed.table(), bed.loaded()];
    bed.end(first);
    expect(bed.configureRules(bed.start(), RULE, bed.pins, lists(true))).toEqual([]);
    expect([await bed.table(), bed.loaded()]).toEqual([before, programs]);
    expect(await bed.gets('a')).toBe(true);
  });

  it('is one map for all rules that have it, also where they ask other things beside', async () => {
    const more = `${RULE}
  - { name: other, protocol: udp, action: deny, expression: 'not ip.dst in $many and udp.payload contains "no"' }`;
    expect(bed.configureRules(bed.start(), more, bed.pins, lists(true))).toEqual([]);
    expect([bed.pinned().length, bed.lists().length]).toEqual([2, 2]);
  });

  it('is a set of nf_tables where it is short', async () => {
    expect(bed.configureRules(bed.start(), RULE, bed.pins, lists(true, 100))).toEqual([]);
    expect([bed.pinned(), bed.lists()]).toEqual([[], []]);
    expect(await bed.gets('a')).toBe(true);
  });

  it('is one where rules cannot ask programs; what takes a program is refused, and says so', async () => {
    const reconciler = bed.start(true);
    expect(bed.configureRules(reconciler, RULE, bed.pins, lists(true))).toEqual([]);
    expect([bed.pinned(), await bed.gets('a')]).toEqual([[], true]);
    const [problem] = bed.configure(reconciler, `expression: 'udp.payload contains "x"'`);
    expect(problem).toContain('this kernel has no match bpf for nf_tables');
    expect(reconciler.status().problems[0]?.subject).toBe('rule mine');
    expect(await bed.gets('a')).toBe(true);
  });
});
