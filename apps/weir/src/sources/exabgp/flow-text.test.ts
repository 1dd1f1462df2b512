import { type FlowFamily, flowActions, parseFlow, printFlow, printFlowAction } from '@weir/bgp/flowspec';
import { describe, expect, test } from 'vitest';
import { readFlowText } from './flow-text.ts';
import { LineError } from './json.ts';
import { parseLine } from './parse-line.ts';

const canonical = (text: string): string => {
  const read = parseFlow(text);
  if (!read.ok) throw new Error(read.problem.message);
  return printFlow(read.rule);
};

describe('flow rules as ExaBGP 4.2 writes them', () => {
  test.each<{ readonly name: string; readonly family?: FlowFamily; readonly input: string; readonly want: string }>([
    {
      name: 'names where there are any, numbers where not',
      input: 'flow destination-ipv4 203.0.113.2/32 protocol [ =tcp =unknown protocol type 99 ] icmp-type =echo-request icmp-code =0',
      want: 'flow4 { dst 203.0.113.2/32; proto 6,99; icmp type 8; icmp code 0; }',
    },
    {
      name: 'always and never',
      input: 'flow port true destination-port [ =80 false ] source-port [ true&!=5 ]',
      want: 'flow4 { port true 0; dport = 80 || false 0; sport true 0 && != 5; }',
    },
    { name: 'always behind AND, with the value', input: 'flow port [ >5&true7 ]', want: 'flow4 { port > 5 && true 0; }' },
    { name: 'the AND bit of the first test', input: 'flow port &=80', want: 'flow4 { port 80; }' },
    { name: 'the same in a list', input: 'flow port [ &>80&<90 =100 ]', want: 'flow4 { port > 80 && < 90 || 100; }' },
    {
      name: 'TCP flags without a name',
      input: 'flow tcp-flags [ =syn&!ack =syn+unknown tcp flag type 514 ]',
      want: 'flow4 { tcp flags 0x2/0x2 && 0x0/0x10 || 0x202/0x202; }',
    },
    { name: 'the two high bits of a DSCP', input: 'flow dscp =255', want: 'flow4 { dscp 63; }' },
    {
      name: 'reserved bits of a fragment',
      input: 'flow fragment is-fragment+unknown fragment type 18',
      want: 'flow4 { fragment is_fragment; }',
    },
    {
      name: 'IPv6, where no packet says that it must not be fragmented',
      family: 'ipv6 flow',
      input:
        'flow destination-ipv6 2001:db8::/32/0 next-header =unknown protocol type 58 traffic-class =10 fragment dont-fragment+is-fragment flow-label =5',
      want: 'flow6 { dst 2001:db8::/32; next header 58; dscp 10; fragment is_fragment; label 5; }',
    },
  ])('$name', ({ family = 'ipv4 flow', input, want }) => {
    expect(printFlow(readFlowText(input, family))).toBe(canonical(want));
  });

  test.each<{ readonly name: string; readonly family?: FlowFamily; readonly input: string; readonly want: RegExp }>([
    {
      // `src ::1234:5678:9a00:0/104 offset 64; next header 6`: the rest of the rule is taken for the address.
      name: 'an IPv6 offset',
      family: 'ipv6 flow',
      input: 'flow source-ipv6 1234:5678:9a03:8106::/104/64',
      want: /consolidate/,
    },
    { name: 'flags without bits', input: 'flow tcp-flags =', want: /bits/ },
    { name: 'reserved bits of an operator', input: 'flow port 0980', want: /not known/ },
    { name: 'a fragment of more than an octet', input: 'flow fragment 300', want: /fragment/ },
    { name: 'a DSCP of more than an octet', input: 'flow dscp =300', want: /DSCP/ },
  ])('refused: $name', ({ family = 'ipv4 flow', input, want }) => {
    expect(() => readFlowText(input, family)).toThrow(LineError);
    expect(() => readFlowText(input, family)).toThrow(want);
  });
});

test.each([
  { name: 'a redirection to a route target', value: '0xD20010DB80000000000000000000000010007', want: ['redirect rt:[2001:db8::1]:7'] },
  {
    name: 'two of them',
    value: '0xD20010DB80000000000000000000000010007000D20010DB80000000000000000000000010008',
    want: ['redirect rt:[2001:db8::1]:7', 'redirect rt:[2001:db8::1]:8'],
  },
  { name: 'words', value: 'redirect-to-nexthop-ietf 2001:db8::99', want: ['redirect-to 2001:db8::99'] },
])('IPv6 extended communities of 4.2: $name', ({ value, want }) => {
  const line = parseLine(
    `{ "exabgp": "4.0.1", "type": "update", "neighbor": { "address": { "local": "192.0.2.1", "peer": "192.0.2.2" }, "asn": { "local": 64512, "peer": 64513 }, "direction": "receive", "message": { "update": { "attribute": { "origin": "igp", "as-path": [ 64513 ], "attribute-0x19-0xC0": "${value}" }, "announce": { "ipv6 flow": { "no-nexthop": [ { "string": "flow destination-ipv6 2001:db8:3::/48/0" } ] } } } } } }`,
  );
  if (line.kind !== 'update') throw new Error(JSON.stringify(line));
  expect(flowActions(line.update.attributes).map(printFlowAction)).toEqual(want);
});

test('a rule that cannot be read is told; those beside it count', () => {
  const flows = (...strings: readonly string[]): string => strings.map((text) => `{ "string": "flow ${text}" }`).join(', ');
  const line = parseLine(
    `{ "exabgp": "4.0.1", "type": "update", "neighbor": { "address": { "local": "192.0.2.1", "peer": "192.0.2.2" }, "asn": { "local": 64512, "peer": 64513 }, "direction": "receive", "message": { "update": { "attribute": { "origin": "igp", "as-path": [ 64513 ] }, "announce": { "ipv6 flow": { "no-nexthop": [ ${flows('destination-ipv6 2001:db8::/32/0', 'source-ipv6 2001:db8::/104/64')} ] } }, "withdraw": { "ipv4 flow": [ ${flows('port =80', 'tcp-flags =')} ] } } } } }`,
  );
  if (line.kind !== 'update') throw new Error(JSON.stringify(line));
  const { announceFlows, withdrawFlows, errors } = line.update;
  expect(announceFlows.flatMap(({ run }) => run.routes.map(({ rule }) => printFlow(rule)))).toEqual(['flow6 { dst 2001:db8::/32; }']);
  expect(withdrawFlows.flatMap(({ routes }) => routes.map(({ rule }) => printFlow(rule)))).toEqual(['flow4 { port 80; }']);
  expect(errors.map(({ message }) => message)).toEqual([expect.stringMatching(/consolidate/), expect.stringMatching(/bits/)]);
});
