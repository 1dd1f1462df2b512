import { readFileSync } from 'node:fs';
import { asn, parseIp, prefix, printPrefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { Config, Peer } from '../../model/config.ts';
import type { Event } from '../../model/event.ts';
import { RouteState } from '../../state/index.ts';
import { Installed, standard, TestClock, testConfig, testPeer, testSet } from '../../state/test-fixtures.ts';
import { BgpSource } from '../bgp/index.ts';
import { NO_SESSIONS } from '../bgp/test-session.ts';
import { ExabgpSpeaker } from './exabgp-speaker.ts';
import { REFRESH_WAIT } from './session.ts';

const core = (given: Partial<Peer> = {}): Peer => testPeer('core', 2, { via: 'exabgp', ...given });
const web = (loss: 'withdraw' | 'hold'): ReturnType<typeof testSet> =>
  testSet('web', {
    communities: [standard(64512, 80)],
    onSessionLoss: loss === 'hold' ? { kind: 'hold', ms: 120_000 } : { kind: 'withdraw' },
  });

class Scene {
  readonly clock = new TestClock();
  readonly state = new RouteState({ clock: this.clock });
  readonly events: Event[] = [];
  readonly kernel = new Installed();
  readonly commands: string[] = [];
  readonly speaker: ExabgpSpeaker;
  readonly source: BgpSource;

  constructor(config: Config = testConfig([core()], [web('hold')])) {
    const clock = {
      now: () => this.clock.now(),
      setTimer: (ms: number, run: () => void) => this.clock.setTimer(ms, run),
      afterInput: () => undefined,
      random: () => 0,
    };
    const events = (event: Event): void => void this.events.push(event);
    this.state.configure(config);
    this.speaker = new ExabgpSpeaker({ config, clock, events });
    this.source = new BgpSource({
      config,
      state: this.state,
      events,
      clock,
      restarting: false,
      speaker: () => NO_SESSIONS,
      exabgp: this.speaker,
    });
  }

  feed(): { say(...lines: readonly string[]): void; close(): void } {
    const feed = this.speaker.openFeed((command) => this.commands.push(command));
    return {
      say: (...lines) => feed.push(Buffer.from(lines.map((line) => `${line}\n`).join(''))),
      close: () => feed.close('gone'),
    };
  }

  get members(): readonly string[] {
    return this.state.members('web').members.map((member) => printPrefix(member.prefix));
  }

  get peer(): { readonly state: string | undefined; readonly converged: boolean | undefined } {
    const view = this.source.peers()[0];
    return { state: view?.status.state, converged: view?.converged };
  }
}

const about = (rest: string, as = 64514): string =>
  `"neighbor": { "address": { "local": "192.0.2.254", "peer": "192.0.2.2" }, "asn": { "local": 64512, "peer": ${as} } , ${rest} }`;
const state = (word: string): string => `{ "exabgp": "4.0.1", "type": "state", ${about(`"state": "${word}"`)} }`;
const said = (message: string): string =>
  `{ "exabgp": "4.0.1", "type": "update", ${about(`"direction": "receive", "message": ${message}`)} }`;
const announce = (route: string, community = '64512, 80'): string =>
  said(
    `{ "update": { "attribute": { "origin": "igp", "as-path": [ 64514 ], "community": [ [ ${community} ] ] }, "announce": { "ipv4 unicast": { "192.0.2.2": [ { "nlri": "${route}" } ] } } } }`,
  );
const withdraw = (route: string): string => said(`{ "update": { "withdraw": { "ipv4 unicast": [ { "nlri": "${route}" } ] } } }`);
const endOfRib = (afi: string): string => said(`{ "eor": { "afi" : "${afi}", "safi" : "unicast" } }`);
const refresh = (afi: string, subtype: string): string =>
  `{ "type": "refresh", ${about(`"direction": "receive", "route-refresh": { "afi": ""${afi}"", "safi": ""unicast"", "subtype": ""${subtype}"" }`)} }`;
const up = [state('connected'), state('up')];
const summary = '192.0.2.2       64514     0:00:02 established           2          1';
const one = '203.0.113.1/32';
const two = '203.0.113.2/32';

describe('sessions of ExaBGP', () => {
  it('fill sets: announced, replaced without the community, withdrawn', () => {
    const scene = new Scene();
    scene.feed().say(...up, announce(one), announce(two), announce('203.0.113.3/32', '64512, 81'));
    expect(scene.members).toEqual([one, two]);
    expect(scene.peer.state).toBe('Established');
    scene.feed();
    const again = scene.feed();
    again.say(announce(one, '64512, 443'), withdraw(two));
    // Another process that speaks of it has the session now: what it said is all that counts, the rest is held.
    expect(scene.members).toEqual([]);
  });

  it('converge after End-of-RIB, and without one after the restart time', () => {
    const scene = new Scene();
    const feed = scene.feed();
    feed.say(...up, announce(one), endOfRib('ipv4'), endOfRib('ipv6'));
    scene.clock.advance(30_000);
    expect(scene.peer.converged).toBe(true);
    feed.say(state('down'), ...up, announce(two));
    scene.clock.advance(119_000);
    expect(scene.peer.converged).toBe(false);
    expect(scene.members).toEqual([one, two]);
    scene.clock.advance(32_000);
    expect(scene.peer.converged).toBe(true);
    expect(scene.members).toEqual([two]);
  });

  it.each([
    { name: 'down', lines: [state('down')] },
    { name: 'a new connection without it', lines: [state('connected')] },
    { name: 'the end of ExaBGP', lines: ['{ "exabgp": "4.0.1", "type": "notification", "notification": "shutdown" }'] },
  ])('are lost by $name', ({ lines }) => {
    const scene = new Scene(testConfig([core()], [web('withdraw')]));
    const feed = scene.feed();
    feed.say(...up, announce(one));
    feed.say(...lines);
    expect(scene.members).toEqual([]);
    expect(scene.peer.state).not.toBe('Established');
  });

  it('are lost with the process, and held', () => {
    const scene = new Scene();
    const feed = scene.feed();
    feed.say(...up, announce(one));
    feed.close();
    expect(scene.peer.state).toBe('Idle');
    expect(scene.members).toEqual([one]);
    scene.clock.advance(120_001);
    expect(scene.members).toEqual([]);
  });

  it('that a peer ends with a hard reset hold nothing', () => {
    const scene = new Scene();
    const feed = scene.feed();
    const down = `{ "type": "state", ${about('"state": "down", "reason": "peer reset, message (notification received (6,9)) error(Cease / Hard Reset)"')} }`;
    feed.say(...up, announce(one), down);
    expect(scene.members).toEqual([]);
    expect(scene.source.peers()[0]?.status.lastError).toMatchObject({
      reason: 'notification-received',
      notification: { code: 6, subcode: 9 },
    });
  });

  it('limit what a peer may announce', () => {
    const maxPrefixes = { limit: 1, warnAt: 1, action: 'block', restartAfter: 1000 } as const;
    const scene = new Scene(testConfig([core({ maxPrefixes })], [web('hold')]));
    scene.feed().say(...up, announce(one), announce(two));
    expect(scene.members).toEqual([one]);
    expect(scene.events.map(({ kind }) => kind)).toContain('max-prefixes');
  });
});

describe('sessions that are older than Weir', () => {
  it('are found by the summary, asked for their routes, and complete at the end of the refresh', () => {
    const scene = new Scene();
    const feed = scene.feed();
    expect(scene.commands).toEqual(['show neighbor summary']);
    feed.say('Peer            AS        up/down state       |     #sent     #recvd', summary, 'done');
    expect(scene.peer).toEqual({ state: 'Established', converged: false });
    const asks = (family: string): string => `neighbor 192.0.2.2 announce route-refresh ${family}`;
    expect(scene.commands.slice(1)).toEqual([asks('ipv4 unicast'), asks('ipv6 unicast')]);
    feed.say(refresh('ipv4', 'begin'), announce(one), refresh('ipv4', 'end'), refresh('ipv6', 'begin'), refresh('ipv6', 'end'));
    scene.clock.advance(30_000);
    expect(scene.peer.converged).toBe(true);
    expect(scene.members).toEqual([one]);
    scene.clock.advance(10 * REFRESH_WAIT);
    expect(scene.commands).toHaveLength(3);
  });

  it('are found by the first that they say', () => {
    const scene = new Scene();
    scene.feed().say(announce(one));
    expect(scene.peer.state).toBe('Established');
    expect(scene.members).toEqual([one]);
    expect(scene.commands).toHaveLength(3);
  });

  it.each([
    { onNoRefresh: 'reset', want: ['neighbor 192.0.2.2 teardown 4'] },
    { onNoRefresh: 'wait', want: [] },
  ] as const)('that do not answer, with on_no_refresh: $onNoRefresh', ({ onNoRefresh, want }) => {
    const scene = new Scene(testConfig([core()], [web('hold')], { exabgp: { socket: undefined, user: undefined, onNoRefresh } }));
    scene.state.addLedger([]);
    scene.feed().say(summary);
    scene.commands.length = 0;
    scene.clock.advance(REFRESH_WAIT + 1);
    scene.clock.advance(600_000);
    expect(scene.commands).toEqual(want);
    expect(scene.peer.converged).toBe(false);
  });

  it('are new after all when ExaBGP says so', () => {
    const scene = new Scene();
    scene.feed().say(summary, state('up'), announce(one), endOfRib('ipv4'), endOfRib('ipv6'));
    scene.clock.advance(30_000);
    expect(scene.peer.converged).toBe(true);
    expect(scene.commands.filter((command) => command.includes('teardown'))).toEqual([]);
  });
});

describe('what is not for Weir', () => {
  it.each([
    { name: 'an address', line: state('up').replace('"192.0.2.2"', '"192.0.2.3"'), text: /192\.0\.2\.3 are passed over: it is not among/ },
    { name: 'an AS number', line: state('up').replace('"peer": 64514', '"peer": 64599'), text: /as AS 64599, and core is AS 64514/ },
    { name: 'a local AS number', line: state('up').replace('"local": 64512', '"local": 64599'), text: /ExaBGP is AS 64599 there/ },
  ])('a session with $name that is not configured is counted and told', ({ line, text }) => {
    const scene = new Scene();
    scene.feed().say(line, line);
    expect(scene.speaker.counts).toMatchObject({ unknownNeighbors: 2, bad: 0 });
    expect(scene.peer.state).toBe('Idle');
    expect(scene.events.flatMap((event) => (event.kind === 'exabgp' ? [event.message] : []))).toEqual([expect.stringMatching(text)]);
  });

  it('bad lines are counted and quoted, and the session goes on', () => {
    const scene = new Scene();
    const feed = scene.feed();
    feed.say(...up, announce(one));
    for (let i = 0; i < 20; i++) feed.say(`{ "exabgp": ${i} ${'x'.repeat(1000)}`);
    feed.say(announce(two));
    const { bad, quoted } = scene.speaker.counts;
    expect({ bad, kept: quoted.length, first: quoted[0]?.line.length }).toEqual({ bad: 20, kept: 8, first: 200 });
    expect(scene.members).toEqual([one, two]);
    expect(scene.events.filter(({ kind }) => kind === 'exabgp')).toHaveLength(1);
  });

  it('octets without what was negotiated are passed over, which is told once', () => {
    const scene = new Scene();
    const line = announce(one).replace('"type": "update"', '"type": "update", "header": "0x00", "body": "0x00000000"');
    scene.feed().say(...up, line, line);
    expect(scene.members).toEqual([one]);
    const told = scene.events.filter((event) => event.kind === 'exabgp').map(({ message }) => message);
    expect(told).toEqual([expect.stringContaining('`negotiated`')]);
  });

  it('lines may be cut anywhere', () => {
    const scene = new Scene();
    const feed = scene.speaker.openFeed(() => undefined);
    const bytes = Buffer.from([...up, announce(one), announce(two)].map((line) => `${line}\n`).join(''));
    for (let i = 0; i < bytes.length; i += 7) feed.push(bytes.subarray(i, i + 7));
    expect(scene.members).toEqual([one, two]);
  });

  it('families that the peer is not configured with', () => {
    const scene = new Scene(testConfig([core({ families: ['ipv6 unicast'] })], [web('hold')]));
    scene.feed().say(...up, announce(one));
    expect(scene.members).toEqual([]);
    expect(scene.source.peers()[0]?.families.map(({ family }) => family)).toEqual(['ipv6 unicast']);
  });
});

describe('reloads', () => {
  it('a peer that comes to be heard through ExaBGP keeps what is held, and is asked for', () => {
    const before = testConfig([testPeer('other', 3)], [web('hold')]);
    const scene = new Scene(before);
    scene.feed().say(summary);
    expect(scene.source.peers()).toEqual([]);
    scene.source.reconfigure(testConfig([testPeer('other', 3), core()], [web('hold')]));
    expect(scene.commands).toEqual(['show neighbor summary', 'show neighbor summary']);
  });
});

it('a captured session fills and empties a set', () => {
  const lines = readFileSync(
    new URL('../../../../../conformance/exabgp/exabgp42_consolidate_addpath.jsonl', import.meta.url),
    'utf8',
  ).split('\n');
  const peer = testPeer('captured', 2, { via: 'exabgp', address: parseIp('127.0.0.1')!, localAs: asn(65000), as: asn(65001) });
  const set = testSet('web', { communities: [standard(65001, 666)], guard: { prefixes: [prefix('198.51.100.0/24')] } });
  const scene = new Scene(testConfig([peer], [set]));
  const feed = scene.feed();
  const seen: (readonly string[])[] = [];
  for (const line of lines) {
    feed.say(line);
    if (line.includes('"body"')) seen.push([String(scene.state.counts().routes), ...scene.members]);
  }
  // Two paths to a prefix, of which one is withdrawn: the member stays.
  expect(seen).toEqual([
    ['2', '198.51.100.0/24'],
    ['1', '198.51.100.0/24'],
    ['1', '198.51.100.0/24'],
  ]);
});
