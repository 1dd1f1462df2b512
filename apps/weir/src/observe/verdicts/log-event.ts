import { Packet } from '@weir/filter/packet';
import { hookName, type LogPacket } from '@weir/netlink/log';
import type { VerdictEvent } from '../../model/verdict-event.ts';
import type { LogPrefix } from './log-prefix.ts';
import { packetFields } from './packet-fields.ts';

/** How the clock that tells the date and the clock of the machine stand, in nanoseconds. */
export interface Clocks {
  readonly wall: bigint;
  readonly boot: bigint;
}

export interface LogEventContext {
  readonly prefix: LogPrefix;
  /** The number of the prefix. */
  readonly rule: number;
  readonly scope: number;
  readonly clocks: Clocks;
}

/** The event of a packet that a rule of nf_tables has logged: what programs would say of the same packet. Undefined at hooks that nf_tables rules of Weir are not at. */
export function logEvent(packet: LogPacket, { prefix, rule, scope, clocks }: LogEventContext): VerdictEvent | undefined {
  const hook = packet.hook === undefined ? undefined : hookName(packet.hook);
  if (hook === undefined || hook === 'postrouting' || hook === 'ingress') return undefined;
  const payload = packet.payload ?? new Uint8Array(0);
  const { input, output, uid } = packet;
  return {
    time: timeOf(packet, clocks),
    from: 'nflog',
    hook,
    rule,
    generation: 0,
    scope,
    verdict: prefix.verdict,
    audit: prefix.audit,
    ...packetFields(Packet.fromNetwork(payload, { wireLength: wireLength(payload) })),
    ...(input === undefined || input === 0 ? {} : { input }),
    ...(output === undefined || output === 0 ? {} : { output }),
    ...(uid === undefined ? {} : { uid }),
  };
}

function timeOf({ time }: LogPacket, { wall, boot }: Clocks): bigint {
  if (!time) return boot;
  const at = boot - (wall - (time.seconds * 1_000_000_000n + time.microseconds * 1000n));
  return at < 0n ? 0n : at;
}

/** Only the first octets are copied: what the packet had is in its header. */
function wireLength(payload: Uint8Array): number {
  const word = (at: number): number => ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0);
  const version = (payload[0] ?? 0) >> 4;
  const said = version === 4 ? word(2) : version === 6 ? word(4) + 40 : 0;
  return Math.max(said, payload.length);
}
