import { buildPacket, Packet } from '@weir/filter/packet';
import { ip4, ip6 } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { HookRules, Rule } from '../../model/rule.ts';
import { writtenRule } from '../test-rule.ts';
import { judge } from './judge.ts';

const UDP = { kind: 'udp', sourcePort: 123, destinationPort: 7 } as const;
const V4 = Packet.fromNetwork(buildPacket({ source: ip4(0xc0000201), destination: ip4(0xc6336407), tos: 0xff, transport: UDP }));
const V6 = Packet.fromNetwork(
  buildPacket({ source: ip6(0x20010db8, 0, 0, 1), destination: ip6(0x20010db8, 0, 0, 2), tos: 1, transport: UDP }),
);
const LISTS = { lists: { has: () => false } };

const hook = (...rules: readonly Rule[]): HookRules => ({ hook: 'prerouting', priority: -450, rules });
const police = writtenRule('police', 'udp.srcport == 123', {
  kind: 'police',
  limit: { unit: 'packets', rate: 10, burst: 10, per: 'rule' },
});
const last = writtenRule('last', 'ip.ttl >= 0', { kind: 'allow' });

describe('police', () => {
  test('under the rate the rules that follow judge', () => {
    expect(judge(hook(police, last), V4, { ...LISTS, limiter: { take: () => true } })).toMatchObject({ verdict: 'allow', rule: last });
  });

  test('over the rate the packet is denied', () => {
    expect(judge(hook(police, last), V4, { ...LISTS, limiter: { take: () => false } })).toMatchObject({ verdict: 'deny', rule: police });
  });

  test('in audit mode it goes on', () => {
    const audited = { ...police, audit: true };
    const { effects, rule } = judge(hook(audited, last), V4, { ...LISTS, limiter: { take: () => false } });
    expect([effects.map(({ kind }) => kind), rule]).toEqual([['audited', 'decided'], last]);
  });
});

describe('dscp', () => {
  test.each([
    { name: 'IPv4', packet: V4 },
    { name: 'IPv6', packet: V6 },
  ])('later rules see what is written: $name', ({ packet }) => {
    const rules = hook(
      writtenRule('mark', 'udp.srcport == 123', { kind: 'dscp', dscp: 10 }),
      writtenRule('seen', 'ip.dscp == 10 and ip.tos == 0x2b', { kind: 'deny' }),
      writtenRule('six', 'ip.dscp == 10 and ip.tos == 0x29', { kind: 'deny' }),
    );
    expect(judge(rules, packet, LISTS).rule?.ref).toBe(packet === V4 ? 'seen' : 'six');
  });
});
