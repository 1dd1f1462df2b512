import { writeFileSync } from 'node:fs';
import type { FlowsAnswer } from '../../apps/weir/src/api/index.ts';
import { type Host, type Lab, waitFor } from '../lab/index.ts';
import { labForTest } from '../lab/vitest.ts';
import type { Weir } from './weir.ts';

export const VICTIM: string = '203.0.113.7';

export interface FlowScene {
  readonly lab: Lab;
  readonly attacker: Host;
  readonly border: Host;
  readonly victim: Host;
  readonly controller: Host;
  /** `gobgp` with the API of the controller's daemon. */
  gobgp(...args: readonly string[]): Promise<void>;
}

/** An attacker and a victim behind a border router, and a controller (GoBGP) that speaks with the border. */
export async function buildFlowScene(): Promise<FlowScene> {
  const lab = labForTest();
  const [attacker, border, victim, controller] = await Promise.all(
    ['attacker', 'border', 'victim', 'controller'].map((name) => lab.host(name)),
  );
  if (!attacker || !border || !victim || !controller) throw new Error('no hosts');
  await lab.link(
    { host: attacker, name: 'eth0', addresses: ['198.51.100.1/24'] },
    { host: border, name: 'out', addresses: ['198.51.100.2/24'] },
  );
  await lab.link({ host: border, name: 'in', addresses: ['203.0.113.1/24'] }, { host: victim, name: 'eth0', addresses: [`${VICTIM}/24`] });
  await lab.link(
    { host: border, name: 'mgmt', addresses: ['192.0.2.2/24'] },
    { host: controller, name: 'eth0', addresses: ['192.0.2.1/24'] },
  );
  await border.exec('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
  await attacker.exec('ip', ['route', 'add', '203.0.113.0/24', 'via', '198.51.100.2']);
  await victim.exec('ip', ['route', 'add', '198.51.100.0/24', 'via', '203.0.113.1']);
  const families = ['ipv4-unicast', 'ipv4-flowspec', 'ipv6-flowspec'].map((name) => ({ config: { 'afi-safi-name': name } }));
  const file = `${lab.directory('gobgp')}/gobgpd.json`;
  writeFileSync(
    file,
    JSON.stringify({
      global: { config: { as: 64513, 'router-id': '192.0.2.1' } },
      neighbors: [
        {
          config: { 'neighbor-address': '192.0.2.2', 'peer-as': 64512 },
          timers: { config: { 'connect-retry': 1 } },
          'afi-safis': families,
        },
      ],
    }),
  );
  const api = '127.0.0.1:50052';
  controller.spawn('gobgpd', ['-f', file, '-t', 'json', '--api-hosts', api, '--pprof-disable', '--log-plain'], { name: 'gobgpd' });
  const gobgp = async (...args: readonly string[]): Promise<void> => {
    await controller.exec('gobgp', ['-p', '50052', ...args]);
  };
  await waitFor('gobgpd', async () =>
    gobgp('global').then(
      () => true,
      () => false,
    ),
  );
  return { lab, attacker, border, victim, controller, gobgp };
}

/** How many of `count` datagrams from a port come in at the victim. */
export async function arrive({ attacker, victim }: FlowScene, sourcePort: number, count = 20): Promise<number> {
  const before = await received(victim);
  const send = `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('', ${sourcePort}))
for i in range(${count}): s.sendto(b'x' * 400, ('${VICTIM}', 9))`;
  await attacker.exec('python3', ['-c', send]);
  return (await received(victim)) - before;
}

async function received(victim: Host): Promise<number> {
  const { stdout } = await victim.exec('cat', ['/proc/net/snmp']);
  const [names, values] = stdout.split('\n').filter((line) => line.startsWith('Udp:'));
  const at = names?.split(' ') ?? [];
  const value = (name: string): number => Number(values?.split(' ')[at.indexOf(name)] ?? 0);
  return value('InDatagrams') + value('NoPorts');
}

export async function flowsOf(weir: Weir): Promise<FlowsAnswer> {
  const answer = await weir.ask((client) => client.call('flows', {}));
  if (!answer) throw new Error('no answer');
  return answer;
}
