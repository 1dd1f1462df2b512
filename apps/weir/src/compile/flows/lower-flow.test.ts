import type { FlowAction } from '@weir/bgp/flowspec';
import { evaluate } from '@weir/filter/eval';
import { buildPacket, Packet, type PacketDescription, TCP_FLAGS } from '@weir/filter/packet';
import { ip4, ip6, parseIp } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { ActiveFlow } from '../../model/flow.ts';
import type { HookRules } from '../../model/rule.ts';
import { testFlow as active, DISCARD, testFlowRule as flow, testRedirects } from '../../model/test-flow.ts';
import { judge } from '../interpreter/index.ts';
import { flowExpr } from './flow-expr.ts';
import { flowHook, protectedRules, withFlows } from './flow-rules.ts';
import { FLOWS_END, lowerFlow } from './lower-flow.ts';

const OPTIONS = {
  redirects: testRedirects({ '64512:80': 100 }),
  firstMark: 0x100,
  sampleRate: 50,
};
const NO_LISTS = { has: () => false };

const V4 = { source: ip4(0xc0000201), destination: ip4(0xcb007107) };
const V6 = { source: ip6(0x20010db8, 0, 0, 1), destination: ip6(0x20010db8, 1, 0x12345678, 7) };

const udp = (sourcePort: number, destinationPort: number, more: Partial<PacketDescription> = {}): Packet =>
  Packet.fromNetwork(buildPacket({ ...V4, transport: { kind: 'udp', sourcePort, destinationPort }, ...more } as PacketDescription));
const tcp = (flags: number, more: Partial<PacketDescription> = {}): Packet =>
  Packet.fromNetwork(
    buildPacket({ ...V4, transport: { kind: 'tcp', sourcePort: 1025, destinationPort: 80, flags }, ...more } as PacketDescription),
  );
/** The first of several fragments, one in the middle, the last: by the word at octet 6. */
const fragment = (word: number): Packet => {
  const { bytes } = udp(123, 7);
  bytes[6] = word >> 8;
  bytes[7] = word & 0xff;
  return Packet.fromNetwork(bytes);
};

