import { asn, ip4 } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CeaseSubcode, type Notification, type OpenMessage, shutdownNotification } from '../codec/index.ts';
import type { FsmConfig } from './config.ts';
import type { FsmAction, FsmEvent } from './event.ts';
import { localCapabilities } from './open.ts';
import { type Connection, INITIAL_STATE, type PeerState, sessionState } from './state.ts';
import { step } from './step.ts';

const LOCAL = asn(64512);
const PEER = asn(64513);

const CONFIG: FsmConfig = {
  localAs: LOCAL,
  peerAs: PEER,
  routerId: ip4(0xc0000205),
  families: ['ipv4 unicast', 'ipv6 unicast'],
  holdTime: 90,
  minHoldTime: 3,
  sendHoldTime: undefined,
  passive: false,
  openTime: 60_000,
  delayOpen: 0,
  connectRetry: { initial: 2000, max: 30_000 },
  idleHold: { initial: 1000, max: 60_000 },
  refuseAfter: 3,
  stableAfter: 60_000,
  gracefulRestart: { restartTime: 120, restarting: false, forwardingPreserved: false },
  longLivedStaleTime: undefined,
  addPath: { receive: [], send: [] },
  extendedMessage: true,
  extendedNextHop: true,
  role: undefined,
  strictRole: false,
  hostname: undefined,
  domain: undefined,
};
const DELAYED: FsmConfig = { ...CONFIG, delayOpen: 5000 };
const PASSIVE: FsmConfig = { ...CONFIG, passive: true };

/** The peer's OPEN, as the same configuration seen from its side would make it. */
const OPEN: OpenMessage = {
  kind: 'open',
  version: 4,
  myAs: PEER,
  holdTime: 30,
  routerId: ip4(0xc0000203),
  capabilities: localCapabilities({ ...CONFIG, localAs: PEER }),
};
const NO_DATA = new Uint8Array(0);
const UPDATE_ERROR: Notification = { code: 3, subcode: 1, data: NO_DATA };
const ADMIN = shutdownNotification(CeaseSubcode.administrativeShutdown, 'bye');

/** Actions in short: `send open 1`, `notify 1 6/7`, `start hold 1 30000`. */
function brief(action: FsmAction): string {
  switch (action.kind) {
    case 'send':
      return `send ${action.message.kind} ${action.id}`;
    case 'notify':
      return `notify ${action.id} ${action.notification.code}/${action.notification.subcode}${[...action.notification.data].map((x) => ` ${x}`).join('')}`;
    case 'start-timer':
      return `start ${action.timer} ${action.ms}`;
    case 'stop-timer':
      return `stop ${action.timer}`;
    case 'start-connection-timer':
      return `start ${action.timer} ${action.id} ${action.ms}`;
    case 'stop-connection-timer':
      return `stop ${action.timer} ${action.id}`;
    case 'down':
      return `down ${action.reason}${action.retain.length > 0 ? ' retain' : ''}`;
    case 'failed':
      return `failed ${action.reason}`;
    case 'state':
      return `${action.from} > ${action.to}`;
    case 'refuse':
      return 'refuse';
    default:
      return `${action.kind} ${action.id}`;
  }
}

/** Runs events from the start; the actions of the last one, in short. Jitter is at its longest delay. */
function run(config: FsmConfig, events: readonly FsmEvent[], from: PeerState = INITIAL_STATE): { state: PeerState; actions: string[] } {
  let state = from;
  let actions: readonly FsmAction[] = [];
  for (const event of events) ({ state, actions } = step(state, event, config, 1));
  return { state, actions: actions.map(brief) };
}

