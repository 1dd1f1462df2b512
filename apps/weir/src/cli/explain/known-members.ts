import type { Lists, Value } from '@weir/filter/eval';
import type { Packet } from '@weir/filter/packet';
import { type Ip, printIp } from '@weir/wire/inet';
import type { ControlClient, MemberSummary } from '../../api/index.ts';
import { qualifiedName } from '../../model/scopes.ts';

/** Members of the daemon's sets that cover the addresses of packets. Without a daemon it knows of none. */
export class KnownMembers implements Lists {
  readonly #members = new Map<string, MemberSummary | undefined>();
  readonly #client: ControlClient | undefined;
  /** Addresses that were asked for. */
  readonly #asked = new Set<string>();

  constructor(client: ControlClient | undefined) {
    this.#client = client;
  }

  /** Asks for the addresses of a packet, once each. */
  async learn(packet: Packet): Promise<void> {
    const addresses = ['ip.src', 'ip.dst'].flatMap((name) => {
      const value = packet.field(name);
      return value !== undefined && isIp(value) ? [printIp(value)] : [];
    });
    const fresh = [...new Set(addresses)].filter((address) => !this.#asked.has(address));
    if (fresh.length === 0 || !this.#client) return;
    const { members } = await this.#client.call('lookup', { addresses: fresh });
    for (const address of fresh) this.#asked.add(address);
    for (const { set, address, member } of members) this.#members.set(`${set} ${address}`, member);
  }

  has(list: string, value: Value): boolean {
    return isIp(value) && this.member(list, value) !== undefined;
  }

  member(list: string, address: Ip): MemberSummary | undefined {
    return this.#members.get(`${list} ${printIp(address)}`);
  }

  /** The sets of a tenant by the names that they have in it. */
  of(tenant: string | undefined): Members {
    const member = (list: string, address: Ip): MemberSummary | undefined => this.member(qualifiedName(tenant, list), address);
    return { member, has: (list, value) => isIp(value) && member(list, value) !== undefined };
  }
}

/** Members of sets by address. */
export interface Members extends Lists {
  member(list: string, address: Ip): MemberSummary | undefined;
}

export function isIp(value: Value): value is Ip {
  return typeof value === 'object' && 'w0' in value;
}
