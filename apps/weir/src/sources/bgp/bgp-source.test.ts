import { type FamilyName, family } from '@weir/bgp/codec';
import { BgpSpeaker, type PeerStatus, SessionConfigError, type SessionEvent } from '@weir/bgp/session';
import { type Asn, asn, parseIp } from '@weir/wire/inet';
import { afterEach, describe, expect, it } from 'vitest';
import type { Config, MaxPrefixes, Peer } from '../../model/config.ts';
import type { Event } from '../../model/event.ts';
import type { NamedSet } from '../../model/named-set.ts';
import { RouteState } from '../../state/index.ts';
import {
  Installed,
  ledgerColumns,
  type Said,
  standard,
  TestClock,
  testConfig,
  testPeer,
  testSet,
  update,
} from '../../state/test-fixtures.ts';
import { BgpSource, type Speaker } from './bgp-source.ts';
import { REFRESH_BOUND } from './peer-link.ts';
import { peerConfig, speakerConfig } from './speaker-config.ts';
import { established, ROUTER_ID } from './test-session.ts';

const FOUR: FamilyName = 'ipv4 unicast';
const SIX: FamilyName = 'ipv6 unicast';

interface Agreed {
  readonly restart?: boolean;
  readonly families?: readonly FamilyName[];
  readonly refresh?: boolean;
  readonly enhanced?: boolean;
}

const RESTART = { restarting: false, notification: true, restartTime: 120, families: [] };

/** Records what the source asks for; the test says what happens. */
class FakeSpeaker implements Speaker {
  readonly calls: string[] = [];
  readonly counts = new Map<string, number>();
  refreshes = true;
  emit: (event: SessionEvent) => void = () => undefined;
  peers: readonly PeerStatus[] = [];

  start(): void {
    this.calls.push('start');
  }
  reconfigure(next: { readonly peers: readonly { readonly name: string }[] }): void {
    this.calls.push(`reconfigure ${next.peers.map((peer) => peer.name).join()}`);
  }
  recall(): boolean {
    return false;
  }
  requestRefresh(peer: string, name: FamilyName): boolean {
    this.calls.push(`refresh ${peer} ${name}`);
    return this.refreshes;
  }
  resetPeer(peer: string): void {
    this.calls.push(`reset ${peer}`);
  }
  pause(peer: string): void {
    this.calls.push(`pause ${peer}`);
  }
  resume(peer: string): void {
    this.calls.push(`resume ${peer}`);
  }
  setPrefixCount(peer: string, name: FamilyName, count: number): void {
    this.counts.set(`${peer} ${name}`, count);
  }
  async close(): Promise<void> {
    this.calls.push('close');
  }
}

class Scene {
  readonly clock = new TestClock();
  readonly state = new RouteState({ clock: this.clock });
  readonly speaker = new FakeSpeaker();
  readonly events: Event[] = [];
  readonly kernel = new Installed();
  readonly source: BgpSource;

  constructor(config: Config) {
    this.state.configure(config);
    this.source = new BgpSource({
      config,
      state: this.state,
      events: (event) => this.events.push(event),
      clock: {
        ...this.clock,
        now: () => this.clock.now(),
        setTimer: (ms, run) => this.clock.setTimer(ms, run),
        afterInput: () => undefined,
        random: () => 0,
      },
      restarting: true,
      speaker: (sink) => {
        this.speaker.emit = sink;
        return this.speaker;
      },
    });
  }

  up(peer = 'core', agreed: Agreed = {}): this {
    const { restart = true, families = [FOUR, SIX], refresh = true, enhanced = false } = agreed;
    this.speaker.emit(
      established(peer, {
        families,
        routeRefresh: refresh,
        enhancedRouteRefresh: enhanced,
        gracefulRestart: restart ? RESTART : undefined,
      }),
    );
    return this;
  }

  say(said: Said, peer = 'core'): this {
    const message = update({ communities: ['64512:80'], ...said });
    this.speaker.emit({ kind: 'update', peer, update: message, receivedAt: this.clock.now() });
    return this;
  }

  eor(name: FamilyName = FOUR, peer = 'core'): this {
    this.speaker.emit({ kind: 'update', peer, update: { ...update({}), endOfRib: name }, receivedAt: this.clock.now() });
    return this;
  }

