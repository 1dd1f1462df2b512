/** The addresses of the shipped examples (examples/frr, gobgp, nftables, weir), which the topology makes real. */
export const addresses = {
  internet: { v4: '198.51.100.2', v6: '2001:db8:f::2' },
  /** The core's side of eth0. */
  border: { v4: '198.51.100.1', v6: '2001:db8:f::1' },
  /** Ends of the link that carries WireGuard's datagrams. */
  underlay: { core: '192.0.2.129', edge: '192.0.2.130' },
  wg: { core: { v4: '192.0.2.9', v6: '2001:db8:ff::1' }, edge: { v4: '192.0.2.10', v6: '2001:db8:ff::2' } },
  edge: { v4: '198.51.100.129', v6: '2001:db8:e::1' },
  cluster: { v4: '198.51.100.130', v6: '2001:db8:e::2' },
  services: { v4: '203.0.113.0/24', v6: '2001:db8:80::/48' },
  service: { v4: '203.0.113.80', v6: '2001:db8:80::80' },
  /** Never announced. */
  other: { v4: '203.0.113.81', v6: '2001:db8:80::81' },
} as const;

export const community = '64512:80';
