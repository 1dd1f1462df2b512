import type { FlowAction } from '@weir/bgp/flowspec';
import { describe, expect, it } from 'vitest';
import type { ActiveFlow } from '../../../../model/flow.ts';
import { DISCARD, testFlow, testFlowConfig } from '../../../../model/test-flow.ts';
import { addFlows } from '../../../flows/index.ts';
import type { TableImage } from '../../image.ts';
import { CompileMemo, compileRules } from '../index.ts';

const CONFIG = testFlowConfig();
const RATE: FlowAction = { kind: 'rate-packets', rate: 1000, asn: 0 };

const flow = (text: string, action = DISCARD): ActiveFlow => testFlow(text, action);

function compile(flows: readonly ActiveFlow[], memo?: CompileMemo): TableImage {
  const sorted = [...flows].sort((a, b) => (a.order < b.order ? -1 : 1));
  const { table, problems } = compileRules(addFlows([], sorted, CONFIG, []), [], { table: 'weir', memo });
  expect(problems).toEqual([]);
  return table;
}

/** Names of the rules of a chain, and of those that they lead to by jumps. */
function chain(table: TableImage, name: string): readonly string[] {
  return table.chains.find((one) => one.name === name)?.rules.map((rule) => rule.name) ?? [];
}

const victims = (count: number): readonly ActiveFlow[] =>
  Array.from({ length: count }, (_, i) => flow(`flow4 { dst 10.0.${i >> 8}.${i & 255}/32; proto 17; sport 123; }`));

describe('the chains of flow rules', () => {
  it('look up the longer prefix before the one that it lies in, and what has none behind both', () => {
    const table = compile([
      flow('flow4 { dst 203.0.113.0/24; proto 17; }'),
      flow('flow4 { dst 203.0.113.7/32; proto 6; }'),
      flow('flow4 { src 192.0.2.0/24; }'),
      flow('flow6 { dst 2001:db8::/48; }'),
    ]);
    expect(chain(table, 'prerouting_m450')).toEqual([
      'by destination, 32 bits',
      'by destination, 24 bits',
      'by destination, 48 bits',
      'flow4 { src 192.0.2.0/24; }',
      'and then',
    ]);
    expect(new Map(table.lookups?.map(({ name, elements }) => [name, elements.map(({ key }) => key[0]?.[0])]))).toEqual(
      new Map([
        ['prerouting_m450_daddr4_32', ['203.0.113.7']],
        ['prerouting_m450_daddr4_24', ['203.0.113.0']],
        ['prerouting_m450_daddr6_48', ['2001:db8::']],
      ]),
    );
  });

  it('have each rule in a chain of its own, with one limit for all fragments', () => {
    const table = compile([flow('flow4 { dst 203.0.113.7/32; }', RATE), flow('flow4 { dst 203.0.113.7/32; dport 80; }')]);
    const limits = table.chains.filter(({ rules }) => rules.some(({ statements = [] }) => statements.some(({ kind }) => kind === 'limit')));
    expect(limits.map(({ rules }) => rules.map(({ name }) => name))).toEqual([
      ['flow4 { dst 203.0.113.7/32; } packets', 'flow4 { dst 203.0.113.7/32; }'],
    ]);
    const [own] = limits;
    const leading = table.chains.filter(({ rules }) => rules.some(({ verdict }) => 'chain' in verdict && verdict.chain === own?.name));
    expect(leading.map(({ name }) => name).sort()).toEqual([
      'prerouting_m450_later_to_203.0.113.7_32',
      'prerouting_m450_to_203.0.113.7_32',
    ]);
  });

  it.each([
    ['to a new destination', flow('flow4 { dst 10.9.9.9/32; proto 17; sport 53; }'), 2],
    ['to a destination that has one', flow('flow4 { dst 10.0.0.7/32; proto 17; sport 53; }'), 1],
  ])('stay the same objects when a rule is added %s', (_, added, made) => {
    const memo = new CompileMemo();
    const flows = victims(300);
    const before = compile(flows, memo);
    const after = compile([...flows, added], memo);
    const known = new Set(before.chains);
    const fresh = after.chains.filter((one) => !known.has(one)).map(({ name }) => name);
    const names = new Set(before.chains.map(({ name }) => name));
    // The chains at the hook, of later fragments and of the end are made anew each time, and say the same.
    expect(fresh.filter((name) => !names.has(name))).toHaveLength(made);
    expect(fresh.length).toBeLessThanOrEqual(5);
    expect(compile([...flows, added])).toEqual(after);
  });

  it('are found by the source too, where many rules have one destination', () => {
    const many = Array.from({ length: 40 }, (_, i) => flow(`flow4 { dst 203.0.113.7/32; src 198.51.100.${i}/32; }`));
    expect(chain(compile(many), 'prerouting_m450_to_203.0.113.7_32')).toEqual(['by source, 32 bits']);
  });
});