  down(given: Partial<Extract<SessionEvent, { kind: 'down' }>> = {}): this {
    this.speaker.emit({
      kind: 'down',
      peer: 'core',
      reason: 'transport',
      notification: undefined,
      detail: 'connection reset',
      graceful: true,
      retain: [],
      ...given,
    });
    return this;
  }

  refresh(subtype: number, name: FamilyName = FOUR): this {
    const { afi, safi } = family(name);
    this.speaker.emit({
      kind: 'route-refresh',
      peer: 'core',
      message: { kind: 'route-refresh', family: { afi, safi }, subtype },
      receivedAt: 0,
    });
    return this;
  }

  wait(ms: number): this {
    this.clock.advance(ms);
    return this;
  }

  members(set = 'web'): string[] {
    this.kernel.apply(this.state.drain());
    return this.kernel.list(set);
  }
}

const core = testPeer('core', 1);
const forever: NamedSet = testSet('web', { onSessionLoss: { kind: 'hold-forever' } });
const scene = (set: NamedSet = forever, peer: Peer = core): Scene => new Scene(testConfig([peer], [set]));
const A = '203.0.113.1/32';
const B = '203.0.113.2/32';

describe('convergence removes what a peer no longer says, and nothing before', () => {
  it('FRR restarted after a crash: End-of-RIB first, its routes seconds later', () => {
    const s = scene()
      .up()
      .say({ announce: [A, B] })
      .eor(FOUR)
      .eor(SIX);
    s.down().wait(8000).up().eor(FOUR).eor(SIX);
    expect(s.wait(5000).members()).toEqual([A, B]);
    s.say({ announce: [A] });
    expect(s.wait(29_999).members()).toEqual([A, B]);
    expect(s.wait(1).members()).toEqual([A]);
    expect(s.events.filter((e) => e.kind === 'peer-converged')).toMatchObject([{ peer: 'core', routes: 1 }]);
  });

  it('GoBGP without graceful restart: ten seconds of silence', () => {
    const s = scene()
      .up('core', { restart: false })
      .say({ announce: [A, B] });
    s.down()
      .wait(60_000)
      .up('core', { restart: false })
      .say({ announce: [A] });
    expect(s.wait(9999).members()).toEqual([A, B]);
    expect(s.wait(1).members()).toEqual([A]);
  });

  it('graceful restart and never an End-of-RIB: what is stale stays for its hold', () => {
    const s = scene(testSet('web', { onSessionLoss: { kind: 'hold', ms: 600_000 } }))
      .up()
      .say({ announce: [A, B] });
    s.down()
      .wait(1000)
      .up()
      .say({ announce: [A] });
    expect(s.wait(598_999).members()).toEqual([A, B]);
    expect(s.wait(1).members()).toEqual([A]);
  });

  it('whatever the restart retains (F = 0, no families): the hold of the set decides', () => {
    for (const given of [
      { graceful: false, retain: [] },
      { graceful: true, retain: [FOUR] },
    ]) {
      const s = scene()
        .up()
        .say({ announce: [A, '2001:db8::1/128'] })
        .down(given);
      expect(s.wait(1e7).members()).toHaveLength(2);
    }
    const at = scene(testSet('web', { onSessionLoss: { kind: 'withdraw' } }))
      .up()
      .say({ announce: [A] });
    expect(at.down({ graceful: true, retain: [FOUR] }).members()).toEqual([]);
  });

  it('a family that the new session lacks goes when the peer has settled', () => {
    const s = scene()
      .up()
      .say({ announce: [A, '2001:db8::1/128'] })
      .down()
      .up('core', { families: [FOUR] })
      .say({ announce: [A] })
      .eor(FOUR);
    expect(s.wait(29_999).members()).toHaveLength(2);
    expect(s.wait(1).members()).toEqual([A]);
  });

  it('the session is lost again before it is quiet', () => {
    const s = scene()
      .up()
      .say({ announce: [A] })
      .down()
      .up()
      .eor(FOUR)
      .wait(20_000)
      .down();
    expect(s.wait(1e6).members()).toEqual([A]);
  });

  it('a notification is a loss like any other, a hard reset is not (RFC 8538)', () => {
    const data = new Uint8Array(0);
    const s = scene()
      .up()
      .say({ announce: [A] });
    s.down({ reason: 'notification-received', notification: { code: 6, subcode: 2, data } });
    expect(s.members()).toEqual([A]);
    s.up()
      .say({ announce: [A] })
      .down({ reason: 'notification-received', notification: { code: 6, subcode: 9, data: Uint8Array.of(6, 2) } });
    expect(s.members()).toEqual([]);
  });

  it.each<{ name: string; ours: number | undefined; retain: readonly FamilyName[]; ends: number }>([
    { name: 'restart time, then the time that the peer asks for (RFC 9494)', ours: 1e9, retain: [FOUR, SIX], ends: 120_000 + 3_600_000 },
    { name: 'bounded by our own', ours: 60_000, retain: [FOUR, SIX], ends: 120_000 + 60_000 },
    { name: 'the restart time where we do not offer it', ours: undefined, retain: [FOUR, SIX], ends: 120_000 },
    { name: 'nothing of a family that is not retained', ours: 1e9, retain: [SIX], ends: 0 },
  ])('hold long-lived: $name', ({ ours, retain, ends }) => {
    const web = testSet('web', { onSessionLoss: { kind: 'hold-long-lived' } });
    const s = new Scene(testConfig([{ ...core, longLivedStaleTime: ours }], [web]));
    const families = [FOUR, SIX].map((name) => ({ family: name, forwardingPreserved: false }));
    const longLived = families.map((one) => ({ ...one, staleTime: 3600 }));
    s.speaker.emit(established('core', { gracefulRestart: { ...RESTART, families }, longLived }));
    s.say({ announce: [A] }).down({ retain });
    if (ends > 0) expect(s.wait(ends - 1).members()).toEqual([A]);
    expect(s.wait(ends > 0 ? 1 : 0).members()).toEqual([]);
  });

  it('the ledger goes when the peers have converged', () => {
    const s = scene(testSet('web', { kind: 'deny', onSessionLoss: { kind: 'hold-forever' } }));
    s.kernel.sets.set('web', new Set([A, B]));
    s.state.addLedger(ledgerColumns('web', [A, B]));
    s.up()
      .say({ announce: [A] })
      .eor(FOUR)
      .eor(SIX);
    expect(s.wait(29_999).members()).toEqual([A, B]);
    expect(s.wait(1).members()).toEqual([A]);
  });
});

