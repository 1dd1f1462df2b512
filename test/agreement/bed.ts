import type { ConnectionState } from '@weir/filter/packet';
import { PacketSocket, RawIpSocket } from '@weir/sys';
import { type Ip, ip4, ip6, printIp } from '@weir/wire/inet';
import { cutToLength, forwarded, locallySent } from '../../apps/weir/src/cli/replay/rewrite.ts';
import { type TraceKind, TraceReader, type TraceStep } from '../../apps/weir/src/kernel/replay/index.ts';
import type { Host, Lab } from '../lab/index.ts';
import { FLOWS } from './generate/flows.ts';
import { networkOf } from './network.ts';

export type BedHook = 'prerouting' | 'input' | 'forward' | 'output';

export interface BedOptions {
  readonly hook: BedHook;
  /** Of the policy's base chain; observers stand one before and one after it. */
  readonly priority: number;
  /** Connections are tracked, and so fragments are put together before priority -300. */
  readonly conntrack: boolean;
}

/** What is sent: an Ethernet frame, whose addresses are overwritten; at `output` the packet in it. */
export interface Shot {
  readonly frame: Uint8Array;
  readonly mark: number;
}

/** One matching rule (or the end of a base chain) on the way of a packet through the policy. */
export interface Step {
  readonly kind: TraceKind;
  readonly chain: string;
  readonly handle: number;
  readonly verdict: number;
}

/** What the kernel did with a packet. */
export interface Sight {
  /** Whether the packet came to the hook at all: the kernel drops what it cannot route or read before. */
  readonly reached: boolean;
  readonly state: ConnectionState | undefined;
  /** Where it is to go out. */
  readonly oif: string | undefined;
  readonly steps: readonly Step[];
}

const BEFORE = 'agreement_before';
const AFTER = 'agreement_after';
/** A packet that comes last and reaches every hook; when it has been seen, so have all before it. */
const SENTINEL = 0xffff;
const MAX_SHOTS = 900;
/** Milliseconds until a batch that has not been seen to its end is given up. */
const PATIENCE = 10_000;
/** Seconds that a connection stays. */
const LONG = 86_400;
const OWNER = 0x025717;
const STATES: readonly ConnectionState[] = ['new', 'established', 'related', 'invalid', 'untracked'];
/** Of a packet that did not come to the hook. */
export const UNSEEN: Sight = { reached: false, state: undefined, oif: undefined, steps: [] };

export const INGRESS = 'rx0';
const EGRESS = 'out0';
/** VLANs that have a device of their own where the kernel can: frames of others reach no hook, but for VLAN 0. */
export const VLANS: readonly number[] = [7, 100];
const RX_ADDRESS = [2, 0, 0, 0, 0, 2] as const;

/** Beds of this process: two at one hook are two hosts. */
let opened = 0;

/**
 * A namespace in which packets run through one hook and are seen there one by one. `meta nftrace` is set by a chain just before the policy, so the policy itself is what
 * would be loaded anywhere: nothing is added to it. Each frame's source address is its number. What is not dropped by the policy is dropped after it.
 */
export class Bed {
  readonly options: BedOptions;
  readonly host: Host;
  /** Whether frames of VLANS come in. */
  readonly hasVlans: boolean;
  readonly #reader: TraceReader;
  readonly #socket: PacketSocket;
  readonly #raw: readonly RawIpSocket[];
  readonly #states = new Map<number, ConnectionState>();
  readonly #names = new Map<number, string>();
  #batch = 0;

  private constructor(options: BedOptions, host: Host, hasVlans: boolean) {
    this.options = options;
    this.host = host;
    this.hasVlans = hasVlans;
    this.#reader = new TraceReader(host.path);
    this.#socket = PacketSocket.open({ interface: 'tx0', netns: host.path });
    this.#raw = options.hook === 'output' ? ([4, 6] as const).map((family) => RawIpSocket.open({ family, netns: host.path })) : [];
  }

