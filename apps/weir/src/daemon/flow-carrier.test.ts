import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ip4 } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FlowDelta } from '../model/flow.ts';
import { DISCARD, testFlow } from '../model/test-flow.ts';
import { FlowPaths } from '../state/flows/flow-paths.ts';
import type { FlowState } from '../state/index.ts';
import { FlowCarrier } from './flow-carrier.ts';
import { readKeptFlows, writeKeptFlows } from './kept-flows.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-flows-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const ONE = testFlow('flow4 { dst 203.0.113.7/32; }', DISCARD);
const TWO = testFlow(
  'flow6 { dst 2001:db8::7/128; }',
  { kind: 'rate-packets', rate: 1500, asn: 0 },
  { kind: 'traffic-action', sample: true, terminal: false },
  { kind: 'mark', dscp: 46 },
  { kind: 'redirect-ip', address: ip4(0xc0000201), copy: false },
);

/** What a FlowState does for the carrier. */
class Source {
  readonly paths = new FlowPaths();
  deltas: FlowDelta[] = [];
  #tell: () => void = () => undefined;
  resyncs = 0;

  get isDirty(): boolean {
    return this.deltas.length > 0;
  }
  drain(): FlowDelta {
    return this.deltas.shift() ?? { reset: false, gone: [], put: [] };
  }
  onDirty(callback: () => void): () => void {
    this.#tell = callback;
    return () => undefined;
  }
  resync(): void {
    this.resyncs++;
  }
  give(delta: Partial<FlowDelta>): void {
    this.deltas.push({ reset: false, gone: [], put: [], ...delta });
    this.#tell();
  }
}

describe('what is in force', () => {
  test('is there at the next start, held', () => {
    writeKeptFlows(directory, [ONE, TWO]);
    const errors: Error[] = [];
    const kept = readKeptFlows(directory, (error) => errors.push(error));
    expect(errors).toEqual([]);
    expect(kept.map(({ rule, order, treatment }) => ({ key: rule.key, order, treatment }))).toEqual(
      [ONE, TWO].map(({ rule, order, treatment }) => ({ key: rule.key, order, treatment })),
    );
    expect(kept.every(({ provenance }) => provenance.kind === 'flow' && provenance.stale)).toBe(true);
  });

  test.each([
    { name: 'no JSON', text: '{' },
    { name: 'another version', text: '{"version":2,"flows":[]}' },
    {
      name: 'octets that are no rule',
      text: '{"version":1,"flows":[{"family":"ipv4 flow","octets":"ff","actions":[],"peer":"a","since":1}]}',
    },
  ])('$name is told, and keeps nothing from starting', ({ text }) => {
    writeFileSync(join(directory, 'flows.json'), text);
    const errors: string[] = [];
    expect(readKeptFlows(directory, ({ message }) => errors.push(message))).toEqual([]);
    expect(errors).toEqual([expect.stringContaining('flows.json')]);
  });
});

describe('changes', () => {
  test('go one after the other, and what is left is written down at the end', async () => {
    const source = new Source();
    const taken: FlowDelta[] = [];
    let inFlight = 0;
    const kernel = {
      flows: async (delta: FlowDelta) => {
        expect(++inFlight).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 5));
        taken.push(delta);
        inFlight--;
      },
      watch: async () => undefined,
    };
    const carrier = new FlowCarrier(
      { flows: source as unknown as FlowState, kernel, stateDirectory: directory, onError: () => undefined },
      [],
    );
    source.give({ put: [ONE] });
    source.give({ put: [TWO] });
    await carrier.idle();
    source.give({ gone: [ONE.rule.key] });
    await carrier.idle();
    await carrier.close();
    expect(taken.map(({ put, gone }) => [put.length, gone.length])).toEqual([
      [1, 0],
      [1, 0],
      [0, 1],
    ]);
    expect(readKeptFlows(directory, () => undefined).map(({ rule }) => rule.key)).toEqual([TWO.rule.key]);
  });
});
