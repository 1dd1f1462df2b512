import { comparePrefix, covers, equalPrefix, type Ip, ip4, ip6, makePrefix, type Prefix, printIp, printPrefix } from '@weir/wire/inet';
import { FINDING_CODES, type Finding, nameOf, type RuleMark } from './finding.ts';
import type { Witness } from './witness.ts';

/** Prefixes that a person wrote into one place of a rule. */
export interface CidrList {
  readonly rule: RuleMark;
  /** The field as its file calls it: `source_cidrs`. */
  readonly field: string;
  readonly prefixes: readonly Prefix[];
}

/** A prefix that stands for several others. */
export interface Aggregate {
  readonly whole: Prefix;
  /** The written prefixes that it covers, two or more, the same one twice among them. */
  readonly parts: readonly Prefix[];
}

/** The fewest prefixes that are the same addresses, in order. */
export function aggregate(prefixes: readonly Prefix[]): readonly Prefix[] {
  const out: Prefix[] = [];
  for (const prefix of [...prefixes].sort(comparePrefix)) {
    const last = out[out.length - 1];
    if (last && covers(last, prefix)) continue;
    out.push(prefix);
    // Two halves of one block become the block, which may be half of another.
    for (
      let b = out[out.length - 1], a = out[out.length - 2];
      a && b && areHalves(a, b);
      b = out[out.length - 1], a = out[out.length - 2]
    ) {
      out.splice(-2, 2, makePrefix(a, a.length - 1));
    }
  }
  return out;
}

/** Where a list says with several prefixes what one would. */
export function aggregatesOf(prefixes: readonly Prefix[]): readonly Aggregate[] {
  const sorted = [...prefixes].sort(comparePrefix);
  const out: Aggregate[] = [];
  let i = 0;
  for (const whole of aggregate(sorted)) {
    const parts: Prefix[] = [];
    for (let part = sorted[i]; part && covers(whole, part); part = sorted[++i]) parts.push(part);
    if (parts.length > 1) out.push({ whole, parts });
  }
  return out;
}

/** A finding for each place of a list that fewer prefixes say. The witness has an address of the last of them, which the one prefix covers as well. */
export function aggregates(lists: readonly CidrList[]): readonly Finding[] {
  return lists.flatMap(({ rule, field, prefixes }) =>
    aggregatesOf(prefixes).map(({ whole, parts }): Finding => {
      const shown = parts.slice(0, 4).map(printPrefix).join(', ') + (parts.length > 4 ? ` and ${parts.length - 4} more` : '');
      const has = parts.some((part) => equalPrefix(part, whole));
      const reason = has ? `${printPrefix(whole)} covers the others` : `together they are ${printPrefix(whole)}`;
      return {
        kind: 'aggregate',
        code: FINDING_CODES.aggregate.code,
        hooks: [],
        rule,
        others: [],
        message: `${field} of ${nameOf(rule)}: ${shown}: ${reason}`,
        witness: withAddress(parts[parts.length - 1] ?? whole, field),
      };
    }),
  );
}

/** A packet from or to an address. */
function withAddress(address: Ip, field: string): Witness {
  const other = address.family === 4 ? ip4(0xc6336407) : ip6(0x20010db8, 0x00010000, 0, 7);
  const [source, destination] = field.startsWith('destination') ? [other, address] : [address, other];
  return {
    packet: { source, destination, transport: { kind: 'tcp', sourcePort: 40000, destinationPort: 443 } },
    context: {},
    text: `tcp ${printIp(source)} -> ${destination.family === 4 ? printIp(destination) : `[${printIp(destination)}]`}:443`,
    assumes: [],
  };
}

function areHalves(a: Prefix, b: Prefix): boolean {
  return a.family === b.family && a.length === b.length && a.length > 0 && covers(makePrefix(a, a.length - 1), b) && !equalPrefix(a, b);
}
