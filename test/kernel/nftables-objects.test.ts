import {
  type Chain,
  defineSet,
  describeSet,
  NftClient,
  type NftSet,
  NftTransaction,
  type Rule,
  type SetElement,
} from '@weir/netlink/nftables';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';

let lab: Lab;
let host: Host;
let other: Host;
let client: NftClient;
let copy: NftClient;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('one');
  other = await lab.host('two');
  client = new NftClient({ netns: host.path });
  copy = new NftClient({ netns: other.path });
});

afterAll(async () => {
  client?.close();
  copy?.close();
  await lab?.dispose();
});

/** Everything that one namespace has, written into another from its decoded form. */
function copyRuleset(from: NftClient, to: NftClient): void {
  const tx = new NftTransaction();
  for (const table of from.tables()) tx.addTable(table);
  for (const chain of from.chains()) tx.addChain(chain);
  let id = 0;
  for (const set of from.sets()) {
    // An anonymous set belongs to the rule of the same transaction that names its number.
    tx.addSet({ ...set, id: ++id });
    tx.addElements({ ...set, id }, from.elements(set));
  }
  const ids = new Map(from.sets().map((set, i) => [`${set.family} ${set.table} ${set.name}`, i + 1]));
  for (const rule of from.rules()) {
    const { position: _, ...free } = rule;
    const expressions = free.expressions.map((e) => {
      const setId = e.kind === 'lookup' ? ids.get(`${rule.family} ${rule.table} ${e.set}`) : undefined;
      return e.kind === 'lookup' && setId !== undefined ? { ...e, setId } : e;
    });
    tx.addRule({ ...free, expressions });
  }
  to.commitOrThrow(tx);
}

/** What nft prints, without handles; sets in the order of their names. */
async function ruleset(of: Host): Promise<string> {
  return await of.nftList('ruleset');
}

