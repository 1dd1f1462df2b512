import { expect, test } from 'vitest';
import type { FlowPlanAnswer } from '../../api/index.ts';
import { flowPart } from './plan-flows.ts';

const enforced = { state: 'enforced' } as const;
const refused = { state: 'refused', refused: { reason: 'guard', message: 'no guard of flowspec.guards names the peer' } } as const;
const answer: FlowPlanAnswer = {
  format_version: 1,
  digest: 'd',
  enforced: { before: 3, after: 2 },
  changes: [
    { flow: 'flow4 { dst 192.0.2.1/32; }', peer: 'core', actions: ['discard'], before: enforced, after: refused },
    { flow: 'flow4 { dst 192.0.2.2/32; }', peer: 'core', actions: [], before: refused, after: enforced },
    { flow: 'flow4 { dst 192.0.2.3/32; }', peer: 'edge', actions: ['mark 10'], before: enforced, after: undefined },
  ],
  total: 5,
};

test('what becomes of flow rules is in the plan', () => {
  expect(flowPart(answer, 'd').flows).toEqual([
    '- flow4 { dst 192.0.2.1/32; } discard from core: enforced -> refused (guard): no guard of flowspec.guards names the peer',
    '+ flow4 { dst 192.0.2.2/32; } accept from core: refused (guard) -> enforced',
    '- flow4 { dst 192.0.2.3/32; } mark 10 from edge: enforced -> gone',
    'and 2 more; --limit shows them',
    '3 flow rules enforced then, 2 now',
  ]);
});

test.each([
  { name: 'nothing changes', planned: { ...answer, changes: [], total: 0 }, want: {} },
  { name: 'the daemon reads mistakes', planned: undefined, want: {} },
  {
    name: 'the daemon has read other files',
    planned: { ...answer, digest: 'other' },
    want: { flows: ['flow rules: not compared, the files changed meanwhile'] },
  },
])('$name', ({ planned, want }) => expect(flowPart(planned, 'd')).toEqual(want));
