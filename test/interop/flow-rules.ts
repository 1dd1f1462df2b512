import { encodeFlowActions, parseFlowAction } from '@weir/bgp/flowspec';

/** A flow rule of a neighbour's. */
export interface FlowRoute {
  /** As Weir shows it. */
  readonly flow: string;
  readonly actions: readonly string[];
  /** In the language of who announces it. */
  readonly own: string;
  /** What Weir makes of it; undefined where it is told elsewhere what is enforced. */
  readonly state?: 'enforced' | 'refused';
}

/** As BIRD has it in a static protocol: its own text, and communities by their octets. */
export function birdRoute(flow: string, actions: readonly string[], state?: FlowRoute['state']): FlowRoute {
  const { extendedCommunities = [] } = encodeFlowActions(
    actions.map((text) => parseFlowAction(text)).filter((action) => action !== undefined),
  );
  const communities = extendedCommunities.map(
    ({ high, low }) => `bgp_ext_community.add((generic, 0x${high.toString(16)}, 0x${low.toString(16)}));`,
  );
  return {
    flow,
    actions,
    own: `route ${flow}${communities.length === 0 ? '' : ` { ${communities.join(' ')} }`};`,
    ...(state === undefined ? {} : { state }),
  };
}

/**
 * Every component and every action that BIRD 2.0 can express, by a destination of its own for each rule. FRR 8.4 ends its session at `!=`, at `true` and at offsets, in `reflected` they are not.
 */
export function birdRules(four: string, six: string, reflected: boolean): readonly FlowRoute[] {
  const on = 'enforced';
  return [
    birdRoute(`flow4 { dst ${four}1/32; src 198.51.100.0/24; proto 17; sport 123; }`, ['discard'], on),
    birdRoute(
      `flow4 { dst ${four}2/32; proto 6,17; port 80,443,1000..2000; dport > 24 && < 30 || 40..50; length 1500..2000; dscp 46; }`,
      ['rate-bytes 100000 as 64514', 'sample continue'],
      on,
    ),
    birdRoute(
      `flow4 { dst ${four}3/32; icmp type 8; icmp code 0; fragment dont_fragment || first_fragment && !last_fragment; }`,
      ['mark 46'],
      on,
    ),
    birdRoute(`flow4 { dst ${four}4/32; tcp flags 0x2/0x2 && 0x0/0x10; fragment !is_fragment; }`, ['redirect rt:64513:100'], on),
    birdRoute(`flow4 { dst ${four}5/32; sport false 0; }`, ['rate-packets 100 as 64514'], on),
    birdRoute(`flow4 { dst ${four}6/32; }`, ['redirect rt:192.0.2.10:7'], on),
    birdRoute(`flow4 { dst ${four}7/32; }`, ['redirect rt:64513:101'], 'refused'),
    birdRoute(`flow4 { dst ${four}8/32; }`, ['redirect-to 192.0.2.99']),
    birdRoute(`flow4 { dst ${four}9/32; }`, [], on),
    birdRoute(`flow6 { dst ${six}:/64; next header 6; port 80; dport 80; sport 81; tcp flags 0x2/0x2; length 100..200; }`, ['discard'], on),
    birdRoute(
      `flow6 { dst ${six}1::/64; src 2001:db8:7::/48; next header 58; icmp type 128; icmp code 0; dscp 10; fragment is_fragment || first_fragment; label > 300 && < 400; }`,
      ['rate-packets 10 as 64514'],
      on,
    ),
    ...(reflected
      ? []
      : [
          birdRoute(`flow4 { dst ${four}0/32; dport true 0; sport != 5; }`, ['discard'], on),
          birdRoute(`flow6 { dst ${six}2::/64; src ::1234:5678:9a00:0/104 offset 64; next header 17; }`, ['discard'], on),
        ]),
  ];
}