const START: FsmEvent = { kind: 'start' };
const ACCEPT: FsmEvent = { kind: 'tcp-accepted' };
const connected = (id: number): FsmEvent => ({ kind: 'tcp-connected', id });
const lost = (id: number): FsmEvent => ({ kind: 'tcp-failed', id, detail: 'reset' });
const opens = (id: number, open: OpenMessage = OPEN): FsmEvent => ({ kind: 'open', id, open });
const keepalive = (id: number): FsmEvent => ({ kind: 'keepalive', id });
const notified = (id: number, code: number, subcode: number): FsmEvent => ({
  kind: 'notification',
  id,
  notification: { code, subcode, data: NO_DATA },
});
const timer = (name: 'connect-retry' | 'idle-hold' | 'stability'): FsmEvent => ({ kind: 'timer', timer: name });
const expires = (id: number, name: 'hold' | 'keepalive' | 'delay-open' | 'send-hold'): FsmEvent => ({
  kind: 'connection-timer',
  id,
  timer: name,
});
const STOP: FsmEvent = { kind: 'stop', reason: 'admin', notification: ADMIN, hard: true };
const RESET: FsmEvent = {
  kind: 'reset',
  reason: 'admin',
  notification: { code: 6, subcode: 4, data: NO_DATA },
  hard: false,
  restartAfter: undefined,
};

interface Place {
  readonly config: FsmConfig;
  readonly path: readonly FsmEvent[];
}

/** Every state of the RFC, and how it is reached. The connection of interest is 1, or 2 where the first is already gone. */
const PLACES = {
  'Idle, stopped': { config: CONFIG, path: [] },
  'Idle, waiting': { config: CONFIG, path: [START, connected(1), opens(1), lost(1)] },
  Connect: { config: CONFIG, path: [START] },
  'Connect, OPEN delayed': { config: DELAYED, path: [START, connected(1)] },
  Active: { config: CONFIG, path: [START, lost(1)] },
  'Active, passive': { config: PASSIVE, path: [START] },
  'Active, OPEN delayed': { config: { ...DELAYED, passive: true }, path: [START, ACCEPT] },
  OpenSent: { config: CONFIG, path: [START, connected(1)] },
  'OpenSent, incoming': { config: PASSIVE, path: [START, ACCEPT] },
  OpenConfirm: { config: CONFIG, path: [START, connected(1), opens(1)] },
  Established: { config: CONFIG, path: [START, connected(1), opens(1), keepalive(1)] },
} as const satisfies Record<string, Place>;
type PlaceName = keyof typeof PLACES;

const EVENTS = {
  start: START,
  stop: STOP,
  reset: RESET,
  'connect-retry': timer('connect-retry'),
  'idle-hold': timer('idle-hold'),
  stability: timer('stability'),
  hold: expires(1, 'hold'),
  'keepalive timer': expires(1, 'keepalive'),
  'delay-open': expires(1, 'delay-open'),
  'send-hold': expires(1, 'send-hold'),
  accepted: ACCEPT,
  connected: connected(1),
  lost: lost(1),
  open: opens(1),
  keepalive: keepalive(1),
  update: { kind: 'update', id: 1 },
  'route-refresh': { kind: 'route-refresh', id: 1 },
  notification: notified(1, 6, 2),
  malformed: { kind: 'malformed', id: 1, notification: UPDATE_ERROR, detail: 'bad' },
} as const satisfies Record<string, FsmEvent>;
type EventName = keyof typeof EVENTS;

const STOPPED = ['stop connect-retry', 'stop idle-hold'];
const SEND_OPEN = (id: number): string[] => [`send open ${id}`, `start hold ${id} 60000`];
const REST = ['stop connect-retry', 'start idle-hold 1000'];
const AGAIN = ['connect 2', 'start connect-retry 2000'];
const ADMIN_BYTES = '3 98 121 101';
const fails = (state: string, notify: string, reason = 'notification-sent'): string[] => [
  `notify 1 ${notify}`,
  `failed ${reason}`,
  ...REST,
  `${state} > Idle`,
];
const downs = (notify: string, reason = 'notification-sent', retain = ' retain'): string[] => [
  `notify 1 ${notify}`,
  'stop stability',
  `down ${reason}${retain}`,
  ...REST,
  'Established > Idle',
];

