import { NetworkNamespace, PacketSocket, RawIpSocket, SystemError } from '@weir/sys';
import { type Family, type Ip, ip4, ip6, printIp } from '@weir/wire/inet';
import { buildNetwork, MAX_GROUPS, type NetworkOptions, RECEIVER, trustChecksums } from './network.ts';
import { OBSERVER_TABLE, observe, type ReplayHook, type ReplayState } from './observer.ts';
import { RouteSocket } from './route-socket.ts';
import { TraceReader, type TraceStep } from './trace-reader.ts';

export interface BedOptions extends NetworkOptions {
  readonly hook: ReplayHook;
  /** Of the base chain that judges. */
  readonly priority: number;
  /** Connections are tracked; each packet's state is told. */
  readonly states: boolean;
}

/** One packet as it is to come to the hook: with its IP header; several when it comes in fragments. */
export interface Shot {
  readonly family: Family;
  readonly packets: readonly Uint8Array[];
}

/** What the kernel did with a packet. */
export type Sight =
  /** `rule`: handle of the rule that gave the verdict; undefined when the end of the chain did. */
  | {
      readonly kind: 'judged';
      readonly verdict: 'accept' | 'drop';
      readonly rule: number | undefined;
      readonly state: ReplayState | undefined;
    }
  /** It did not come to the hook; `code` is what the kernel said, if it said something. */
  | { readonly kind: 'unseen'; readonly code: string | undefined };

const UNSEEN: Sight = { kind: 'unseen', code: undefined };
const NF_DROP = 0;
const NF_ACCEPT = 1;

/** The kernel queues a thousand packets that come in (net.core.netdev_max_backlog); one is the sentinel. */
export const MAX_SHOTS = 900;
const SEND_BUFFER = 32 << 20;
/** A packet that comes last and reaches every hook: when it has been seen, so have all before it. */
const SENTINEL = 0xffff;
/** Beginning of the link addresses that frames come from. */
const OWNER = 0x025717;
const PATIENCE = { milliseconds: 20, times: 100 } as const;
/** Milliseconds to wait for packets that were not seen before the sentinel. */
const LATE = 5;

/**
 * A network namespace in which packets run through one hook of the kernel and are seen there, one by one. The rules that judge them are not its matter: they are loaded into
 * `netns` as anywhere. Needs CAP_SYS_ADMIN, CAP_NET_ADMIN and CAP_NET_RAW. Throws KernelError and SystemError.
 */
export class ReplayBed {
  readonly netns: string;
  readonly #options: BedOptions;
  readonly #namespace: NetworkNamespace;
  readonly #closers: (() => void)[] = [];
  readonly #routes: RouteSocket;
  readonly #reader: TraceReader;
  readonly #frames: PacketSocket;
  readonly #raw: { readonly [F in Family]: RawIpSocket } | undefined;
  readonly #states: ReadonlyMap<number, ReplayState>;
  readonly #receiver: number;
  readonly #groups = new Set<string>();
  #batch = 0;