describe('the packets of a flow rule', () => {
  test.each<{ readonly text: string; readonly holds: readonly Packet[]; readonly fails: readonly Packet[] }>([
    { text: 'flow4 { dst 203.0.113.0/24; }', holds: [udp(1, 2)], fails: [udp(1, 2, { destination: ip4(0xcb007207) }), udp(1, 2, V6)] },
    { text: 'flow4 { src 192.0.2.0/24; proto = 17; }', holds: [udp(1, 2)], fails: [tcp(2)] },
    { text: 'flow4 { sport = 123; }', holds: [udp(123, 5)], fails: [udp(5, 123)] },
    { text: 'flow4 { port = 123; }', holds: [udp(123, 5), udp(5, 123)], fails: [udp(5, 6)] },
    {
      text: 'flow4 { dport > 24 && < 30 || 40..50; }',
      holds: [udp(1, 25), udp(1, 29), udp(1, 40), udp(1, 50)],
      fails: [udp(1, 24), udp(1, 30), udp(1, 51)],
    },
    { text: 'flow4 { dport != 53; }', holds: [udp(1, 54)], fails: [udp(1, 53), fragment(0x2001)] },
    { text: 'flow4 { tcp flags 0x02/0x12; }', holds: [tcp(TCP_FLAGS.syn)], fails: [tcp(TCP_FLAGS.syn | TCP_FLAGS.ack), udp(1, 2)] },
    { text: 'flow4 { tcp flags !0/0x04; }', holds: [tcp(TCP_FLAGS.rst)], fails: [tcp(TCP_FLAGS.syn)] },
    { text: 'flow4 { length > 20 && <= 28; }', holds: [udp(1, 2)], fails: [tcp(2)] },
    { text: 'flow4 { dscp = 46; }', holds: [udp(1, 2, { tos: 46 << 2 })], fails: [udp(1, 2)] },
    { text: 'flow4 { fragment is_fragment; }', holds: [fragment(0x2001), fragment(1)], fails: [fragment(0), fragment(0x2000)] },
    { text: 'flow4 { fragment first_fragment; }', holds: [fragment(0x2000)], fails: [fragment(0), fragment(1), fragment(0x2001)] },
    { text: 'flow4 { fragment last_fragment; }', holds: [fragment(1)], fails: [fragment(0), fragment(0x2000), fragment(0x2001)] },
    { text: 'flow4 { fragment dont_fragment; }', holds: [fragment(0x4000)], fails: [fragment(0), fragment(0x2000)] },
    {
      text: 'flow4 { fragment !is_fragment; }',
      holds: [fragment(0), fragment(0x2000), fragment(0x4000)],
      fails: [fragment(1), fragment(0x2001)],
    },
    {
      text: 'flow6 { dst 2001:db8:1::/48; }',
      holds: [udp(1, 2, { ...V6, destination: ip6(0x20010db8, 0x00010000, 0, 1) })],
      fails: [udp(1, 2, V6), udp(1, 2)],
    },
    { text: 'flow6 { next header = 17; dport = 2; }', holds: [udp(1, 2, V6)], fails: [udp(1, 3, V6), udp(1, 2)] },
  ])('$text', ({ text, holds, fails }) => {
    const expression = flowExpr(flow(text));
    expect([holds, fails].map((packets) => packets.map((packet) => evaluate(expression, packet, NO_LISTS)))).toEqual([
      holds.map(() => true),
      fails.map(() => false),
    ]);
  });

  test('bits of an IPv6 address behind an offset', () => {
    const wanted = parseIp('::1234:5678:0:0');
    if (!wanted) throw new RangeError('address');
    const expression = flowExpr(flow('flow6 { dst ::1234:5678:0:0/96 offset 64; }'));
    const of = (low: number): Packet => udp(1, 2, { ...V6, destination: ip6(0x20010db8, 9, low, 3) });
    expect([of(0x12345678), of(0x12345679)].map((packet) => evaluate(expression, packet, NO_LISTS))).toEqual([true, false]);
  });

  const word = (offset: number, more: boolean): Packet =>
    Packet.fromNetwork(
      buildPacket({ ...V6, fragment: { offset, more }, transport: { kind: 'raw', protocol: 17, payload: new Uint8Array(16) } }),
    );
  test.each([
    { text: 'is_fragment', want: [2, 3] },
    { text: 'first_fragment', want: [1] },
    { text: 'last_fragment', want: [3] },
    { text: '!is_fragment && !first_fragment', want: [0, 4, 5] },
    { text: 'is_fragment || first_fragment', want: [1, 2, 3] },
  ])('which fragment of an IPv6 packet it is: $text', ({ text, want }) => {
    const expression = flowExpr(flow(`flow6 { fragment ${text}; }`));
    // Without a header, the first, one in the middle, the last, an atomic one, and one whose header is cut off.
    const cut = buildPacket({ ...V6, fragment: { offset: 3, more: true }, transport: { kind: 'raw', protocol: 17 }, cut: 43 });
    const packets = [udp(1, 2, V6), word(0, true), word(2, true), word(2, false), word(0, false), Packet.fromNetwork(cut)];
    expect(packets.flatMap((packet, i) => (evaluate(expression, packet, NO_LISTS) ? [i] : []))).toEqual(want);
  });
});