  static async open(lab: Lab, options: BedOptions): Promise<Bed> {
    const host = await lab.host(`${options.hook}-${++opened}`, {
      forwarding: true,
      sysctl: {
        'net.ipv4.conf.all.rp_filter': 0,
        'net.ipv4.conf.default.rp_filter': 0,
        'net.ipv4.conf.all.accept_local': 1,
        'net.ipv4.conf.default.accept_local': 1,
        'net.ipv4.conf.all.route_localnet': 1,
        'net.ipv4.conf.all.accept_source_route': 1,
        'net.ipv4.conf.default.accept_source_route': 1,
        'net.ipv4.ipfrag_time': 2,
        'net.ipv6.ip6frag_time': 2,
      },
    });
    const vlans = await build(host, options);
    const bed = new Bed(options, host, vlans.length > 0);
    for (const { ifindex, ifname } of JSON.parse(await host.ip('-j', 'link')) as { ifindex: number; ifname: string }[]) {
      bed.#names.set(ifindex, ifname);
    }
    bed.#readStates(await host.exec('nft', ['-j', '-a', 'list', 'table', 'inet', BEFORE]));
    return bed;
  }

  /** Whether a packet comes to the policy put together from its fragments. */
  assembles(family: 4 | 6): boolean {
    const { hook, priority, conntrack } = this.options;
    if (hook === 'input' && family === 4) return true;
    return conntrack && (hook !== 'prerouting' || priority > -400);
  }

  /** Whether fragments come to the hook as they are. Policies that look behind IP headers would have conntrack put them together. */
  get seesFragments(): boolean {
    return !this.assembles(6);
  }

  /** A packet that came in with these octets, as the hook sees it. */
  atHook(packet: Uint8Array): Uint8Array {
    const cut = cutToLength(packet);
    if (this.options.hook === 'forward') return forwarded(cut);
    return this.options.hook === 'output' ? locallySent(cut) : cut;
  }

  /** Sends packets in order and tells what became of each. Throws when messages were lost twice. */
  send(shots: readonly Shot[]): readonly Sight[] {
    const out: Sight[] = [];
    for (let from = 0; from < shots.length; from += MAX_SHOTS) {
      const part = shots.slice(from, from + MAX_SHOTS);
      out.push(...(this.options.hook === 'output' ? this.#emit(part) : this.#inject(part)));
    }
    return out;
  }

  close(): void {
    this.#reader.close();
    this.#socket.close();
    for (const socket of this.#raw) socket.close();
  }

  #readStates(listed: { readonly stdout: string }): void {
    const { nftables } = JSON.parse(listed.stdout) as {
      nftables: readonly { readonly rule?: { readonly handle: number; readonly comment?: string } }[];
    };
    for (const { rule } of nftables) {
      const state = STATES.find((one) => one === rule?.comment);
      if (rule && state) this.#states.set(rule.handle, state);
    }
  }

  #inject(shots: readonly Shot[]): Sight[] {
    this.#batch = (this.#batch + 1) & 0xff;
    const batch = this.#batch;
    const sights = new Sights(this.#states, this.#names, shots.length);
    const frames = shots.map(({ frame }, index) => address(frame.slice(), batch, index));
    this.#drain();
    for (let from = 0; from < shots.length; ) {
      const mark = shots[from]?.mark ?? 0;
      let to = from + 1;
      while (to < shots.length && shots[to]?.mark === mark) to++;
      this.#socket.setMark(mark);
      this.#sendAll(frames.slice(from, to));
      from = to;
    }
    this.#socket.setMark(0);
    this.#sendAll([address(sentinel(), batch, SENTINEL)]);
    for (const until = performance.now() + PATIENCE; performance.now() < until; ) {
      const whole = this.#reader.read((step) => {
        if (step.sourceHigh >= 0) {
          if (step.sourceHigh !== OWNER || step.sourceLow >>> 16 !== batch) return;
          sights.begin(step.id, step.sourceLow & 0xffff);
        }
        sights.add(step);
      });
      if (!whole) throw new Error('traces were lost');
      if (sights.finished) return sights.all();
      this.#reader.wait(20);
    }
    throw new Error('the last packet of a batch was not seen');
  }