describe('refresh (RFC 7313)', () => {
  it('removes at its end what was not announced again', () => {
    const s = scene()
      .up('core', { enhanced: true })
      .say({ announce: [A, B] })
      .refresh(1)
      .say({ announce: [A] });
    expect(s.members()).toEqual([A, B]);
    expect(s.refresh(2).members()).toEqual([A]);
  });

  it('an end without a beginning, and marks that were not agreed on, change nothing', () => {
    expect(
      scene()
        .up('core', { enhanced: true })
        .say({ announce: [A] })
        .refresh(2)
        .members(),
    ).toEqual([A]);
    expect(
      scene()
        .up()
        .say({ announce: [A] })
        .refresh(1)
        .refresh(2)
        .members(),
    ).toEqual([A]);
    expect(
      scene()
        .up('core', { enhanced: true, families: [SIX] })
        .refresh(1)
        .refresh(2)
        .members(),
    ).toEqual([]);
  });

  it('one that never ends is given up', () => {
    const s = scene()
      .up('core', { enhanced: true })
      .say({ announce: [A] })
      .refresh(1)
      .wait(REFRESH_BOUND);
    expect(s.refresh(2).members()).toEqual([A]);
  });

  it('a session lost in the middle holds everything', () => {
    const s = scene()
      .up('core', { enhanced: true })
      .say({ announce: [A] })
      .refresh(1)
      .down()
      .up('core', { enhanced: true })
      .refresh(2);
    expect(s.members()).toEqual([A]);
  });
});

