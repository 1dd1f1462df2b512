import { writeFileSync } from 'node:fs';
import type { Host, Lab } from '../lab/index.ts';

export interface WireGuardEnd {
  readonly host: Host;
  /** Address of the other end's datagrams. */
  readonly underlay: string;
  /** With their length. */
  readonly addresses: readonly string[];
}

const port = 51_820;

/**
 * A WireGuard link called `wg0` at either end, by wireguard-go: it carries everything between the two and has no link-local addresses. Each
 * process sees a /run/wireguard of its own, so that one name can be used in many namespaces.
 */
export async function wireGuardLink(lab: Lab, a: WireGuardEnd, b: WireGuardEnd): Promise<void> {
  const ends = await Promise.all(
    [a, b].map(async (end) => {
      const privateKey = (await end.host.exec('wg', ['genkey'])).stdout;
      const file = `${lab.directory(end.host.name)}/key`;
      writeFileSync(file, privateKey, { mode: 0o600 });
      return { ...end, file, publicKey: (await end.host.exec('wg', ['pubkey'], { input: privateKey })).stdout.trim() };
    }),
  );
  for (const [index, end] of ends.entries()) {
    const other = ends[1 - index]!;
    // The second process stays in the mount namespace of the first and configures it there.
    const script = `
      mount -t tmpfs tmpfs /run
      wireguard-go -f wg0 & child=$!
      for i in $(seq 200); do [ -S /run/wireguard/wg0.sock ] && break; sleep 0.02; done
      wg set wg0 private-key "$1" listen-port ${port} peer "$2" endpoint "$3" allowed-ips 0.0.0.0/0,::/0 || exit 1
      echo configured
      wait $child`;
    const started = end.host.spawn('unshare', ['--mount', 'sh', '-c', script, 'sh', end.file, other.publicKey, `${end.underlay}:${port}`], {
      name: 'wireguard-go',
      env: { LOG_LEVEL: 'error', WG_PROCESS_FOREGROUND: '1' },
    });
    await started.waitForOutput(/configured/);
    await end.host.ip('link', 'set', 'wg0', 'mtu', '1420', 'up');
    // A link of the kernel's WireGuard has no link-local address; this one is a tun device, which is given one.
    await end.host.ip('-6', 'address', 'flush', 'dev', 'wg0', 'scope', 'link');
    for (const address of end.addresses) await end.host.addAddress('wg0', address);
  }
}