describe('what a flow rule does', () => {
  test.each<{ readonly name: string; readonly actions: readonly FlowAction[]; readonly want: readonly unknown[] }>([
    { name: 'nothing but ending the search', actions: [], want: [{ kind: 'skip', to: FLOWS_END }] },
    { name: 'discard', actions: [DISCARD], want: [{ kind: 'deny' }] },
    { name: 'discard by packets', actions: [{ kind: 'rate-packets', rate: 0, asn: 0 }], want: [{ kind: 'deny' }] },
    {
      name: 'rates of both units',
      actions: [
        { kind: 'rate-bytes', rate: 1_000_000, asn: 0 },
        { kind: 'rate-packets', rate: 50.5, asn: 0 },
      ],
      want: [
        { kind: 'police', limit: { unit: 'bytes', rate: 1_000_000, burst: 100_000, per: 'rule' } },
        { kind: 'police', limit: { unit: 'packets', rate: 50, burst: 10, per: 'rule' } },
        { kind: 'skip', to: FLOWS_END },
      ],
    },
    {
      name: 'sample and go on',
      actions: [{ kind: 'traffic-action', sample: true, terminal: false }],
      want: [{ kind: 'log' }],
    },
    {
      name: 'mark and redirect',
      actions: [
        { kind: 'mark', dscp: 10 },
        { kind: 'redirect-rt', administrator: { kind: 'as2', asn: 64512 as never }, local: 80 },
      ],
      want: [
        { kind: 'mark', mark: 0x100 },
        { kind: 'dscp', dscp: 10 },
        { kind: 'skip', to: FLOWS_END },
      ],
    },
  ])('$name', ({ actions, want }) => {
    const lowered = lowerFlow(active('flow4 { proto = 17; }', ...actions), OPTIONS);
    expect(lowered.kind === 'rules' && lowered.rules.map(({ action }) => action)).toEqual(want);
  });

  test.each([
    { name: 'by another codepoint than it writes', text: 'flow4 { dscp = 46; }', terminal: true, want: 'refused' },
    { name: 'by one that it writes too', text: 'flow4 { dscp >= 8; }', terminal: true, want: 'rules' },
    { name: 'by another, where later rules go on', text: 'flow4 { dscp = 46; }', terminal: false, want: 'rules' },
  ])('a rule that marks and tells its packets $name', ({ text, terminal, want }) => {
    const actions: readonly FlowAction[] = [
      { kind: 'mark', dscp: 10 },
      { kind: 'traffic-action', sample: false, terminal },
    ];
    expect(lowerFlow(active(text, ...actions), OPTIONS).kind).toBe(want);
  });

  const PATH = { mark: 0x200, table: 7900 };
  test.each<{ readonly name: string; readonly action: FlowAction; readonly path?: ActiveFlow['path'] }>([
    {
      name: 'a redirect that the configuration does not know',
      action: { kind: 'redirect-rt', administrator: { kind: 'as2', asn: 64512 as never }, local: 81 },
    },
    { name: 'a redirect to an address without a mark', action: { kind: 'redirect-ip', address: ip4(0xc0000201), copy: false } },
    { name: 'a copy', action: { kind: 'redirect-ip', address: ip4(0xc0000201), copy: true }, path: PATH },
    { name: 'a redirect to an address of the other family', action: { kind: 'redirect-ip', address: V6.source, copy: false }, path: PATH },
    { name: 'less than one octet a second', action: { kind: 'rate-bytes', rate: 0.5, asn: 0 } },
  ])('refuses $name', ({ action, path }) => {
    expect(lowerFlow({ ...active('flow4 { proto = 17; }', action), path }, OPTIONS)).toMatchObject({ kind: 'refused' });
  });

  test('a redirect to an address sets the mark of its path', () => {
    const flow = { ...active('flow4 { proto = 17; }', { kind: 'redirect-ip', address: V4.source, copy: false }), path: PATH };
    const lowered = lowerFlow(flow, OPTIONS);
    expect(lowered.kind === 'rules' && lowered.rules[0]?.action).toEqual({ kind: 'mark', mark: PATH.mark });
  });
});

describe('flow rules among others', () => {
  const lowered = (...flows: readonly ActiveFlow[]) =>
    flows.flatMap((one) => {
      const result = lowerFlow(one, OPTIONS);
      return result.kind === 'rules' ? result.rules : [];
    });
  const span = OPTIONS.redirects[0]?.span;
  const guarded = protectedRules(
    { protected: [], protectedFlows: [flow('flow4 { dport = 22; }')], span: span ?? { file: '', line: 1, column: 1, length: 1 } },
    [],
  );
  const rules = lowered(
    active('flow4 { dst 203.0.113.0/24; dport = 7; }', { kind: 'traffic-action', sample: false, terminal: true }),
    active('flow4 { proto = 17; }', DISCARD),
  );

  test('the first that matches and is terminal ends the search, and accepts nothing', () => {
    const [hook] = flowHook('prerouting', guarded, rules);
    if (!hook) throw new Error('no hook');
    const verdict = (packet: Packet) => judge(hook, packet, { lists: NO_LISTS });
    expect(verdict(udp(1, 7))).toMatchObject({ verdict: 'allow', rule: { ref: FLOWS_END } });
    expect(verdict(udp(1, 8)).verdict).toBe('deny');
    expect(verdict(udp(1, 22))).toMatchObject({ verdict: 'allow', rule: { ref: FLOWS_END } });
  });

  test('in a hook of a program they come before the policy, which still denies', () => {
    const hook: HookRules = {
      hook: 'xdp',
      priority: 0,
      rules: [
        { ...guarded[0]!, ref: 'base', stage: 'protected', action: { kind: 'allow' }, expression: flowExpr(flow('flow4 { dport = 1; }')) },
        { ...guarded[0]!, ref: 'policy', stage: 'policy', action: { kind: 'deny' }, expression: flowExpr(flow('flow4 { dport = 7; }')) },
        { ...guarded[0]!, ref: '<default>', stage: 'default', action: { kind: 'allow' }, expression: { kind: 'constant', value: true } },
      ],
    };
    const merged = withFlows(hook, guarded, rules);
    expect(
      [udp(1, 1), udp(1, 7), udp(1, 8), udp(1, 22), tcp(2)].map((packet) => judge(merged, packet, { lists: NO_LISTS }).rule?.ref),
    ).toEqual(['base', 'policy', `flow:${flow('flow4 { proto = 17; }').key}`, '<default>', '<default>']);
  });
});
