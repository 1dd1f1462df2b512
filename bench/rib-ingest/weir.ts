// node weir.ts COUNT: a session with the feeder, its routes into RouteState, as in the daemon. Prints the time (ms since the epoch) at which all COUNT
// are members of the set.
import { systemClock } from '@weir/bgp/session';
import { asn, ip } from '@weir/wire/inet';
import { BgpSource } from '../../apps/weir/src/sources/bgp/index.ts';
import { RouteState } from '../../apps/weir/src/state/index.ts';
import { standard, testConfig, testPeer, testSet } from '../../apps/weir/src/state/test-fixtures.ts';
import { FEEDER, RECEIVER } from './routes.ts';

const count = Number(process.argv[2]);
const feeder = testPeer('feeder', 2, {
  address: ip(FEEDER.address),
  localAs: asn(RECEIVER.as),
  as: asn(FEEDER.as),
  families: ['ipv4 unicast'],
  holdTime: 180,
});
const web = testSet('web', {
  communities: [standard(64512, 80)],
  guard: { peers: ['feeder'], maxMembers: 10_000_000, churn: { rate: 10_000_000, burst: 10_000_000 } },
  onSessionLoss: { kind: 'withdraw' },
});
const config = testConfig([feeder], [web]);

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
