import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Host } from '../lab/index.ts';
import { waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { addresses as at, community } from './addresses.ts';
import { buildGate, type Gate, gatePeer } from './gate.ts';
import { Weir } from './weir.ts';

const head = `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
    - ${gatePeer}
sets:
  web:
    kind: allow
    communities: ["${community}"]
    guard: { prefixes: [203.0.113.0/24, "2001:db8::/32"], peers: [cluster] }
    on_session_loss: hold 2m
policy: POLICY
`;

const forward = 'hook: forward, in_interface: eth0, out_interface: wg0';
/** The services that are announced, and SSH to all. */
const POLICY = `default_action: deny
rules:
  - { name: web, ${forward}, priority: 20, destination_cidrs: $web, protocol: tcp, destination_ports: [80, 443], action: allow }
  - { name: ssh, ${forward}, priority: 30, protocol: tcp, destination_ports: 22, action: allow }
  - { name: monitoring, hook: input, priority: 10, protocol: tcp, destination_ports: 9100, action: allow }
`;

interface Setup extends Gate {
  readonly weir: Weir;
  /** Writes the policy's file anew. */
  write(text: string): void;
}

async function start(policy: string): Promise<Setup> {
  const lab = labForTest();
  const gate = await buildGate(lab);
  gate.peer.start();
  const file = `${lab.directory('policy')}/policy.yaml`;
  writeFileSync(file, policy);
  const weir = new Weir(lab, gate.core, head.replace('POLICY', file));
  await weir.start();
  return { ...gate, weir, write: (text) => writeFileSync(file, text) };
}

async function becomes(from: Host, address: string, port: number, outcome: 'connected' | 'timeout' | 'refused'): Promise<void> {
  await waitFor(`${address} port ${port}: ${outcome}`, async () => (await from.tcpConnect(address, port, 300)) === outcome, {
    timeoutMs: 60_000,
  });
}

/** Packets by the name of the rule, as `weir status` has them. */
async function counters(weir: Weir): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const { rule, packets } of (await weir.status()).kernel.rules) sums.set(rule, (sums.get(rule) ?? 0) + packets);
  return sums;
}

test('a policy with a set that routes fill: enforced, explained, changed while it runs', async () => {
  const { internet, core, peer, weir, write } = await start(POLICY);
  await weir.established(1);
  const [service, other] = [at.service.v4, at.other.v4];
  await becomes(internet, service, 22, 'connected');
  expect(await internet.tcpConnect(service, 443, 300)).toBe('timeout');
  peer.announce([`${service}/32`], [community]);
  await becomes(internet, service, 443, 'connected');
  expect(await internet.tcpConnect(other, 443, 300)).toBe('timeout');
  const counted = await counters(weir);
  for (const rule of ['web', 'ssh', '<default>', 'established']) expect([rule, (counted.get(rule) ?? 0) > 0]).toEqual([rule, true]);
  expect(await core.nftList('table', 'inet', 'weir')).toContain('comment "web"');

  const words = ['tcp', at.internet.v4, `${service}:443`, 'in', 'eth0', 'out', 'wg0'];
  const explained = await weir.command('explain', '--socket', weir.socket, '--expect', 'allow', ...words);
  expect(explained.stdout).toContain('ALLOW BY web#20');
  expect(explained.stdout).toContain(`${service}/32 is in $web from cluster with ${community}`);

  const held = await internet.tcpHold(service, 443);
  write(
    POLICY.replace('name: ssh,', 'name: ssh, action: reject, reject_with: tcp-reset, x_old:').replace(/x_old: (.*), action: allow/, '$1'),
  );
  const plan = await weir.command('plan', '--socket', weir.socket);
  expect(plan.stdout).toContain('~ forward ssh#30: action allow -> reject with tcp-reset');
  expect(plan.stdout).toMatch(/forward tcp \S+ -> \S+:22 .*was ALLOW ssh#30, will be REJECT ssh#30/);
  await weir.command('apply', '--socket', weir.socket);
  await becomes(internet, service, 22, 'refused');
  // What is not changed goes on, with its counters.
  expect(await held?.echo('still here')).toBe('echo');
  expect((await counters(weir)).get('web')).toBeGreaterThanOrEqual(counted.get('web') ?? 1);
  const rolledBack = await weir.command('rollback', '--socket', weir.socket);
  expect(rolledBack.stdout).toContain('as 1 was');
  await becomes(internet, service, 22, 'connected');
  await held?.close();
});

test('audit, limits and time: what would be dropped is counted, the rate holds, a rule ends in time', async () => {
  const iso = (ms: number): string => new Date(Date.now() + ms).toISOString();
  const rules = (until: string, later: string): string => `default_action: deny
rules:
  - { name: audited, ${forward}, priority: 1, protocol: tcp, destination_ports: 80, action: deny, audit: true }
  - { name: for-a-while, ${forward}, priority: 2, protocol: tcp, destination_ports: [22, 80], action: allow, until: "${until}" }
  - { name: few, ${forward}, priority: 3, protocol: udp, destination_ports: 53, action: rate_limit, rate_limit_pps: 1, rate_limit_burst: 5 }
  - { name: longer, ${forward}, priority: 4, protocol: tcp, destination_ports: 443, action: allow, until: "${later}" }
`;
  const { internet, core, cluster, weir, write } = await start(rules(iso(3_600_000), iso(3_600_000)));
  const service = at.service.v4;
  expect(await internet.tcpConnect(service, 80)).toBe('connected');
  expect(await internet.tcpConnect(service, 22)).toBe('connected');
  const dns = await cluster.udpSocket(service, 53);
  const client = await internet.udpSocket(at.internet.v4, 0);
  const began = performance.now();
  await Promise.all(Array.from({ length: 50 }, (_, i) => client.send(service, 53, `question ${i}`)));
  const seconds = (performance.now() - began) / 1000;
  let heard = 0;
  while ((await dns.receive(500)) !== undefined) heard++;
  expect(heard).toBeGreaterThanOrEqual(4);
  // Five at once, and one for each second that sending took.
  expect(heard).toBeLessThanOrEqual(7 + seconds);
  expect((await counters(weir)).get('audited')).toBeGreaterThan(0);
  const [until, later] = [iso(3000), iso(8000)];
  write(rules(until, later));
  await weir.ask((client) => client.call('reload', {}));
  await becomes(internet, service, 22, 'timeout');
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(until));
  expect(await internet.tcpConnect(service, 80, 300)).toBe('timeout');
  // The machine is off when the last one ends: a boot leaves it out.
  await weir.kill();
  await core.exec('nft', ['flush', 'ruleset']);
  await waitFor('the end of the last rule', () => Date.now() >= Date.parse(later));
  expect((await weir.restore()).stderr).toContain('the time of rule longer is over: it is left out');
  expect(await core.nftList('table', 'inet', 'weir')).toContain('comment "few"');
  expect(await internet.tcpConnect(service, 443, 300)).toBe('timeout');
  await dns.close();
  await client.close();
});