/** What each event does in each state. What is not listed does nothing at all, which is checked as well. */
const TABLE: Record<PlaceName, Partial<Record<EventName, readonly string[]>>> = {
  'Idle, stopped': {
    start: ['connect 1', 'start connect-retry 2000', 'Idle > Connect'],
    accepted: ['refuse'],
  },
  'Idle, waiting': {
    start: ['stop idle-hold', ...AGAIN, 'Idle > Connect'],
    stop: STOPPED,
    reset: [...STOPPED, 'stop connect-retry', 'start idle-hold 2000'],
    'idle-hold': [...AGAIN, 'Idle > Connect'],
    accepted: ['stop idle-hold', 'stop connect-retry', 'adopt 2', ...SEND_OPEN(2), 'Idle > OpenSent'],
  },
  Connect: {
    stop: ['close 1', ...STOPPED, 'Connect > Idle'],
    reset: ['close 1', ...STOPPED, ...REST, 'Connect > Idle'],
    'connect-retry': ['close 1', 'failed transport', 'connect 2', 'start connect-retry 4000'],
    accepted: ['adopt 2', ...SEND_OPEN(2), 'Connect > OpenSent'],
    connected: ['stop connect-retry', ...SEND_OPEN(1), 'Connect > OpenSent'],
    lost: ['failed transport', 'start connect-retry 4000', 'Connect > Active'],
  },
  'Connect, OPEN delayed': {
    stop: [`notify 1 6/2 ${ADMIN_BYTES}`, ...STOPPED, 'Connect > Idle'],
    reset: ['notify 1 6/4', ...STOPPED, ...REST, 'Connect > Idle'],
    'delay-open': [...SEND_OPEN(1), 'Connect > OpenSent'],
    accepted: ['stop connect-retry', 'adopt 2', 'start delay-open 2 5000'],
    lost: ['failed transport', 'start connect-retry 4000', 'Connect > Active'],
    open: [
      'stop delay-open 1',
      'send open 1',
      'send keepalive 1',
      'start hold 1 30000',
      'start keepalive 1 10000',
      'Connect > OpenConfirm',
    ],
    keepalive: fails('Connect', '5/0 4'),
    update: fails('Connect', '5/0 2'),
    'route-refresh': fails('Connect', '5/0 5'),
    notification: ['close 1', 'failed notification-received', ...REST, 'Connect > Idle'],
    malformed: fails('Connect', '3/1'),
  },
  Active: {
    stop: [...STOPPED, 'Active > Idle'],
    reset: [...STOPPED, ...REST, 'Active > Idle'],
    'connect-retry': ['connect 2', 'start connect-retry 4000', 'Active > Connect'],
    accepted: ['stop connect-retry', 'adopt 2', ...SEND_OPEN(2), 'Active > OpenSent'],
  },
  'Active, passive': {
    stop: [...STOPPED, 'Active > Idle'],
    reset: [...STOPPED, ...REST, 'Active > Idle'],
    accepted: ['stop connect-retry', 'adopt 1', ...SEND_OPEN(1), 'Active > OpenSent'],
  },
  'Active, OPEN delayed': {
    stop: [`notify 1 6/2 ${ADMIN_BYTES}`, ...STOPPED, 'Active > Idle'],
    reset: ['notify 1 6/4', ...STOPPED, ...REST, 'Active > Idle'],
    'delay-open': [...SEND_OPEN(1), 'Active > OpenSent'],
    accepted: ['close 1', 'stop connect-retry', 'adopt 2', 'start delay-open 2 5000'],
    lost: ['failed transport'],
    open: ['stop delay-open 1', 'send open 1', 'send keepalive 1', 'start hold 1 30000', 'start keepalive 1 10000', 'Active > OpenConfirm'],
    keepalive: fails('Active', '5/0 4'),
    update: fails('Active', '5/0 2'),
    'route-refresh': fails('Active', '5/0 5'),
    notification: ['close 1', 'failed notification-received', ...REST, 'Active > Idle'],
    malformed: fails('Active', '3/1'),
  },
  OpenSent: {
    stop: [`notify 1 6/2 ${ADMIN_BYTES}`, ...STOPPED, 'OpenSent > Idle'],
    reset: ['notify 1 6/4', ...STOPPED, ...REST, 'OpenSent > Idle'],
    hold: fails('OpenSent', '4/0', 'hold-timer'),
    accepted: ['stop connect-retry', 'adopt 2', ...SEND_OPEN(2)],
    lost: ['failed transport', 'start connect-retry 4000', 'OpenSent > Active'],
    open: ['send keepalive 1', 'start hold 1 30000', 'start keepalive 1 10000', 'OpenSent > OpenConfirm'],
    keepalive: fails('OpenSent', '5/1 4'),
    update: fails('OpenSent', '5/1 2'),
    'route-refresh': fails('OpenSent', '5/1 5'),
    notification: ['close 1', 'failed notification-received', ...REST, 'OpenSent > Idle'],
    malformed: fails('OpenSent', '3/1'),
  },
  'OpenSent, incoming': {
    stop: [`notify 1 6/2 ${ADMIN_BYTES}`, ...STOPPED, 'OpenSent > Idle'],
    reset: ['notify 1 6/4', ...STOPPED, ...REST, 'OpenSent > Idle'],
    hold: fails('OpenSent', '4/0', 'hold-timer'),
    accepted: ['close 1', 'stop connect-retry', 'adopt 2', ...SEND_OPEN(2)],
    lost: ['failed transport', 'OpenSent > Active'],
    open: ['send keepalive 1', 'start hold 1 30000', 'start keepalive 1 10000', 'OpenSent > OpenConfirm'],
    keepalive: fails('OpenSent', '5/1 4'),
    update: fails('OpenSent', '5/1 2'),
    'route-refresh': fails('OpenSent', '5/1 5'),
    notification: ['close 1', 'failed notification-received', ...REST, 'OpenSent > Idle'],
    malformed: fails('OpenSent', '3/1'),
  },
  OpenConfirm: {
    stop: [`notify 1 6/9 6 2 ${ADMIN_BYTES}`, ...STOPPED, 'OpenConfirm > Idle'],
    reset: ['notify 1 6/4', ...STOPPED, ...REST, 'OpenConfirm > Idle'],
    hold: fails('OpenConfirm', '4/0', 'hold-timer'),
    'keepalive timer': ['send keepalive 1', 'start keepalive 1 10000'],
    accepted: ['stop connect-retry', 'adopt 2', ...SEND_OPEN(2)],
    lost: ['failed transport', ...REST, 'OpenConfirm > Idle'],
    open: fails('OpenConfirm', '5/2 1'),
    keepalive: ['stop connect-retry', 'start hold 1 30000', 'start stability 60000', 'established 1', 'OpenConfirm > Established'],
    update: fails('OpenConfirm', '5/2 2'),
    'route-refresh': fails('OpenConfirm', '5/2 5'),
    notification: ['close 1', 'failed notification-received', ...REST, 'OpenConfirm > Idle'],
    malformed: fails('OpenConfirm', '3/1'),
  },
  Established: {
    stop: [`notify 1 6/9 6 2 ${ADMIN_BYTES}`, 'stop stability', 'down admin', ...STOPPED, 'Established > Idle'],
    reset: ['notify 1 6/4', 'stop stability', 'down admin retain', ...STOPPED, ...REST, 'Established > Idle'],
    hold: downs('4/0', 'hold-timer'),
    'keepalive timer': ['send keepalive 1', 'start keepalive 1 10000'],
    'send-hold': downs('8/0', 'send-hold-timer'),
    accepted: ['stop connect-retry', 'adopt 2', ...SEND_OPEN(2)],
    lost: ['stop stability', 'down transport retain', ...REST, 'Established > Idle'],
    open: downs('5/3 1'),
    keepalive: ['start hold 1 30000'],
    update: ['start hold 1 30000'],
    'route-refresh': ['start hold 1 30000'],
    notification: ['close 1', 'stop stability', 'down notification-received retain', ...REST, 'Established > Idle'],
    malformed: downs('3/1'),
  },
};

