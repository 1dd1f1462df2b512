import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { addresses as at } from '../e2e/addresses.ts';
import { buildGate, type Gate, gatePeer } from '../e2e/gate.ts';
import { Weir } from '../e2e/weir.ts';
import { waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';

const EXAMPLES = new URL('../../examples/cumulus/', import.meta.url).pathname;
const BLACKHOLE = '65535:666';
/** Milliseconds for what takes a moment where the machine has nothing else to do. */
const PATIENCE = 60_000;
const FILE = '60weir-policy.rules';

/** What cl-acltool -i does: the sections of all files in their order become the rules of iptables and ip6tables. */
const ACLTOOL = `#!/bin/sh
cd "$(dirname "$0")" || exit 1
echo run >>runs
if [ -e broken ]; then echo "error: hw sync failed" >&2; exit 1; fi
for family in iptables ip6tables; do
  {
    echo '*filter'
    cat policy.d/*.rules | awk -v want="[$family]" '/^\\[/ { on = $0 == want; next } on && /^-A/'
    echo COMMIT
  } >$family.txt
  $family-restore $family.txt || exit 2
done
`;

interface Switch extends Gate {
  readonly weir: Weir;
  readonly directory: string;
  runs(): number;
  text(): string;
}

/** The example on a switch whose ports are called otherwise. What Weir itself installs is in another namespace: the files alone judge. */
async function start(): Promise<Switch> {
  const lab = labForTest();
  const gate = await buildGate(lab);
  gate.peer.start();
  const elsewhere = await lab.host('elsewhere');
  const directory = lab.directory('acl');
  mkdirSync(`${directory}/policy.d`);
  writeFileSync(`${directory}/policy.d/00control_plane.rules`, '[iptables]\n-A FORWARD -i eth0 -p tcp --dport 443 -j DROP\n');
  writeFileSync(`${directory}/cl-acltool`, ACLTOOL);
  chmodSync(`${directory}/cl-acltool`, 0o755);
  const policy = readFileSync(`${EXAMPLES}policy.yaml`, 'utf8');
  writeFileSync(`${directory}/policy.yaml`, policy);
  const config = readFileSync(`${EXAMPLES}weir.yaml`, 'utf8')
    .replace(/ {4}- { name: scrubber.*/, `    - ${gatePeer}`)
    .replace('peers: [scrubber]', 'peers: [cluster]')
    .replace('policy: policy.yaml', `policy: ${directory}/policy.yaml\nnetns: ${elsewhere.path}`)
    .replace('in_interfaces: ["swp*"]', `in_interfaces: [eth0]\n  directory: ${directory}/policy.d`)
    .replace('[cl-acltool, -i]', `[${directory}/cl-acltool, -i]`)
    .replace('batch: 2s', 'batch: 50ms');
  const weir = new Weir(lab, gate.core, config);
  await begin(weir);
  const runs = (): number => (existsSync(`${directory}/runs`) ? readFileSync(`${directory}/runs`, 'utf8').split('\n').length - 1 : 0);
  return { ...gate, weir, directory, runs, text: () => readFileSync(`${directory}/policy.d/${FILE}`, 'utf8') };
}

async function begin(weir: Weir): Promise<void> {
  weir.launch();
  await waitFor('weir run to answer', async () => (await weir.ask((client) => client.call('status', {}))) !== undefined, {
    timeoutMs: PATIENCE,
  });
}

async function becomes({ internet }: Gate, outcome: 'connected' | 'timeout', address: string = at.service.v4): Promise<void> {
  await waitFor(`${address}: ${outcome}`, async () => (await internet.tcpConnect(address, 80, 300)) === outcome, { timeoutMs: PATIENCE });
}

test('a daemon keeps the ACL file of a switch, which its routes reach', async () => {
  const s = await start();
  const { weir, peer, internet, directory } = s;
  await weir.established(1);
  await waitFor('the file', async () => (await weir.status()).cumulus?.commits === 1, { timeoutMs: PATIENCE });
  await becomes(s, 'connected');
  // The files of others are in force as well, and first.
  expect(await internet.tcpConnect(at.service.v4, 443, 300)).toBe('timeout');

  peer.announce([`${at.internet.v4}/32`, `${at.internet.v6}/128`], [BLACKHOLE]);
  await becomes(s, 'timeout');
  await becomes(s, 'timeout', at.service.v6);
  expect(s.text()).toContain(`-A FORWARD --in-interface eth0 -s ${at.internet.v4}/32 -j DROP\n`);
  const after = s.runs();

  // A daemon that dies leaves what is in force, and the next finds nothing to do.
  await weir.kill();
  await becomes(s, 'timeout');
  await begin(weir);
  await waitFor(
    'the file of the next process',
    async () => {
      const { cumulus } = await weir.status();
      return cumulus?.lines !== undefined && !cumulus.pending;
    },
    { timeoutMs: PATIENCE },
  );
  await weir.established(1);
  expect(s.runs()).toBe(after);
  expect((await weir.status()).cumulus).toMatchObject({ file: `${directory}/policy.d/${FILE}`, commits: 0, pending: false });

  // A commit that fails is told and tried again; what was in force is so still.
  writeFileSync(`${directory}/broken`, '');
  peer.withdraw([`${at.internet.v4}/32`, `${at.internet.v6}/128`]);
  await waitFor('a problem', async () => (await weir.status()).kernel.problems.some(({ kind }) => kind === 'acl-not-committed'), {
    timeoutMs: PATIENCE,
  });
  const { kernel, cumulus } = await weir.status();
  expect(kernel.problems.filter(({ kind }) => kind === 'acl-not-committed')).toMatchObject([
    { subject: `${directory}/policy.d/${FILE}`, message: expect.stringMatching(/exit code 1: error: hw sync failed$/) },
  ]);
  expect(cumulus).toMatchObject({ pending: true, exit_code: 1 });
  const shown = await weir.command('status', '--socket', weir.socket);
  expect(shown.stdout).toContain('what is wanted is not in force');
  expect(await internet.tcpConnect(at.service.v4, 80, 300)).toBe('timeout');
  writeFileSync(`${directory}/cl-acltool`, ACLTOOL.replace('[ -e broken ]', 'false'));
  await becomes(s, 'connected');
  await waitFor('the end of the problem', async () =>
    (await weir.status()).kernel.problems.every(({ kind }) => kind !== 'acl-not-committed'),
  );

  // Rules follow a reload; one that an ACL file cannot say refuses it.
  const policy = readFileSync(`${directory}/policy.yaml`, 'utf8');
  writeFileSync(`${directory}/policy.yaml`, policy.replace('destination_ports: [23]', 'destination_ports: [80]').replace('swp1', 'eth0'));
  await weir.reload();
  await becomes(s, 'timeout');
  const before = s.text();
  writeFileSync(`${directory}/policy.yaml`, policy.replace('ip.src in $attackers', 'ip.src in $attackers and ct.new'));
  await expect(weir.reload()).rejects.toThrow(/E052.*ct\.new/s);
  expect(s.text()).toBe(before);
  expect(readdirSync(`${directory}/policy.d`).sort()).toEqual(['00control_plane.rules', FILE]);
}, 300_000);