describe('a change that nobody confirms is taken back', () => {
  const closed = POLICY.replace('destination_ports: 22', 'destination_ports: 2222');

  async function applied(seconds: number): Promise<Setup> {
    const setup = await start(POLICY);
    await becomes(setup.internet, at.service.v4, 22, 'connected');
    setup.write(closed);
    const { stdout } = await setup.weir.command('apply', '--socket', setup.weir.socket, '--confirm-timeout', `${seconds}s`);
    expect(stdout).toContain('run weir confirm before');
    await becomes(setup.internet, at.service.v4, 22, 'timeout');
    return setup;
  }

  test('by the daemon', async () => {
    const { internet, weir } = await applied(3);
    await becomes(internet, at.service.v4, 22, 'connected');
    // The kernel is told first.
    const history = await waitFor('the first generation', async () => {
      const now = await weir.ask((client) => client.call('history', {}));
      return now?.in_force === 1 ? now : undefined;
    });
    expect(history).toMatchObject({ in_force: 1, generations: [{ number: 1 }, { number: 2, reverted: true }] });
  });

  test('by a process of its own when the daemon was killed', async () => {
    const { internet, weir } = await applied(4);
    await weir.kill();
    expect(await internet.tcpConnect(at.service.v4, 22, 300)).toBe('timeout');
    await becomes(internet, at.service.v4, 22, 'connected');
    // The files are still those that were taken back: the next daemon does not take them.
    await weir.start();
    await sleep(500);
    expect(await internet.tcpConnect(at.service.v4, 22)).toBe('connected');
  });

  test('by the next daemon, at once', async () => {
    const { internet, weir } = await applied(600);
    await weir.kill();
    await weir.start();
    await becomes(internet, at.service.v4, 22, 'connected');
    expect((await weir.ask((client) => client.call('history', {})))?.pending).toBeUndefined();
  });

  test('by a boot', async () => {
    const { internet, core, weir } = await applied(600);
    await weir.kill();
    await core.exec('nft', ['flush', 'ruleset']);
    await weir.restore();
    expect(await internet.tcpConnect(at.service.v4, 22)).toBe('connected');
    expect(await internet.tcpConnect(at.service.v4, 2222, 300)).toBe('timeout');
  });

  test('and one that is confirmed stays', async () => {
    const { internet, weir } = await applied(5);
    await weir.command('confirm', '--socket', weir.socket);
    await sleep(6000);
    expect(await internet.tcpConnect(at.service.v4, 22, 300)).toBe('timeout');
    await weir.kill();
    await weir.start();
    expect(await internet.tcpConnect(at.service.v4, 22, 300)).toBe('timeout');
  });
});

test('who asks is not locked out', async () => {
  const { core, weir, write } = await start(
    `default_action: deny\nrules:\n  - { name: ssh, hook: input, protocol: tcp, destination_ports: 22, action: allow }\n`,
  );
  write('default_action: deny\nrules:\n  - { name: ssh, hook: input, protocol: tcp, destination_ports: 2222, action: allow }\n');
  const program = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;
  const apply = (...more: readonly string[]) =>
    core.exec(process.execPath, [program, 'apply', '--socket', weir.socket, ...more], {
      env: { SSH_CONNECTION: `${at.internet.v4} 51000 ${at.border.v4} 22` },
    });
  await expect(apply()).rejects.toThrow(/your SSH session: tcp \S+ -> \S+ port 22 would be denied by input <default>/);
  expect((await weir.ask((client) => client.call('history', {})))?.in_force).toBe(1);
  expect((await apply('--allow-lockout')).stdout).toContain('generation 2 is in force');
});
