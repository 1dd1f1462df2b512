import { type Expression, NftClient, NftTransaction } from '@weir/netlink/nftables';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, Lab } from '../lab/index.ts';

/**
 * nft is the oracle: it installs each statement; what is read back must have the expected steps, and a rule written in its place from the
 * decoded form must make nft list the same rule, down to the registers (`--debug=netlink`).
 */
interface Row {
  readonly in: keyof typeof HOOKS;
  readonly family?: 'ip' | 'ip6' | 'inet' | 'netdev' | 'bridge' | 'arp';
  readonly statement: string;
  /** Kinds of the expressions, in order. */
  readonly want: string;
}

const HOOKS = {
  prerouting: 'type filter hook prerouting priority -300;',
  forward: 'type filter hook forward priority 0;',
  output: 'type filter hook output priority 0;',
  snat: 'type nat hook postrouting priority 100;',
  dnat: 'type nat hook prerouting priority -100;',
  ingress: 'type filter hook ingress device lo priority 0;',
};

const rows: readonly Row[] = [
  { in: 'forward', statement: 'iifname "eth0" oifname "wg*" accept', want: 'meta cmp meta cmp immediate' },
  { in: 'forward', statement: 'iif "lo" meta mark set 0x2a', want: 'meta cmp immediate meta' },
  { in: 'forward', statement: 'meta cpu 0 meta pkttype unicast meta skuid 0 accept', want: 'meta cmp meta cmp meta cmp immediate' },
  { in: 'forward', statement: 'meta random <= 1073741824 drop', want: 'meta cmp immediate' },
  { in: 'forward', statement: 'meta hour "10:00"-"12:00" accept', want: 'meta byteorder cmp cmp immediate' },
  { in: 'forward', statement: 'meta time >= "2030-01-01 00:00:00" accept', want: 'meta byteorder cmp immediate' },
  { in: 'forward', statement: 'ip saddr 192.0.2.0/24 tcp dport 80 accept', want: 'meta cmp payload cmp meta cmp payload cmp immediate' },
  { in: 'forward', statement: 'ip saddr 192.0.2.0/25 drop', want: 'meta cmp payload bitwise cmp immediate' },
  { in: 'forward', statement: 'ip daddr @s4 drop', want: 'meta cmp payload lookup immediate' },
  { in: 'forward', statement: 'ip daddr != @s4 drop', want: 'meta cmp payload lookup immediate' },
  { in: 'forward', statement: 'ip daddr . tcp dport @svc accept', want: 'meta cmp meta cmp payload payload lookup immediate' },
  { in: 'forward', statement: 'tcp dport vmap @vm', want: 'meta cmp payload lookup' },
  { in: 'forward', statement: 'tcp dport 1000-2000 accept', want: 'meta cmp payload cmp cmp immediate' },
  { in: 'forward', statement: 'tcp dport != 1000-2000 accept', want: 'meta cmp payload range immediate' },
  { in: 'forward', statement: 'tcp dport >= 1024 counter packets 3 bytes 4 accept', want: 'meta cmp payload cmp counter immediate' },
  { in: 'forward', statement: 'ip dscp set cs1', want: 'meta cmp payload bitwise payload' },
  { in: 'forward', statement: 'ip ttl set 5', want: 'meta cmp payload bitwise payload' },
  { in: 'forward', statement: 'udp checksum set 0', want: 'meta cmp immediate payload' },
  { in: 'forward', statement: 'ip6 saddr 2001:db8::/32 accept', want: 'meta cmp payload cmp immediate' },
  { in: 'forward', statement: '@th,64,8 1 drop', want: 'payload cmp immediate' },
  { in: 'forward', statement: '@nh,0,4 4 accept', want: 'payload bitwise cmp immediate' },
  { in: 'forward', statement: 'tcp flags & (syn|ack) == syn drop', want: 'meta cmp payload bitwise cmp immediate' },
  { in: 'forward', statement: 'meta mark set meta mark << 8', want: 'meta bitwise meta' },
  { in: 'forward', statement: 'meta mark set meta mark >> 3', want: 'meta bitwise meta' },
  { in: 'forward', statement: 'ct state established,related accept', want: 'ct bitwise cmp immediate' },
  { in: 'forward', statement: 'ct mark set meta mark', want: 'meta ct' },
  { in: 'forward', statement: 'ct mark set meta mark and 0xff or 0x100', want: 'meta bitwise ct' },
  { in: 'forward', family: 'ip', statement: 'ct original ip saddr 192.0.2.1 accept', want: 'ct cmp immediate' },
  { in: 'forward', statement: 'ct zone 3 ct direction reply ct status assured accept', want: 'ct cmp ct cmp ct bitwise cmp immediate' },
  { in: 'forward', statement: 'ct bytes > 1000 ct expiration > 10s accept', want: 'ct byteorder cmp ct byteorder cmp immediate' },
  { in: 'forward', statement: 'ct count over 4 drop', want: 'connlimit immediate' },
  { in: 'prerouting', statement: 'notrack', want: 'notrack' },
  { in: 'forward', statement: 'jump other', want: 'immediate' },
  { in: 'forward', statement: 'goto other', want: 'immediate' },
  { in: 'forward', statement: 'return', want: 'immediate' },
  { in: 'forward', statement: 'continue', want: 'immediate' },
  { in: 'forward', statement: 'limit rate 10/second burst 7 packets accept', want: 'limit immediate' },
  { in: 'forward', statement: 'limit rate over 5 mbytes/minute burst 9 kbytes drop', want: 'limit immediate' },
  { in: 'forward', statement: 'limit rate 3/week accept', want: 'limit immediate' },
  { in: 'forward', statement: 'log prefix "x: " level info flags all', want: 'log' },
  { in: 'forward', statement: 'log prefix "y" group 2 snaplen 64 queue-threshold 3', want: 'log' },
  { in: 'forward', family: 'ip', statement: 'reject', want: 'reject' },
  { in: 'forward', family: 'ip', statement: 'reject with icmp host-prohibited', want: 'reject' },
  { in: 'forward', family: 'ip6', statement: 'reject with icmpv6 admin-prohibited', want: 'reject' },
  { in: 'forward', statement: 'reject with icmpx admin-prohibited', want: 'reject' },
  { in: 'forward', statement: 'tcp dport 25 reject with tcp reset', want: 'meta cmp payload cmp reject' },
  { in: 'prerouting', statement: 'fib saddr . iif oif missing drop', want: 'fib cmp immediate' },
  { in: 'prerouting', statement: 'fib daddr type local accept', want: 'fib cmp immediate' },
  { in: 'forward', statement: 'exthdr frag exists drop', want: 'meta cmp exthdr cmp immediate' },
  { in: 'forward', statement: 'tcp option maxseg size set rt mtu', want: 'rt byteorder exthdr' },
  { in: 'forward', statement: 'tcp option maxseg size 1-500 drop', want: 'exthdr cmp cmp immediate' },
  { in: 'forward', family: 'ip', statement: 'ip option rr exists drop', want: 'exthdr cmp immediate' },
  { in: 'forward', statement: 'add @dyn { ip saddr limit rate 10/second }', want: 'meta cmp payload dynset' },
  { in: 'forward', statement: 'add @counts { ip saddr ct count over 5 }', want: 'meta cmp payload dynset' },
  { in: 'forward', statement: 'update @dyn { ip saddr timeout 1m counter limit rate 10/second }', want: 'meta cmp payload dynset' },
  { in: 'forward', statement: 'delete @dyn { ip saddr }', want: 'meta cmp payload dynset' },
  { in: 'forward', statement: 'quota over 10 mbytes drop', want: 'quota immediate' },
  { in: 'forward', statement: 'quota 25 mbytes used 5 mbytes accept', want: 'quota immediate' },
  { in: 'forward', statement: 'meta mark set numgen inc mod 4 offset 3', want: 'numgen meta' },
  {
    in: 'snat',
    family: 'ip',
    statement: 'ip protocol tcp snat to 192.0.2.1-192.0.2.5:1000-2000',
    want: 'payload cmp immediate immediate immediate immediate nat',
  },
  { in: 'snat', family: 'ip', statement: 'ip protocol tcp masquerade to :1024-2048 random', want: 'payload cmp immediate immediate masq' },
  { in: 'dnat', family: 'ip', statement: 'ip protocol tcp dnat to 192.0.2.1:80 persistent', want: 'payload cmp immediate immediate nat' },
  { in: 'dnat', statement: 'tcp dport 80 dnat ip6 to [2001:db8::1]:80', want: 'meta cmp payload cmp immediate immediate nat' },
  { in: 'dnat', family: 'ip', statement: 'ip protocol tcp redirect to :8080', want: 'payload cmp immediate redir' },
  { in: 'forward', statement: 'counter name "c1"', want: 'objref' },
  { in: 'prerouting', statement: 'socket transparent 1 mark set 1', want: 'socket cmp immediate meta' },
  { in: 'forward', statement: 'rt classid 1 accept', want: 'rt cmp immediate' },
  { in: 'forward', family: 'ip', statement: 'rt nexthop 192.0.2.1 accept', want: 'rt cmp immediate' },
  { in: 'forward', statement: 'ether saddr 02:00:00:00:00:01 accept', want: 'meta cmp payload cmp immediate' },
  { in: 'forward', family: 'bridge', statement: 'ether type ip accept', want: 'payload cmp immediate' },
  { in: 'output', family: 'arp', statement: 'arp operation request accept', want: 'payload cmp immediate' },
  { in: 'ingress', family: 'netdev', statement: 'ip protocol icmp drop', want: 'meta cmp payload cmp immediate' },
  // Kinds without a codec of their own are kept as they are.
  { in: 'forward', statement: 'meta mark set jhash ip saddr mod 2', want: 'meta cmp payload unknown meta' },
  { in: 'forward', statement: 'tcp dport 80 synproxy mss 1460 wscale 7 timestamp sack-perm', want: 'meta cmp payload cmp unknown' },
];

