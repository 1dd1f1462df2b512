import { LogListener, type LogPacket } from '@weir/netlink/log';
import { bootNanoseconds } from '@weir/sys';
import type { VerdictEvent } from '../../model/verdict-event.ts';
import { type Clocks, logEvent } from './log-event.ts';
import { type LogPrefix, parseLogPrefix } from './log-prefix.ts';
import type { LogScope } from './reader-protocol.ts';

/** Octets of each packet that are copied: the longest IPv4 header, or that of IPv6 with some extensions, and what events take of the transport header. */
const COPY = 160;
/** The kernel gathers so many packets, for so many milliseconds. */
const THRESHOLD = 64;
const DELAY = 50;
/** Datagrams of one turn. */
const MOST_DATAGRAMS = 64;

/** Gets events; with `undefined` a packet that is none of Weir's. `lost` were lost before it. */
export type LogVisitor = (event: VerdictEvent | undefined, lost: number) => void;

/** Numbers of the prefixes that packets were logged with. Past the bound, which policies do not come to, they share number 0. */
export class LogPrefixes {
  readonly #known = new Map<string, { readonly id: number; readonly parsed: LogPrefix | undefined }>();
  #fresh: (readonly [number, string])[] = [];

  of(prefix: string): { readonly id: number; readonly parsed: LogPrefix | undefined } {
    const known = this.#known.get(prefix);
    if (known) return known;
    const parsed = parseLogPrefix(prefix);
    if (this.#known.size >= MOST_PREFIXES) return { id: 0, parsed };
    const made = { id: this.#known.size + 1, parsed };
    this.#known.set(prefix, made);
    if (parsed) this.#fresh.push([made.id, prefix]);
    return made;
  }

  /** Those that came since the call before. */
  takeFresh(): readonly (readonly [number, string])[] {
    if (this.#fresh.length === 0) return [];
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }
}

const MOST_PREFIXES = 100_000;

/** The packets that rules of nf_tables log in one namespace, as events. KernelError and SystemError where it cannot be listened to. */
export class LogSource {
  readonly scope: LogScope;
  readonly #listener: LogListener;
  readonly #prefixes: LogPrefixes;
  /** Of the last packet: the kernel numbers them. */
  #sequence: number | undefined;

  /** `receiveBuffer`: octets that may wait; the listener's own size unless told. */
  constructor(scope: LogScope, prefixes: LogPrefixes, receiveBuffer?: number) {
    this.scope = scope;
    this.#prefixes = prefixes;
    const { group, netns } = scope;
    this.#listener = new LogListener({
      group,
      copy: COPY,
      threshold: THRESHOLD,
      delay: DELAY,
      sequence: true,
      ...(netns === undefined ? {} : { netns }),
      ...(receiveBuffer === undefined ? {} : { receiveBuffer }),
    });
  }

  get descriptor(): number {
    return this.#listener.descriptor;
  }

  /** Visits what waits; true when there is more. */
  read(visit: LogVisitor): boolean {
    const clocks: Clocks = { wall: BigInt(Date.now()) * 1_000_000n, boot: bootNanoseconds() };
    return this.#listener.read((packet) => this.#packet(packet, clocks, visit), MOST_DATAGRAMS) === 'more';
  }

  /** Calling it again does nothing. */
  close(): void {
    this.#listener.close();
  }

  #packet(packet: LogPacket, clocks: Clocks, visit: LogVisitor): void {
    const lost = this.#gap(packet.sequence);
    const { id, parsed } = this.#prefixes.of(packet.prefix ?? '');
    visit(parsed && logEvent(packet, { prefix: parsed, rule: id, scope: this.scope.scope, clocks }), lost);
  }

  /** A gap in the numbers is what the kernel had no room for. */
  #gap(sequence: number | undefined): number {
    if (sequence === undefined) return 0;
    const before = this.#sequence;
    this.#sequence = sequence;
    // The first packet of a group has the number 0.
    return before === undefined ? sequence : (sequence - before - 1) >>> 0;
  }
}
