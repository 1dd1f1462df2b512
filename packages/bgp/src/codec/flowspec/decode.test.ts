import { parseHex, printHex } from '@weir/wire/bytes';
import { prefix } from '@weir/wire/inet';
import { describe, expect, it } from 'vitest';
import type { FlowComponent } from './component.ts';
import { decodeFlowRule, flowRule } from './decode.ts';
import { printFlow } from './print.ts';
import { type FlowFamily, flowComponent } from './rule.ts';

const RD = '0000fc0000000001';

describe('decodeFlowRule', () => {
  it.each<{ name: string; family?: FlowFamily; input: string; want: string }>([
    { name: 'no components', input: '', want: 'flow4 { }' },
    { name: 'destination /0', input: '0100', want: 'flow4 { dst 0.0.0.0/0; }' },
    { name: 'a prefix that ends inside an octet, its padding passed over', input: '0114cb00ff', want: 'flow4 { dst 203.0.240.0/20; }' },
    {
      name: 'values of one, two, four and eight octets',
      input: '05 01 50 11 0050 21 00000050 b1 0000000000000050',
      want: 'flow4 { dport 80,80,80,80; }',
    },
    { name: 'a value over 2^53', input: '05 b1 ffffffffffffffff', want: 'flow4 { dport 18446744073709551615; }' },
    { name: 'AND before OR', input: '05 02 18 44 1e 03 28 c5 32', want: 'flow4 { dport > 24 && < 30 || 40..50; }' },
    { name: 'the AND bit of the first operator', input: '05 c1 50', want: 'flow4 { dport 80; }' },
    { name: 'reserved bits of a numeric operator', input: '05 89 50', want: 'flow4 { dport 80; }' },
    {
      name: 'every numeric operator',
      input: '05 00 01 01 01 02 01 03 01 04 01 05 01 06 01 87 01',
      want: 'flow4 { dport false 1 || 1 || > 1 || >= 1 || < 1 || <= 1 || != 1 || true 1; }',
    },
    {
      name: 'every bitmask operator',
      input: '09 00 12 01 12 02 12 83 12',
      want: 'flow4 { tcp flags !0x0/0x12 || 0x12/0x12 || 0x0/0x12 || !0x12/0x12; }',
    },
    { name: 'one TCP flag', input: '09 80 02', want: 'flow4 { tcp flags 0x2/0x2; }' },
    { name: 'TCP flags of two octets', input: '09 91 0102', want: 'flow4 { tcp flags 0x102/0x102; }' },
    { name: 'reserved bits of a fragment', input: '0c 80 f2', want: 'flow4 { fragment is_fragment; }' },
    { name: 'two bits of a fragment', input: '0c 80 0c', want: 'flow4 { fragment !0x0/0xc; }' },
    { name: 'reserved bits of a DSCP', input: '0b 81 ee', want: 'flow4 { dscp 46; }' },
    { name: 'route distinguisher', family: 'ipv4 flow-vpn', input: `${RD} 0118cb0071`, want: 'flow4 { rd 64512:1; dst 203.0.113.0/24; }' },
    { name: 'route distinguisher alone', family: 'ipv6 flow-vpn', input: '0001c00002010007', want: 'flow6 { rd 192.0.2.1:7; }' },
    {
      name: 'route distinguisher of an unknown type',
      family: 'ipv6 flow-vpn',
      input: '0003c00002010007',
      want: 'flow6 { rd 0x0003c00002010007; }',
    },
    { name: 'IPv6 prefix', family: 'ipv6 flow', input: '0120 00 20010db8', want: 'flow6 { dst 2001:db8::/32; }' },
    { name: 'IPv6 /0', family: 'ipv6 flow', input: '0100 00', want: 'flow6 { dst ::/0; }' },
    {
      name: 'an offset inside an octet',
      family: 'ipv6 flow',
      input: '0268 41 2468acf134',
      want: 'flow6 { src ::1234:5678:9a00:0/104 offset 65; }',
    },
    {
      name: 'the last bit alone, its padding passed over',
      family: 'ipv6 flow',
      input: '0280 7f ff',
      want: 'flow6 { src ::1/128 offset 127; }',
    },
    { name: 'flow label', family: 'ipv6 flow', input: '0d a1 000fffff', want: 'flow6 { label 1048575; }' },
    { name: '"do not fragment" is reserved in IPv6', family: 'ipv6 flow', input: '0c 80 03', want: 'flow6 { fragment is_fragment; }' },
  ])('$name', ({ family = 'ipv4 flow', input, want }) => {
    const rule = decodeFlowRule(family, parseHex(input));
    expect(printFlow(rule)).toBe(want);
    expect(printHex(rule.octets)).toBe(printHex(parseHex(input)));
  });

  it.each<{ name: string; family?: FlowFamily; input: string; want: string; offset: number }>([
    { name: 'component 0', input: '00', want: 'component of unknown type 0', offset: 0 },
    { name: 'component 14', family: 'ipv6 flow', input: '0e 81 01', want: 'component of unknown type 14', offset: 0 },
    { name: 'a flow label in IPv4', input: '0d 81 01', want: 'component of unknown type 13', offset: 0 },
    { name: 'a component twice', input: '03 81 06 03 81 11', want: 'protocol twice', offset: 3 },
    { name: 'out of order', input: '03 81 11 0120c6336407', want: 'destination out of order', offset: 3 },
    { name: 'a type alone', input: '03', want: 'protocol: the list of operators does not end', offset: 1 },
    { name: 'a list that does not end', input: '03 01 06', want: 'protocol: the list of operators does not end', offset: 3 },
    { name: 'a value cut short', input: '05 91 00', want: 'destination-port: a value of 2 octets, 1 left', offset: 1 },
    { name: 'an operator without a value', input: '05 81', want: 'destination-port: a value of 1 octets, 0 left', offset: 1 },
    { name: 'a prefix without a length', input: '01', want: 'destination: 0 octets left', offset: 1 },
    { name: '/33', input: '0121cb007100', want: 'destination: prefix length 33', offset: 1 },
    { name: 'a prefix cut short', input: '0118cb00', want: 'destination: a prefix of 3 octets, 2 left', offset: 2 },
    { name: 'TCP flags of four octets', input: '09 a0 00000002', want: 'tcp-flags: a value of 4 octets, at most 2', offset: 1 },
    { name: 'a DSCP of two octets', input: '0b 91 002e', want: 'dscp: a value of 2 octets, at most 1', offset: 1 },
    { name: 'a fragment of two octets', input: '0c 90 0002', want: 'fragment: a value of 2 octets, at most 1', offset: 1 },
    { name: 'no offset', family: 'ipv6 flow', input: '0120', want: 'destination: 1 octets left', offset: 1 },
    { name: '/129', family: 'ipv6 flow', input: `0181 00 ${'00'.repeat(17)}`, want: 'destination: prefix length 129', offset: 1 },
    {
      name: 'an offset of the length',
      family: 'ipv6 flow',
      input: '0120 20',
      want: 'destination: offset 32 of a prefix of 32 bits',
      offset: 2,
    },
    { name: 'an offset of /0', family: 'ipv6 flow', input: '0100 01', want: 'destination: offset 1 of a prefix of 0 bits', offset: 2 },
    {
      name: 'half a route distinguisher',
      family: 'ipv4 flow-vpn',
      input: '0000fc00',
      want: '4 octets, too few for a route distinguisher',
      offset: 0,
    },
  ])('refuses $name', ({ family = 'ipv4 flow', input, want, offset }) => {
    expect(() => decodeFlowRule(family, parseHex(input))).toThrow(expect.objectContaining({ code: 'BGP_FLOW', message: want, offset }));
  });
});