let lab: Lab;
let host: Host;
let client: NftClient;

beforeAll(async () => {
  lab = new Lab();
  host = await lab.host('nft');
  client = new NftClient({ netns: host.path });
});

afterAll(async () => {
  client?.close();
  await lab?.dispose();
});

async function listed(family: string): Promise<string> {
  const { stdout } = await host.exec('nft', ['--debug=netlink', '--handle', 'list', 'chain', family, 't', 'c']);
  // The new rule has a new handle.
  return stdout.replaceAll(/# handle \d+/g, '').replaceAll(/^(\S+ t c) \d+/gm, '$1');
}

function steps(expressions: readonly Expression[]): string {
  return expressions.map((expression) => expression.kind).join(' ');
}

describe('expressions, with nft as the oracle', () => {
  it.each(rows)('$statement', async ({ in: hook, family = 'inet', statement, want }) => {
    const sets = `
      counter c1 { }
      set s4 { type ipv4_addr; }
      set svc { type ipv4_addr . inet_service; flags interval; }
      set dyn { type ipv4_addr; flags dynamic,timeout; size 100; }
      set counts { type ipv4_addr; flags dynamic; size 100; }
      map vm { type inet_service : verdict; }
      chain other { }`;
    await host.nft(`flush ruleset
table ${family} t {${family === 'arp' || family === 'bridge' ? '' : sets}
  chain c {
    ${HOOKS[hook]}
    ${statement}
  }
}`);
    const [rule, more] = client.rules({ family, table: 't', chain: 'c' });
    expect(more).toBeUndefined();
    expect(steps(rule!.expressions)).toBe(want);

    const before = await listed(family);
    client.commitOrThrow(new NftTransaction().addRule(rule!).deleteRule({ ...rule!, handle: rule!.handle! }));
    const [again] = client.rules({ family, table: 't', chain: 'c' });
    expect(again!.handle).not.toBe(rule!.handle);
    expect(again!.expressions).toEqual(rule!.expressions);
    expect(await listed(family)).toBe(before);
  });
});
