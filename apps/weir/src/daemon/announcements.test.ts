import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { printFlow } from '@weir/bgp/flowspec';
import { printPrefix } from '@weir/wire/inet';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Config } from '../model/config.ts';
import { loadConfig } from '../sources/config/index.ts';
import { memoryFiles } from '../sources/yaml/memory-files.ts';
import { RouteState } from '../state/index.ts';
import { TestClock, update } from '../state/test-fixtures.ts';
import { Announcements } from './announcements.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-own-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const BASE = `bgp:
  as: 64512
  router_id: 192.0.2.2
  peers:
    - { name: core, address: 192.0.2.1, as: 64512, families: [ipv4 unicast, ipv4 flow] }
    - { name: upstream, address: 192.0.2.3, as: 64496 }
sets:
  blackholed: { kind: deny, communities: [blackhole], guard: { peers: [core] } }
firewall: {}
`;

function parse(text: string): Config {
  const { config, diagnostics } = loadConfig('weir.yaml', memoryFiles({ 'weir.yaml': `${BASE}${text}` }));
  if (!config) throw new Error(diagnostics.map(({ message }) => message).join('; '));
  return config;
}

class Bed {
  readonly clock = new TestClock();
  readonly state: RouteState;
  readonly announced: Announcements;
  #config: Config;

  constructor(text: string) {
    this.#config = parse(text);
    this.state = new RouteState({ clock: this.clock, watcher: (set) => this.announced.watcher(set) });
    this.state.configure(this.#config);
    this.announced = new Announcements({
      clock: this.clock,
      config: () => this.#config,
      state: this.state,
      stateDirectory: directory,
      hostAddresses: () => [],
      events: () => undefined,
      onError: (error) => {
        throw error;
      },
    });
    this.announced.configured();
  }

  configure(text: string): void {
    this.#config = parse(text);
    this.state.configure(this.#config);
    this.announced.configured();
  }

  say(...announce: readonly string[]): void {
    this.state.update('core', update({ announce, communities: ['65535:666'] }), { fourOctetAs: true, receivedAt: this.clock.now() });
    this.state.drain();
  }

  /** Rules that are announced, with who is to be told. */
  flows(): readonly string[] {
    return this.announced.announcer.flows.flows.map(({ rule, peers }) => `${printFlow(rule)} ${peers.join(' ')}`);
  }

  /** Rules that are in force. */
  inForce(): readonly string[] {
    return this.announced.sources.drain().put.map(({ rule }) => printFlow(rule));
  }
}

const FROM_SET = 'flowspec: { from_sets: [{ set: blackholed, peers: [core], enforce: true }] }\n';
const ANNOUNCE = 'announce: { peers: [upstream], prefixes: [203.0.113.0/24] }';

test('a reload makes rules of the members that are there, and takes out those of entries that are gone', () => {
  const bed = new Bed('flowspec: {}\n');
  bed.say('203.0.113.7/32');
  expect(bed.flows()).toEqual([]);
  bed.configure(FROM_SET);
  expect([bed.flows(), bed.inForce()]).toEqual([['flow4 { dst 203.0.113.7/32; } core'], ['flow4 { dst 203.0.113.7/32; }']]);
  bed.say('203.0.113.8/32');
  expect([bed.flows().length, bed.announced.hasSome]).toEqual([2, true]);
  bed.configure(`${FROM_SET}protected: [203.0.113.8/32]\n`);
  expect(bed.flows()).toEqual(['flow4 { dst 203.0.113.7/32; } core']);
  bed.configure('flowspec: {}\n');
  expect([bed.flows(), bed.announced.sources.drain().gone.length, bed.announced.hasSome]).toEqual([[], 2, false]);
  bed.announced.close();
});

test('rules by hand become routes where that is said, and no longer when it is not', () => {
  const flowspec = 'flowspec: { announce: { peers: [core] } }\n';
  const bed = new Bed(`${flowspec}blackholes: { ${ANNOUNCE}, from_flows: { own: true } }\n`);
  const routes = () => bed.announced.announcer.prefixes.map(({ prefix, peers }) => `${printPrefix(prefix)} ${peers.join(' ')}`);
  const flow = 'flow4 { dst 203.0.113.7/32; }';
  bed.announced.ownFlows.add({ flow, actions: ['discard'] }, 'x');
  expect([routes(), bed.announced.blackholes().from_flows[0]?.because]).toEqual([['203.0.113.7/32 upstream'], [`${flow} of our own`]]);
  // By hand and of a rule: it stays until both are gone.
  bed.announced.ownBlackholes.add({ prefix: '203.0.113.7/32', peers: ['upstream'] }, 'x');
  expect(routes()).toHaveLength(2);
  bed.announced.ownFlows.delete({ flow });
  expect(routes()).toEqual(['203.0.113.7/32 upstream']);
  bed.announced.ownFlows.add({ flow, actions: ['discard'] }, 'x');
  bed.configure(`${flowspec}blackholes: { ${ANNOUNCE} }\n`);
  expect([routes(), bed.announced.blackholes().from_flows_counts]).toEqual([['203.0.113.7/32 upstream'], undefined]);
  bed.announced.close();
});
