import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { HeldConnection, Host } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import { addresses as at } from './addresses.ts';
import { buildGate, gatePeer } from './gate.ts';
import { Weir } from './weir.ts';

const config = `bgp:
  as: 64512
  router_id: 192.0.2.1
  peers:
    - ${gatePeer}
policy: POLICY
`;

const forward = 'hook: forward, in_interface: eth0, out_interface: wg0, protocol: tcp';

/** Rules for so many ports of services behind the border. */
const policy = (...rules: readonly string[]): string =>
  `default_action: deny\nrules:\n${rules.map((rule, i) => `  - { name: r${i}, ${rule} }\n`).join('')}`;

const open = (ports: string): string => `${forward}, destination_ports: ${ports}, action: allow`;
const program = new URL('../../apps/weir/bin/weir.mjs', import.meta.url).pathname;
const ssh = 'hook: input, protocol: tcp, destination_ports: [22, 9100], action: allow';

async function hold(from: Host, address: string, port: number): Promise<HeldConnection> {
  const held = await from.tcpHold(address, port);
  if (!held) throw new Error(`no connection to ${address} port ${port}`);
  expect(await held.echo('first')).toBe('echo');
  return held;
}

test('connections that the new rules deny end, those they allow go on, those in doubt as well', async () => {
  const lab = labForTest();
  const gate = await buildGate(lab);
  const { core, internet, cluster } = gate;
  gate.peer.start();
  const file = `${lab.directory('policy')}/policy.yaml`;
  const write = (...rules: readonly string[]): void => writeFileSync(file, policy(...rules));
  write(open('[22, 80, 443, 8080]'), ssh);
  const weir = new Weir(lab, core, config.replace('POLICY', file));
  await weir.start();
  await weir.established(1);
  await cluster.tcpServer(at.service.v6, 8080);
  for (const port of [22, 9100]) await core.tcpServer(at.border.v4, port);

  const kept = await hold(internet, at.service.v4, 443);
  const doubtful = await hold(internet, at.service.v4, 80);
  const denied = [
    await hold(internet, at.service.v4, 22),
    await hold(internet, at.service.v6, 8080),
    await hold(internet, at.border.v4, 9100),
  ];
  const own = await hold(internet, at.border.v4, 22);

  // Conntrack keeps no TTL.
  const near = `${forward}, destination_ports: 80, expression: 'ip.ttl > 10', action: allow`;
  const away = 'hook: input, protocol: tcp, destination_ports: 2222, action: allow';
  write(open('443'), near, away);
  const unconfirmed = await weir.ask((client) =>
    client.call('apply', { flush_states: true, allow_lockout: true, confirm_timeout_ms: 60_000 }),
  );
  expect(unconfirmed).toMatchObject({ flush_at_confirm: true });
  await weir.ask((client) => client.call('rollback', {}));
  await weir.ask((client) => client.call('apply', { allow_lockout: true }));
  for (const held of [kept, doubtful, own, ...denied]) expect(await held.echo('nothing was cut')).toBe('echo');

  const env = { SSH_CONNECTION: `${at.internet.v4} ${own.localPort} ${at.border.v4} 22` };
  const { stdout: cut } = await core.exec(process.execPath, [program, 'apply', '--flush-states', '--socket', weir.socket], { env });
  expect(cut).toMatch(/^3 of \d+ tracked connections cut; no rollback brings them back$/m);
  expect(cut).toContain('1 would be denied and go on: your SSH session');
  expect(cut).toMatch(/^1 go on because conntrack does not tell enough of them:\n {2}tcp \S+ -> 203\.0\.113\.80:80: forward r1$/m);
  const after = await Promise.all([kept, doubtful, own, ...denied].map((held) => held.echo('afterwards', 700)));
  expect(after).toEqual(['echo', 'echo', 'echo', 'timeout', 'timeout', 'timeout']);

  write(open('443'), away);
  await weir.ask((client) => client.call('apply', { flush_states: true, allow_lockout: true, confirm_timeout_ms: 60_000 }));
  expect(await doubtful.echo('to be confirmed')).toBe('echo');
  expect(await weir.ask((client) => client.call('confirm', {}))).toMatchObject({ flushed: { cut: 2, doubtful: 0, protected: 0 } });
  const last = await Promise.all([kept, doubtful, own].map((held) => held.echo('confirmed', 700)));
  expect(last).toEqual(['echo', 'timeout', 'timeout']);
  for (const held of [kept, doubtful, own, ...denied]) await held.close();
});
