import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hardResetReason, prefixAt, shutdownCommunication } from '@weir/bgp/codec';
import { BgpSpeaker, type PeerConfig, type SessionEvent, StaticRoutes } from '@weir/bgp/session';
import { asn, ip, prefix, printPrefix } from '@weir/wire/inet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Host, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

interface Options {
  /** The daemon only listens, or only connects. */
  readonly passive: boolean;
  /** We connect although the daemon does too. */
  readonly both?: boolean;
  readonly password?: string;
  /** TTL security of one hop. */
  readonly gtsm?: boolean;
}

/** Starts a daemon in AS 64513 at 192.0.2.2 with AS 64512 at 192.0.2.1 for a neighbour; it announces 198.51.100.0/24 and 2001:db8:2::/48. */
type Start = (host: Host, directory: string, options: Options) => void;

const frr: Start = (host, directory, { passive, password, gtsm }) => {
  mkdirSync(directory, { recursive: true });
  const file = join(directory, 'bgpd.conf');
  writeFileSync(
    file,
    `log stdout
router bgp 64513
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 no bgp network import-check
 bgp graceful-restart
 timers bgp 3 9
 neighbor 192.0.2.1 remote-as 64512
 neighbor 192.0.2.1 timers connect 1
 ${passive ? 'neighbor 192.0.2.1 passive' : ''}
 ${password === undefined ? '' : `neighbor 192.0.2.1 password ${password}`}
 ${gtsm ? 'neighbor 192.0.2.1 ttl-security hops 1' : ''}
 address-family ipv4 unicast
  network 198.51.100.0/24
  neighbor 192.0.2.1 activate
  neighbor 192.0.2.1 soft-reconfiguration inbound
 exit-address-family
 address-family ipv6 unicast
  network 2001:db8:2::/48
  neighbor 192.0.2.1 activate
  neighbor 192.0.2.1 route-map six out
 exit-address-family
exit
route-map six permit 10
 set ipv6 next-hop global 2001:db8::2
exit
`,
  );
  const run = ['-u', 'root', '-g', 'root', '--vty_socket', directory, '-i', join(directory, 'bgpd.pid'), '-z', join(directory, 'zserv')];
  host.spawn('/usr/lib/frr/bgpd', ['-f', file, '-p', '179', '-P', '0', '-n', '-S', '-Z', ...run], { name: 'frr bgpd' });
};

const gobgp: Start = (host, directory, { passive, password, gtsm }) => {
  const file = join(directory, 'gobgpd.toml');
  writeFileSync(
    file,
    `[global.config]
as = 64513
router-id = "192.0.2.2"
[[neighbors]]
[neighbors.config]
neighbor-address = "192.0.2.1"
peer-as = 64512
${password === undefined ? '' : `auth-password = "${password}"`}
[neighbors.transport.config]
passive-mode = ${passive}
[neighbors.timers.config]
connect-retry = 1
hold-time = 9
idle-hold-time-after-reset = 1
${gtsm ? '[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255' : ''}
[neighbors.graceful-restart.config]
enabled = true
restart-time = 20
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv4-unicast"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "ipv6-unicast"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
`,
  );
  host.spawn('gobgpd', ['-f', file, '--api-hosts', '127.0.0.1:50051', '--pprof-disable'], { name: 'gobgpd' });
  const add = ['global', 'rib', 'add'];
  host.spawn(
    'sh',
    [
      '-c',
      `until gobgp -p 50051 global >/dev/null 2>&1; do sleep 0.1; done
gobgp -p 50051 ${add.join(' ')} 198.51.100.0/24
gobgp -p 50051 ${add.join(' ')} -a ipv6 2001:db8:2::/48 nexthop 2001:db8::2`,
    ],
    { name: 'gobgp add' },
  );
};

const bird: Start = (host, directory, { passive, password, gtsm }) => {
  const file = join(directory, 'bird.conf');
  writeFileSync(
    file,
    `router id 192.0.2.2;
protocol device {}
protocol static four { ipv4; route 198.51.100.0/24 unreachable; }
protocol static six { ipv6; route 2001:db8:2::/48 unreachable; }
protocol bgp weir {
  local 192.0.2.2 as 64513;
  neighbor 192.0.2.1 as 64512;
  ${passive ? 'passive on;' : ''}
  ${password === undefined ? '' : `password "${password}";`}
  ${gtsm ? 'ttl security on;' : ''}
  hold time 9;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 2;
  graceful restart on;
  ipv4 { import all; export all; next hop self; };
  ipv6 { import all; export all; next hop address 2001:db8::2; };
}
`,
  );
  host.spawn('bird', ['-f', '-c', file, '-s', join(directory, 'bird.ctl'), '-P', join(directory, 'bird.pid')], { name: 'bird' });
};

interface Session {
  readonly speaker: BgpSpeaker;
  readonly events: SessionEvent[];
  readonly daemon: Host;
  readonly directory: string;
}

