import { describe, expect, test } from 'vitest';
import { importPrograms } from '../convert.ts';
import { readSave } from './read-save.ts';

/** What one rule of INPUT becomes: its fields and action, or the reason why there is none. */
function importRule(rule: string, family: 4 | 6 = 4): unknown {
  const text = `*filter\n:INPUT ACCEPT [0:0]\n:user - [0:0]\n${rule}\n-A user -j DROP\nCOMMIT\n`;
  const { policy, entries } = importPrograms([readSave(text, 'rules', family)], ['rules']);
  const entry = entries[3];
  if (!policy) return `${entry?.column}: ${entry?.reasons.join('; ')}`;
  if (entry?.status === 'unsupported') return entry.reasons.join('; ');
  const [, ...rules] = policy.rules;
  return rules.filter((r) => r.priority === undefined).map((r) => ({ ...r.match, ...r.action }));
}

const deny = { action: 'deny' };

describe('conditions', () => {
  test.each([
    { rule: '-A INPUT -j DROP', want: [deny] },
    { rule: '-A INPUT -s 192.0.2.7/24 -j DROP', want: [{ source_cidrs: ['192.0.2.0/24'], ...deny }] },
    { rule: '-A INPUT -s 192.0.2.7/255.255.255.128 -j DROP', want: [{ source_cidrs: ['192.0.2.0/25'], ...deny }] },
    { rule: '-A INPUT ! -d 192.0.2.7 -j DROP', want: [{ expression: 'not ip.dst in {192.0.2.7}', ...deny }] },
    { rule: '-A INPUT -s 192.0.2.1,198.51.100.0/24 -j DROP', want: [{ source_cidrs: ['192.0.2.1', '198.51.100.0/24'], ...deny }] },
    { rule: '-A INPUT -i eth+ -j DROP', want: [{ in_interface: ['eth*'], ...deny }] },
    { rule: '-A INPUT ! -i lo -j DROP', want: [{ expression: 'iif.name != "lo"', ...deny }] },
    { rule: '-A INPUT ! -i wg+ -j DROP', want: [{ expression: 'not iif.name strict wildcard "wg*"', ...deny }] },
    { rule: '-A INPUT -i + -j DROP', want: [deny] },
    { rule: '-A INPUT -p tcp -m tcp --dport 80 -j DROP', want: [{ protocol: 'tcp', destination_ports: ['80'], ...deny }] },
    { rule: '-A INPUT -p tcp --dport https -j DROP', want: [{ protocol: 'tcp', destination_ports: ['443'], ...deny }] },
    { rule: '-A INPUT -p udp -m udp ! --sport 1024: -j DROP', want: [{ protocol: 'udp', source_ports: ['0-1023'], ...deny }] },
    {
      rule: '-A INPUT -p sctp -m multiport --dports 1,5:7,6:9 -j DROP',
      want: [{ protocol: 'sctp', destination_ports: ['1', '5-9'], ...deny }],
    },
    {
      rule: '-A INPUT -p tcp -m multiport --ports 80,443 -j DROP',
      want: [{ protocol: 'tcp', expression: '(tcp.srcport in {80 443} or tcp.dstport in {80 443})', ...deny }],
    },
    { rule: '-A INPUT -p gre -j DROP', want: [{ protocol: 'gre', ...deny }] },
    { rule: '-A INPUT -p icmp -j DROP', want: [{ expression: 'ip.proto == "icmp"', ...deny }] },
    { rule: '-A INPUT -p 89 -j DROP', want: [{ expression: 'ip.proto.num == 89', ...deny }] },
    { rule: '-A INPUT ! -p tcp -j DROP', want: [{ expression: 'ip.proto.num in {0..5 7..255}', ...deny }] },
    {
      rule: '-A INPUT -p icmp -m icmp --icmp-type echo-request -j DROP',
      want: [{ protocol: 'icmp', expression: 'icmp.type == 8', ...deny }],
    },
    {
      rule: '-A INPUT -p icmp -m icmp --icmp-type 3/4 -j DROP',
      want: [{ protocol: 'icmp', expression: 'icmp.type == 3 and icmp.code == 4', ...deny }],
    },
    {
      rule: '-A INPUT -p icmp -m icmp ! --icmp-type 3/4 -j DROP',
      want: [{ protocol: 'icmp', expression: 'icmp.code >= 0 and not (icmp.type == 3 and icmp.code == 4)', ...deny }],
    },
    { rule: '-A INPUT -p icmp -m icmp --icmp-type any -j DROP', want: [{ expression: 'ip.proto == "icmp"', ...deny }] },
    { rule: '-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j DROP', want: [{ state: ['established', 'related'], ...deny }] },
    { rule: '-A INPUT -m state ! --state NEW,UNTRACKED -j DROP', want: [{ state: ['established', 'related', 'invalid'], ...deny }] },
    {
      rule: '-A INPUT -m conntrack --ctstate UNTRACKED -j DROP',
      want: [{ expression: 'not (ct.new or ct.established or ct.related or ct.invalid)', ...deny }],
    },
    {
      rule: '-A INPUT -p tcp -m tcp --syn -j DROP',
      want: [{ protocol: 'tcp', expression: 'tcp.flags & 0x2 and not tcp.flags & 0x15', ...deny }],
    },
    {
      rule: '-A INPUT -p tcp -m tcp --tcp-flags ALL NONE -j DROP',
      want: [{ protocol: 'tcp', expression: 'tcp.flags >= 0 and not tcp.flags & 0x3f', ...deny }],
    },
    { rule: '-A INPUT -m mark --mark 0x10/0x30 -j DROP', want: [{ expression: 'meta.mark & 0x10 and not meta.mark & 0x20', ...deny }] },
    { rule: '-A INPUT -m mark ! --mark 7 -j DROP', want: [{ expression: 'not (meta.mark == 0x7)', ...deny }] },
    { rule: '-A INPUT -m length --length 100:200 -j DROP', want: [{ expression: 'ip.len in {100..200}', ...deny }] },
    { rule: '-A INPUT -m ttl --ttl-lt 5 -j DROP', want: [{ expression: 'ip.ttl in {0..4}', ...deny }] },
    { rule: '-A INPUT -m dscp --dscp-class EF -j DROP', want: [{ expression: 'ip.dscp == 46', ...deny }] },
    {
      rule: '-A INPUT -m iprange --src-range 192.0.2.0-192.0.2.2 -j DROP',
      want: [{ source_cidrs: ['192.0.2.0/31', '192.0.2.2'], ...deny }],
    },
    { rule: '-A INPUT -f -j DROP', want: [{ expression: 'ip.frag_offset > 0', ...deny }] },
    { rule: '-A INPUT -m set --match-set Bad-Guys src -j DROP', want: [{ expression: 'ip.src in $bad_guys', ...deny }] },
    { rule: '-A INPUT -m addrtype --dst-type MULTICAST -j DROP', want: [{ destination_cidrs: ['224.0.0.0/4'], ...deny }] },
    { rule: '-A INPUT -p tcp -s 192.0.2.0/24 -p udp -j DROP', want: [] },
    { rule: '[3:4] -A INPUT -c 5 6 -j DROP', want: [deny] },
    { rule: '-I INPUT 1 -j DROP', want: [deny] },
  ])('$rule', ({ rule, want }) => {
    expect(importRule(rule)).toEqual(want);
  });

  test.each([
    { rule: '-A INPUT -s 2001:db8::7/32 -j DROP', want: [{ source_cidrs: ['2001:db8::/32'], ...deny }] },
    {
      rule: '-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -m hl --hl-eq 255 -j DROP',
      want: [{ protocol: 'icmp', expression: 'icmpv6.type == 135 and ip.ttl == 255', ...deny }],
    },
    { rule: '-A INPUT -s 192.0.2.1 -j DROP', want: '13: 192.0.2.1 is not an IPv6 address' },
    { rule: '-A INPUT -f -j DROP', want: '10: ip6tables has no -f' },
    { rule: '-A INPUT -m frag --fragmore -j DROP', want: '-m frag: IPv6 fragment headers are not matched by their fields' },
  ])('IPv6: $rule', ({ rule, want }) => {
    expect(importRule(rule, 6)).toEqual(want);
  });
});