describe('objects: what nft installed, copied through the decoded form, lists the same', () => {
  const rows: { name: string; script: string }[] = [
    {
      name: 'tables: families, flags, comments',
      script: `table ip a { comment "first"; }
table ip6 b { flags dormant; }
table inet c { }
table arp d { }
table bridge e { }
table netdev f { }`,
    },
    {
      name: 'chains: hooks, priorities, policies, devices, comments',
      script: `table inet t {
  chain pre { type filter hook prerouting priority -450; policy accept; comment "early"; }
  chain through { type filter hook forward priority 10; policy drop; }
  chain out { type route hook output priority mangle; }
  chain nat { type nat hook postrouting priority srcnat; }
  chain plain { comment "no hook"; }
  chain begin { type filter hook ingress device lo priority 0; }
}
table netdev n {
  chain i { type filter hook ingress devices = { lo } priority -500; policy accept; }
  chain e { type filter hook egress device lo priority 5; }
}
table bridge b {
  chain f { type filter hook forward priority 0; }
}
table arp a {
  chain i { type filter hook input priority 0; policy drop; }
}`,
    },
    {
      name: 'sets: hash, interval, concatenated, timeouts, sizes, policies, counters, comments',
      script: `table inet t {
  set a { type ipv4_addr; comment "hosts"; size 100; elements = { 192.0.2.1 comment "one", 192.0.2.2 } }
  set b { type ipv6_addr; flags interval; auto-merge; elements = { 2001:db8::/32, 2001:db9::1-2001:db9::5 } }
  set c { type ipv4_addr . inet_service; flags interval; elements = { 192.0.2.0/24 . 80-90, 198.51.100.1 . 443 } }
  set d { type ipv4_addr; flags timeout; timeout 1h; gc-interval 10s; }
  set e { type ipv4_addr; flags dynamic,timeout; size 10; timeout 30s; }
  set f { type inet_service; policy memory; elements = { 22, 80 } }
  set g { typeof ip saddr . tcp dport; elements = { 192.0.2.1 . 22 } }
  set h { type ipv4_addr; counter; elements = { 192.0.2.9 counter packets 4 bytes 5 } }
  set i { type ipv4_addr; flags interval; elements = { 0.0.0.0/8, 224.0.0.0/3 } }
  set j { type ether_addr; elements = { 02:00:00:00:00:01 } }
  set k { type ifname; elements = { "eth0", "eth1" } }
  set l { type mark; elements = { 0x1, 0xff } }
  set m { type ipv4_addr; flags constant; elements = { 192.0.2.7 } }
}`,
    },
    {
      name: 'maps and verdict maps',
      script: `table inet t {
  chain x { }
  map a { type inet_service : ipv4_addr; elements = { 80 : 192.0.2.1, 443 : 192.0.2.2 } }
  map b { type ipv4_addr : verdict; elements = { 192.0.2.1 : accept, 192.0.2.2 : drop, 192.0.2.3 : jump x, 192.0.2.4 : goto x } }
  map c { type ipv4_addr : verdict; flags interval; elements = { 192.0.2.0/24 : accept } }
  map d { type ipv4_addr . inet_service : mark; elements = { 192.0.2.1 . 80 : 0x5 } }
}`,
    },
    {
      name: 'rules: comments, anonymous sets and maps, order',
      script: `table inet t {
  chain other { }
  chain c {
    type filter hook input priority 0;
    tcp dport { 22, 80, 443 } accept comment "services"
    ip saddr { 192.0.2.0/24, 198.51.100.7 } drop
    tcp dport vmap { 25 : drop, 26 : jump other }
    ip saddr . tcp dport { 192.0.2.1 . 80, 192.0.2.2 . 81-90 } accept
    counter packets 3 bytes 9 comment "last"
  }
}`,
    },
  ];
  it.each(rows)('$name', async ({ script }) => {
    await host.nft(`flush ruleset\n${script}`);
    await other.nft('flush ruleset');
    const before = await ruleset(host);
    copyRuleset(client, copy);
    expect(await ruleset(other)).toBe(before);
    expect(await ruleset(host)).toBe(before);
    const plain = (list: readonly (Chain | NftSet | Rule)[]) => list.map(({ handle: _, ...rest }) => ({ ...rest, position: 0n }));
    expect(plain(copy.chains())).toEqual(plain(client.chains()));
    expect(plain(copy.sets())).toEqual(plain(client.sets()));
  });

  it('elements with a catch-all and timeouts keep them', async () => {
    await host.nft(`flush ruleset
table inet t {
  map v { type inet_service : verdict; elements = { 80 : accept, * : drop } }
  set d { type ipv4_addr; flags timeout; elements = { 192.0.2.1 timeout 1h, 192.0.2.2 timeout 2h comment "two" } }
}`);
    const catchall = client.elements({ family: 'inet', table: 't', name: 'v' }).find((e) => e.catchall);
    expect(catchall).toEqual({ catchall: true, data: { kind: 'verdict', verdict: { kind: 'drop' } } });
    const timed = client.elements({ family: 'inet', table: 't', name: 'd' });
    expect(timed.map((e) => [e.key?.[3], e.timeout, e.comment]).sort()).toEqual([
      [1, 3_600_000n, undefined],
      [2, 7_200_000n, 'two'],
    ]);
  });

  it('a rule can carry a comment of 127 bytes, no more', () => {
    const tx = new NftTransaction();
    const rule: Rule = { family: 'inet', table: 't', chain: 'c', expressions: [] };
    tx.addRule({ ...rule, comment: 'x'.repeat(127) });
    expect(() => tx.addRule({ ...rule, comment: 'x'.repeat(128) })).toThrow(RangeError);
    expect(tx.count).toBe(1);
  });
});