/** The same of GoBGP 3.10: behind the family `match` and `then`. It has no rate of packets and no redirect to an address. */
export function gobgpRules(four: string, six: string): readonly FlowRoute[] {
  const state = 'enforced';
  return [
    {
      flow: `flow4 { dst ${four}1/32; src 198.51.100.0/24; proto 17; sport 123; }`,
      actions: ['discard'],
      own: `ipv4-flowspec match destination ${four}1/32 source 198.51.100.0/24 protocol udp source-port ==123 then discard`,
      state,
    },
    {
      flow: `flow4 { dst ${four}2/32; proto 6,17; port 80,443,1000..2000; dport > 24 && < 30; sport != 5; length 1500..2000; dscp 46; }`,
      actions: ['rate-bytes 100000', 'sample continue'],
      own: `ipv4-flowspec match destination ${four}2/32 protocol tcp udp port ==80 ==443 >=1000&<=2000 destination-port >24&<30 source-port !=5 packet-length >=1500&<=2000 dscp ==46 then rate-limit 100000 action sample-terminal`,
      state,
    },
    {
      flow: `flow4 { dst ${four}3/32; icmp type 8; icmp code 0; fragment is_fragment || !first_fragment; }`,
      actions: ['mark 10'],
      own: `ipv4-flowspec match destination ${four}3/32 icmp-type ==8 icmp-code ==0 fragment is-fragment !first-fragment then mark 10`,
      state,
    },
    {
      flow: `flow4 { dst ${four}4/32; tcp flags 0x2/0x2 && 0x0/0x10; }`,
      actions: ['redirect rt:64513:100'],
      own: `ipv4-flowspec match destination ${four}4/32 tcp-flags =S&!A then redirect 64513:100`,
      state,
    },
    {
      flow: `flow4 { dst ${four}5/32; dport true 0; sport false 0; }`,
      actions: ['redirect rt:192.0.2.10:7'],
      // Its client has the two the wrong way round.
      own: `ipv4-flowspec match destination ${four}5/32 destination-port false source-port true then redirect 192.0.2.10:7`,
      state,
    },
    {
      flow: `flow6 { dst ${six}:/64; src 2001:db8:7::/48; next header 58; icmp type 128; icmp code 0; dscp 10; label 5; }`,
      actions: ['discard'],
      own: `ipv6-flowspec match destination ${six}:/64 source 2001:db8:7::/48 protocol ==58 icmp-type ==128 icmp-code ==0 dscp ==10 label ==5 then discard`,
      state,
    },
    {
      flow: `flow6 { dst ${six}1::/64; next header 6; port 80; dport 80; sport 81; tcp flags 0x2/0x2; length 100..200; }`,
      actions: ['rate-bytes 100000'],
      own: `ipv6-flowspec match destination ${six}1::/64 protocol tcp port ==80 destination-port ==80 source-port ==81 tcp-flags =S packet-length >=100&<=200 then rate-limit 100000`,
      state,
    },
  ];
}

/** The same of ExaBGP 4.2. Its IPv6 offsets are not those of RFC 8956. */
export function exabgpRules(four: string, six: string): readonly FlowRoute[] {
  const state = 'enforced';
  return [
    {
      flow: `flow4 { dst ${four}1/32; src 198.51.100.0/24; proto 17; sport 123; }`,
      actions: ['discard'],
      own: `match { destination ${four}1/32; source 198.51.100.0/24; protocol udp; source-port =123; } then { discard; }`,
      state,
    },
    {
      flow: `flow4 { dst ${four}2/32; proto 6,17; port 80,443,1000..2000; dport > 24 && < 30; sport != 5; length 1500..2000; dscp 46; }`,
      actions: ['rate-bytes 100000', 'sample continue'],
      own: `match { destination ${four}2/32; protocol [ tcp udp ]; port [ =80 =443 >=1000&<=2000 ]; destination-port >24&<30; source-port !=5; packet-length >=1500&<=2000; dscp =46; } then { rate-limit 100000; action sample-terminal; }`,
      state,
    },
    {
      flow: `flow4 { dst ${four}3/32; icmp type 8; icmp code 0; fragment is_fragment || first_fragment; }`,
      actions: ['mark 10'],
      own: `match { destination ${four}3/32; icmp-type echo-request; icmp-code 0; fragment [ is-fragment first-fragment ]; } then { mark 10; }`,
      state,
    },
    {
      flow: `flow4 { dst ${four}4/32; tcp flags 0x2/0x2 && 0x0/0x10; }`,
      actions: ['redirect rt:64513:100'],
      own: `match { destination ${four}4/32; tcp-flags [ =syn&!ack ]; } then { redirect 64513:100; }`,
      state,
    },
    {
      flow: `flow4 { dst ${four}5/32; }`,
      actions: ['rate-packets 100'],
      own: `match { destination ${four}5/32; } then { extended-community [ 0x800c000042c80000 ]; }`,
      state,
    },
    {
      flow: `flow4 { dst ${four}6/32; }`,
      actions: ['redirect-to 192.0.2.99'],
      own: `match { destination ${four}6/32; } then { redirect-to-nexthop-ietf 192.0.2.99; }`,
    },
    {
      flow: `flow6 { dst ${six}:/64; src 2001:db8:7::/48; next header 58; icmp type 128; icmp code 0; dscp 10; fragment is_fragment || first_fragment; label 5; }`,
      actions: ['discard'],
      own: `match { destination ${six}:/64; source 2001:db8:7::/48; next-header 58; icmp-type 128; icmp-code 0; traffic-class 10; fragment [ is-fragment first-fragment ]; flow-label =5; } then { discard; }`,
      state,
    },
    {
      flow: `flow6 { dst ${six}1::/64; }`,
      actions: ['redirect-to 2001:db8::99'],
      own: `match { destination ${six}1::/64; } then { redirect-to-nexthop-ietf 2001:db8::99; }`,
    },
  ];
}
