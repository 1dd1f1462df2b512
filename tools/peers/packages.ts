/** A Debian package with the program by which its presence is told, and what the tests use it for. */
export interface PeerPackage {
  readonly name: string;
  readonly program: string;
  readonly role: string;
}

/** The real peers and the oracles of the tests. Weir itself needs none of them. */
export const peerPackages: readonly PeerPackage[] = [
  { name: 'frr', program: '/usr/lib/frr/bgpd', role: 'BGP peer' },
  { name: 'gobgpd', program: '/usr/bin/gobgpd', role: 'BGP peer' },
  { name: 'bird2', program: '/usr/sbin/bird', role: 'BGP peer' },
  { name: 'exabgp', program: '/usr/sbin/exabgp', role: 'BGP peer' },
  { name: 'openbgpd', program: '/usr/sbin/bgpctl', role: 'BGP peer' },
  { name: 'nftables', program: '/usr/sbin/nft', role: 'oracle for rulesets' },
  { name: 'iptables', program: '/usr/sbin/iptables-restore', role: 'oracle for foreign tables' },
  { name: 'ipset', program: '/usr/sbin/ipset', role: 'beside sets in benches' },
  { name: 'xdp-tools', program: '/usr/sbin/xdp-filter', role: 'beside XDP in benches' },
  { name: 'bpftool', program: '/usr/sbin/bpftool', role: 'oracle for programs and maps' },
  { name: 'gcc-bpf', program: '/usr/bin/bpf-gcc', role: 'C programs of users' },
  { name: 'sip-tester', program: '/usr/bin/sipp', role: 'real SIP calls' },
  { name: 'iproute2', program: '/usr/sbin/ip', role: 'namespaces and links' },
  { name: 'wireguard-go', program: '/usr/bin/wireguard-go', role: 'tunnels' },
  { name: 'wireguard-tools', program: '/usr/bin/wg', role: 'tunnels' },
  { name: 'conntrack', program: '/usr/sbin/conntrack', role: 'oracle for connection tracking' },
  { name: 'tcpdump', program: '/usr/bin/tcpdump', role: 'captures' },
  { name: 'ncat', program: '/usr/bin/ncat', role: 'connections' },
  { name: 'ethtool', program: '/usr/sbin/ethtool', role: 'offloads of links' },
  { name: 'prometheus', program: '/usr/bin/promtool', role: 'oracle for metrics' },
  { name: 'zsh', program: '/usr/bin/zsh', role: 'completion scripts' },
  { name: 'fish', program: '/usr/bin/fish', role: 'completion scripts' },
  { name: 'man-db', program: '/usr/bin/man', role: 'manual pages' },
  { name: 'groff-base', program: '/usr/bin/groff', role: 'manual pages' },
  { name: 'procps', program: '/usr/bin/ps', role: 'processes' },
];