describe('prefix limits', () => {
  const limited = (action: MaxPrefixes['action']): Scene =>
    scene(forever, { ...core, maxPrefixes: { limit: 2, warnAt: 0.5, action, restartAfter: 60_000 } });
  const level = (s: Scene, to: 'clear' | 'warning' | 'exceeded', action: 'warn' | 'block' | 'restart'): void =>
    s.speaker.emit({ kind: 'max-prefixes', peer: 'core', family: FOUR, count: 3, limit: 2, level: to, action });

  it('counts what is announced and not withdrawn, wanted or not', () => {
    const s = limited('warn')
      .up()
      .say({ announce: [A, B] })
      .say({ announce: [A] })
      .say({ announce: ['198.51.100.1/32'], communities: [] });
    expect(s.speaker.counts.get(`core ${FOUR}`)).toBe(3);
    s.say({ withdraw: [B] });
    expect(s.speaker.counts.get(`core ${FOUR}`)).toBe(2);
  });

  it('block: takes no more, says that there is more, and asks again when there is room', () => {
    const s = limited('block')
      .up()
      .say({ announce: [A, B, '203.0.113.3/32'] });
    expect([s.members(), s.speaker.counts.get(`core ${FOUR}`)]).toEqual([[A, B], 3]);
    level(s, 'exceeded', 'block');
    s.say({ withdraw: [A] });
    expect(s.speaker.counts.get(`core ${FOUR}`)).toBe(1);
    level(s, 'warning', 'block');
    expect(s.speaker.calls).toEqual([`refresh core ${FOUR}`]);
    expect(s.events.filter((e) => e.kind === 'max-prefixes').map((e) => e.action)).toEqual(['block', 'warn']);
  });

  it('restart: a session ended for it leaves nothing behind', () => {
    const s = limited('restart')
      .up()
      .say({ announce: [A] })
      .down({ reason: 'max-prefixes' });
    expect(s.members()).toEqual([]);
  });
});

describe('reload', () => {
  it('asks for routes again where a set wants more, once state and sessions know of it', () => {
    const s = scene()
      .up()
      .say({ announce: [A], communities: ['64512:25'] });
    const { refresh } = s.source.reconfigure(testConfig([core], [forever, testSet('mail', { communities: [standard(64512, 25)] })]));
    expect(refresh).toEqual([{ peer: 'core', families: [FOUR, SIX] }]);
    expect(s.speaker.calls).toEqual(['reconfigure core', `refresh core ${FOUR}`, `refresh core ${SIX}`]);
    s.say({ announce: [A], communities: ['64512:25'] });
    expect(s.members('mail')).toEqual([A]);
  });

  it('a family that the session does not carry converges anew', () => {
    const s = scene()
      .up('core', { families: [FOUR] })
      .eor(FOUR)
      .wait(60_000);
    s.speaker.peers = [status('core')];
    const learned = (): unknown => [s.source.peers()[0]?.converged, s.state.counts().peers[0]?.families.map((f) => f.learned)];
    expect(learned()).toEqual([true, [true, true]]);
    s.source.reconfigure(testConfig([core], [forever, testSet('mail')]));
    expect(learned()).toEqual([false, [false, false]]);
    expect(s.wait(60_000) && learned()).toEqual([true, [true, true]]);
  });

  it('says which peers cannot be asked', () => {
    const s = scene().up('core', { refresh: false });
    s.speaker.refreshes = false;
    s.speaker.peers = [status('core')];
    s.source.reconfigure(testConfig([core], [forever, testSet('mail')]));
    expect(s.source.peers()[0]?.unrefreshed).toEqual([FOUR, SIX]);
    s.down().up();
    expect(s.source.peers()[0]?.unrefreshed).toEqual([]);
  });

  it.each([
    { name: 'a peer that sends nothing when it is asked', answers: false, unneeded: true, want: [FOUR, SIX] },
    { name: 'a peer that answers', answers: true, unneeded: true, want: [] },
    { name: 'a peer that has nothing more to say', answers: false, unneeded: false, want: [] },
  ])('tells of $name', ({ answers, unneeded, want }) => {
    const s = scene()
      .up()
      .say({ announce: [A], communities: [unneeded ? '64512:25' : '64512:80'] })
      .eor(FOUR)
      .eor(SIX)
      .wait(60_000);
    s.speaker.peers = [status('core')];
    s.source.reconfigure(testConfig([core], [forever, testSet('mail', { communities: [standard(64512, 25)] })]));
    s.wait(10);
    if (answers) s.say({ announce: [A], communities: ['64512:25'] });
    s.wait(60_000);
    expect(s.source.peers()[0]).toMatchObject({ converged: true, unrefreshed: want });
    expect(s.events.flatMap((e) => (e.kind === 'not-refreshed' ? [[e.family, e.asked]] : []))).toEqual(
      want.map((family) => [family, true]),
    );
    s.down().up();
    expect(s.source.peers()[0]?.unrefreshed).toEqual([]);
  });

  it('a peer by another name is held while its session is made anew', () => {
    const s = scene()
      .up()
      .say({ announce: [A] });
    s.source.reconfigure(testConfig([{ ...core, name: 'spine' }], [forever]));
    s.down({ reason: 'peer-removed' });
    expect(s.members()).toEqual([A]);
    expect(s.state.holds('spine')).toMatchObject([{ set: 'web', routes: 1 }]);
    s.up('spine')
      .say({ announce: [A] }, 'spine')
      .eor(FOUR, 'spine')
      .wait(30_000);
    expect([s.members(), s.state.holds('spine')]).toEqual([[A], []]);
  });

  it('a peer that is gone takes its members along', () => {
    const s = scene()
      .up()
      .say({ announce: [A] });
    s.source.reconfigure(testConfig([], [forever]));
    s.down({ reason: 'peer-removed' });
    expect(s.members()).toEqual([]);
  });

  it('one that cannot be run changes nothing', () => {
    const s = scene()
      .up()
      .say({ announce: [A] });
    const bad = { ...core, multihop: 5, ttlSecurity: 1 };
    expect(() => s.source.reconfigure(testConfig([bad], []))).toThrow(SessionConfigError);
    expect([s.members(), s.speaker.calls]).toEqual([[A], []]);
  });
});

