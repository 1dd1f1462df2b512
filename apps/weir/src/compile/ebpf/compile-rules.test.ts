import { originAt } from '@weir/ebpf/asm';
import { describe, expect, test } from 'vitest';
import type { Place } from '../../model/ebpf-program.ts';
import type { Action, HookRules, Rule } from '../../model/rule.ts';
import { namedSets, writtenRule } from '../test-rule.ts';
import { COUNTERS, compileEbpf } from './index.ts';

const rule = (ref: string, text: string, action?: Action): Rule => writtenRule(ref, text, action, {}, namedSets('web'));

const hook = (...rules: readonly Rule[]): HookRules => ({ hook: 'prerouting', priority: 0, rules });

function compiled(place: Place, ...rules: readonly Rule[]) {
  const result = compileEbpf(hook(...rules), { place, classifier: false });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  return result.compiled;
}

/** The instructions that were written for a rule. */
function codeOf(ref: string, place: Place, ...rules: readonly Rule[]): number[] {
  const { program } = compiled(place, ...rules);
  return [...program.originIndex.keys()].filter((slot) => originAt(program, slot)?.ref === ref);
}

describe('programs of rules', () => {
  test.each([
    { name: 'a mark before there is one', text: 'meta.mark == 1', construct: 'meta.mark' },
    { name: 'what is tracked, inside nf_tables', text: 'ct.established', construct: 'ct.established', place: 'network' },
    { name: 'what is tracked, before there is a connection', text: 'ct.new', construct: 'ct.new', place: 'connect4' },
  ] as const)('refuse $name, with its place', ({ text, construct, ...more }) => {
    const place = 'place' in more ? more.place : 'xdp';
    const result = compileEbpf(hook(rule('good', 'ip.proto.num == 1'), rule('bad', text)), { place });
    expect(result).toMatchObject({ refusals: [{ rule: 'bad', construct, span: { start: 0 } }] });
  });

  test.each([
    { kind: 'reject', with: 'tcp-reset' },
    { kind: 'mark', mark: 1 },
  ] as const)('refuse $kind at XDP', (action) => {
    expect(compileEbpf(hook(rule('r', 'ip.ttl == 1', action)), { place: 'xdp' })).toMatchObject({
      refusals: [{ rule: 'r', construct: action.kind }],
    });
  });

  test('every rule that can be refused is, at once', () => {
    const result = compileEbpf(hook(rule('a', 'ct.new'), rule('b', 'ip.ttl == 1'), rule('c', 'ct.invalid')), { place: 'network' });
    expect('refusals' in result && result.refusals.map((one) => one.rule)).toEqual(['a', 'c']);
  });

  test('nothing is written that no path leads to', () => {
    const rules = [rule('all', 'ip.ttl >= 0 or not ip.ttl >= 0'), rule('never', 'ip.ttl == 1')];
    expect(codeOf('never', 'xdp', ...rules)).toEqual([]);
    expect(codeOf('never', 'xdp', ...rules.slice(1))).not.toEqual([]);
  });

  test('a set of addresses is looked up by family', () => {
    const { maps, program } = compiled('tc', rule('web', 'ip.dst in $web'));
    expect(maps.filter(({ kind }) => kind === 'list')).toMatchObject([
      { symbol: 'web 4', list: 'web', family: 4 },
      { symbol: 'web 6', list: 'web', family: 6 },
    ]);
    expect(program.symbols.map(({ name }) => name).sort()).toEqual([COUNTERS, 'web 4', 'web 4 slots', 'web 6', 'web 6 slots']);
  });

  test('a rule costs few instructions', () => {
    const rules = Array.from({ length: 100 }, (_, i) => rule(`r${i}`, `ip.src == 192.0.2.${i} and tcp.dstport == ${i}`));
    expect(codeOf('r50', 'xdp', ...rules).length).toBeLessThanOrEqual(16);
  });

  test('what many values are in is searched, not tried one by one', () => {
    const ports = Array.from({ length: 500 }, (_, i) => 2 * i + 1).join(' ');
    const few = codeOf('r', 'xdp', rule('r', `tcp.dstport in {${ports}}`)).length;
    // Two comparisons for each range, and one for each half.
    expect(few).toBeLessThanOrEqual(500 * 5);
  });
});
