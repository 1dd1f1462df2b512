import { type FlowComponent, type FlowRule, isPrefixComponent } from '@weir/bgp/flowspec';
import { compareIp, covers } from '@weir/wire/inet';

/** Octets behind the type of each component, cut from the rule's own. */
function values(rule: FlowRule): readonly (readonly number[])[] {
  let at = rule.distinguisher ? 8 : 0;
  return rule.components.map((c) => {
    const start = at + 1;
    at = start;
    if (isPrefixComponent(c)) at += (rule.address === 4 ? 1 : 2) + Math.ceil((c.prefix.length - c.offset) / 8);
    else {
      for (let more = true; more; ) {
        const op = rule.octets[at] ?? 0;
        more = op < 0x80;
        at += 1 + 2 ** ((op & 0x30) >> 4);
      }
    }
    return [...rule.octets.slice(start, at)];
  });
}

/** As `memcmp`. */
function compareOctets(a: readonly number[], b: readonly number[]): number {
  for (const [i, x] of a.entries()) {
    const y = b[i] ?? 0;
    if (x !== y) return x - y;
  }
  return 0;
}

/**
 * The order of two rules step by step as the pseudo code of RFC 8955 section 5.1 and RFC 8956 section 4 goes: -1 when `a` has precedence, 1 when `b` has, 0 when neither has. Slow, and written
 * apart from the one that is in use.
 */
export function rfcOrder(a: FlowRule, b: FlowRule): number {
  const [va, vb] = [values(a), values(b)];
  for (let i = 0; i < Math.max(a.components.length, b.components.length); i++) {
    const [ca, cb]: [FlowComponent | undefined, FlowComponent | undefined] = [a.components[i], b.components[i]];
    // A component that does not exist has lower precedence.
    if (!ca) return 1;
    if (!cb) return -1;
    const [ta, tb] = [ORDER.indexOf(ca.kind), ORDER.indexOf(cb.kind)];
    if (ta !== tb) return ta < tb ? -1 : 1;
    if (isPrefixComponent(ca) && isPrefixComponent(cb)) {
      if (ca.offset !== cb.offset) return ca.offset < cb.offset ? -1 : 1;
      if (covers(ca.prefix, cb.prefix) || covers(cb.prefix, ca.prefix)) {
        if (ca.prefix.length !== cb.prefix.length) return ca.prefix.length > cb.prefix.length ? -1 : 1;
        continue;
      }
      return compareIp(ca.prefix, cb.prefix) < 0 ? -1 : 1;
    }
    const [xa, xb] = [va[i] ?? [], vb[i] ?? []];
    const common = Math.min(xa.length, xb.length);
    const difference = compareOctets(xa.slice(0, common), xb.slice(0, common));
    if (difference !== 0) return difference < 0 ? -1 : 1;
    if (xa.length !== xb.length) return xa.length > xb.length ? -1 : 1;
  }
  return 0;
}

const ORDER: readonly FlowComponent['kind'][] = [
  'destination',
  'source',
  'protocol',
  'port',
  'destination-port',
  'source-port',
  'icmp-type',
  'icmp-code',
  'tcp-flags',
  'packet-length',
  'dscp',
  'fragment',
  'flow-label',
];
