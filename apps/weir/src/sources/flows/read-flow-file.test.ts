import { printFlow, printFlowAction, treatmentActions } from '@weir/bgp/flowspec';
import { describe, expect, test } from 'vitest';
import { readFlowFile } from './read-flow-file.ts';

const read = (text: string): readonly string[] =>
  readFlowFile(text, 'f').flows.map(({ rule, treatment, provenance: why }) => {
    const place = why.kind === 'file' ? `${why.span.line}:${why.span.column}` : '';
    return `${place} ${printFlow(rule)} ${treatmentActions(treatment).map(printFlowAction).join(', ')}`.trimEnd();
  });

describe('files of flow rules', () => {
  test('come in the order in which rules are judged, with what each asks for', () => {
    expect(
      read(`# of the upstream
flow4 { dst 203.0.113.0/24; } rate-packets 100, sample continue   # all of it
  flow4 {
    dst 203.0.113.7/32;  # the victim
    proto 17; sport 123;
  } discard;

flow6 { dst 2001:db8::/48; }`),
    ).toEqual([
      '3:3 flow4 { dst 203.0.113.7/32; proto 17; sport 123; } discard',
      '2:1 flow4 { dst 203.0.113.0/24; } rate-packets 100, sample continue',
      '8:1 flow6 { dst 2001:db8::/48; }',
    ]);
  });

  test.each([
    { name: 'nothing', text: ' \n# nothing\n', want: [] },
    { name: 'no rule', text: '\nhello', want: ['f:2: a rule is flow4 { ... } or flow6 { ... }'] },
    { name: 'no end', text: 'flow4 { dst 203.0.113.0/24;', want: ['f:1: a rule is flow4 { ... } or flow6 { ... }'] },
    { name: 'a rule that is none', text: 'flow4 { port 70000; } discard', want: [expect.stringMatching(/^f:1: .*70000/s)] },
    { name: 'an action that is none', text: 'flow4 { proto 6; } drop', want: ['f:1: not an action of a flow rule: drop'] },
    { name: 'no number', text: 'flow4 { proto 6; } rate-bytes NaN', want: ['f:1: not an action of a flow rule: rate-bytes NaN'] },
    {
      name: 'twice',
      text: 'flow4 { proto 6; }\n\nflow4 { proto = 6; } discard',
      want: ['f:3: the rule stands in line 1 already'],
    },
  ])('$name', ({ text, want }) => expect(readFlowFile(text, 'f').mistakes).toEqual(want));

  test('mistakes are not told of without end', () => {
    expect(readFlowFile('flow4 { nonsense; }\n'.repeat(1000), 'f').mistakes).toHaveLength(20);
  });
});