describe('every state by every event', () => {
  for (const place of Object.keys(PLACES) as PlaceName[]) {
    for (const name of Object.keys(EVENTS) as EventName[]) {
      it(`${place}: ${name}`, () => {
        const { config, path }: Place = PLACES[place];
        const before = run(config, path).state;
        const after = step(before, EVENTS[name], config, 1);
        expect(after.actions.map(brief)).toEqual(TABLE[place][name] ?? []);
        if (TABLE[place][name] === undefined) expect(after.state).toEqual(before);
      });
    }
  }

  it('names the states as the RFC does', () => {
    for (const place of Object.keys(PLACES) as PlaceName[]) {
      expect(sessionState(run(PLACES[place].config, PLACES[place].path).state)).toBe(place.replace(/,.*/, ''));
    }
  });
});

describe('timers', () => {
  it('doubles the connect retry time up to its limit, and starts over after a session', () => {
    let state = run(CONFIG, [START]).state;
    const delays: string[] = [];
    for (let id = 1; id <= 6; id++) {
      const failed = run(CONFIG, [lost(id)], state);
      delays.push(failed.actions[1]!);
      state = run(CONFIG, [timer('connect-retry')], failed.state).state;
    }
    expect(delays.map((d) => d.split(' ')[2])).toEqual(['4000', '8000', '16000', '30000', '30000', '30000']);
    state = run(CONFIG, [connected(7), opens(7), keepalive(7), lost(7)], state).state;
    expect(run(CONFIG, [timer('idle-hold')], state).actions).toContain('start connect-retry 2000');
  });

  it('doubles the idle hold until a session has been stable', () => {
    const fail = (state: PeerState, id: number): ReturnType<typeof run> =>
      run(CONFIG, [timer('idle-hold'), connected(id), opens(id), keepalive(id), lost(id)], state);
    let state = run(CONFIG, [START, connected(1), opens(1), keepalive(1), lost(1)]).state;
    const delays: string[] = [];
    for (let id = 2; id <= 8; id++) {
      const next = fail(state, id);
      delays.push(next.actions.find((a) => a.startsWith('start idle-hold'))!);
      state = next.state;
    }
    expect(delays.map((d) => d.split(' ')[2])).toEqual(['2000', '4000', '8000', '16000', '32000', '60000', '60000']);
    const stable = run(CONFIG, [timer('idle-hold'), connected(9), opens(9), keepalive(9), timer('stability'), lost(9)], state);
    expect(stable.actions).toContain('start idle-hold 1000');
  });

  it('shortens delays by up to a quarter', () => {
    const { actions } = step(INITIAL_STATE, START, CONFIG, 0);
    expect(actions.map(brief)).toContain('start connect-retry 1500');
  });

  it('needs neither hold nor keepalive timer when the hold time is 0', () => {
    const { actions, state } = run(CONFIG, [START, connected(1), opens(1, { ...OPEN, holdTime: 0 })]);
    expect(actions).toEqual(['send keepalive 1', 'stop hold 1', 'OpenSent > OpenConfirm']);
    expect(run(CONFIG, [keepalive(1), { kind: 'update', id: 1 }], state).actions).toEqual([]);
  });
});