describe('a kernel side that lags', () => {
  it('established peers are not read; their silence is no convergence', () => {
    const s = scene()
      .up()
      .say({ announce: [A, B] })
      .down()
      .up()
      .eor(FOUR);
    s.source.setLagging(true);
    s.source.setLagging(true);
    expect(s.wait(1e6).members()).toEqual([A, B]);
    s.source.setLagging(false);
    s.say({ announce: [A] });
    expect(s.wait(29_999).members()).toEqual([A, B]);
    expect(s.wait(1).members()).toEqual([A]);
    expect(s.speaker.calls).toEqual(['pause core', 'resume core']);
  });

  it('a peer that comes up meanwhile waits, one that is down may come back', () => {
    const s = scene();
    s.source.setLagging(true);
    s.up().down();
    expect(s.speaker.calls).toEqual(['pause core', 'resume core']);
  });
});

describe('events and views', () => {
  it('tells states with their reasons, errors and listeners', () => {
    const s = scene()
      .up()
      .say({ announce: [A] });
    s.speaker.emit({
      kind: 'error',
      peer: 'core',
      errors: [{ offset: 30, attribute: 4, message: 'MED: 3 octets', action: 'treat-as-withdraw', rfc: 'RFC 7606 section 7.4' }],
    });
    s.down({ notification: { code: 6, subcode: 2, data: new Uint8Array(0) }, reason: 'notification-received' });
    s.speaker.emit({ kind: 'state', peer: 'core', from: 'Established', to: 'Idle' });
    s.speaker.emit({ kind: 'state', peer: 'core', from: 'Idle', to: 'Connect' });
    s.speaker.emit({ kind: 'attempt-failed', peer: 'core', reason: 'transport', notification: undefined, detail: 'connection refused' });
    s.speaker.emit({ kind: 'state', peer: 'core', from: 'Connect', to: 'Active' });
    s.speaker.emit({ kind: 'listening', address: '192.0.2.9', port: 179 });
    s.speaker.emit({ kind: 'listen-failed', address: '192.0.2.9', port: 179, error: new Error('address in use') });
    s.speaker.emit({ kind: 'key-failed', peer: 'core', address: '192.0.2.9', error: new Error('no memory') });
    s.speaker.emit({ kind: 'drain', peer: 'core' });
    expect(s.events.map(({ at: _, ...event }) => event)).toEqual([
      { kind: 'message-errors', peer: 'core', errors: [{ action: 'treat-as-withdraw', message: 'MED: 3 octets', offset: 30 }] },
      { kind: 'peer-state', peer: 'core', from: 'Established', to: 'Idle', reason: 'notification-received: Cease/Administrative Shutdown' },
      { kind: 'peer-state', peer: 'core', from: 'Idle', to: 'Connect', reason: undefined },
      { kind: 'peer-state', peer: 'core', from: 'Connect', to: 'Active', reason: 'transport: connection refused' },
      { kind: 'listen', address: '192.0.2.9 port 179', ok: true, message: undefined },
      { kind: 'listen', address: '192.0.2.9 port 179', ok: false, message: 'address in use' },
      { kind: 'listen', address: '192.0.2.9', ok: false, message: 'core: no memory' },
    ]);
  });

  it('a disabled family loses its routes and does not converge', () => {
    const s = scene()
      .up()
      .say({ announce: [A, '2001:db8::1/128'] })
      .eor(FOUR)
      .eor(SIX);
    s.speaker.peers = [status('core')];
    s.speaker.emit({ kind: 'family-disabled', peer: 'core', family: SIX });
    expect(s.members()).toEqual([A]);
    s.wait(60_000);
    expect(s.source.peers()[0]).toMatchObject({
      converged: false,
      families: [
        { family: FOUR, phase: 'converged' },
        { family: SIX, phase: 'down' },
      ],
    });
  });

  it('ending leaves everything as it is', async () => {
    const s = scene(testSet('web', { onSessionLoss: { kind: 'withdraw' } }))
      .up()
      .say({ announce: [A] })
      .eor();
    const closing = s.source.close();
    s.down({ reason: 'admin' });
    await closing;
    await s.source.close();
    expect([s.wait(1e6).members(), s.speaker.calls]).toEqual([[A], ['close']]);
  });

  it('passes on what an operator asks for', () => {
    const s = scene().up('core', { families: [SIX] });
    s.source.start();
    expect([s.source.refresh('core'), s.source.refresh('nobody')]).toEqual([[SIX], []]);
    s.source.reset('core');
    expect(s.speaker.calls).toEqual(['start', `refresh core ${SIX}`, 'reset core']);
  });
});