  /** One packet at a time: a local packet has no link header, but it is judged before the call that sends it returns. */
  #emit(shots: readonly Shot[]): Sight[] {
    return shots.map(({ frame, mark }) => {
      const packet = locallySent(networkOf(frame));
      const family = (packet[0] ?? 0) >> 4;
      const socket = this.#raw[family === 4 ? 0 : 1];
      const to = destination(packet);
      if (!socket || !to) return UNSEEN;
      const sights = new Sights(this.#states, this.#names, 1);
      this.#drain();
      socket.setMark(mark);
      try {
        socket.send({ bytes: packet, to });
      } catch (error) {
        // What the kernel does not take as a packet reaches no hook.
        if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      }
      // What the kernel answers to it, and what it sends of its own accord, passes this hook as well.
      let mine: number | undefined;
      this.#reader.read((step) => {
        if (step.table === BEFORE && mine === undefined && sameAddresses(this.#reader.network(step), packet)) {
          mine = step.id;
          sights.begin(mine, 0);
        }
        if (step.id === mine) sights.add(step);
      });
      return sights.all()[0] ?? UNSEEN;
    });
  }

  #drain(): void {
    this.#reader.read(() => undefined);
  }

  #sendAll(frames: readonly Uint8Array[]): void {
    const sent = this.#socket.send(frames);
    if (sent !== frames.length) throw new Error(`${sent} of ${frames.length} frames were sent`);
  }
}

/** Gathers the steps of a batch by packet. */
class Sights {
  readonly #states: ReadonlyMap<number, ConnectionState>;
  readonly #names: ReadonlyMap<number, string>;
  readonly #oif: (string | undefined)[];
  readonly #byId = new Map<number, number>();
  readonly #found: (ConnectionState | undefined)[];
  readonly #reached: boolean[];
  readonly #steps: Step[][];
  finished = false;

  constructor(states: ReadonlyMap<number, ConnectionState>, names: ReadonlyMap<number, string>, count: number) {
    this.#states = states;
    this.#names = names;
    this.#oif = new Array<string | undefined>(count).fill(undefined);
    this.#found = new Array<ConnectionState | undefined>(count).fill(undefined);
    this.#reached = new Array<boolean>(count).fill(false);
    this.#steps = Array.from({ length: count }, () => []);
  }

  begin(id: number, index: number): void {
    if (index === SENTINEL) this.finished = true;
    this.#byId.set(id, index);
  }