describe('incoming connections while Idle', () => {
  const failing = (count: number): PeerState => {
    let state = run(CONFIG, [START]).state;
    for (let i = 0; i < count; i++) {
      const id = state.connections[0]!.id;
      state = run(CONFIG, [connected(id), opens(id, { ...OPEN, myAs: asn(64999), capabilities: [] })], state).state;
      if (i < count - 1) state = run(CONFIG, [timer('idle-hold')], state).state;
    }
    return state;
  };
  const rows = [
    { name: 'after one failure', failures: 1, want: 'adopt' },
    { name: 'after two', failures: 2, want: 'adopt' },
    { name: 'after as many as the limit', failures: 3, want: 'refuse' },
  ];
  for (const { name, failures, want } of rows) {
    it(name, () => {
      const state = failing(failures);
      expect(sessionState(state)).toBe('Idle');
      expect(run(CONFIG, [ACCEPT], state).actions.some((a) => a.startsWith(want))).toBe(true);
    });
  }

  it('refuses during the delay of a reset', () => {
    const state = run(CONFIG, [START, connected(1), opens(1), keepalive(1), { ...RESET, restartAfter: 30_000 } as FsmEvent]);
    expect(state.actions).toContain('start idle-hold 30000');
    expect(run(CONFIG, [ACCEPT], state.state).actions).toEqual(['refuse']);
    expect(run(CONFIG, [timer('idle-hold')], state.state).actions).toContain('connect 2');
  });
});