describe('flowRule', () => {
  const dst: FlowComponent = { kind: 'destination', prefix: prefix('203.0.113.0/24'), offset: 0 };
  const port = (value: number | bigint): FlowComponent => ({ kind: 'destination-port', anyOf: [[{ operator: '==', value }]] });

  it.each([
    [255, '0581ff'],
    [256, '05910100'],
    [65536, '05a100010000'],
    [2 ** 32, '05b10000000100000000'],
    [2n ** 64n - 1n, '05b1ffffffffffffffff'],
  ])('writes %s in as few octets as hold it', (value, want) => {
    expect(printHex(flowRule('ipv4 flow', [port(value)]).octets)).toBe(want);
  });

  it('sorts components, and has the key of the octets', () => {
    const rule = flowRule('ipv4 flow', [port(53), dst]);
    expect(rule.key).toBe('flow4:0118cb0071058135');
    expect(flowComponent(rule, 'destination')?.prefix.length).toBe(24);
    expect(flowComponent(rule, 'fragment')).toBeUndefined();
  });

  it('writes a flow label in four octets', () => {
    expect(printHex(flowRule('ipv6 flow', [{ kind: 'flow-label', anyOf: [[{ operator: '==', value: 5 }]] }]).octets)).toBe('0da100000005');
  });

  it.each<{ name: string; family?: FlowFamily; components: readonly FlowComponent[]; rd?: Uint8Array; want: RegExp }>([
    { name: 'a component twice', components: [dst, dst], want: /given twice/ },
    { name: 'no tests', components: [{ kind: 'port', anyOf: [] }], want: /without tests/ },
    { name: 'an empty alternative', components: [{ kind: 'port', anyOf: [[]] }], want: /without tests/ },
    { name: 'a negative value', components: [port(-1)], want: /not a value/ },
    { name: 'a fraction', components: [port(0.5)], want: /not a value/ },
    { name: 'a value of 65 bits', components: [port(2n ** 64n)], want: /not a value/ },
    { name: 'DSCP 64', components: [{ kind: 'dscp', anyOf: [[{ operator: '==', value: 64 }]] }], want: /over 63/ },
    {
      name: 'bits that fragments have not',
      components: [{ kind: 'fragment', anyOf: [[{ match: 'any', negated: false, mask: 16 }]] }],
      want: /no bits/,
    },
    { name: 'a prefix of the other family', family: 'ipv6 flow', components: [dst], want: /an IPv4 prefix/ },
    { name: 'a flow label in IPv4', components: [{ kind: 'flow-label', anyOf: [[{ operator: '==', value: 5 }]] }], want: /not for IPv4/ },
    { name: 'an offset in IPv4', components: [{ ...dst, offset: 8 }], want: /offset 8/ },
    {
      name: 'bits before the offset',
      family: 'ipv6 flow',
      components: [{ kind: 'source', prefix: prefix('2001:db8::/32'), offset: 8 }],
      want: /bits are set before offset 8/,
    },
    { name: 'no route distinguisher', family: 'ipv4 flow-vpn', components: [dst], want: /is needed/ },
    { name: 'a route distinguisher too many', components: [dst], rd: new Uint8Array(8), want: /no route distinguisher/ },
  ])('refuses $name', ({ family = 'ipv4 flow', components, rd, want }) => {
    expect(() => flowRule(family, components, rd)).toThrow(want);
  });
});
