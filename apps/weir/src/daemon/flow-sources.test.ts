import { expect, test } from 'vitest';
import type { ActiveFlow, FlowDelta } from '../model/flow.ts';
import { DISCARD, testFlowOf } from '../model/test-flow.ts';
import { FlowSources, type HeardChange } from './flow-sources.ts';

const NOTHING: FlowDelta = { reset: false, gone: [], put: [] };

const flow = (text: string, peer: string): ActiveFlow => testFlowOf(peer, text, DISCARD);

const ONE = 'flow4 { dst 203.0.113.7/32; }';

function open(first: FlowDelta = NOTHING) {
  let next = first;
  const changes: HeardChange[] = [];
  const heard = { drain: () => next, isDirty: false, onDirty: () => () => undefined, resync: () => undefined, paths: undefined as never };
  const sources = new FlowSources(heard, (change) => changes.push(change));
  const drain = (delta: FlowDelta = NOTHING) => {
    next = delta;
    const { reset, gone, put } = sources.drain();
    return { reset, gone, put: put.map(({ provenance }) => (provenance.kind === 'flow' ? provenance.peer : '')) };
  };
  return { sources, drain, changes };
}

test('a rule that a peer and a set ask for is that of the set, and then that of the peer', () => {
  const { sources, drain } = open();
  const [peer, set] = [flow(ONE, 'core'), flow(ONE, 'set blackholed')];
  const { key } = peer.rule;
  expect(drain({ reset: false, gone: [], put: [peer] })).toEqual({ reset: false, gone: [], put: ['core'] });
  sources.own(1, key, set);
  expect(sources.isDirty).toBe(true);
  expect(drain()).toEqual({ reset: false, gone: [], put: ['set blackholed'] });
  sources.own(2, key, set);
  sources.own(1, key, undefined);
  expect(drain().put).toEqual(['set blackholed']);
  expect(sources.ofSets).toEqual([set]);
  sources.own(2, key, undefined);
  expect(drain()).toEqual({ reset: false, gone: [], put: ['core'] });
  expect(drain({ reset: false, gone: [key], put: [] })).toEqual({ reset: false, gone: [key], put: [] });
});

test('when everything is said again those of sets are too', () => {
  const { sources, drain, changes } = open();
  const set = flow(ONE, 'set blackholed');
  sources.own(1, set.rule.key, set);
  drain();
  expect(drain({ reset: true, gone: [], put: [flow('flow4 { dst 203.0.113.8/32; }', 'core')] })).toEqual({
    reset: true,
    gone: [],
    put: ['core', 'set blackholed'],
  });
  expect(changes.at(-1)).toEqual({ reset: true });
  expect(sources.ofPeers).toHaveLength(1);
});

test('what is gone is told as what it was', () => {
  const { drain, changes } = open();
  const peer = flow(ONE, 'core');
  drain({ reset: false, gone: [], put: [peer] });
  drain({ reset: false, gone: [peer.rule.key], put: [] });
  expect(changes.at(-1)).toEqual({ reset: false, gone: [peer], put: [] });
});
