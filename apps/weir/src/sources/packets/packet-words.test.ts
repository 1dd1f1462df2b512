import { describePacket } from '@weir/filter/packet';
import { expect, test } from 'vitest';
import { packetOf, parsePacketWords } from './packet-words.ts';

const good: readonly [string, string][] = [
  ['tcp 198.51.100.7 203.0.113.5:443', 'tcp 198.51.100.7:50000 -> 203.0.113.5:443 SYN'],
  [
    'tcp 198.51.100.7:51000 -> 203.0.113.5:443 SYN,ACK in eth0 out wg0',
    'tcp 198.51.100.7:51000 -> 203.0.113.5:443 SYN,ACK in eth0 out wg0',
  ],
  ['udp [2001:db8::7]:53 -> [2001:db8::1]:5353 length 12', 'udp [2001:db8::7]:53 -> [2001:db8::1]:5353 length 12'],
  ['icmp 198.51.100.7 203.0.113.5', 'icmp 198.51.100.7 -> 203.0.113.5 echo-request'],
  ['icmp 198.51.100.7 203.0.113.5 destination-unreachable code 4', 'icmp 198.51.100.7 -> 203.0.113.5 destination-unreachable code 4'],
  ['icmpv6 2001:db8::7 2001:db8::1 nd-neighbor-solicit ttl 255', 'icmpv6 2001:db8::7 -> 2001:db8::1 nd-neighbor-solicit'],
  ['gre 198.51.100.7 203.0.113.5', 'gre 198.51.100.7 -> 203.0.113.5 length 4'],
  ['89 198.51.100.7 203.0.113.5 payload 0102', 'ospf 198.51.100.7 -> 203.0.113.5 length 2'],
  ['udp 198.51.100.7:1 203.0.113.5:2 fragment at 0 of more', 'udp 198.51.100.7:1 -> 203.0.113.5:2 length 0 fragment at 0 of more'],
];

test.each(good)('%s', (text, want) => {
  const result = parsePacketWords(text.split(' '));
  expect(result.ok ? describePacket(packetOf(result.packet)) : result.message).toBe(want);
});

test('what is described is read again', () => {
  for (const [, text] of good.slice(0, 6)) {
    const result = parsePacketWords(text.split(' '));
    expect(result.ok ? describePacket(packetOf(result.packet)) : result.message).toBe(text);
  }
});

const bad: readonly [string, string][] = [
  ['tcp', 'a packet is PROTOCOL SOURCE[:PORT] DESTINATION[:PORT], such as tcp 198.51.100.7 203.0.113.5:443'],
  ['tcp 198.51.100.7 203.0.113.5', 'tcp needs a port at the destination'],
  ['tcp 198.51.100.7 [2001:db8::1]:80', '198.51.100.7 and [2001:db8::1]:80 are of different families'],
  ['tcp 198.51.100 203.0.113.5:80', '198.51.100 is no address, or address and port (an IPv6 address with a port stands in brackets)'],
  ['tcp 198.51.100.7 203.0.113.5:65536', '203.0.113.5:65536: a port is 0 to 65535'],
  ['icmp 2001:db8::7 2001:db8::1', 'icmp is not the ICMP of IPv6'],
  ['icmp 198.51.100.7:1 203.0.113.5', 'icmp has no ports'],
  ['xyz 198.51.100.7 203.0.113.5', 'xyz is no protocol: its name, or its number from 0 to 255'],
  ['tcp 198.51.100.7 203.0.113.5:80 SYN,NACK', 'SYN,NACK is not understood'],
  ['tcp 198.51.100.7 203.0.113.5:80 ttl 256', 'ttl: 256 is not a number from 0 to 255'],
  ['tcp 198.51.100.7 203.0.113.5:80 in', 'in needs a value'],
  ['tcp 198.51.100.7 203.0.113.5:80 state open', 'state: open is none of new, established, related, invalid, untracked'],
  ['udp 198.51.100.7 203.0.113.5:80 payload 1', 'payload: pairs of hexadecimal digits are needed'],
];

test.each(bad)('%s is refused', (text, want) => {
  const result = parsePacketWords(text.split(' '));
  expect(result.ok ? '' : result.message).toBe(want);
});