async function session(start: Start, options: Options): Promise<Session> {
  const lab = labForTest();
  const own = await lab.host('weir');
  const daemon = await lab.host('daemon');
  await lab.link(
    { host: own, name: 'eth0', addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
    { host: daemon, name: 'eth0', addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
  );
  const routes = new StaticRoutes();
  routes.announce([prefix('203.0.113.0/24')]);
  routes.announce([prefix('2001:db8:1::/48')], { nextHop: { address: ip('2001:db8::1') } });
  const peer: PeerConfig = {
    name: 'daemon',
    address: ip('192.0.2.2'),
    peerAs: asn(64513),
    families: ['ipv4 unicast', 'ipv6 unicast'],
    passive: !options.passive && !options.both,
    connectRetry: { initial: 200, max: 500 },
    idleHold: { initial: 100, max: 500 },
    ...(options.password === undefined ? {} : { password: options.password }),
    ...(options.gtsm ? { ttlSecurity: 1 } : {}),
  };
  const events: SessionEvent[] = [];
  const speaker = new BgpSpeaker(
    {
      localAs: asn(64512),
      routerId: ip('192.0.2.1'),
      hostname: 'weir',
      namespace: own.path,
      listen: [{ address: ip('0.0.0.0') }],
      peers: [peer],
      announcer: routes,
    },
    (event) => events.push(event),
  );
  onTestFinished(() => speaker.close());
  speaker.start();
  const directory = lab.directory('daemon');
  start(daemon, directory, options);
  return { speaker, events, daemon, directory };
}

/** Prefixes announced so far. */
function heard(events: readonly SessionEvent[]): string[] {
  const out = new Set<string>();
  for (const event of events) {
    if (event.kind !== 'update') continue;
    expect(event.update.errors).toEqual([]);
    for (const { run } of event.update.announce) for (let i = 0; i < run.count; i++) out.add(printPrefix(prefixAt(run, i)));
  }
  return [...out].sort();
}

const DAEMONS = [
  { name: 'FRR', start: frr },
  { name: 'GoBGP', start: gobgp },
  { name: 'BIRD', start: bird },
];
const WAYS: readonly { readonly name: string; readonly options: Options }[] = [
  { name: 'we connect', options: { passive: true } },
  { name: 'it connects', options: { passive: false } },
  { name: 'it connects, MD5 and TTL security', options: { passive: false, password: 'between-us', gtsm: true } },
];

describe.each(DAEMONS)('$name', ({ start }) => {
  test.each(WAYS)('$name: both families, End-of-RIB, refresh, keepalives', async ({ options }) => {
    const { speaker, events } = await session(start, options);
    await waitFor('the session', () => speaker.status('daemon').state === 'Established');
    // FRR sends our own routes back as well.
    await waitFor('its routes', () => heard(events).includes('198.51.100.0/24') && heard(events).includes('2001:db8:2::/48'), {
      timeoutMs: 60_000,
    });
    await waitFor('End-of-RIB', () => new Set(events.flatMap((e) => (e.kind === 'update' && e.update.endOfRib) || [])).size === 2, {
      timeoutMs: 60_000,
    });
    const { negotiated } = speaker.status('daemon');
    expect(negotiated).toMatchObject({
      missingFamilies: [],
      holdTime: 9,
      routeRefresh: true,
      receive: { fourOctetAs: true, peerKind: 'ebgp' },
    });
    expect(negotiated?.gracefulRestart).toBeDefined();
    const before = events.length;
    expect(speaker.requestRefresh('daemon', 'ipv4 unicast')).toBe(true);
    await waitFor('the refresh', () => heard(events.slice(before)).includes('198.51.100.0/24'));
    // Long enough for keepalives both ways to matter.
    await waitFor('keepalives', () => speaker.status('daemon').received.keepalive >= 4);
    expect(events.filter((e) => e.kind === 'down')).toEqual([]);
  });
});

test.each(DAEMONS)('$name and we connect at once, and settle on one session', async ({ start }) => {
  const { speaker, events } = await session(start, { passive: false, both: true });
  await waitFor(
    'a session with keepalives',
    () => speaker.status('daemon').state === 'Established' && speaker.status('daemon').received.keepalive >= 3,
    {
      timeoutMs: 60_000,
    },
  );
  expect(events.filter((e) => e.kind === 'down')).toEqual([]);
});

describe('FRR', () => {
  test('has our routes, drops them when we shut down, and says why it does', async () => {
    const { speaker, events, daemon, directory } = await session(frr, { passive: true });
    const vtysh = async (...commands: string[]): Promise<string> =>
      (await daemon.exec('vtysh', ['--vty_socket', directory, ...commands.flatMap((c) => ['-c', c])])).stdout;
    const has = async (text: string): Promise<boolean> => (await vtysh('show bgp ipv4 unicast', 'show bgp ipv6 unicast')).includes(text);
    await waitFor('our routes', async () => (await has('203.0.113.0')) && (await has('2001:db8:1::/48')));
    speaker.stopPeer('daemon', { message: 'maintenance' });
    await waitFor('them to go', async () => !(await has('203.0.113.0')));
    speaker.startPeer('daemon');
    await waitFor('our routes again', async () => has('203.0.113.0'));
    await vtysh('configure terminal', 'router bgp 64513', 'neighbor 192.0.2.1 shutdown message see you');
    await waitFor('the end', () => events.some((e) => e.kind === 'down' && e.reason === 'notification-received'));
    const down = events.find((e) => e.kind === 'down' && e.reason === 'notification-received');
    const said = down?.kind === 'down' && down.notification;
    expect(said && shutdownCommunication(hardResetReason(said) ?? said)).toBe('see you');
  });
});
