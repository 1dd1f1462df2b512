import { type Ip, printIp } from '@weir/wire/inet';
import type { BgpConfig } from '../../model/config.ts';
import type { BaseRules } from '../../model/firewall.ts';
import type { Match, RuleImage } from './image.ts';

const accept = { kind: 'accept' } as const;
const BGP = 179;
const ND_TYPES = [133, 134, 135, 136] as const;
const MLD_TYPES = [130, 131, 132, 143] as const;

/**
 * The traffic that is let through before anything is judged, for chains that decide about this host: what it needs to stay on its links and to hear
 * its BGP peers.
 */
export function protectedRules(base: BaseRules, bgp: BgpConfig): RuleImage[] {
  const rules: RuleImage[] = [];
  if (base.loopback) rules.push({ name: 'base loopback', matches: [{ kind: 'interface', direction: 'in', name: 'lo' }], verdict: accept });
  if (base.neighbourDiscovery) {
    // RFC 4861 section 6.1: what was routed has lost a hop and is not from this link.
    const matches: Match[] = [
      { kind: 'hop-limit', value: 255 },
      { kind: 'icmp', family: 6, types: ND_TYPES },
    ];
    rules.push({ name: 'base neighbour discovery', matches, verdict: accept });
  }
  if (base.multicastListener) {
    // RFC 2710 section 3, RFC 3810 section 5.
    const matches: Match[] = [
      { kind: 'hop-limit', value: 1 },
      { kind: 'icmp', family: 6, types: MLD_TYPES },
    ];
    rules.push({ name: 'base multicast listener', matches, verdict: accept });
  }
  if (base.dhcpClient) {
    const ports = (source: number, destination: number): Match[] => [
      { kind: 'port', protocol: 'udp', side: 'source', ranges: [{ from: source, to: source }] },
      { kind: 'port', protocol: 'udp', side: 'destination', ranges: [{ from: destination, to: destination }] },
    ];
    rules.push({ name: 'base dhcp client', matches: ports(67, 68), verdict: accept });
    const linkLocal: Match = { kind: 'address', family: 6, side: 'source', prefix: 'fe80::/10' };
    rules.push({ name: 'base dhcp client', matches: [linkLocal, ...ports(547, 546)], verdict: accept });
  }
  if (base.bgpPeers) rules.push(...bgpRules(bgp));
  return rules;
}

/** Errors without which path MTU discovery fails (RFC 4890 section 4.3.1); they are related to a connection only where that is tracked. */
export function pathMtuRules(base: BaseRules): RuleImage[] {
  if (!base.pathMtu) return [];
  return [
    { name: 'base path mtu', matches: [{ kind: 'icmp', family: 4, types: [3], code: 4 }], verdict: accept },
    { name: 'base path mtu', matches: [{ kind: 'icmp', family: 4, types: [11, 12] }], verdict: accept },
    { name: 'base path mtu', matches: [{ kind: 'icmp', family: 6, types: [2, 3, 4] }], verdict: accept },
  ];
}

/** Sessions that the peer opens, and the answers to those that this host opens: only what is not a new connection, for any port may be at the other end. */
function bgpRules(bgp: BgpConfig): RuleImage[] {
  const listening = [...new Set(bgp.listen.map((l) => l.port))].sort((a, b) => a - b);
  const local = (listening.length > 0 ? listening : [BGP]).map((port) => ({ from: port, to: port }));
  return bgp.peers.flatMap((peer): RuleImage[] => {
    const from: Match = { kind: 'address', family: peer.address.family, side: 'source', prefix: hostText(peer.address) };
    const theirs: Match = { kind: 'port', protocol: 'tcp', side: 'destination', ranges: local };
    const ours: Match = { kind: 'port', protocol: 'tcp', side: 'source', ranges: [{ from: peer.port, to: peer.port }] };
    return [
      { name: `base bgp ${peer.name}`, matches: [from, theirs], verdict: accept },
      { name: `base bgp ${peer.name}`, matches: [from, ours, { kind: 'tcp-not-first' }], verdict: accept },
    ];
  });
}

function hostText(ip: Ip): string {
  return `${printIp(ip)}/${ip.family === 4 ? 32 : 128}`;
}