describe('targets', () => {
  test.each([
    { rule: '-A INPUT -j REJECT', want: [{ action: 'reject', reject_with: 'port-unreachable' }] },
    { rule: '-A INPUT -j REJECT --reject-with icmp-admin-prohibited', want: [{ action: 'reject', reject_with: 'admin-prohibited' }] },
    { rule: '-A INPUT -p tcp -j REJECT --reject-with tcp-reset', want: [{ protocol: 'tcp', action: 'reject', reject_with: 'tcp-reset' }] },
    { rule: '-A INPUT -j LOG --log-prefix "a b" --log-level 4', want: [{ action: 'log' }] },
    { rule: '-A INPUT -j NFLOG --nflog-group 5', want: [{ action: 'log' }] },
    { rule: '-A INPUT -j MARK --set-xmark 0x10/0xffffffff', want: [{ action: 'mark', mark: 16 }] },
    { rule: '-A INPUT -p udp -j user', want: [{ protocol: 'udp', ...deny }] },
    { rule: '-A INPUT -p udp -g user', want: [{ protocol: 'udp', ...deny }] },
    { rule: '-A INPUT -p udp', want: [] },
    { rule: '-A INPUT -p udp -j RETURN', want: [] },
    {
      rule: '-A INPUT -p tcp --dport 22 -m limit --limit 10/sec --limit-burst 20 -j ACCEPT\n-A INPUT -j DROP',
      want: [
        {
          protocol: 'tcp',
          destination_ports: ['22'],
          action: 'rate_limit',
          rate_limit_pps: 10,
          rate_limit_burst: 20,
          rate_limit_per: 'rule',
        },
        deny,
      ],
    },
    {
      rule: '-A INPUT -p tcp --dport 22 -m hashlimit --hashlimit-above 20/sec --hashlimit-mode srcip --hashlimit-name x -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT',
      want: [
        {
          protocol: 'tcp',
          destination_ports: ['22'],
          action: 'rate_limit',
          rate_limit_pps: 20,
          rate_limit_burst: 5,
          rate_limit_per: 'source',
        },
        { protocol: 'tcp', destination_ports: ['22'], action: 'allow' },
      ],
    },
  ])('$rule', ({ rule, want }) => {
    expect(importRule(rule)).toEqual(want);
  });
});

