import { writeFileSync } from 'node:fs';
import type { Host, Lab } from '../lab/index.ts';

/** Hosts that reach each other through one router: every packet arrives with its time to live one less. */
export class RoutedLab {
  readonly lab: Lab;
  readonly #router: Host;
  #links = 0;

  private constructor(lab: Lab, router: Host) {
    this.lab = lab;
    this.#router = router;
  }

  static async make(lab: Lab): Promise<RoutedLab> {
    return new RoutedLab(lab, await lab.host('router', { forwarding: true }));
  }

  /** A host with addresses that are not those of its link: sessions are from and to these. */
  async host(name: string, addresses: readonly string[]): Promise<Host> {
    const host = await this.lab.host(name);
    const n = ++this.#links;
    const ends = {
      4: { router: `10.0.${n}.1`, host: `10.0.${n}.2` },
      6: { router: `2001:db8:ff:${n}::1`, host: `2001:db8:ff:${n}::2` },
    };
    await this.lab.link(
      { host: this.#router, name: `to${n}`, addresses: [`${ends[4].router}/30`, `${ends[6].router}/64`] },
      { host, name: 'eth0', addresses: [`${ends[4].host}/30`, `${ends[6].host}/64`] },
    );
    for (const { router } of [ends[4], ends[6]]) await host.route('default', { via: router });
    for (const address of addresses) {
      const [end, whole] = address.includes(':') ? [ends[6], `${address}/128`] : [ends[4], `${address}/32`];
      await host.addAddress('lo', whole);
      await this.#router.route(whole, { via: end.host });
    }
    return host;
  }

  /** A file with a password, for the configuration of Weir. */
  passwordFile(password: string): string {
    const path = `${this.lab.directory('key')}/key`;
    writeFileSync(path, `${password}\n`, { mode: 0o600 });
    return path;
  }
}

/** What the kernel of a host has counted so far of segments that it dropped for their key: TCPMD5NotFound, TCPMD5Unexpected, TCPMD5Failure. */
export async function keyCounters(host: Host): Promise<Readonly<Record<string, number>>> {
  const { stdout } = await host.exec('cat', ['/proc/self/net/netstat']);
  const [names = [], values = []] = stdout
    .split('\n')
    .filter((line) => line.startsWith('TcpExt:'))
    .map((line) => line.split(' '));
  return Object.fromEntries(names.flatMap((name, i) => (name.startsWith('TCPMD5') ? [[name, Number(values[i])]] : [])));
}
