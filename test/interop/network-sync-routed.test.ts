import { expect, test } from 'vitest';
import { Weir } from '../e2e/weir.ts';
import { type CommandResult, type Host, startBird, startFrr } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { RoutedLab } from './routed-lab.ts';

const PROGRAM = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;
/** Milliseconds: many commands, each a process. */
const LONG = 480_000;
const HERE = ['192.0.2.10', '2001:db8::10'] as const;
const KEY = 'between-distributors';
const ONE = '203.0.113.1/32';
const OTHER = '2001:db8:5::/48';
const TABLE = 'distribute: { tables: { spammers: { communities: ["65000:2"] } }';
const ONLY_THERE = `table spammers: 0 here, 2 there; 2 only there; 0 only here\n+ ${ONE}\n+ ${OTHER}\n`;

interface Scene {
  readonly routed: RoutedLab;
  /** Whose tables are compared, and filled. */
  readonly here: Weir;
  readonly key: string;
  readonly wrongKey: string;
}

async function build(): Promise<Scene> {
  const routed = await RoutedLab.make(labForTest());
  const host = await routed.host('here', HERE);
  const here = new Weir(routed.lab, host, `bgp: { as: 64513, router_id: ${HERE[0]} }\n${TABLE} }\n`);
  await here.start();
  return { routed, here, key: routed.passwordFile(KEY), wrongKey: routed.passwordFile('another') };
}

/** `weir network sync` from an address of this host. */
function sync({ here }: Scene, from: string, ...args: readonly string[]): Promise<CommandResult> {
  const source = from.includes(':') ? HERE[1] : HERE[0];
  const all = ['network', 'sync', from, '--source', source, '--quiet-time', '300ms', '--socket', here.socket, ...args];
  return here.host.exec(process.execPath, [PROGRAM, ...all], { allowFailure: true });
}

/** No session, and nothing has changed. */
async function refused(scene: Scene, from: string, ...args: readonly string[]): Promise<void> {
  expect(await sync(scene, from, '--timeout', '4s', ...args)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringMatching(/: no session (?:within 4 seconds|\(no answer).* far away .* the password: /),
  });
  expect((await scene.here.command('network', 'dump', '--socket', scene.here.socket)).stdout).toBe('table spammers 65000:2\n');
}

async function distributor(scene: Scene, name: string, address: readonly string[], client: string): Promise<Weir> {
  const host: Host = await scene.routed.host(name, address);
  const listen = address.map((one) => `"${one}"`).join(', ');
  const weir = new Weir(
    scene.routed.lab,
    host,
    `bgp: { as: 64512, router_id: ${address[0]}, listen: [${listen}], peers: [] }
${TABLE}, clients: [{ name: hosts, from: [${HERE[0]}, "${HERE[1]}"], as: 64513, ${client} }], next_hop: [192.0.2.1, "2001:db8::1"] }
`,
  );
  await weir.start();
  await weir.command('network', 'add', ONE, OTHER, '--table', 'spammers', '--socket', weir.socket);
  return weir;
}

test('from a Weir behind a router: by its password, and from no further away than it says', { timeout: LONG }, async () => {
  const scene = await build();
  const [four, six] = ['192.0.2.1', '2001:db8::1'];
  await distributor(scene, 'guarded', [four, six], `password_file: ${scene.key}, ttl_security: 2`);
  // Its answers reach the router and no further.
  await distributor(scene, 'short', ['192.0.2.2'], 'multihop: 1');
  await distributor(scene, 'near', ['192.0.2.3'], 'ttl_security: 1');
  for (const from of [four, `[${six}]:179`]) {
    await refused(scene, from, '--password-file', scene.wrongKey);
    await refused(scene, from);
    const dry = await sync(scene, from, '--password-file', scene.key, '--dry-run', '--detailed-exitcode');
    expect({ from, ...dry }).toMatchObject({ from, code: 2, stdout: ONLY_THERE });
  }
  for (const from of ['192.0.2.2', '192.0.2.3']) await refused(scene, from);

  expect(await sync(scene, six, '--password-file', scene.key)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('2 added, 0 removed'),
  });
  expect(await sync(scene, four, '--password-file', scene.key, '--dry-run', '--detailed-exitcode')).toMatchObject({ code: 0 });
});

test('from a BIRD and an FRR behind a router, with a password and TTL security', { timeout: LONG }, async () => {
  const scene = await build();
  const [bird4, bird6, frr4] = ['192.0.2.1', '2001:db8::1', '192.0.2.2'] as const;
  const [own4, own6] = HERE;
  const common = { as: 64513, passive: true, md5: KEY, gracefulRestart: 'helper' } as const;
  const birdHost = await scene.routed.host('bird', [bird4, bird6]);
  const frrHost = await scene.routed.host('frr', [frr4]);
  const [bird, frr] = await Promise.all([
    startBird(scene.routed.lab, birdHost, {
      as: 64500,
      routerId: bird4,
      neighbors: [
        { ...common, address: own4, localAddress: bird4, multihop: 2 },
        { ...common, address: own6, localAddress: bird6, ttlSecurity: 2 },
      ],
    }),
    startFrr(scene.routed.lab, frrHost, {
      as: 64500,
      routerId: frr4,
      zebra: false,
      neighbors: [{ ...common, address: own4, localAddress: frr4, ttlSecurity: 2 }],
    }),
  ]);
  for (const peer of [bird, frr]) for (const prefix of [ONE, OTHER]) await peer.announce(prefix, { communities: ['65000:2'] });
  for (const from of [bird4, bird6, frr4]) {
    await refused(scene, from, '--password-file', scene.wrongKey);
    await refused(scene, from);
    const dry = await sync(scene, from, '--password-file', scene.key, '--dry-run');
    expect({ from, ...dry }).toMatchObject({ from, code: 0, stdout: ONLY_THERE });
  }
  expect(await sync(scene, frr4, '--password-file', scene.key)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('2 added, 0 removed'),
  });
});