describe('what is not translated says why', () => {
  test.each([
    { rule: '-A INPUT -m mac --mac-source 02:00:00:00:00:01 -j DROP', want: '-m mac: a policy does not see Ethernet addresses' },
    { rule: '-A INPUT -m physdev ! --physdev-in eth0 -p tcp -j DROP', want: '-m physdev: a policy does not see ports of bridges' },
    {
      rule: '-A INPUT -m recent --update --seconds 60 --name x --rsource -j DROP',
      want: '-m recent: a policy keeps no lists of its own that packets fill; use a rate limit per source',
    },
    { rule: '-A INPUT -m nonesuch --what 1 -j DROP', want: '-m nonesuch: this match is not known' },
    {
      rule: '-A INPUT -m set --match-set x src,dst -j DROP',
      want: 'set x is asked for src and dst at once; a named set has addresses alone',
    },
    { rule: '-A INPUT -s 192.0.2.0/255.0.255.0 -j DROP', want: 'the mask 255.0.255.0 is not a prefix' },
    { rule: '-A INPUT -m conntrack --ctstate DNAT -j DROP', want: 'whether an address was translated is not seen' },
    { rule: '-A INPUT -m conntrack --ctdir ORIGINAL -p tcp -j DROP', want: 'the direction in the connection is not seen' },
    { rule: '-A INPUT -m owner --uid-owner 0 -j DROP', want: 'a policy sees the user of a socket at hook output alone, not at input' },
    { rule: '-A INPUT -j MARK --or-mark 1', want: 'a policy sets the whole mark, not some of its bits' },
    { rule: '-A INPUT -j NFQUEUE --queue-num 1 --queue-bypass', want: '-j NFQUEUE: a policy hands no packets to programs' },
    { rule: '-A INPUT -m limit --limit 1/sec -j DROP', want: 'drops only what is under a rate; a policy has no such thing' },
    { rule: '-A INPUT -m limit --limit 1/sec -j user', want: 'calls a chain at a limited rate; a policy has no such thing' },
    {
      rule: '-A INPUT -m hashlimit --hashlimit-above 9/sec --hashlimit-name x -j DROP\n-A INPUT -p udp -j ACCEPT',
      want: 'what is under the rate is judged by the rules that follow; a rate limit of a policy would allow it',
    },
  ])('$rule', ({ rule, want }) => {
    expect(importRule(rule)).toBe(want);
  });
});

describe('mistakes have a column', () => {
  test.each([
    { rule: '-A INPUT -s nowhere -j DROP', want: '13: an address is needed, not "nowhere"' },
    { rule: '-A INPUT -p tcp --dport 99999 -j DROP', want: '25: a port is a number from 0 to 65535, not "99999"' },
    { rule: '-A INPUT -p udp --dport 9:3 -j DROP', want: '25: a port: 9 is greater than 3' },
    { rule: '-A INPUT --dport 80 -j DROP', want: '10: unknown option --dport' },
    { rule: '-A INPUT -m tcp --dport 80 -j DROP', want: '17: --dport needs -p tcp' },
    { rule: '-A INPUT -j NOWHERE', want: '13: there is no chain or target NOWHERE' },
    { rule: '-A NOWHERE -j DROP', want: '4: there is no chain NOWHERE' },
    { rule: '-A INPUT -j DROP -j ACCEPT', want: '18: a rule has one target' },
    { rule: '-A INPUT -o eth0 -j DROP', want: '10: this chain has no outgoing interface' },
    { rule: '-A INPUT -j', want: '10: -j needs a value' },
    { rule: '-A INPUT !', want: '10: nothing follows !' },
    { rule: '-A INPUT -m comment --comment "open -j DROP', want: '31: the quotation mark is not closed' },
    { rule: '-A INPUT word -j DROP', want: '10: an option is needed here, not "word"' },
    { rule: '-D INPUT -j DROP', want: '1: iptables-save writes -A; "-D" is not read' },
    { rule: ':user2 ACCEPT [0:0]', want: '8: only chains of the kernel have a policy; user2 is none of table filter' },
    { rule: ':INPUT ACCEPT [0:0]', want: '1: chain INPUT is there already' },
    { rule: '*nat', want: '1: table filter has no COMMIT before this' },
    { rule: '-A INPUT -m conntrack --ctstate BLUE -j DROP', want: '33: not a connection state: "BLUE"' },
    { rule: '-A INPUT -p tcp -m tcp --tcp-flags BLUE SYN -j DROP', want: '36: not a TCP flag: "BLUE"' },
    { rule: '-A INPUT -m limit --limit 0/sec -j ACCEPT', want: '27: not a rate: "0/sec"' },
  ])('$rule', ({ rule, want }) => {
    expect(importRule(rule)).toBe(want);
  });
});