describe('collisions', () => {
  const higher = (open: OpenMessage): OpenMessage => ({ ...open, routerId: ip4(0xc00002ff) });
  const equal = (open: OpenMessage): OpenMessage => ({ ...open, routerId: CONFIG.routerId });
  const both: readonly FsmEvent[] = [START, ACCEPT, connected(1)];
  const confirm = (id: number): string[] => [`send keepalive ${id}`, `start hold ${id} 30000`, `start keepalive ${id} 10000`];
  const rows: { name: string; path: readonly FsmEvent[]; want: string[]; left: number[] }[] = [
    {
      name: 'ours is higher, incoming second: outgoing stays',
      path: [...both, opens(1), opens(2)],
      want: ['notify 2 6/7', 'failed collision'],
      left: [1],
    },
    {
      name: 'ours is higher, outgoing second: outgoing stays',
      path: [...both, opens(2), opens(1)],
      want: ['notify 2 6/7', 'failed collision', ...confirm(1)],
      left: [1],
    },
    {
      name: 'theirs is higher, incoming second: incoming stays',
      path: [...both, opens(1, higher(OPEN)), opens(2, higher(OPEN))],
      want: ['notify 1 6/7', 'failed collision', ...confirm(2)],
      left: [2],
    },
    {
      name: 'theirs is higher, outgoing second: incoming stays',
      path: [...both, opens(2, higher(OPEN)), opens(1, higher(OPEN))],
      want: ['notify 1 6/7', 'failed collision'],
      left: [2],
    },
    {
      name: 'equal identifiers: the higher AS decides (RFC 6286)',
      path: [...both, opens(1, equal(OPEN)), opens(2, equal(OPEN))],
      want: ['notify 1 6/7', 'failed collision', ...confirm(2)],
      left: [2],
    },
    {
      name: 'an attempt under way yields to an OPEN',
      path: [START, ACCEPT, opens(2)],
      want: ['close 1', 'stop connect-retry', ...confirm(2), 'OpenSent > OpenConfirm'],
      left: [2],
    },
    {
      name: 'a connection without OPEN is closed when the other is established',
      path: [...both, opens(1), keepalive(1)],
      want: [
        'notify 2 6/7',
        'stop connect-retry',
        'start hold 1 30000',
        'start stability 60000',
        'established 1',
        'OpenConfirm > Established',
      ],
      left: [1],
    },
    { name: 'a third connection while one is confirmed is refused', path: [...both, opens(2), ACCEPT], want: ['refuse'], left: [2, 1] },
    { name: 'the loss of one leaves the other', path: [...both, lost(1)], want: ['failed transport'], left: [2] },
    {
      name: 'an error on one leaves the other',
      path: [...both, opens(1), { kind: 'malformed', id: 2, notification: UPDATE_ERROR, detail: '' }],
      want: ['notify 2 3/1', 'failed notification-sent'],
      left: [1],
    },
    {
      name: 'the peer may resolve it first',
      path: [...both, opens(1), notified(2, 6, 7)],
      want: ['close 2', 'failed collision'],
      left: [1],
    },
  ];
  for (const { name, path, want, left } of rows) {
    it(name, () => {
      const { state, actions } = run(CONFIG, path);
      expect(actions).toEqual(want);
      expect(state.connections.map((c) => c.id).sort()).toEqual([...left].sort());
    });
  }

  const plainOpen: OpenMessage = { ...OPEN, capabilities: OPEN.capabilities.filter((c) => c.kind !== 'graceful-restart') };
  const established = (open: OpenMessage): readonly FsmEvent[] => [START, connected(1), opens(1, open), keepalive(1), ACCEPT];
  it('without graceful restart an established session outlives a second connection', () => {
    const { actions } = run(CONFIG, [...established(plainOpen), opens(2, plainOpen)]);
    expect(actions).toEqual(['notify 2 6/7', 'failed collision']);
  });
  it('with graceful restart the OPEN on a second connection replaces the session (RFC 4724 section 5)', () => {
    const { actions, state } = run(CONFIG, [...established(OPEN), opens(2)]);
    expect(actions).toEqual(['close 1', 'stop stability', 'down replaced retain', ...confirm(2), 'Established > OpenConfirm']);
    expect(run(CONFIG, [keepalive(2)], state).actions).toContain('established 2');
  });
  it('another speaker at the same address does not', () => {
    const { actions } = run(CONFIG, [...established(OPEN), opens(2, { ...OPEN, routerId: ip4(0xc0000204) })]);
    expect(actions).toEqual(['notify 2 6/7', 'failed collision']);
  });
  it('a bad OPEN on a second connection does not', () => {
    const { actions } = run(CONFIG, [...established(OPEN), opens(2, { ...OPEN, holdTime: 1 })]);
    expect(actions).toEqual(['notify 2 2/6', 'failed notification-sent']);
  });
  it('the second connection goes on when the first is lost meanwhile', () => {
    const { actions, state } = run(CONFIG, [...established(OPEN), lost(1)]);
    expect(actions).toEqual(['stop stability', 'down transport retain', 'Established > OpenSent']);
    expect(run(CONFIG, [opens(2)], state).actions).toEqual([...confirm(2), 'OpenSent > OpenConfirm']);
  });
});

