import { type FlowAction, parseFlow } from '@weir/bgp/flowspec';
import type { ActiveFlow } from '../../../apps/weir/src/model/flow.ts';
import { testFlow } from '../../../apps/weir/src/model/test-flow.ts';
import type { Random } from '../../e2e/random.ts';
import type { Hints } from './hints.ts';

/** Addresses that packets have, and parts of them. */
const ADDRESSES: Readonly<Record<4 | 6, readonly string[]>> = {
  4: [
    'dst 198.51.100.0/24;',
    'dst 198.51.100.1/32;',
    'dst 198.51.100.0/30; src 192.0.2.0/24;',
    'dst 198.51.100.0/24; src 192.0.2.1/32;',
    'dst 198.0.0.0/7; src 192.0.2.0/24;',
    'src 192.0.2.0/24;',
    'src 192.0.2.1/32;',
    'dst 0.0.0.0/0;',
    'dst 203.0.113.128/25;',
    '',
  ],
  6: [
    'dst 2001:db8:1::/48;',
    'dst 2001:db8:1::5/128;',
    'dst 2001:db8:1::/64; src 2001:db8::/32;',
    'dst 2001:db8::/31; src 2001:db8::1/128;',
    'src 2001:db8::/32;',
    'dst ::/0;',
    'src ::1/128 offset 64;',
    'dst ::1:0:0:0:0/80 offset 40;',
    '',
  ],
};
const COMPONENTS: readonly string[] = [
  'dport = 80;',
  'dport != 80;',
  'sport 1..1023;',
  'port = 53;',
  'dport > 24 && < 500 || 8080..8090;',
  'dport true;',
  'tcp flags 0x2/0x12;',
  'tcp flags 0x10/0x10 || 0x1/0x1;',
  'tcp flags !0/0x6;',
  'tcp flags 0x100/0x100;',
  'dscp 10;',
  'dscp 0,46;',
  'length 40..100;',
  'length > 60;',
];
const ONLY_4: readonly string[] = [
  'proto = 17;',
  'proto 1,6;',
  'proto != 6;',
  'icmp type 8;',
  'icmp type 3; icmp code 1,4;',
  'fragment is_fragment;',
  'fragment !is_fragment;',
  'fragment dont_fragment || first_fragment;',
  'fragment last_fragment;',
];
const ONLY_6: readonly string[] = [
  'next header 17;',
  'next header 6;',
  'next header != 58;',
  'icmp type 1..4;',
  'label 16..32;',
  'label > 1000;',
  'fragment is_fragment || first_fragment;',
  'fragment is_fragment;',
  'fragment first_fragment;',
  'fragment last_fragment;',
  'fragment !is_fragment;',
  'fragment !is_fragment && !first_fragment;',
];

/** Packets that such rules are about. */
export function hintFlows(hints: Hints): void {
  hints.addInt('tcp.dstport', 79, 80, 81, 24, 25, 499, 500, 8080, 8090);
  hints.addInt('udp.dstport', 53, 80);
  hints.addInt('udp.srcport', 53, 1023, 1024);
  hints.addInt('tcp.srcport', 53, 1023, 1024);
  hints.addV4(0xc0000201, 0xc6336401, 0xcb0071ff);
  hints.addV6(0x20010db8_00000000_00000000_00000001n, 0x20010db8_00010000_00000000_00000005n);
}

/** A random flow rule with one of the actions; undefined for one that is none. */
export function randomFlow(random: Random, actions: readonly (readonly FlowAction[])[]): ActiveFlow | undefined {
  const family = random.below(2) === 0 ? 4 : 6;
  const parts = [random.pick(ADDRESSES[family])];
  for (let more = random.below(3); more > 0; more--) parts.push(random.pick([...COMPONENTS, ...(family === 4 ? ONLY_4 : ONLY_6)]));
  const text = `flow${family} { ${parts.join(' ')} }`;
  // Parts may say what no rule says.
  return parseFlow(text).ok ? testFlow(text, ...random.pick(actions)) : undefined;
}

/** So many of them at most, in their order. */
export function randomFlows(random: Random, most: number, actions: readonly (readonly FlowAction[])[]): readonly ActiveFlow[] {
  const flows = Array.from({ length: 1 + random.below(most) }, () => randomFlow(random, actions) ?? []).flat();
  const byKey = new Map(flows.map((flow) => [flow.rule.key, flow]));
  return [...byKey.values()].sort((a, b) => (a.order < b.order ? -1 : 1));
}
