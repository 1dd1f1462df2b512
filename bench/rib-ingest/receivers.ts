import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host, LabProcess } from '../../test/lab/index.ts';
import { FEEDER, RECEIVER } from './routes.ts';

/** A BGP daemon as the bench needs it: it connects to the feeder, and can say how many routes it has taken. */
export interface Receiver {
  readonly process: LabProcess;
  /** Routes in the table now. Rejects while the daemon does not answer. */
  readonly count: () => Promise<number>;
}

export interface Daemon {
  readonly name: string;
  readonly program: string;
  readonly version: (host: Host) => Promise<string>;
  readonly start: (host: Host, directory: string) => Receiver;
}

function write(directory: string, name: string, text: string): string {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

async function firstMatch(host: Host, command: string, args: readonly string[], pattern: RegExp): Promise<string> {
  const { stdout, stderr } = await host.exec(command, args);
  return pattern.exec(stdout + stderr)?.[1] ?? '';
}

const bird: Daemon = {
  name: 'BIRD',
  program: 'bird',
  version: (host) => firstMatch(host, 'bird', ['--version'], /version (\S+)/),
  start(host, directory) {
    const config = write(
      directory,
      'bird.conf',
      `router id ${RECEIVER.address};
protocol device {}
protocol bgp feeder {
  local ${RECEIVER.address} as ${RECEIVER.as};
  neighbor ${FEEDER.address} as ${FEEDER.as};
  hold time 180;
  connect delay time 1;
  connect retry time 1;
  ipv4 { import all; export none; };
}
`,
    );
    const socket = join(directory, 'bird.ctl');
    const process = host.spawn('bird', ['-f', '-c', config, '-s', socket, '-P', join(directory, 'bird.pid')]);
    const count = async (): Promise<number> =>
      Number(await firstMatch(host, 'birdc', ['-s', socket, 'show', 'route', 'count'], /(\d+) of \d+ routes/));
    return { process, count };
  },
};

const gobgp: Daemon = {
  name: 'GoBGP',
  program: 'gobgpd',
  version: (host) => firstMatch(host, 'gobgpd', ['--version'], /version (\S+)/),
  start(host, directory) {
    const config = write(
      directory,
      'gobgpd.toml',
      `[global.config]
as = ${RECEIVER.as}
router-id = "${RECEIVER.address}"
[[neighbors]]
[neighbors.config]
neighbor-address = "${FEEDER.address}"
peer-as = ${FEEDER.as}
[neighbors.timers.config]
connect-retry = 1
hold-time = 180
`,
    );
    const process = host.spawn('gobgpd', ['-f', config, '--api-hosts', '127.0.0.1:50051', '--pprof-disable', '-l', 'error']);
    const count = async (): Promise<number> => Number(await firstMatch(host, 'gobgp', ['global', 'rib', 'summary'], /Destination: (\d+)/));
    return { process, count };
  },
};

const frr: Daemon = {
  name: 'FRR bgpd',
  program: 'bgpd',
  version: (host) => firstMatch(host, '/usr/lib/frr/bgpd', ['--version'], /version (\S+)/),
  start(host, directory) {
    const config = write(
      directory,
      'bgpd.conf',
      `router bgp ${RECEIVER.as}
 bgp router-id ${RECEIVER.address}
 no bgp ebgp-requires-policy
 neighbor ${FEEDER.address} remote-as ${FEEDER.as}
 neighbor ${FEEDER.address} timers 60 180
 neighbor ${FEEDER.address} timers connect 1
`,
    );
    const files = ['--vty_socket', directory, '-i', join(directory, 'bgpd.pid'), '-z', join(directory, 'zserv')];
    const process = host.spawn('/usr/lib/frr/bgpd', [
      '-u',
      'root',
      '-g',
      'root',
      '-f',
      config,
      '-p',
      '0',
      '-P',
      '0',
      '-n',
      '-S',
      '-Z',
      ...files,
    ]);
    const summary = ['--vty_socket', directory, '-c', 'show bgp ipv4 unicast summary json'];
    const count = async (): Promise<number> => Number(await firstMatch(host, 'vtysh', summary, /"pfxRcd":(\d+)/));
    return { process, count };
  },
};

export const DAEMONS: readonly Daemon[] = [bird, gobgp, frr];
