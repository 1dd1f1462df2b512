import { packetExpr as x } from '@weir/filter/ir';
import { expect, test } from 'vitest';
import { testRule } from '../test-rule.ts';
import { stateFunctions } from './connection-state.ts';
import { needsConnectionTracking } from './connection-state-need.ts';

const everything = x.constant(true);

test.each([
  { name: 'nothing', expression: everything, want: false },
  { name: 'a flag', expression: x.flag('tcp.flags.syn'), want: false },
  { name: 'a state', expression: x.flag('ct.related'), want: true },
  {
    name: 'a state somewhere in it',
    expression: x.or([x.flag('tcp.flags.syn'), x.not(x.and([x.flag('ip.frag'), x.flag('ct.new')]))]),
    want: true,
  },
])('whether rules ask for states: $name', ({ expression, want }) => {
  const rules = [testRule('first', everything), testRule('second', expression)];
  for (const hook of ['xdp', 'tc'] as const) expect(needsConnectionTracking([{ hook, priority: 0, rules }])).toBe(want);
  // Rules of nf_tables switch it on themselves.
  expect(needsConnectionTracking([{ hook: 'input', priority: 0, rules }])).toBe(false);
});

test('where states can be asked for', () => {
  expect(stateFunctions('xdp')?.lookUp).toBe('bpf_xdp_ct_lookup');
  expect(stateFunctions('tc')?.lookUp).toBe('bpf_skb_ct_lookup');
  for (const place of ['network', 'connect4', 'sendmsg6'] as const) expect(stateFunctions(place)).toBeUndefined();
});
