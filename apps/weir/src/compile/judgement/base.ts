import type { Hook } from '@weir/filter/scheme';
import { printPrefix } from '@weir/wire/inet';
import type { BgpConfig } from '../../model/config.ts';
import type { BaseRules } from '../../model/firewall.ts';
import { all, isHost, NOT_FIRST, onPorts } from './write.ts';

/** A rule before its expression is read: what it is called, what it says. */
export interface Draft {
  readonly name: string;
  readonly text: string;
}

const BGP = 179;
const port = (number: number): { readonly from: number; readonly to: number } => ({ from: number, to: number });

/**
 * What is let through before anything is judged at a hook that decides about this host: what it needs to stay on its links and to speak with its BGP
 * peers (DESIGN: the order of judgement).
 */
export function protectedDrafts(hook: Hook, base: BaseRules, bgp: BgpConfig): Draft[] {
  switch (hook) {
    case 'forward':
      return [];
    case 'output':
      return wayDrafts('out', base, bgp);
    case 'xdp':
      return [NOT_IP, ...wayDrafts('in', base, bgp)];
    case 'tc':
      return [NOT_IP, ...bothWaysDrafts(base, bgp)];
    case 'connect':
      return connectDrafts(base, bgp);
    // Prerouting sees what is for this host as well.
    case 'prerouting':
    case 'input':
      return wayDrafts('in', base, bgp);
  }
}

/** What has no addresses of IP (ARP, LLDP, frames of other protocols) is no rule's business: no field is about it. */
const NOT_IP: Draft = { name: 'base not ip', text: 'not (ip.src in {0.0.0.0/0 ::/0})' };

/** At tc frames come in and go out: what holds for one way is said of that way. */
function bothWaysDrafts(base: BaseRules, bgp: BgpConfig): Draft[] {
  const both = (['in', 'out'] as const).flatMap((way) => {
    const field = way === 'in' ? 'iif.name' : 'oif.name';
    return wayDrafts(way, base, bgp).map((draft) =>
      isOfWay(draft) ? { ...draft, text: all(`${field} wildcard "*"`, draft.text) } : draft,
    );
  });
  return both.filter((draft, i) => both.findIndex((other) => other.text === draft.text) === i);
}

/** Whether a draft tells this host from others, and so the ways apart. */
function isOfWay({ text }: Draft): boolean {
  return /\b(?:src|dst|srcport|dstport)\b/.test(text);
}

/** What a process of this host may always ask for: itself, its DHCP servers, the BGP peers. */
function connectDrafts(base: BaseRules, bgp: BgpConfig): Draft[] {
  const drafts: Draft[] = [];
  if (base.loopback) drafts.push({ name: 'base loopback', text: 'ip.dst in {127.0.0.0/8 ::1}' });
  if (base.dhcpClient) {
    drafts.push({ name: 'base dhcp client', text: onPorts('udp', 'dst', [port(67)]) });
    drafts.push({ name: 'base dhcp client', text: all('ip.dst in {ff02::/16 fe80::/10}', onPorts('udp', 'dst', [port(547)])) });
  }
  if (base.bgpPeers)
    for (const peer of bgp.peers)
      drafts.push({ name: `base bgp ${peer.name}`, text: all(isHost('dst', peer.address), onPorts('tcp', 'dst', [port(peer.port)])) });
  return drafts;
}

function wayDrafts(way: 'in' | 'out', base: BaseRules, bgp: BgpConfig): Draft[] {
  const drafts: Draft[] = [];
  const [interfaceField, theirs, ours] = way === 'in' ? (['iif', 'src', 'dst'] as const) : (['oif', 'dst', 'src'] as const);
  if (base.loopback) drafts.push({ name: 'base loopback', text: `${interfaceField}.name == "lo"` });
  // RFC 4861 section 6.1: what was routed has lost a hop and is not from this link.
  if (base.neighbourDiscovery) drafts.push({ name: 'base neighbour discovery', text: 'ip.ttl == 255 and icmpv6.type in {133..136}' });
  // RFC 2710 section 3, RFC 3810 section 5.
  if (base.multicastListener) drafts.push({ name: 'base multicast listener', text: 'ip.ttl == 1 and icmpv6.type in {130..132 143}' });
  if (base.dhcpClient) {
    drafts.push({ name: 'base dhcp client', text: all(onPorts('udp', theirs, [port(67)]), onPorts('udp', ours, [port(68)])) });
    const link = `ip.${theirs} in {${way === 'in' ? 'fe80::/10' : 'ff02::/16 fe80::/10'}}`;
    drafts.push({ name: 'base dhcp client', text: all(link, onPorts('udp', theirs, [port(547)]), onPorts('udp', ours, [port(546)])) });
  }
  if (base.bgpPeers) {
    const listening = [...new Set(bgp.listen.map((listen) => listen.port))].sort((a, b) => a - b);
    const local = (listening.length > 0 ? listening : [BGP]).map(port);
    for (const peer of bgp.peers) {
      const name = `base bgp ${peer.name}`;
      const them = isHost(theirs, peer.address);
      // Any port may be at the other end of a session; a new connection is let through only to the ports of BGP.
      const [toUs, toThem] = [onPorts('tcp', ours, local), onPorts('tcp', theirs, [port(peer.port)])];
      drafts.push({ name, text: all(them, toUs, ...(way === 'out' ? [NOT_FIRST] : [])) });
      drafts.push({ name, text: all(them, toThem, ...(way === 'in' ? [NOT_FIRST] : [])) });
    }
    // Clients connect, and are never connected to.
    for (const { name, range } of bgp.clients ?? [])
      drafts.push({
        name: `base bgp ${name}`,
        text: all(`ip.${theirs} in {${printPrefix(range)}}`, onPorts('tcp', ours, local), ...(way === 'out' ? [NOT_FIRST] : [])),
      });
  }
  return drafts;
}

/** Errors without which path MTU discovery fails (RFC 4890 section 4.3.1); they are related to a connection only where that is tracked. */
export function pathMtuDrafts(base: BaseRules): Draft[] {
  if (!base.pathMtu) return [];
  return [
    { name: 'base path mtu', text: 'icmp.type == 3 and icmp.code == 4' },
    { name: 'base path mtu', text: 'icmp.type in {11 12}' },
    { name: 'base path mtu', text: 'icmpv6.type in {2..4}' },
  ];
}
