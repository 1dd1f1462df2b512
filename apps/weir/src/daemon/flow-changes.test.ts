import { describe, expect, test } from 'vitest';
import type { Config } from '../model/config.ts';
import type { ActiveFlow } from '../model/flow.ts';
import { testFlow, testFlowOf } from '../model/test-flow.ts';
import type { FlowView } from '../state/index.ts';
import { describeFlowChanges, flowChanges, flowsInForce, keptOfSets } from './flow-changes.ts';

const A = 'flow4 { dst 203.0.113.1/32; }';
const B = 'flow4 { dst 203.0.113.2/32; }';
const C = 'flow4 { dst 203.0.113.0/24; }';
const enforced = (text: string): FlowView => ({
  flow: testFlow(text),
  peer: 'core',
  attributes: {},
  state: 'enforced',
  refusal: undefined,
});
const refused = (text: string, reason: 'guard' | 'length'): FlowView => ({
  ...enforced(text),
  state: 'refused',
  refusal: { reason, message: reason },
});
const texts = (flows: readonly ActiveFlow[]): readonly string[] =>
  flows.map(({ provenance: why }) => (why.kind === 'flow' ? `${why.peer}: ${why.flow}` : ''));

describe('what a configuration makes of flow rules', () => {
  test.each([
    { name: 'nothing', before: [enforced(A)], after: [enforced(A)], want: [] },
    {
      name: 'refused now, and let in now',
      before: [enforced(A), refused(B, 'guard')],
      after: [refused(A, 'length'), enforced(B)],
      want: ['flow rules: 1 enforced no more, 1 enforced now; 1 in force'],
    },
    { name: 'gone', before: [enforced(A), enforced(B)], after: [enforced(B)], want: ['flow rules: 1 enforced no more; 1 in force'] },
    {
      name: 'for another reason',
      before: [refused(A, 'guard')],
      after: [refused(A, 'length')],
      want: ['flow rules: others refused, or for other reasons; 0 in force'],
    },
  ])('$name', ({ before, after, want }) => expect(describeFlowChanges(flowChanges(before, after))).toEqual(want));

  test('one by one', () => {
    expect(flowChanges([enforced(A), refused(B, 'guard')], [refused(B, 'guard')])).toEqual({
      enforced: { before: 1, after: 0 },
      changes: [{ flow: A, peer: 'core', actions: [], before: { state: 'enforced' }, after: undefined }],
    });
  });
});

test('what is in force is in order, each rule once, and of sets first', () => {
  const views: FlowView[] = [enforced(C), { ...enforced(B), state: 'waiting' }, refused(A, 'guard')];
  expect(texts(flowsInForce([testFlowOf('set victims', A), testFlowOf('set victims', B)], views))).toEqual([
    `set victims: ${A}`,
    `set victims: ${B}`,
    `core: ${C}`,
  ]);
});

test('rules of sets stay as long as the configuration makes them', () => {
  const ofSets = [testFlowOf('set victims', A), testFlowOf('set others', B), testFlow(C)];
  const config = (fromSets: readonly unknown[]): Config => ({ flowspec: { fromSets } }) as unknown as Config;
  expect(texts(keptOfSets(ofSets, config([{ set: 'victims', enforce: true }])))).toEqual([`set victims: ${A}`]);
  expect(keptOfSets(ofSets, config([{ set: 'victims', enforce: false }]))).toEqual([]);
  expect(keptOfSets(ofSets, {} as Config)).toEqual([]);
});