describe('what may be retained', () => {
  const restart = (notification: boolean): OpenMessage => ({
    ...OPEN,
    capabilities: OPEN.capabilities.map((c) => (c.kind === 'graceful-restart' ? { ...c, notification } : c)),
  });
  const without: OpenMessage = { ...OPEN, capabilities: OPEN.capabilities.filter((c) => c.kind !== 'graceful-restart') };
  const helperOnly: OpenMessage = {
    ...OPEN,
    capabilities: OPEN.capabilities.map((c) => (c.kind === 'graceful-restart' ? { ...c, families: [] } : c)),
  };
  const rows: { name: string; open: OpenMessage; event: FsmEvent; want: string }[] = [
    { name: 'loss, RFC 4724', open: restart(false), event: lost(1), want: 'down transport retain' },
    { name: 'loss, no graceful restart', open: without, event: lost(1), want: 'down transport' },
    { name: 'loss, the peer keeps nothing itself', open: helperOnly, event: lost(1), want: 'down transport' },
    { name: 'hold timer, no N bit', open: restart(false), event: expires(1, 'hold'), want: 'down hold-timer' },
    { name: 'hold timer, N bit', open: restart(true), event: expires(1, 'hold'), want: 'down hold-timer retain' },
    { name: 'NOTIFICATION received, no N bit', open: restart(false), event: notified(1, 6, 4), want: 'down notification-received' },
    { name: 'NOTIFICATION received, N bit', open: restart(true), event: notified(1, 6, 4), want: 'down notification-received retain' },
    { name: 'hard reset received', open: restart(true), event: notified(1, 6, 9), want: 'down notification-received' },
    {
      name: 'closed silently by us',
      open: restart(true),
      event: { kind: 'stop', reason: 'admin', notification: undefined, hard: true },
      want: 'down admin retain',
    },
    {
      name: 'removed by us',
      open: restart(true),
      event: { kind: 'stop', reason: 'peer-removed', notification: { code: 6, subcode: 3, data: NO_DATA }, hard: true },
      want: 'down peer-removed',
    },
  ];
  for (const { name, open, event, want } of rows) {
    it(name, () => expect(run(CONFIG, [START, connected(1), opens(1, open), keepalive(1), event]).actions).toContain(want));
  }
});

