import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { evaluate } from '@weir/filter/eval';
import { buildPacket, Packet, type PacketContext } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../model/policy.ts';
import { systemFiles } from '../yaml/files.ts';
import { loadPolicy } from './load.ts';
import { NOW, printAll } from './memory-policy.ts';

const folder = fileURLToPath(new URL('../../../../../examples/policy/', import.meta.url));
const names = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

function load(name: string): Policy {
  const loaded = loadPolicy([folder + name], systemFiles, { now: NOW, sets: new Map([['web_allowed', 'Ip']]) });
  expect(printAll(loaded)).toBe('');
  return loaded.policy as Policy;
}

test('there are examples', () => expect(names.length).toBeGreaterThan(3));

for (const name of names) test(`examples/policy/${name} has neither errors nor warnings`, () => void load(name));

/** A UDP packet from the internet. */
function udp(sourcePort: number, destinationPort: number, payload: Uint8Array, context: PacketContext = { state: 'new' }): Packet {
  const [source, destination] = ['198.51.100.9', '192.0.2.10'].map((text) => parseIp(text));
  if (!source || !destination) throw new RangeError('no address');
  const bytes = buildPacket({ source, destination, transport: { kind: 'udp', sourcePort, destinationPort, payload } });
  return Packet.fromNetwork(bytes, context);
}

const bytes = (...start: readonly number[]): Uint8Array => Uint8Array.from({ length: 600 }, (_, i) => start[i] ?? 0);
const text = (start: string): Uint8Array => bytes(...new TextEncoder().encode(start));

describe('the reflection pack', () => {
  const rows: readonly { readonly name: string; readonly input: Packet; readonly want: readonly string[] }[] = [
    { name: 'an answer to monlist', input: udp(123, 40000, bytes(0xd7, 0x00, 0x03, 0x2a)), want: ['ntp-monlist'] },
    { name: 'the question', input: udp(40000, 123, bytes(0x17, 0x00, 0x03, 0x2a)), want: ['ntp-monlist-questions'] },
    { name: 'the time', input: udp(123, 40000, bytes(0x24, 0x02, 0x03, 0x2a)), want: [] },
    { name: 'memcached', input: udp(11211, 40000, text('\0\0\0\0\0\x01\0\0STAT pid')), want: ['memcached'] },
    { name: 'CLDAP', input: udp(389, 40000, bytes(0x30)), want: ['cldap'] },
    { name: 'SSDP', input: udp(1900, 40000, text('HTTP/1.1 200 OK\r\n')), want: ['ssdp'] },
    { name: 'something else from the port of SSDP', input: udp(1900, 40000, text('NOTIFY * HTTP/1.1\r\n')), want: [] },
    { name: 'chargen', input: udp(19, 40000, text('!"#$%')), want: ['chargen'] },
    { name: 'a large DNS answer', input: udp(53, 40000, bytes(0x12, 0x34, 0x81, 0x80)), want: ['dns-amplification'] },
    { name: 'one that was asked for', input: udp(53, 40000, bytes(0x12, 0x34, 0x81, 0x80), { state: 'established' }), want: [] },
    { name: 'a DNS question', input: udp(53, 40000, bytes(0x12, 0x34, 0x01, 0x00)), want: [] },
    { name: 'SQL resolution', input: udp(1434, 40000, bytes(0x05, 0x10)), want: ['sql-resolution'] },
    { name: 'an ordinary packet', input: udp(40000, 40001, bytes(0x05)), want: [] },
  ];
  for (const row of rows) {
    test(row.name, () => {
      const taken = load('reflection.yaml').rules.filter((rule) => evaluate(rule.expression, row.input));
      expect(taken.map((rule) => rule.name)).toEqual(row.want);
    });
  }
});
