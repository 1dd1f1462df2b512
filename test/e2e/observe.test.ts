import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCgroup2 } from '@weir/ebpf/kernel';
import { expect, onTestFinished, test } from 'vitest';
import type { VerdictSummary } from '../../apps/weir/src/api/index.ts';
import { runCommand, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { mountBpf } from './mount-bpf.ts';
import { Weir } from './weir.ts';

/** A cgroup of this test's own. */
function makeCgroup(): string {
  const path = join(findCgroup2() ?? '/sys/fs/cgroup', `weir-observe-${process.pid}`);
  mkdirSync(path);
  onTestFinished(() => rmdirSync(path));
  return path;
}

/** Sent until the first line of the follower comes: whether it listens cannot be seen. */
const PROBE = 124;

const POLICY = `default_action: deny
rules:
  - { name: names, priority: 10, protocol: udp, destination_ports: 53, action: allow, log: true }
  - { name: clock, hook: tc, priority: 20, protocol: udp, destination_ports: [123, ${PROBE}], action: deny, log: true }
  - { name: rest at tc, ref: tc-rest, hook: tc, priority: 30, action: allow }
  - { name: no telnet, ref: telnet, hook: connect, priority: 40, protocol: tcp, destination_ports: 23, action: deny, log: true }
  - { name: rest of connect, ref: connect-rest, hook: connect, priority: 50, action: allow }
  - { name: sampled, priority: 60, protocol: udp, destination_ports: 99, action: deny, log: true, log_sample: 4 }
`;

test('verdicts of nf_tables and of programs, as they happen and as they were', async () => {
  // Before the lab: it is taken away after what runs there.
  const pins = join(await mountBpf(), 'weir');
  const cgroup = makeCgroup();
  const lab = labForTest();
  const client = await lab.host('client');
  const server = await lab.host('server');
  await lab.link({ host: client, name: 'eth0', addresses: ['192.0.2.1/24'] }, { host: server, name: 'eth0', addresses: ['192.0.2.2/24'] });
  const file = `${lab.directory('policy')}/policy.yaml`;
  writeFileSync(file, POLICY);
  const weir = new Weir(
    lab,
    server,
    `bgp: { as: 64512, router_id: 192.0.2.2 }
policy: ${file}
ebpf:
  tc: { ingress: [eth0], on_exit: detach }
  connect: { cgroup: ${cgroup}, on_exit: detach }
  pin_directory: ${pins}
`,
  );
  await weir.start();
  const observe = async (...args: readonly string[]): Promise<VerdictSummary[]> => {
    const { stdout } = await weir.command('observe', '--socket', weir.socket, '-o', 'json', '--last', '100', ...args);
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as VerdictSummary)
      .filter((verdict) => verdict.destination_port !== PROBE);
  };
  await waitFor('programs in force', async () => {
    const places = (await weir.status()).kernel.ebpf?.places ?? [];
    return places.length > 0 && places.every(({ way, generation }) => way !== undefined && generation !== undefined);
  });
  const follower = server.spawn(
    process.execPath,
    [new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname, 'observe', '--socket', weir.socket, '--verdict', 'deny'],
    { name: 'weir observe' },
  );
  await waitFor('the log group to be listened to', async () =>
    /^ *64 /m.test((await server.exec('cat', ['/proc/net/netfilter/nfnetlink_log'])).stdout),
  );
  let probes = 0;
  await waitFor('the follower', async () => {
    await client.exec('bash', ['-c', `echo -n hello > /dev/udp/192.0.2.2/${PROBE}`]);
    probes++;
    return follower.stdout.includes(`192.0.2.2:${PROBE}`);
  });

  await client.exec('bash', [
    '-c',
    'echo -n hello > /dev/udp/192.0.2.2/53; echo -n hello > /dev/udp/192.0.2.2/123; for ((i = 0; i < 8; i++)); do echo > /dev/udp/192.0.2.2/99; done; true',
  ]);
  // In the cgroup; a name with a control character in it.
  await server.exec('bash', [
    '-c',
    `echo $$ > ${cgroup}/cgroup.procs; printf 'a\\033b' > /proc/$$/comm; (echo > /dev/tcp/192.0.2.1/23) 2>/dev/null; echo $$ > ${join(cgroup, '..', 'cgroup.procs')}; true`,
  ]);

  const wanted = 1 + 1 + 2 + 1;
  await waitFor('events', async () => (await observe()).length >= wanted);
  const all = await observe();
  expect(all).toHaveLength(wanted);
  const of = (rule: string): readonly VerdictSummary[] => all.filter((one) => one.rule === rule);
  expect(of('names')).toMatchObject([
    {
      hook: 'input',
      verdict: 'allow',
      from: 'nflog',
      rule_label: 'names#10',
      source: '192.0.2.1',
      destination: '192.0.2.2',
      destination_port: 53,
      protocol: 17,
      length: 33,
      in_interface: 'eth0',
    },
  ]);
  expect(of('clock')).toMatchObject([
    {
      hook: 'tc',
      verdict: 'deny',
      from: 'ebpf',
      rule_label: 'clock#20',
      source: '192.0.2.1',
      destination_port: 123,
      length: 33,
      in_interface: 'eth0',
      generation: expect.any(Number),
    },
  ]);
  expect(of('sampled')).toHaveLength(2);
  expect(of('telnet')).toMatchObject([
    {
      hook: 'connect',
      verdict: 'deny',
      destination: '192.0.2.1',
      destination_port: 23,
      protocol: 6,
      uid: 0,
      process: 'a\u001bb',
      pid: expect.any(Number),
    },
  ]);
  for (const { at } of all) expect(Math.abs(Date.parse(at) - Date.now())).toBeLessThan(60_000);

  expect((await observe('--port', '123')).map(({ rule }) => rule)).toEqual(['clock']);
  expect((await observe('--verdict', 'allow,log')).map(({ rule }) => rule)).toEqual(['names']);
  expect((await observe('--rule', 'telnet', '--protocol', 'tcp', '--address', '192.0.2.0/30')).length).toBe(1);
  expect((await observe('--hook', 'connect', '--protocol', 'udp')).length).toBe(0);

  await waitFor('lines of the follower', async () =>
    ['192.0.2.2:123', '192.0.2.2:99', '192.0.2.1:23'].every((one) => follower.stdout.includes(one)),
  );
  const lines = follower.stdout;
  expect(lines).toMatch(
    /^\w{3} \d\d [\d:.]{12} \[.+\]: 192\.0\.2\.1:\d+ -> 192\.0\.2\.2:123 policy-verdict DENIED BY clock#20 \(UDP, eth0, gen \d+\)$/m,
  );
  expect(lines).toMatch(/: a\\x1bb\[\d+\] \(uid 0\) -> 192\.0\.2\.1:23 policy-verdict DENIED BY no telnet#40 \(TCP, gen \d+\)$/m);
  expect(lines).not.toContain('names');

  const { events } = await weir.status();
  expect(events).toMatchObject({
    from: { ebpf: 2 + probes, nflog: 3 },
    verdicts: { allow: 1, deny: 4 + probes },
    lost: { ring: 0, nflog: 0, queue: 0, subscribers: 0 },
    problems: [],
  });
  expect((await weir.command('status', '--socket', weir.socket)).stdout).toMatch(/^events +\d+ events \(1 allow, \d+ deny\)$/m);
  await weir.stop();
});

test('of tenants, also when the namespace of one has gone and come back', async () => {
  const lab = labForTest();
  const host = await lab.host('host');
  const name = `${host.namespace}-blue`;
  lab.onDispose(async () => {
    await runCommand('ip', ['netns', 'del', name]).catch(() => undefined);
  });
  const inside = (script: string): Promise<unknown> => runCommand('ip', ['netns', 'exec', name, 'bash', '-c', script]);
  const make = async (): Promise<void> => {
    await runCommand('ip', ['netns', 'add', name]);
    await inside(
      'ip link add v0 type veth peer name v1; ip address add 192.0.2.1/24 dev v0; ip link set v0 up; ip link set v1 up; ip neighbour add 192.0.2.9 lladdr 02:00:00:00:00:09 dev v0',
    );
  };
  await make();
  const file = `${lab.directory('policy')}/policy.yaml`;
  writeFileSync(
    file,
    'default_action: allow\nrules:\n  - { name: names, hook: output, protocol: udp, destination_ports: 53, action: allow, log: true }\n',
  );
  const weir = new Weir(lab, host, `bgp: { as: 64512, router_id: 192.0.2.2 }\ntenants:\n  blue: { netns: ${name}, policy: ${file} }\n`);
  await weir.start();
  const seen = async (): Promise<number> => (await weir.status()).events?.verdicts['allow'] ?? 0;
  const listens = async (): Promise<void> => {
    await waitFor('the log group', async () => {
      const { stdout } = await runCommand('ip', ['netns', 'exec', name, 'cat', '/proc/net/netfilter/nfnetlink_log']);
      return /^ *64 /m.test(stdout);
    });
  };
  const send = async (count: number): Promise<void> => {
    await waitFor('the rules', async () =>
      (await runCommand('ip', ['netns', 'exec', name, 'nft', 'list', 'ruleset'])).stdout.includes('"names"'),
    );
    await listens();
    await inside('echo x > /dev/udp/192.0.2.9/53');
    await waitFor('the event', async () => (await seen()) === count);
  };
  await send(1);
  await runCommand('ip', ['netns', 'del', name]);
  await waitFor('the tenant to be gone', async () => (await weir.status()).tenants[0]?.open === false);
  await make();
  await waitFor('the tenant to be back', async () => (await weir.status()).tenants[0]?.open === true);
  await send(2);
  const { stdout } = await weir.command('observe', '--socket', weir.socket, '--last', '5', '--tenant', 'blue');
  expect(
    stdout.match(/\/blue\]: 192\.0\.2\.1:\d+ \(uid 0\) -> 192\.0\.2\.9:53 policy-verdict ALLOWED BY names#1000 \(UDP, -> v0\)$/gm),
  ).toHaveLength(2);
  expect((await weir.status()).events).toMatchObject({ from: { ebpf: 0, nflog: 2 }, problems: [] });
});