  add(step: TraceStep): void {
    const index = this.#byId.get(step.id);
    if (index === undefined || index >= this.#steps.length) return;
    if (step.table === BEFORE) {
      this.#reached[index] = true;
      this.#found[index] = this.#states.get(step.handle);
      this.#oif[index] = this.#names.get(step.oif);
    } else if (step.kind === 'policy' || step.handle !== 0) {
      this.#steps[index]?.push({ kind: step.kind, chain: step.chain, handle: step.handle, verdict: step.verdict });
    }
  }

  all(): Sight[] {
    return this.#steps.map((steps, i) => ({ reached: this.#reached[i] ?? false, state: this.#found[i], oif: this.#oif[i], steps }));
  }
}

async function build(host: Host, { hook, priority, conntrack }: BedOptions): Promise<readonly string[]> {
  await host.ip('link', 'add', 'tx0', 'type', 'veth', 'peer', 'name', INGRESS);
  await host.ip('link', 'add', EGRESS, 'type', 'veth', 'peer', 'name', 'sink0');
  await host.ip('link', 'set', INGRESS, 'address', RX_ADDRESS.map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
  for (const name of ['tx0', INGRESS, EGRESS, 'sink0']) await host.ip('link', 'set', name, 'mtu', '9000', 'up');
  const vlans = await addVlans(host);
  await host.ip('address', 'add', '192.0.2.254/24', 'dev', EGRESS);
  await host.ip('address', 'add', '2001:db8:ffff::fe/64', 'dev', EGRESS, 'nodad');
  for (const family of ['-4', '-6']) {
    await host.ip(family, 'route', 'add', 'default', 'dev', EGRESS);
    // Whatever comes in is for this host.
    if (hook === 'input' || hook === 'prerouting') {
      await host.ip(family, 'route', 'add', 'local', 'default', 'dev', 'lo', 'table', '100');
      for (const name of [INGRESS, ...vlans]) {
        await host.ip(family, 'rule', 'add', 'iif', name, 'lookup', '100', 'pref', '10');
      }
    }
  }
  await host.nft(observers(hook, priority, conntrack));
  if (conntrack) await track(host);
  return vlans;
}

/** VLAN devices, where the kernel has them (8021q). Tags of VLAN 0 are stepped over by any kernel. */
async function addVlans(host: Host): Promise<readonly string[]> {
  const names = VLANS.map((tag) => `${INGRESS}.${tag}`);
  for (const [i, name] of names.entries()) {
    try {
      await host.ip('link', 'add', 'link', INGRESS, 'name', name, 'type', 'vlan', 'id', String(VLANS[i]));
    } catch (error) {
      if (String(error).includes('Unknown device type')) return [];
      throw error;
    }
    await host.ip('link', 'set', name, 'up');
  }
  return names;
}

const TCP_STATES = ['close', 'close_wait', 'fin_wait', 'last_ack', 'syn_recv', 'syn_sent', 'time_wait'] as const;

/** Makes the connections that packets find; they stay, whatever packets do to them. */
async function track(host: Host): Promise<void> {
  for (const state of TCP_STATES) await host.sysctl(`net.netfilter.nf_conntrack_tcp_timeout_${state}`, LONG);
  for (const kind of ['udp_timeout', 'udp_timeout_stream']) await host.sysctl(`net.netfilter.nf_conntrack_${kind}`, LONG);
  await host.sysctl('net.netfilter.nf_conntrack_tcp_be_liberal', 1);
  for (const { family, protocol, source, destination, sourcePort, destinationPort } of FLOWS) {
    const of = (address: bigint): string => printIp(family === 4 ? ip4(Number(address)) : wideIp(address));
    const ports = ['--sport', String(sourcePort), '--dport', String(destinationPort)];
    const state = protocol === 6 ? ['-p', 'tcp', '--state', 'ESTABLISHED'] : ['-p', 'udp'];
    const flags = ['-t', String(LONG), '-u', 'SEEN_REPLY,ASSURED'];
    await host.exec('conntrack', ['-I', '-s', of(source), '-d', of(destination), ...state, ...ports, ...flags]);
  }
}

function wideIp(value: bigint): Ip {
  const word = (shift: bigint): number => Number((value >> shift) & 0xffffffffn);
  return ip6(word(96n), word(64n), word(32n), word(0n));
}

function observers(hook: BedHook, priority: number, conntrack: boolean): string {
  const mine = hook === 'output' ? '' : `iifname "${INGRESS}*"`;
  const traced = conntrack
    ? STATES.map((state) => `${mine} ct state ${state} meta nftrace set 1 accept comment "${state}"`)
    : [`${mine} meta nftrace set 1 accept`];
  const chain = (table: string, at: number, rules: readonly string[]): string =>
    `table inet ${table} {\n chain c {\n type filter hook ${hook} priority ${at}; policy accept;\n${rules.join('\n')}\n }\n}\n`;
  // Answers of the kernel to what it could not forward go nowhere.
  const quiet =
    hook === 'output' ? '' : 'table inet agreement_quiet {\n chain c {\n type filter hook output priority -500; policy drop;\n }\n}\n';
  return chain(BEFORE, priority - 1, traced) + chain(AFTER, priority + 1, [`${mine} meta nftrace set 0 drop`]) + quiet;
}

/** Writes the Ethernet addresses: to the receiving interface, from the frame's number. */
function address(frame: Uint8Array, batch: number, index: number): Uint8Array {
  frame.set(RX_ADDRESS, 0);
  frame.set([OWNER >>> 16, (OWNER >>> 8) & 0xff, OWNER & 0xff, batch, index >>> 8, index & 0xff], 6);
  return frame;
}

/** A UDP datagram that nothing is wrong with. */
function sentinel(): Uint8Array {
  const frame = new Uint8Array(14 + 28);
  frame.set([8, 0, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 1, 203, 0, 113, 250, 0x30, 0x39, 0x30, 0x39, 0, 8, 0, 0], 12);
  let sum = 0;
  for (let at = 14; at < 34; at += 2) sum += ((frame[at] ?? 0) << 8) | (frame[at + 1] ?? 0);
  sum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
  frame.set([sum >>> 8, sum & 0xff], 24);
  return frame;
}

/** Whether two headers go from and to the same addresses. */
function sameAddresses(header: Uint8Array, packet: Uint8Array): boolean {
  const [from, to] = (packet[0] ?? 0) >> 4 === 4 ? [12, 20] : [8, 40];
  return header.length >= to && header[0] === packet[0] && header.subarray(from, to).every((octet, i) => octet === packet[from + i]);
}

function destination(packet: Uint8Array): Ip | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (packet.length >= 20 && (packet[0] ?? 0) >> 4 === 4) return { family: 4, w0: view.getUint32(16), w1: 0, w2: 0, w3: 0 };
  if (packet.length < 40 || (packet[0] ?? 0) >> 4 !== 6) return undefined;
  return { family: 6, w0: view.getUint32(24), w1: view.getUint32(28), w2: view.getUint32(32), w3: view.getUint32(36) };
}