describe('a peer without capabilities (RFC 5492 section 3)', () => {
  it('gets an OPEN without them after it refused the parameter', () => {
    const { state } = run(CONFIG, [START, connected(1), notified(1, 2, 4)]);
    const { actions, state: next } = step(run(CONFIG, [timer('idle-hold')], state).state, connected(2), CONFIG, 1);
    const sent = actions.find((a) => a.kind === 'send');
    expect(sent?.kind === 'send' && sent.message.kind === 'open' && sent.message.capabilities).toEqual([]);
    const agreed = run(CONFIG, [opens(2, { ...OPEN, capabilities: [] })], next).state.connections[0]?.negotiated;
    expect(agreed).toMatchObject({ families: ['ipv4 unicast'], missingFamilies: ['ipv6 unicast'], receive: { fourOctetAs: false } });
  });
});

describe('any history', () => {
  const id = fc.integer({ min: 1, max: 12 });
  const event: fc.Arbitrary<FsmEvent> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom<FsmEvent>(START, ACCEPT, STOP, RESET, timer('connect-retry'), timer('idle-hold'), timer('stability')),
    },
    { weight: 4, arbitrary: id.map(connected) },
    { weight: 4, arbitrary: id.map((x) => opens(x)) },
    { weight: 4, arbitrary: id.map(keepalive) },
    { weight: 1, arbitrary: id.map(lost) },
    { weight: 1, arbitrary: id.map((x) => notified(x, 6, 7)) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(id, fc.constantFrom('hold', 'keepalive', 'delay-open', 'send-hold'))
        .map(([x, name]) => expires(x, name as 'hold')),
    },
    { weight: 1, arbitrary: id.map((x): FsmEvent => ({ kind: 'update', id: x })) },
    { weight: 1, arbitrary: id.map((x): FsmEvent => ({ kind: 'malformed', id: x, notification: UPDATE_ERROR, detail: '' })) },
  );

  it('keeps one connection of each kind, closes what it forgets, and reports each session once up and once down', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), fc.constantFrom(CONFIG, DELAYED, PASSIVE), (events, config) => {
        let state = INITIAL_STATE;
        let isUp = false;
        const alive = new Set<number>();
        const armed = new Set<string>();
        for (const e of events) {
          const after = step(state, e, config, 0.5);
          if (e.kind === 'tcp-failed') alive.delete(e.id);
          if (e.kind === 'timer') armed.delete(e.timer);
          for (const a of after.actions) {
            if (a.kind === 'connect' || a.kind === 'adopt') alive.add(a.id);
            if (a.kind === 'close' || a.kind === 'notify') expect(alive.delete(a.id)).toBe(true);
            if (a.kind === 'send' || a.kind === 'start-connection-timer') expect(alive.has(a.id)).toBe(true);
            if (a.kind === 'start-timer') armed.add(a.timer);
            if (a.kind === 'stop-timer') armed.delete(a.timer);
            if (a.kind === 'established') {
              expect(isUp).toBe(false);
              isUp = true;
            }
            if (a.kind === 'down') {
              expect(isUp).toBe(true);
              isUp = false;
            }
          }
          state = after.state;
          const count = (test: (c: Connection) => boolean): number => state.connections.filter(test).length;
          expect(new Set(state.connections.map((c) => c.id))).toEqual(alive);
          expect(count((c) => c.phase === 'established')).toBe(isUp ? 1 : 0);
          expect(count((c) => c.direction === 'outgoing')).toBeLessThanOrEqual(1);
          expect(count((c) => c.direction === 'incoming' && c.phase !== 'established')).toBeLessThanOrEqual(1);
          if (state.mode !== 'running') expect(alive.size).toBe(0);
          // Nothing is ever stuck: whoever is not stopped has a connection, a timer that will bring one, or waits for the peer because told to.
          if (state.mode === 'waiting') expect(armed.has('idle-hold')).toBe(true);
          if (state.mode === 'running' && alive.size === 0 && !config.passive) expect(armed.has('connect-retry')).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
