import type { Writer } from '@weir/wire/bytes';
import { closeAttribute, openAttribute, putU16, putU32 } from '../message/index.ts';

/** Messages of packet logging (`enum nfulnl_msg_types`). */
export const NFULNL_MSG = { packet: 0, config: 1 } as const;

/** `enum nfulnl_msg_config_cmds`. */
export const LOG_COMMAND = { bind: 1, unbind: 2 } as const;

/** How the kernel hands over the packets of a group. */
export interface LogSettings {
  /** Octets of each packet, from its network header on; 0 is none of it. A rule's own `snaplen` may make it less. */
  readonly copy: number;
  /** Octets that the kernel gathers before it sends them; at most 128 KiB. */
  readonly buffer?: number | undefined;
  /** Milliseconds that it gathers at most, in steps of ten; 1,000 unless told. */
  readonly delay?: number | undefined;
  /** Packets that it gathers at most, unless a rule says otherwise; 100 unless told. */
  readonly threshold?: number | undefined;
  /** Number the packets of the group, and those of all groups. */
  readonly sequence?: boolean | undefined;
  /** Tell the tracked connection of each packet; EOPNOTSUPP where the kernel was built without CONFIG_NETFILTER_NETLINK_GLUE_CT. */
  readonly conntrack?: boolean | undefined;
}

const COMMAND = 1;
const MODE = 2;
const BUFFER = 3;
const DELAY = 4;
const THRESHOLD = 5;
const FLAGS = 6;

const COPY_NONE = 0;
const COPY_PACKET = 2;
const FLAG_SEQUENCE = 1;
const FLAG_GLOBAL_SEQUENCE = 2;
const FLAG_CONNTRACK = 4;
const MAX_COPY = 0xffff;

/** The attributes of NFULNL_MSG_CONFIG that bind the socket to the group of the message's netfilter header. The kernel does all of it at once. */
export function encodeLogBind(w: Writer, settings: LogSettings): void {
  encodeCommand(w, LOG_COMMAND.bind);
  // `struct nfulnl_msg_config_mode`: range u32, mode u8, padding u8.
  const at = openAttribute(w, MODE);
  w.u32(Math.min(settings.copy, MAX_COPY))
    .u8(settings.copy > 0 ? COPY_PACKET : COPY_NONE)
    .u8(0);
  closeAttribute(w, at);
  if (settings.buffer !== undefined) putU32(w, BUFFER, settings.buffer);
  // In hundredths of a second.
  if (settings.delay !== undefined) putU32(w, DELAY, Math.round(settings.delay / 10));
  if (settings.threshold !== undefined) putU32(w, THRESHOLD, settings.threshold);
  const flags = (settings.sequence ? FLAG_SEQUENCE | FLAG_GLOBAL_SEQUENCE : 0) | (settings.conntrack ? FLAG_CONNTRACK : 0);
  if (flags !== 0) putU16(w, FLAGS, flags);
}

export function encodeLogUnbind(w: Writer): void {
  encodeCommand(w, LOG_COMMAND.unbind);
}

function encodeCommand(w: Writer, command: number): void {
  const at = openAttribute(w, COMMAND);
  w.u8(command);
  closeAttribute(w, at);
}
