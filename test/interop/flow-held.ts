import type { Peer } from '../lab/index.ts';
import type { NeighborName } from './flow-lab.ts';

/** A flow rule of Weir's, and how each of its neighbours shows it. */
export interface OwnRule {
  readonly flow: string;
  readonly actions: readonly string[];
  readonly shown: Readonly<Record<NeighborName, string | undefined>>;
}

/** Every component and action. FRR 8.4 ends its session at `!=`, `true` and offsets; GoBGP 3.10 and ExaBGP 4.2 cannot read the offsets of RFC 8956. `undefined`: not told. */
export const OWN_RULES: readonly OwnRule[] = [
  {
    flow: 'flow4 { dst 203.0.113.201/32; src 198.51.100.0/24; proto 17; sport 123; }',
    actions: ['discard'],
    shown: {
      gobgp: '[destination: 203.0.113.201/32][source: 198.51.100.0/24][protocol: ==udp][source-port: ==123] {Extcomms: [discard]}',
      bird: 'flow4 { dst 203.0.113.201/32; src 198.51.100.0/24; proto 17; sport 123; } (generic, 0x80060000, 0x0)',
      frr: 'Destination Address 203.0.113.201/32; Source Address 198.51.100.0/24; IP Protocol = 17; Source Port = 123; FS:rate 0.000000',
      exabgp: 'flow destination-ipv4 203.0.113.201/32 source-ipv4 198.51.100.0/24 protocol =udp source-port =123 rate-limit:0',
    },
  },
  {
    flow: 'flow4 { dst 203.0.113.202/32; proto 6,17; port 80,443,1000..2000; dport > 24 && < 30; length 1500..2000; dscp 46; }',
    actions: ['rate-bytes 12500', 'sample continue'],
    shown: {
      gobgp:
        '[destination: 203.0.113.202/32][protocol: ==tcp ==udp][port: ==80 ==443 >=1000&<=2000][destination-port: >24&<30][packet-length: >=1500&<=2000][dscp: ==46] {Extcomms: [rate: 12500.000000], [action: terminal-sample]}',
      bird: 'flow4 { dst 203.0.113.202/32; proto 6,17; port 80,443,1000..2000; dport > 24 && < 30; length 1500..2000; dscp 46; } (generic, 0x80060000, 0x46435000) (generic, 0x80070000, 0x3)',
      frr: 'Destination Address 203.0.113.202/32; IP Protocol = 6 , = 17; Port = 80 , = 443 , >= 1000 , <= 2000; Destination Port > 24 , < 30; Packet Length >= 1500 , <= 2000; DSCP field = 46; FS:rate 12500.000000 FS:action eval stops',
      exabgp:
        'flow destination-ipv4 203.0.113.202/32 protocol [ =tcp =udp ] port [ =80 =443 >=1000&<=2000 ] destination-port [ >24&<30 ] packet-length [ >=1500&<=2000 ] dscp =46 rate-limit:12500 action sample-terminal',
    },
  },
  {
    flow: 'flow4 { dst 203.0.113.203/32; icmp type 8; icmp code 0; fragment dont_fragment || first_fragment; }',
    actions: ['mark 10'],
    shown: {
      gobgp:
        '[destination: 203.0.113.203/32][icmp-type: ==8][icmp-code: ==0][fragment: =dont-fragment =first-fragment] {Extcomms: [remark: 10]}',
      bird: 'flow4 { dst 203.0.113.203/32; icmp type 8; icmp code 0; fragment dont_fragment || first_fragment; } (generic, 0x80090000, 0xa)',
      frr: 'Destination Address 203.0.113.203/32; ICMP Type = 8; ICMP Code = 0; Packet Fragment = 1,|= 4; FS:marking 10',
      exabgp:
        'flow destination-ipv4 203.0.113.203/32 icmp-type =echo-request icmp-code =0 fragment [ =dont-fragment =first-fragment ] mark 10',
    },
  },
  {
    flow: 'flow4 { dst 203.0.113.204/32; tcp flags 0x2/0x2 && 0x0/0x10; fragment !is_fragment; }',
    actions: ['redirect rt:64513:100'],
    shown: {
      gobgp: '[destination: 203.0.113.204/32][tcp-flags: =S&!A][fragment: !=is-fragment] {Extcomms: [redirect: 64513:100]}',
      bird: 'flow4 { dst 203.0.113.204/32; tcp flags 0x2/0x2 && 0x0/0x10; fragment !is_fragment; } (generic, 0x8008fc01, 0x64)',
      frr: 'Destination Address 203.0.113.204/32; TCP Flags = 2,&∋ ! 16; Packet Fragment = ! 2; FS:redirect VRF RT:64513:100',
      exabgp: 'flow destination-ipv4 203.0.113.204/32 tcp-flags [ =syn&!ack ] fragment !=is-fragment redirect:64513:100',
    },
  },
  {
    flow: 'flow4 { dst 203.0.113.205/32; }',
    actions: ['rate-packets 100'],
    shown: {
      // 0x800c000042c80000, which neither has a name for.
      gobgp: '[destination: 203.0.113.205/32] {Extcomms: [3377700840931328]}',
      bird: 'flow4 { dst 203.0.113.205/32; } (generic, 0x800c0000, 0x42c80000)',
      frr: 'Destination Address 203.0.113.205/32; UNK:128, 12',
      exabgp: 'flow destination-ipv4 203.0.113.205/32 9226749737695707136',
    },
  },
  {
    flow: 'flow4 { dst 203.0.113.206/32; }',
    actions: ['redirect-to 192.0.2.99'],
    shown: {
      gobgp: '[destination: 203.0.113.206/32] {Extcomms: [192.0.2.99:0]}',
      bird: 'flow4 { dst 203.0.113.206/32; } (unknown 0x10c, 192.0.2.99, 0)',
      frr: 'Destination Address 203.0.113.206/32; NH:192.0.2.99:0',
      exabgp: 'flow destination-ipv4 203.0.113.206/32 redirect-to-nexthop-ietf 192.0.2.99',
    },
  },
  {
    flow: 'flow4 { dst 203.0.113.207/32; }',
    actions: ['redirect rt:192.0.2.10:7'],
    shown: {
      gobgp: '[destination: 203.0.113.207/32] {Extcomms: [redirect: 192.0.2.10:7]}',
      bird: 'flow4 { dst 203.0.113.207/32; } (generic, 0x8108c000, 0x20a0007)',
      frr: 'Destination Address 203.0.113.207/32; FS:redirect VRF RT:192.0.2.10:7',
      exabgp: 'flow destination-ipv4 203.0.113.207/32 9297892536973131783',
    },
  },
  {
    flow: 'flow4 { dst 203.0.113.208/32; dport true 0; sport != 5; }',
    actions: ['discard'],
    shown: {
      // Its client has the two the wrong way round.
      gobgp: '[destination: 203.0.113.208/32][destination-port: false][source-port: !=5] {Extcomms: [discard]}',
      bird: 'flow4 { dst 203.0.113.208/32; dport true 0; sport != 5; } (generic, 0x80060000, 0x0)',
      frr: undefined,
      exabgp: 'flow destination-ipv4 203.0.113.208/32 destination-port true source-port !=5 rate-limit:0',
    },
  },
  {
    flow: 'flow6 { dst 2001:db8:1::/48; src 2001:db8:7::/48; next header 58; icmp type 128; icmp code 0; dscp 10; fragment is_fragment || first_fragment; label 5; }',
    actions: ['discard'],
    shown: {
      gobgp:
        '[destination: 2001:db8:1::/48/0][source: 2001:db8:7::/48/0][protocol: ==58][icmp-type: ==128][icmp-code: ==0][dscp: ==10][fragment: =is-fragment =first-fragment][label: ==5] {Extcomms: [discard]}',
      bird: 'flow6 { dst 2001:db8:1::/48; src 2001:db8:7::/48; next header 58; icmp type 128; icmp code 0; dscp 10; fragment is_fragment || first_fragment; label 5; } (generic, 0x80060000, 0x0)',
      frr: 'Destination Address 2001:db8:1::/48/off 0; Source Address 2001:db8:7::/48/off 0; IP Protocol = 58; ICMP Type = 128; ICMP Code = 0; DSCP field = 10; Packet Fragment = 2,|= 4; Packet Flow Label = 5; FS:rate 0.000000',
      exabgp:
        'flow destination-ipv6 2001:db8:1::/48/0 source-ipv6 2001:db8:7::/48/0 next-header =unknown protocol type 58 icmp-type =unknown icmp type type 128 icmp-code =0 traffic-class =10 fragment [ =is-fragment =first-fragment ] flow-label =5 rate-limit:0',
    },
  },
  {
    flow: 'flow6 { dst 2001:db8:2::/48; port 80; dport 80; sport 81; tcp flags 0x2/0x2; length 100..200; }',
    actions: ['redirect-to 2001:db8::99'],
    shown: {
      gobgp:
        '[destination: 2001:db8:2::/48/0][port: ==80][destination-port: ==80][source-port: ==81][tcp-flags: =S][packet-length: >=100&<=200] {Extcomms: [2001:db8::99:0]}',
      bird: 'flow6 { dst 2001:db8:2::/48; port 80; dport 80; sport 81; tcp flags 0x2/0x2; length 100..200; } 00 0c 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 99 00 00',
      frr: 'Destination Address 2001:db8:2::/48/off 0; Port = 80; Destination Port = 80; Source Port = 81; TCP Flags = 2; Packet Length >= 100 , <= 200; UNK:0, 12',
      exabgp:
        'flow destination-ipv6 2001:db8:2::/48/0 port =80 destination-port =80 source-port =81 tcp-flags =syn packet-length [ >=100&<=200 ] redirect-to-nexthop-ietf 2001:db8::99',
    },
  },
  {
    flow: 'flow6 { dst 2001:db8:3::/48; }',
    actions: ['redirect rt:[2001:db8::1]:7'],
    shown: {
      gobgp: '[destination: 2001:db8:3::/48/0] {Extcomms: [2001:db8::1:7]}',
      bird: 'flow6 { dst 2001:db8:3::/48; } 00 0d 20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 00 07',
      frr: 'Destination Address 2001:db8:3::/48/off 0; UNK:0, 13',
      exabgp: 'flow destination-ipv6 2001:db8:3::/48/0 0xD20010DB80000000000000000000000010007',
    },
  },
  {
    flow: 'flow6 { dst 2001:db8::/32; src ::1234:5678:9a00:0/104 offset 64; next header 6; }',
    actions: ['discard'],
    shown: {
      gobgp: undefined,
      bird: 'flow6 { dst 2001:db8::/32; src ::1234:5678:9a00:0/104 offset 64; next header 6; } (generic, 0x80060000, 0x0)',
      frr: undefined,
      exabgp: undefined,
    },
  },
];