function status(name: string): PeerStatus {
  const none = { open: 0, update: 0, notification: 0, keepalive: 0, 'route-refresh': 0 };
  return {
    name,
    address: '192.0.2.1',
    state: 'Established',
    since: 0,
    negotiated: undefined,
    localAddress: undefined,
    sessions: 1,
    received: none,
    sent: none,
    receivedOctets: 0,
    errors: { 'attribute-discard': 0, 'treat-as-withdraw': 0, 'afi-safi-disable': 0, 'session-reset': 0 },
    lastError: undefined,
    prefixes: {},
    sendPending: 0,
    paused: false,
  };
}

it('maps every field of a peer', () => {
  const peer = testPeer('core', 1, {
    port: 1179,
    passive: true,
    source: ROUTER_ID,
    interface: 'wg0',
    password: 'secret',
    ttlSecurity: 2,
    longLivedStaleTime: 90_500,
    addPath: true,
    role: 'customer',
    roleStrict: true,
    maxPrefixes: { limit: 5, warnAt: 0.8, action: 'restart', restartAfter: 1500 },
  });
  expect(peerConfig(peer)).toEqual({
    name: 'core',
    address: peer.address,
    port: 1179,
    localAs: 64512,
    peerAs: 64513,
    families: [FOUR, SIX],
    holdTime: 90,
    passive: true,
    gracefulRestart: { restartTime: 120, forwardingPreserved: true },
    addPath: { receive: [FOUR, SIX] },
    extendedMessage: true,
    strictRole: true,
    source: ROUTER_ID,
    device: 'wg0',
    password: 'secret',
    ttlSecurity: 2,
    longLivedStaleTime: 91,
    role: 'customer',
    maxPrefixes: Object.fromEntries([FOUR, SIX].map((name) => [name, { limit: 5, warnAt: 80, action: 'restart', restartAfter: 2 }])),
  });
  expect(peerConfig({ ...core, multihop: 3 })).toMatchObject({ multihop: 3, addPath: { receive: [] } });
});