  constructor(options: BedOptions) {
    this.#options = options;
    const keep = <T extends { close(): void }>(one: T): T => {
      this.#closers.unshift(() => one.close());
      return one;
    };
    try {
      this.#namespace = keep(NetworkNamespace.make());
      const { path } = this.#namespace;
      this.netns = path;
      this.#routes = keep(new RouteSocket(path));
      this.#receiver = buildNetwork(path, this.#routes, options).iif;
      this.#states = observe(path, options);
      if (options.states) trustChecksums(path);
      this.#reader = keep(new TraceReader(path));
      this.#frames = keep(PacketSocket.open({ interface: options.oif, netns: path, sendBuffer: SEND_BUFFER }));
      const raw = (family: Family): RawIpSocket => keep(RawIpSocket.open({ family, netns: path, interface: options.oif }));
      this.#raw = options.hook === 'output' ? { 4: raw(4), 6: raw(6) } : undefined;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Sends packets in order, at most MAX_SHOTS with their fragments, and tells what became of each. `expected`: whether it should come to the hook, so that it is sent again when it does not. */
  send(shots: readonly Shot[], expected: (index: number) => boolean): readonly Sight[] {
    if (this.#raw) return shots.map((shot) => this.#emit(shot));
    if (this.#options.hook === 'input') for (const { packets } of shots) for (const packet of packets) this.#join(packet);
    const sights = [...this.#inject(shots)];
    const missing = sights.flatMap((sight, i) => (sight.kind === 'unseen' && expected(i) ? [i] : []));
    if (missing.length === 0) return sights;
    // A full queue loses packets; so does a kernel that does not want them, and then again.
    const again = this.#inject(missing.flatMap((i) => shots[i] ?? []));
    for (const [k, i] of missing.entries()) sights[i] = again[k] ?? UNSEEN;
    return sights;
  }

  /** Ends the namespace and all in it. Calling it again does nothing. */
  close(): void {
    for (const close of this.#closers.splice(0)) close();
  }

  #inject(shots: readonly Shot[]): readonly Sight[] {
    this.#batch = (this.#batch + 1) & 0xff;
    const batch = this.#batch;
    const sights = new Sights(this.#states, shots.length);
    this.#reader.read(() => undefined);
    const frames = shots.flatMap(({ family, packets }, index) => packets.map((packet) => frame(family, packet, batch, index)));
    this.#sendAll([...frames, frame(4, GOOD, batch, SENTINEL)]);
    for (let i = 0; i < PATIENCE.times; i++) {
      this.#collect(sights, batch);
      if (sights.finished) {
        if (sights.missing && this.#reader.wait(LATE)) this.#collect(sights, batch);
        return sights.all();
      }
      this.#reader.wait(PATIENCE.milliseconds);
    }
    throw new SystemError('replay', ETIME, 'the last packet of a batch was not seen');
  }

  #collect(sights: Sights, batch: number): void {
    const whole = this.#reader.read((step) => {
      if (step.sourceHigh >= 0) {
        if (step.sourceHigh !== OWNER || step.sourceLow >>> 16 !== batch) {
          sights.forget(step.id);
          return;
        }
        sights.begin(step.id, step.sourceLow & 0xffff);
      }
      sights.add(step);
    });
    if (!whole) throw new SystemError('replay', ENOBUFS, 'traces of packets were lost');
  }

  /** A packet that is sent has no link header to know it by, but it is judged before the call that sends it returns. */
  #emit({ family, packets }: Shot): Sight {
    const socket = this.#raw?.[family];
    const sights = new Sights(this.#states, 1);
    this.#reader.read(() => undefined);
    for (const bytes of packets) {
      try {
        const to = addressAt(bytes, family, DESTINATION[family]);
        if (to) socket?.send({ bytes, to });
      } catch (error) {
        // What the kernel does not take as a packet reaches no hook.
        if (!(error instanceof SystemError)) throw error;
        return { kind: 'unseen', code: error.code };
      }
    }
    let mine: number | undefined;
    const [first] = packets;
    this.#reader.read((step) => {
      // What the kernel answers to it, and what it sends of its own accord, passes this hook as well.
      if (mine === undefined && step.table === OBSERVER_TABLE && first && sameAddresses(this.#reader.network(step), first, family)) {
        mine = step.id;
        sights.begin(mine, 0);
      }
      if (step.id === mine) sights.add(step);
    });
    return sights.all()[0] ?? UNSEEN;
  }

  /** A machine takes packets for a group when it is a member of it. */
  #join(packet: Uint8Array): void {
    const family = (packet[0] ?? 0) >> 4;
    const multicast = family === 4 ? (packet[16] ?? 0) >> 4 === 14 : family === 6 && packet[24] === 0xff;
    if (!multicast || this.#groups.size >= MAX_GROUPS) return;
    const group = addressAt(packet, family as Family, DESTINATION[family as Family]);
    const key = group && printIp(group);
    if (!key || this.#groups.has(key)) return;
    this.#groups.add(key);
    try {
      this.#routes.addAddress(this.#receiver, group, { length: group.family === 4 ? 32 : 128, join: true });
    } catch (error) {
      // Groups that every host is in, and those that none can be in: the packets tell which.
      if (!(error instanceof Error) || error.name !== 'KernelError') throw error;
    }
  }

  #sendAll(frames: readonly Uint8Array[]): void {
    for (let from = 0; from < frames.length; ) {
      const sent = this.#frames.send(from === 0 ? frames : frames.slice(from));
      if (sent === 0) throw new SystemError('replay', ENOBUFS, 'frames cannot be sent');
      from += sent;
    }
  }
}

const ETIME = 62;
const ENOBUFS = 105;
const DESTINATION: Readonly<Record<Family, number>> = { 4: 16, 6: 24 };
const ETHERTYPE: Readonly<Record<Family, number>> = { 4: 0x0800, 6: 0x86dd };

/** Gathers the steps of a batch by packet. */
class Sights {
  readonly #states: ReadonlyMap<number, ReplayState>;
  readonly #byId = new Map<number, number>();
  readonly #found: { reached: boolean; state: ReplayState | undefined; verdict: number; rule: number }[];
  /** The sentinel was seen. */
  finished = false;
  #left: number;

  constructor(states: ReadonlyMap<number, ReplayState>, count: number) {
    this.#states = states;
    this.#left = count;
    this.#found = Array.from({ length: count }, () => ({ reached: false, state: undefined, verdict: NF_ACCEPT, rule: 0 }));
  }

  get missing(): boolean {
    return this.#left > 0;
  }

  begin(id: number, index: number): void {
    if (index === SENTINEL) this.finished = true;
    this.#byId.set(id, index);
  }

  forget(id: number): void {
    this.#byId.delete(id);
  }

  add(step: TraceStep): void {
    const index = this.#byId.get(step.id);
    const sight = index === undefined ? undefined : this.#found[index];
    if (!sight) return;
    if (step.table === OBSERVER_TABLE) {
      if (!sight.reached) this.#left--;
      sight.reached = true;
      sight.state = this.#states.get(step.handle) ?? sight.state;
    } else if (step.verdict === NF_ACCEPT || step.verdict === NF_DROP) {
      sight.verdict = step.verdict;
      sight.rule = step.kind === 'policy' ? 0 : step.handle;
    }
  }

  all(): readonly Sight[] {
    return this.#found.map(({ reached, state, verdict, rule }): Sight => {
      if (!reached) return UNSEEN;
      return { kind: 'judged', verdict: verdict === NF_DROP ? 'drop' : 'accept', rule: rule === 0 ? undefined : rule, state };
    });
  }
}

/** An Ethernet frame to the receiving interface, from its number. */
function frame(family: Family, packet: Uint8Array, batch: number, index: number): Uint8Array {
  const out = new Uint8Array(14 + packet.length);
  const type = ETHERTYPE[family];
  out.set(RECEIVER);
  out.set([OWNER >>> 16, (OWNER >>> 8) & 0xff, OWNER & 0xff, batch, index >>> 8, index & 0xff, type >>> 8, type & 0xff], 6);
  out.set(packet, 14);
  return out;
}

/** A UDP datagram from 192.0.2.1 to 198.51.100.1 that nothing is wrong with. */
const GOOD = new Uint8Array([
  0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0x8e, 0x9a, 192, 0, 2, 1, 198, 51, 100, 1, 0x30, 0x39, 0x30, 0x39, 0, 8, 0, 0,
]);

function sameAddresses(header: Uint8Array, packet: Uint8Array, family: Family): boolean {
  const from = family === 4 ? 12 : 8;
  const to = DESTINATION[family] + (family === 4 ? 4 : 16);
  if (header.length < to) return false;
  for (let i = from; i < to; i++) if (header[i] !== packet[i]) return false;
  return (header[0] ?? 0) >> 4 === (packet[0] ?? 0) >> 4;
}

function addressAt(packet: Uint8Array, family: Family, at: number): Ip | undefined {
  if (packet.length < at + (family === 4 ? 4 : 16)) return undefined;
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength);
  if (family === 4) return ip4(view.getUint32(at));
  return ip6(view.getUint32(at), view.getUint32(at + 4), view.getUint32(at + 8), view.getUint32(at + 12));
}
