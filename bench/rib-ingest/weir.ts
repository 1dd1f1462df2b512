// node weir.ts COUNT: a session with the feeder, its routes into RouteState, as in the daemon. Prints the time (ms since the epoch) at which all COUNT
// are members of the set.
import { systemClock } from '@weir/bgp/session';
import { asn, ip } from '@weir/wire/inet';
import type { Config } from '../../apps/weir/src/model/config.ts';
import { DEFAULT_EBPF } from '../../apps/weir/src/model/ebpf.ts';
import { BgpSource } from '../../apps/weir/src/sources/bgp/index.ts';
import { RouteState } from '../../apps/weir/src/state/index.ts';
import { FEEDER, RECEIVER } from './routes.ts';

const count = Number(process.argv[2]);
const span = { file: '', line: 1, column: 1, length: 1 };

const config: Config = {
  file: '',
  bgp: {
    as: asn(RECEIVER.as),
    routerId: ip(RECEIVER.address),
    hostname: undefined,
    listen: [],
    peers: [
      {
        name: 'feeder',
        address: ip(FEEDER.address),
        port: 179,
        localAs: asn(RECEIVER.as),
        as: asn(FEEDER.as),
        families: ['ipv4 unicast'],
        holdTime: 180,
        passive: false,
        source: undefined,
        interface: undefined,
        password: undefined,
        ttlSecurity: undefined,
        multihop: undefined,
        restartTime: 120,
        longLivedStaleTime: undefined,
        addPath: false,
        extendedMessage: true,
        role: undefined,
        roleStrict: false,
        maxPrefixes: undefined,
        flowValidation: 'off',
        keepAll: false,
        span,
      },
    ],
  },
  sets: [
    {
      name: 'web',
      kind: 'allow',
      communities: [{ kind: 'standard', fields: [64512, 80] }],
      guard: {
        peers: ['feeder'],
        prefixes: undefined,
        lengths: { 4: { min: 8, max: 32 }, 6: { min: 16, max: 128 } },
        maxMembers: 10_000_000,
        churn: { rate: 10_000_000, burst: 10_000_000 },
      },
      onSessionLoss: { kind: 'withdraw' },
      onWithdraw: 'keep',
      target: { kind: 'user', family: 'inet', table: 'fw', ipv4: 'a', ipv6: undefined },
      span,
    },
  ],
  firewall: undefined,
  protected: [],
  ebpf: DEFAULT_EBPF,
  policy: undefined,
  convergence: { settle: 30_000, settleWithoutRestart: 10_000, startupHold: 300_000 },
  stateDirectory: '/nonexistent',
  socket: '/nonexistent',
  netns: undefined,
  tenants: [],
  faultyTenants: [],
};

const state = new RouteState({ clock: systemClock });
state.configure(config);
const source = new BgpSource({ config, state, events: () => undefined, restarting: false });
source.start();
let done = false;
const timer = setInterval(() => {
  const counts = state.counts();
  if (done || (counts.sets[0]?.installed ?? 0) < count) return;
  done = true;
  clearInterval(timer);
  console.log(`done ${Date.now()} ${counts.attributeSets}`);
}, 2);
setInterval(() => undefined, 60_000);
