import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { prefix } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FlowAnnounce } from '../model/flow.ts';
import { testFlowConfig } from '../model/test-flow.ts';
import { FlowAnnouncer } from '../sources/bgp/index.ts';
import { OwnFlows } from './own-flows.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-own-'));
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

const RULE = 'flow4 { dst 203.0.113.7/32; proto = 17; }';

function open(given: FlowAnnounce | undefined = { peers: ['a', 'b'], destinations: undefined, maxRules: 2 }) {
  const announcer = new FlowAnnouncer();
  const errors: string[] = [];
  const flows = new OwnFlows({
    announcer,
    stateDirectory: directory,
    config: () => testFlowConfig({ announce: given }),
    onError: ({ message }) => errors.push(message),
  });
  return { announcer, flows, errors };
}

describe('flow rules of our own', () => {
  test('are there after a restart, with their peers and their end', () => {
    const first = open();
    const until = Date.now() + 3_600_000;
    first.flows.add({ flow: RULE, actions: ['rate-bytes 1000', 'mark 46'], peers: ['b'], until, comment: 'test' }, 'uid 0, pid 1');
    first.flows.close();
    const { flows, announcer, errors } = open();
    expect(errors).toEqual([]);
    expect(flows.list()).toEqual(first.flows.list());
    expect(announcer.flows.map(({ peers, actions }) => [peers, actions.length])).toEqual([[['b'], 2]]);
    flows.delete({ flow: 'flow4 { proto 17; dst 203.0.113.7/32; }' });
    flows.close();
    expect(open().flows.list()).toEqual([]);
  });

  test('go when their time is over', () => {
    vi.useFakeTimers();
    const { flows, announcer } = open();
    flows.add({ flow: RULE, actions: ['discard'], until: Date.now() + 5000 }, 'x');
    vi.advanceTimersByTime(4999);
    expect(announcer.flows).toHaveLength(1);
    vi.advanceTimersByTime(2000);
    expect([announcer.flows, flows.list()]).toEqual([[], []]);
    flows.close();
  });

  test.each<{
    readonly name: string;
    readonly given?: FlowAnnounce | undefined;
    readonly none?: true;
    readonly flow?: string;
    readonly actions?: string[];
    readonly peers?: string[];
    readonly code: string;
  }>([
    { name: 'nothing may be announced', none: true, code: 'refused' },
    { name: 'a peer that may not be told', peers: ['c'], code: 'refused' },
    { name: 'another destination', given: { peers: ['a'], destinations: [prefix('198.51.100.0/24')], maxRules: 1 }, code: 'refused' },
    {
      name: 'no destination',
      given: { peers: ['a'], destinations: [prefix('198.51.100.0/24')], maxRules: 1 },
      flow: 'flow4 { proto = 17; }',
      code: 'refused',
    },
    { name: 'text that is no rule', flow: 'flow4 { dst 203.0.113.0/33; }', code: 'bad-request' },
    { name: 'text that is no action', actions: ['vanish'], code: 'bad-request' },
  ])('are refused: $name', ({ given, none, flow = RULE, actions = ['discard'], peers, code }) => {
    const announcer = new FlowAnnouncer();
    const announce = none ? undefined : (given ?? { peers: ['a', 'b'], destinations: undefined, maxRules: 2 });
    const flows = new OwnFlows({
      announcer,
      stateDirectory: directory,
      config: () => testFlowConfig({ announce }),
      onError: () => undefined,
    });
    expect(() => flows.add({ flow, actions, peers }, 'x')).toThrow(expect.objectContaining({ code }));
    expect([announcer.flows, flows.list()]).toEqual([[], []]);
    flows.close();
  });

  test('are not more than the configuration says, but one that is there can change', () => {
    const { flows } = open();
    for (const last of [1, 2]) flows.add({ flow: `flow4 { dst 203.0.113.${last}/32; }`, actions: ['discard'] }, 'x');
    expect(() => flows.add({ flow: 'flow4 { dst 203.0.113.3/32; }', actions: ['discard'] }, 'x')).toThrow(/max_rules/);
    expect(flows.add({ flow: 'flow4 { dst 203.0.113.2/32; }', actions: ['rate-packets 5'] }, 'x').actions).toEqual(['rate-packets 5']);
    flows.close();
  });

  test('a file that cannot be read is told, and nothing is announced', () => {
    writeFileSync(join(directory, 'own-flows.json'), '{"version":1,"flows":[{}]}');
    const { flows, errors } = open();
    expect([flows.list(), errors]).toEqual([[], [expect.stringContaining('own-flows.json')]]);
    flows.close();
  });
});
