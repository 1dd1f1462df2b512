import { PacketSocket } from '@weir/sys';
import { DEFAULT_FIREWALL, judgement, NO_PEERS } from '../../apps/weir/src/compile/judgement/index.ts';
import { compileRules } from '../../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../../apps/weir/src/compile/nft/print.ts';
import type { Policy } from '../../apps/weir/src/model/policy.ts';
import type { Host, Lab } from '../lab/index.ts';

/** Interfaces that packets come in by, as rules name them. */
export const INTERFACES = ['eth0', 'eth1', 'wg0'] as const;
/** Where forwarded packets go. */
const OUT = 'out0';

/** A packet from its IP header on, and the interface that it comes in by. */
export interface Sent {
  readonly bytes: Uint8Array;
  readonly iif: string;
}

const OBSERVED = 'weir_seen';
const MAX_SENT = 60_000;

/**
 * A namespace that packets come into by three interfaces, to be forwarded or for the host itself, under whatever rules were loaded into it. Sets before and after the rules keep the numbers of
 * the packets that came by; a packet's number is its Ethernet source address.
 */
export class ImportBed {
  readonly host: Host;
  readonly hook: 'input' | 'forward';
  readonly #sockets = new Map<string, PacketSocket>();

  private constructor(host: Host, hook: 'input' | 'forward') {
    this.host = host;
    this.hook = hook;
    for (const name of INTERFACES) this.#sockets.set(name, PacketSocket.open({ interface: `${name}tx`, netns: host.path }));
  }

  static async open(lab: Lab, name: string, hook: 'input' | 'forward'): Promise<ImportBed> {
    const none = Object.fromEntries(['rp_filter', 'accept_redirects', 'send_redirects'].map((key) => [`net.ipv4.conf.all.${key}`, 0]));
    const host = await lab.host(name, {
      forwarding: true,
      sysctl: { ...none, 'net.ipv4.conf.default.rp_filter': 0, 'net.ipv4.conf.all.accept_local': 1 },
    });
    await host.ip('link', 'add', OUT, 'type', 'veth', 'peer', 'name', 'sink0');
    // Without neighbours: what is forwarded goes out to any address.
    for (const end of [OUT, 'sink0']) await host.ip('link', 'set', end, 'arp', 'off', 'up');
    for (const inside of INTERFACES) {
      await host.ip('link', 'add', `${inside}tx`, 'type', 'veth', 'peer', 'name', inside);
      await host.ip('link', 'set', inside, 'address', '02:00:00:00:00:02');
      for (const end of [`${inside}tx`, inside]) await host.ip('link', 'set', end, 'up');
    }
    for (const family of ['-4', '-6']) {
      await host.ip(family, 'route', 'add', 'default', 'dev', OUT);
      if (hook === 'forward') continue;
      await host.ip(family, 'route', 'add', 'local', 'default', 'dev', 'lo', 'table', '100');
      for (const inside of INTERFACES) await host.ip(family, 'rule', 'add', 'iif', inside, 'lookup', '100', 'pref', '10');
    }
    return new ImportBed(host, hook);
  }

  /** Takes every rule out and puts the observers in. */
  async clear(): Promise<void> {
    await this.host.nft('flush ruleset');
    await this.host.nft(`table inet ${OBSERVED} {
      set before { type ether_addr; size 65535; flags dynamic; }
      set after { type ether_addr; size 65535; flags dynamic; }
      chain reached { type filter hook ${this.hook} priority -400; meta iiftype ether add @before { ether saddr }; }
      chain passed { type filter hook ${this.hook} priority 400; meta iiftype ether add @after { ether saddr }; }
      chain quiet { type filter hook output priority -500; drop; }
    }`);
  }

  /** Loads a policy as Weir compiles it, without the rules that it adds by itself. */
  async load(policy: Policy): Promise<void> {
    const { table, problems } = compileRules(hooksOf(policy), [], { table: 'weir_imported' });
    const [problem] = problems;
    if (problem) throw new Error(problem.message);
    await this.host.nft(printTable(table));
  }

  /** Sends packets in order and tells of each whether it passed the rules; undefined: it did not come to the hook. Connections of before are forgotten. */
  async send(packets: readonly Sent[]): Promise<readonly (boolean | undefined)[]> {
    if (packets.length > MAX_SENT) throw new RangeError('too many packets at once');
    await this.host.exec('conntrack', ['-F']);
    await this.host.nft(`flush set inet ${OBSERVED} before\nflush set inet ${OBSERVED} after`);
    packets.forEach(({ bytes, iif }, i) => {
      const frame = new Uint8Array(14 + bytes.length);
      frame.set([2, 0, 0, 0, 0, 2, 6, 0, 0, 0, (i >>> 8) & 0xff, i & 0xff, ...((bytes[0] ?? 0) >> 4 === 6 ? [0x86, 0xdd] : [8, 0])]);
      frame.set(bytes, 14);
      const socket = this.#sockets.get(iif);
      if (!socket) throw new Error(`no interface ${iif}`);
      for (let tries = 0; tries < 1000 && socket.send([frame]) === 0; tries++);
    });
    const before = await this.#numbers('before');
    const after = await this.#numbers('after');
    return packets.map((_, i) => (before.has(i) ? after.has(i) : undefined));
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close();
  }

  async #numbers(set: string): Promise<ReadonlySet<number>> {
    const [found] = (await this.host.nftJson('set', 'inet', OBSERVED, set)).filter((o) => 'set' in o);
    const elements = (found?.['set']?.['elem'] ?? []) as readonly unknown[];
    return new Set(
      elements.map((element) => {
        const value = typeof element === 'string' ? element : (element as { readonly elem: { readonly val: string } }).elem.val;
        const octets = value.split(':').map((octet) => Number.parseInt(octet, 16));
        return ((octets[4] ?? 0) << 8) | (octets[5] ?? 0);
      }),
    );
  }
}

/** The rules of the policy and its default alone. */
function hooksOf(policy: Policy): ReturnType<typeof judgement> {
  const base = Object.fromEntries(Object.keys(DEFAULT_FIREWALL.base).map((key) => [key, false])) as unknown as typeof DEFAULT_FIREWALL.base;
  return judgement({ firewall: { ...DEFAULT_FIREWALL, base }, sets: [], bgp: NO_PEERS, policy }, 0);
}
