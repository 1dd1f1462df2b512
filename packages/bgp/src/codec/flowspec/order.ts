import { COMPONENT_TYPES, isPrefixComponent, type PrefixComponent } from './component.ts';
import { prefixWords } from './prefixes.ts';
import { type FlowRule, flowForm } from './rule.ts';

/** Higher than every type: the rule that has a component where the other has none is judged first. */
const NO_COMPONENT = 0xff;

/** Octets of an operator and its value; the list ends with the operator whose first bit is set. */
function listEnd(octets: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const op = octets[at] as number;
    at += 1 + (1 << ((op >> 4) & 3));
    if ((op & 0x80) !== 0) return at;
  }
}

/**
 * A prefix so that the order of octets is the one asked for: a lower offset first; of two that overlap the longer one; of two that do not the lower address. Prefixes
 * are nested or disjoint, so "by the last address, then the longer one" is the same.
 */
function prefixOrder({ prefix, offset }: PrefixComponent, out: number[]): void {
  out.push(offset);
  prefixWords(prefix).forEach((word, i) => {
    const bits = prefix.length - 32 * i;
    const last = (word | (bits >= 32 ? 0 : bits <= 0 ? 0xffffffff : 0xffffffff >>> bits)) >>> 0;
    out.push(last >>> 24, (last >>> 16) & 0xff, (last >>> 8) & 0xff, last & 0xff);
  });
  out.push(0xff - prefix.length);
}

/**
 * A text whose order by `<` is the order in which rules are judged (RFC 8955 section 5.1, RFC 8956 section 4): component by component, the one of lower type first, a missing one
 * last; prefixes as above, all others by their octets. An operator list says itself where it ends, so none is the beginning of another one and comparing
 * octets is enough. Rules that the RFC takes for equal (they differ in padding, or in their route distinguisher) follow the order of their NLRI, so that two
 * rules have one key only if they are the same. IPv4 comes before IPv6: no packet meets both.
 */
export function flowOrderKey(rule: FlowRule): string {
  const { address, vpn } = flowForm(rule.family);
  const { octets } = rule;
  const out: number[] = [address];
  let at = vpn ? 8 : 0;
  for (const c of rule.components) {
    out.push(COMPONENT_TYPES[c.kind]);
    at++;
    if (isPrefixComponent(c)) {
      prefixOrder(c, out);
      at += (address === 4 ? 1 : 2) + ((c.prefix.length - c.offset + 7) >> 3);
    } else {
      const end = listEnd(octets, at);
      for (; at < end; at++) out.push(octets[at] as number);
    }
  }
  out.push(NO_COMPONENT);
  for (const octet of octets) out.push(octet);
  return String.fromCharCode(vpn ? 1 : 0, ...out);
}

/** Below 0 when `a` is judged before `b`, 0 only for the same rule. To sort many, compare `flowOrderKey` made once for each. */
export function compareFlowRules(a: FlowRule, b: FlowRule): number {
  if (a.key === b.key) return 0;
  return flowOrderKey(a) < flowOrderKey(b) ? -1 : 1;
}
