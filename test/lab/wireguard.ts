import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { runCommand } from './command.ts';
import type { Host } from './host.ts';
import type { LabProcess } from './process.ts';
import { waitFor } from './wait.ts';

export interface TunnelEnd {
  readonly host: Host;
  /** Default `wg0`. */
  readonly name?: string;
  /** Inside the tunnel, with their length. */
  readonly addresses: readonly string[];
  /** Outside: an address of this host that the other reaches. */
  readonly endpoint: string;
  /** UDP port; default 51,820. */
  readonly port?: number;
}

interface Side {
  readonly end: TunnelEnd;
  readonly name: string;
  readonly port: number;
  readonly privateKey: string;
  readonly publicKey: string;
  readonly process: LabProcess;
}

/**
 * A WireGuard tunnel with wireguard-go at both ends (the kernel need not have WireGuard). Each end is a point-to-point device without
 * link-local addresses that takes any inner address. Resolves when both ends are configured.
 */
export async function wireguard(a: TunnelEnd, b: TunnelEnd): Promise<void> {
  const sides = await Promise.all([start(a), start(b)]);
  await configure(sides[0], sides[1]);
  await configure(sides[1], sides[0]);
}

async function start(end: TunnelEnd): Promise<Side> {
  const name = end.name ?? 'wg0';
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  // The control socket is named after the device only: a mount namespace of its own lets several hosts have a wg0.
  const script = 'mkdir -p /var/run/wireguard && mount -t tmpfs tmpfs /var/run/wireguard && exec wireguard-go -f "$1"';
  const started = end.host.spawn('unshare', ['--mount', 'sh', '-ec', script, 'sh', name], {
    name: 'wireguard-go',
    env: { LOG_LEVEL: 'error' },
  });
  return { end, name, port: end.port ?? 51_820, privateKey: raw(privateKey, 'd'), publicKey: raw(publicKey, 'x'), process: started };
}

async function configure(side: Side, other: Side): Promise<void> {
  const { end, name } = side;
  const inside = (script: string, args: readonly string[], input: string = ''): Promise<unknown> =>
    runCommand('nsenter', [`--target=${side.process.pid}`, '--mount', '--net', 'sh', '-ec', script, 'sh', ...args], { input });
  await waitFor(`wireguard-go on ${end.host.name}`, async () => {
    await inside('wg show "$1"', [name]);
    return true;
  });
  const key = '/var/run/wireguard/private.key';
  const peer = ['peer', other.publicKey, 'allowed-ips', '0.0.0.0/0,::/0', 'endpoint', `${bracketed(other.end.endpoint)}:${other.port}`];
  const settings = [name, 'listen-port', String(side.port), 'private-key', key, ...peer];
  await inside(`umask 077; cat > ${key}; wg set "$@"`, settings, `${side.privateKey}\n`);
  await end.host.sysctl(`net.ipv6.conf.${name}.addr_gen_mode`, 1);
  for (const address of end.addresses) await end.host.addAddress(name, address);
  await end.host.ip('link', 'set', 'dev', name, 'up');
}

function raw(key: KeyObject, field: 'd' | 'x'): string {
  return Buffer.from(key.export({ format: 'jwk' })[field] ?? '', 'base64url').toString('base64');
}

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
