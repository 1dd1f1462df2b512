import type { Reader, Writer } from '@weir/wire/bytes';
import type { Family } from '@weir/wire/inet';
import { eachAttribute, putBytes, putU8, putU32Host, readBytes } from '../message/index.ts';
import { AF, type OtherAttribute, readFamily } from './family.ts';

/** What a rule does (`FR_ACT_*` of `linux/fib_rules.h`). */
export const FR_ACT = { toTable: 1, goto: 2, nop: 3, blackhole: 6, unreachable: 7, prohibit: 8 } as const;

const FRA = { priority: 6, mark: 10, table: 15, mask: 16, protocol: 21 } as const;
/** In the header a table above 255 is this. */
const RT_TABLE_COMPAT = 252;

/** A rule of the routing policy (`ip rule`): which packets look into which table. */
export interface RoutingRule {
  readonly family: Family;
  /** Lower goes first. Absent: 0, or the kernel's choice in a request to add. */
  readonly priority?: number | undefined;
  /** Packets with this mark, under `mask`. */
  readonly mark?: number | undefined;
  /** All bits of the mark unless told. */
  readonly mask?: number | undefined;
  /** One of FR_ACT. */
  readonly action: number;
  /** The table that is looked into. */
  readonly table: number;
  /** Who made it (`RTPROT_*`). */
  readonly protocol?: number | undefined;
  /** Bits of the destination and of the source that are compared, with the addresses among `others`; the TOS; inversion and the like. */
  readonly destinationLength?: number | undefined;
  readonly sourceLength?: number | undefined;
  readonly tos?: number | undefined;
  readonly flags?: number | undefined;
  /** In the order in which they came. */
  readonly others?: readonly OtherAttribute[] | undefined;
}

/** `struct fib_rule_hdr` (family, lengths of destination and source, TOS, table, two reserved, action: u8 each; flags u32) and attributes. DecodeError. */
export function decodeRoutingRule(r: Reader): RoutingRule {
  const family = readFamily(r);
  const [destinationLength, sourceLength, tos] = [r.u8('dst_len'), r.u8('src_len'), r.u8('tos')];
  let table = r.u8('table');
  r.skip(2);
  const action = r.u8('action');
  const flags = r.u32LE('flags');
  const known: { priority?: number; mark?: number; mask?: number; protocol?: number } = {};
  const others: OtherAttribute[] = [];
  eachAttribute(r, (type, value) => {
    if (type === FRA.priority) known.priority = value.u32LE('FRA_PRIORITY');
    else if (type === FRA.mark) known.mark = value.u32LE('FRA_FWMARK');
    else if (type === FRA.mask) known.mask = value.u32LE('FRA_FWMASK');
    else if (type === FRA.table) table = value.u32LE('FRA_TABLE');
    else if (type === FRA.protocol) known.protocol = value.u8('FRA_PROTOCOL');
    else others.push({ type, bytes: readBytes(value) });
  });
  return {
    family,
    ...known,
    action,
    table,
    ...(destinationLength > 0 ? { destinationLength } : {}),
    ...(sourceLength > 0 ? { sourceLength } : {}),
    ...(tos > 0 ? { tos } : {}),
    ...(flags > 0 ? { flags } : {}),
    ...(others.length > 0 ? { others } : {}),
  };
}

export function encodeRoutingRule(w: Writer, rule: RoutingRule): void {
  const { family, priority, mark, mask, action, table, protocol, destinationLength = 0, sourceLength = 0, tos = 0, flags = 0 } = rule;
  w.u8(AF[family]).u8(destinationLength).u8(sourceLength).u8(tos);
  w.u8(table > 255 ? RT_TABLE_COMPAT : table)
    .u8(0)
    .u8(0)
    .u8(action)
    .u32LE(flags);
  if (mark !== undefined) putU32Host(w, FRA.mark, mark);
  if (mask !== undefined) putU32Host(w, FRA.mask, mask);
  putU32Host(w, FRA.table, table);
  if (priority !== undefined) putU32Host(w, FRA.priority, priority);
  if (protocol !== undefined) putU8(w, FRA.protocol, protocol);
  for (const { type, bytes } of rule.others ?? []) putBytes(w, type, bytes);
}
