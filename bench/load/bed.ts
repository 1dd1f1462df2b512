import { ip4, makePrefix, type Prefix } from '@weir/wire/inet';
import { Weir } from '../../test/e2e/weir.ts';
import { type Host, Lab } from '../../test/lab/index.ts';
import { LOCAL_AS, RawSender, SENDER_AS } from './raw-sender.ts';

export const weirAddress = '198.51.100.129';
export const senderAddress = '198.51.100.130';

/** How the kernel holds the members: one hash set of hosts, or one interval set. */
export type Kind = 'hash' | 'interval';

/** A daemon in one namespace, one neighbour in another, and a set of the user's table. */
export interface Bed {
  readonly lab: Lab;
  readonly core: Host;
  readonly outside: Host;
  readonly sender: RawSender;
  readonly weir: Weir;
  close(): Promise<void>;
}

function configuration(settle: string = '500ms'): string {
  return `bgp:
  as: ${LOCAL_AS}
  router_id: 192.0.2.1
  peers:
    - { name: load, address: ${senderAddress}, as: ${SENDER_AS}, families: [ipv4 unicast] }
sets:
  web:
    kind: allow
    communities: ["64512:80"]
    guard: { peers: [load], prefixes: [10.0.0.0/8], max_members: 2000000 }
    on_session_loss: hold 10m
    nft: { table: fw, ipv4: web4 }
convergence: { settle: ${settle}, settle_without_restart: ${settle} }
`;
}

/** Two namespaces, the table and the sender; the daemon is made and not started. */
export async function layBed(kind: Kind, size: number): Promise<Bed> {
  const lab = new Lab();
  const core = await lab.host('core');
  const outside = await lab.host('outside');
  await lab.link(
    { host: core, name: 'bgp0', addresses: [`${weirAddress}/28`] },
    { host: outside, name: 'bgp0', addresses: [`${senderAddress}/28`] },
  );
  const flags = kind === 'interval' ? 'flags interval;' : `size ${size};`;
  await core.nft(`table inet fw { set web4 { type ipv4_addr; ${flags} }; }`);
  const sender = await RawSender.listen(outside.path, senderAddress);
  const weir = new Weir(lab, core, configuration());
  return {
    lab,
    core,
    outside,
    sender,
    weir,
    close: async () => {
      sender.close();
      await lab.dispose();
    },
  };
}

/** Host `i` of 10.0.0.0/8, every second address, so that no two make a range. */
export function host(i: number): Prefix {
  return makePrefix(ip4(0x0a000000 + 2 * i), 32);
}

export function hosts(from: number, count: number): readonly Prefix[] {
  return Array.from({ length: count }, (_, i) => host(from + i));
}