/** What a neighbour holds of Weir's flow rules, as its own client shows it: a rule with what it asks for, in a line. */
export async function heldBy(name: NeighborName, peer: Peer): Promise<readonly string[]> {
  return [...(await READ[name](peer))].sort();
}

const READ: Readonly<Record<NeighborName, (peer: Peer) => Promise<readonly string[]>>> = {
  gobgp: async (peer) => {
    const shown = await Promise.all(['ipv4', 'ipv6'].map((family) => peer.command(`global rib -a ${family}-flowspec`)));
    return [...shown.join('\n').matchAll(/^\S+ +(\[.*\]) +(?:fictitious|\S*:\S*) +64512 .*?(\{Extcomms: .*\})\]$/gm)].map(
      ([, rule, communities]) => `${rule} ${communities}`,
    );
  },
  bird: async (peer) => {
    const shown = (await Promise.all([4, 6].map((family) => peer.command(`show route all table flowtab${family}`)))).join('\n');
    return shown.split(/^(?=flow[46] )/m).flatMap((one) => {
      const rule = /^(flow[46] \{.*?\})/.exec(one)?.[1];
      if (rule === undefined || !/Type: BGP/.test(one)) return [];
      return [`${rule} ${/BGP\.(?:ext_community|19 \[t\]): (.*)$/m.exec(one)?.[1] ?? ''}`.trim()];
    });
  },
  frr: async (peer) => {
    const shown = (await Promise.all([4, 6].map((family) => peer.command(`show bgp ipv${family} flowspec detail`)))).join('\n');
    return (
      shown
        .split(/^BGP flowspec entry:.*$/m)
        .slice(1)
        .map((one) =>
          one
            .split('\n')
            .filter((line) => /^\t/.test(line) && !/received for|installed in PBR/.test(line))
            .map((line) => line.trim())
            .join('; '),
        )
        // It also has what it reflects.
        .filter((one) => !/Address (?:198\.51\.100|2001:db8:d:)/.test(one.split(';')[0] ?? ''))
    );
  },
  exabgp: async (peer) => {
    const held = new Map<string, string>();
    for (const line of (await peer.command('')).split('\n').filter((one) => one.startsWith('{'))) {
      const { type, neighbor } = JSON.parse(line) as ExabgpLine;
      if (type === 'state' && neighbor?.state === 'down') held.clear();
      const { announce = {}, withdraw = {}, attribute = {} } = neighbor?.message?.update ?? {};
      for (const { string } of Object.values(withdraw).flat()) held.delete(string);
      const communities = (attribute['extended-community'] ?? []).map(({ string }, i) => string || (VALUES.exec(line)?.slice(1)[i] ?? ''));
      const asked = [...communities, attribute['attribute-0x19-0xC0'] ?? ''].filter((one) => one !== '').join(' ');
      for (const { string } of Object.values(announce).flatMap((hops) => Object.values(hops).flat()))
        held.set(string, `${string} ${asked}`);
    }
    return [...held.values()];
  },
};

/** Of the one extended community that has no words: a number beyond what JSON.parse reads. */
const VALUES = /"value": (\d+), "string": ""/;

interface ExabgpLine {
  readonly type: string;
  readonly neighbor?: {
    readonly state?: string;
    readonly message?: {
      readonly update?: {
        readonly announce?: Readonly<Record<string, Readonly<Record<string, readonly { readonly string: string }[]>>>>;
        readonly withdraw?: Readonly<Record<string, readonly { readonly string: string }[]>>;
        readonly attribute?: {
          readonly 'extended-community'?: readonly { readonly string: string }[];
          readonly 'attribute-0x19-0xC0'?: string;
        };
      };
    };
  };
}