describe('over sockets', () => {
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });

  it('agrees on long-lived graceful restart and on roles with a speaker', async () => {
    const loopback = parseIp('127.0.0.1')!;
    const other = parseIp('127.0.0.3')!;
    const announcer = new BgpSpeaker(
      {
        localAs: asn(64513),
        routerId: other,
        listen: [{ address: other, port: 0 }],
        peers: [
          {
            name: 'weir',
            address: loopback,
            peerAs: asn(64512),
            families: [FOUR],
            passive: true,
            role: 'customer',
            strictRole: true,
            gracefulRestart: { restartTime: 100 },
            longLivedStaleTime: 7200,
          },
        ],
      },
      () => undefined,
    );
    ends.push(() => announcer.close());
    announcer.start();
    await until(() => announcer.listening[0]?.port !== undefined);
    const port = announcer.listening[0]!.port!;
    const peer = testPeer('core', 1, {
      address: other,
      port,
      source: loopback,
      families: [FOUR],
      as: asn(64513),
      role: 'provider',
      longLivedStaleTime: 3_600_000,
    });
    const config = testConfig([peer], [testSet('web', { onSessionLoss: { kind: 'hold-long-lived' } })]);
    const clock = { now: () => 1_000_000, setTimer: () => ({ cancel: () => undefined }) };
    const state = new RouteState({ clock });
    state.configure(config);
    const source = new BgpSource({ config, state, events: () => undefined, restarting: false });
    ends.push(() => source.close());
    source.start();
    const nextHop = { address: other };
    const say = (text: string, otc: Asn | undefined): string => {
      const { attributes, announce } = update({
        announce: [text],
        communities: ['64512:80'],
        ...(otc === undefined ? {} : { attributes: { onlyToCustomer: otc } }),
      });
      return announcer.sendUpdate('weir', { attributes, announce: [{ nextHop, run: announce[0]!.run }] });
    };
    await until(() => say(A, undefined) === 'queued');
    say(B, asn(64500));
    await until(() => state.counts().peers[0]?.leaked === 1);
    expect(state.refused('web')?.counts.leak).toBe(1);
    expect(state.counts().sets[0]?.installed).toBe(1);
    expect(source.peers()[0]?.status.negotiated?.longLived).toEqual([{ family: FOUR, forwardingPreserved: false, staleTime: 7200 }]);
    announcer.resetPeer('weir');
    await until(() => state.holds('core').length === 1);
    expect(state.holds('core')).toEqual([{ set: 'web', routes: 1, endsAt: 1_000_000 + 100_000 + 3_600_000 }]);
  }, 30_000);

  it('hears a speaker: announced, withdrawn, the session lost and back', async () => {
    const loopback = parseIp('127.0.0.1')!;
    const other = parseIp('127.0.0.2')!;
    const announcer = new BgpSpeaker(
      {
        localAs: asn(64513),
        routerId: other,
        listen: [{ address: other, port: 0 }],
        peers: [{ name: 'weir', address: loopback, peerAs: asn(64512), families: [FOUR], passive: true }],
      },
      () => undefined,
    );
    ends.push(() => announcer.close());
    announcer.start();
    await until(() => announcer.listening[0]?.port !== undefined);
    const port = announcer.listening[0]!.port!;
    const config = testConfig(
      [testPeer('core', 1, { address: other, port, source: loopback, families: [FOUR], as: asn(64513) })],
      [testSet('web')],
    );
    const clock = { now: () => performance.timeOrigin + performance.now(), setTimer: () => ({ cancel: () => undefined }) };
    const state = new RouteState({ clock });
    state.configure(config);
    const source = new BgpSource({ config, state, events: () => undefined, restarting: false });
    ends.push(() => source.close());
    source.start();
    const said = update({ announce: [A], communities: ['64512:80'] });
    const nextHop = { address: other };
    await until(
      () => announcer.sendUpdate('weir', { attributes: said.attributes, announce: [{ nextHop, run: said.announce[0]!.run }] }) === 'queued',
    );
    await until(() => state.counts().sets[0]?.installed === 1);
    expect(state.routes().routes[0]).toMatchObject({ peer: 'core', nextHop });
    announcer.resetPeer('weir');
    await until(() => state.holds('core').length === 1);
    await until(() => source.peers()[0]?.status.sessions === 2);
    announcer.sendUpdate('weir', { attributes: said.attributes, announce: [{ nextHop, run: said.announce[0]!.run }] });
    await until(() => state.holds('core').length === 0);
    announcer.sendUpdate('weir', { withdraw: [said.announce[0]!.run] });
    await until(() => state.counts().routes === 0);
    expect(speakerConfig(config, { restarting: true, namespace: 'x' })).toMatchObject({ restarting: true, namespace: 'x' });
  }, 30_000);
});

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error('waited too long');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
