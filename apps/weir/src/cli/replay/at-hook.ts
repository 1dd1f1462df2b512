import { Packet, type PacketContext, Reassembly } from '@weir/filter/packet';
import type { Hook } from '@weir/filter/scheme';
import type { Family } from '@weir/wire/inet';
import { fragmentKey, WaitingFragments } from './fragments.ts';
import { endsEarly, obstacle } from './obstacles.ts';
import { cutToLength, forwarded, locallySent } from './rewrite.ts';

/** A captured packet as a hook sees it. */
export interface AtHook {
  readonly kind: 'at-hook';
  readonly family: Family;
  readonly packet: Packet;
  /** The packets, from their IP headers on, that bring it there: more than one when it came in fragments, none when there is no use in sending it. */
  readonly sent: readonly Uint8Array[];
  /** Why the kernel would not bring it there. */
  readonly obstacle: string | undefined;
}

export interface NotJudged {
  readonly kind: 'not-judged';
  readonly reason: string;
}

export interface HookOptions {
  readonly hook: Hook;
  /** What all packets have. */
  readonly context: PacketContext;
  /** Whether fragments are put together before the hook. */
  readonly assembles: Readonly<Record<Family, boolean>>;
}

const UNREPORTED = 'it ends within its extension headers, which the kernel cannot report on';
/** Fragments of one packet that are sent at a time: what the kernel takes in a row, with room. */
const MAX_FRAGMENTS = 500;
const TOO_MANY = `it came in more than ${MAX_FRAGMENTS} fragments`;
const HELD: NotJudged = { kind: 'not-judged', reason: 'a fragment: its packet is judged when it is complete' };

/**
 * Brings captured packets to a hook as the kernel does: cut to the length that they tell, fragments put together where connections are tracked, with one hop less where they are
 * forwarded, and as this machine would send them at output. Holds what `Reassembly` and `WaitingFragments` hold.
 */
export class HookView {
  readonly #options: HookOptions;
  readonly #reassembly = new Reassembly();
  readonly #waiting = new WaitingFragments();

  constructor(options: HookOptions) {
    this.#options = options;
  }

  /** The next packet, which came at `time` (microseconds). */
  push(captured: Packet, time: number): AtHook | NotJudged {
    const { hook, context, assembles } = this.#options;
    const { family, network, length } = captured.headers;
    if (family === undefined) return { kind: 'not-judged', reason: 'not ip' };
    const octets = captured.bytes.subarray(network);
    const { wireLength = 0 } = captured.context;
    if (octets.length < length && wireLength > captured.bytes.length) {
      const part = Packet.fromNetwork(octets, { ...context, wireLength: wireLength - network });
      return this.#seen(part, family, [], 'the capture has only a part of it');
    }
    // Programs see what comes, whatever the system would make of it; the link says what it is.
    if (hook === 'xdp' || hook === 'tc') return this.#seen(captured.withContext(context), family, [octets], undefined);
    const bytes = cutToLength(octets);
    const packet = Packet.fromNetwork(
      hook === 'output' ? locallySent(bytes) : bytes,
      isToSelf(hook, bytes) ? { ...context, oif: 'lo' } : context,
    );
    const against = obstacle(captured, hook);
    if (against !== undefined && hook === 'output') return this.#seen(packet, family, [], against);
    if (against === undefined && endsEarly(packet)) return this.#seen(packet, family, [], UNREPORTED);
    const key = assembles[family] && against === undefined ? fragmentKey(packet) : undefined;
    if (key === undefined) return this.#seen(packet, family, [packet.bytes], against);
    const result = this.#reassembly.push(packet, time);
    if (result.kind === 'held') {
      this.#waiting.add(key, packet.bytes);
      return HELD;
    }
    // What the kernel lets pass without putting it together.
    if (result.kind === 'goes-on' && result.packet === packet) return this.#seen(packet, family, [packet.bytes], undefined);
    const sent = [...this.#waiting.take(key), packet.bytes];
    const seen = result.kind === 'dropped' ? packet : Packet.fromNetwork(result.packet.bytes, context);
    if (sent.length > MAX_FRAGMENTS) return this.#seen(seen, family, [], TOO_MANY);
    return this.#seen(seen, family, sent, result.kind === 'dropped' ? 'a fragment that does not fit the others' : undefined);
  }

  #seen(packet: Packet, family: Family, sent: readonly Uint8Array[], against: string | undefined): AtHook {
    const there = this.#options.hook === 'forward' ? Packet.fromNetwork(forwarded(packet.bytes), packet.context) : packet;
    return { kind: 'at-hook', family, packet: there, sent, obstacle: against };
  }
}

/** What is sent to 0.0.0.0 goes to this machine itself. */
function isToSelf(hook: Hook, packet: Uint8Array): boolean {
  return hook === 'output' && (packet[0] ?? 0) >> 4 === 4 && packet.length >= 20 && packet.subarray(16, 20).every((octet) => octet === 0);
}