describe('defineSet makes what nft makes', () => {
  const rows: { nft: string; set: Parameters<typeof defineSet>[0]; elements?: readonly SetElement[] }[] = [
    { nft: 'set s { type ipv4_addr; }', set: { ...at('s'), key: 'ipv4_addr' } },
    {
      nft: 'set s { type ipv6_addr; flags interval; auto-merge; }',
      set: { ...at('s'), key: 'ipv6_addr', interval: true, mergeElements: true },
    },
    { nft: 'set s { type ipv4_addr; size 65535; comment "c"; }', set: { ...at('s'), key: 'ipv4_addr', size: 65535, comment: 'c' } },
    { nft: 'set s { type ipv4_addr . inet_service; }', set: { ...at('s'), key: ['ipv4_addr', 'inet_service'] } },
    {
      nft: 'set s { type ipv4_addr . inet_service . inet_proto; flags interval; }',
      set: { ...at('s'), key: ['ipv4_addr', 'inet_service', 'inet_proto'], interval: true },
    },
    { nft: 'set s { type ipv4_addr; flags timeout; timeout 1h; }', set: { ...at('s'), key: 'ipv4_addr', timeout: 3_600_000n } },
    {
      nft: 'set s { type ipv4_addr; flags dynamic,timeout; size 10; timeout 30s; }',
      set: { ...at('s'), key: 'ipv4_addr', dynamic: true, size: 10, timeout: 30_000n },
    },
    { nft: 'set s { type mark; }', set: { ...at('s'), key: 'mark' } },
    { nft: 'set s { type ifname; }', set: { ...at('s'), key: 'ifname' } },
    { nft: 'set s { type ether_addr; }', set: { ...at('s'), key: 'ether_addr' } },
    { nft: 'set s { type ether_type; }', set: { ...at('s'), key: 'ether_type' } },
    { nft: 'set s { type inet_proto; }', set: { ...at('s'), key: 'inet_proto' } },
    { nft: 'set s { type icmp_type; }', set: { ...at('s'), key: 'icmp_type' } },
    { nft: 'set s { type icmpv6_type; }', set: { ...at('s'), key: 'icmpv6_type' } },
    { nft: 'set s { type tcp_flag; }', set: { ...at('s'), key: 'tcp_flag' } },
    { nft: 'set s { type ct_state; }', set: { ...at('s'), key: 'ct_state' } },
    { nft: 'set s { type iface_index; }', set: { ...at('s'), key: 'iface_index' } },
    { nft: 'set s { type inet_service . iface_index . ifname; }', set: { ...at('s'), key: ['inet_service', 'iface_index', 'ifname'] } },
    { nft: 'map s { type inet_service : ipv4_addr; }', set: { ...at('s'), key: 'inet_service', value: 'ipv4_addr' } },
    { nft: 'map s { type ipv4_addr : verdict; }', set: { ...at('s'), key: 'ipv4_addr', value: 'verdict' } },
    { nft: 'map s { type inet_service : mark; flags interval; }', set: { ...at('s'), key: 'inet_service', value: 'mark', interval: true } },
  ];
  it.each(rows)('$nft', async ({ nft, set }) => {
    await host.nft(`flush ruleset\ntable inet t {\n${nft}\n}`);
    await other.nft('flush ruleset');
    copy.commitOrThrow(new NftTransaction().addTable({ family: 'inet', name: 't' }).addSet(defineSet(set)));
    expect(await ruleset(other)).toBe(await ruleset(host));
    const strip = ({ handle: _, userdata: __, ...rest }: NftSet) => rest;
    const [want] = client.sets();
    const [got] = copy.sets();
    expect(strip(got!)).toEqual(strip(want!));
    expect(describeSet(got!)).toEqual(describeSet(want!));
  });
});

function at(name: string): { family: 'inet'; table: string; name: string } {
  return { family: 'inet', table: 't', name };
}

describe('tables with an owner', () => {
  it('survive the flush of another and are adopted again with PERSIST; without it they go with the socket', async () => {
    await host.nft('flush ruleset');
    const owner = new NftClient({ netns: host.path });
    const table = { family: 'inet' as const, name: 'owned', flags: { owner: true, persist: true } };
    owner.commitOrThrow(new NftTransaction().addTable(table).addTable({ family: 'inet', name: 'mortal', flags: { owner: true } }));
    expect(owner.table('inet', 'owned')).toMatchObject({ flags: { owner: true, persist: true }, ownerPortId: owner.connection.portId });
    await host.exec('nft', ['flush', 'ruleset']);
    const refused = client.commit(new NftTransaction<string>().deleteTable(table, { tag: 'mine' }));
    expect(refused).toMatchObject({ kind: 'refused', errors: [{ code: 'EPERM', tag: 'mine' }] });
    owner.close();
    expect(client.table('inet', 'mortal')).toBeUndefined();
    expect(client.table('inet', 'owned')).toMatchObject({ flags: { persist: true } });
    const next = new NftClient({ netns: host.path });
    next.commitOrThrow(new NftTransaction().addTable(table));
    expect(next.table('inet', 'owned')?.ownerPortId).toBe(next.connection.portId);
    next.commitOrThrow(new NftTransaction().deleteTable(table));
    next.close();
  });
});
