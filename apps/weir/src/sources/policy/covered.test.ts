import { evaluate } from '@weir/filter/eval';
import { buildPacket, Packet, TCP_FLAGS } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { covered } from './covered.ts';
import { loadTexts, printAll } from './memory-policy.ts';

/** Which rules are covered, by which: `b<a`. One rule a line, without its name. */
function found(...rules: readonly string[]): string {
  const text = `rules:\n${rules.map((rule, i) => `  - { name: ${'abcdefgh'[i]}, ${rule} }\n`).join('')}`;
  const loaded = loadTexts({ 'policy.yaml': text });
  if (!loaded.policy) throw new Error(printAll(loaded));
  const here = loaded.policy.rules;
  return [...covered(here)].map(([i, by]) => `${here[i]?.name}<${by.name}`).join(' ');
}

describe('rules that no packet reaches', () => {
  const tcp = 'protocol: tcp, action: deny';
  const rows: readonly { readonly name: string; readonly input: readonly string[]; readonly want: string }[] = [
    { name: 'the same', input: [tcp, 'protocol: tcp, action: allow'], want: 'b<a' },
    { name: 'a narrower one', input: [tcp, 'protocol: tcp, state: new, action: allow'], want: 'b<a' },
    { name: 'a wider one', input: ['protocol: tcp, state: new, action: allow', tcp], want: '' },
    { name: 'the first of several', input: [tcp, tcp, 'protocol: tcp, state: new, action: log'], want: 'b<a c<a' },
    { name: 'everything after everything', input: ['action: deny', tcp, 'action: log'], want: 'b<a c<a' },
    {
      name: 'the same in another order and form',
      input: [
        'expression: \'ip.ttl < 9 and ip.proto == "tcp"\', action: deny',
        "protocol: tcp, expression: 'not ip.ttl >= 9', action: deny",
      ],
      want: '',
    },
    {
      name: 'the same sets of addresses',
      input: ['source_cidrs: [192.0.2.0/25, 192.0.2.128/25], action: deny', 'source_cidrs: 192.0.2.0/24, action: allow'],
      want: 'b<a',
    },
    { name: 'what does not end', input: ['protocol: tcp, action: log', 'protocol: tcp, action: mark, mark: 1', tcp], want: '' },
    { name: 'what is not enforced', input: [`${tcp}, enabled: false`, tcp], want: '' },
    { name: 'a rule that is not enforced is not told of', input: [tcp, `${tcp}, enabled: false`], want: '' },
    { name: 'what ends some day', input: [`${tcp}, until: 2030-01-01`, tcp], want: '' },
    { name: 'an audited denial goes on', input: [`${tcp}, audit: true`, tcp], want: '' },
    { name: 'an audited allowance does not', input: ['protocol: tcp, action: allow, audit: true', tcp], want: 'b<a' },
    { name: 'a rule that is skipped', input: ['state: new, action: skip, skip_to: c', tcp, tcp], want: '' },
    { name: 'a rule that is skipped to', input: ['state: new, action: skip, skip_to: b', tcp, tcp], want: 'c<b' },
    { name: 'skipping all', input: ['state: new, action: skip', tcp, tcp], want: 'c<b' },
    {
      name: 'a mark that changes',
      input: ["expression: 'meta.mark == 1', action: deny", 'action: mark, mark: 1', "expression: 'meta.mark == 1', action: deny"],
      want: '',
    },
    {
      name: 'a mark that does not',
      input: ["expression: 'meta.mark == 1', action: deny", "expression: 'meta.mark == 1', action: deny"],
      want: 'b<a',
    },
    {
      name: 'many conditions',
      input: [
        "expression: 'ip.ttl == 1 and ip.len == 2 and ip.id == 3 and ip.tos == 4 and ip.hdr_len == 5 and ip.frag and ct.new', action: deny",
        "expression: 'ct.new and ip.frag and ip.hdr_len == 5 and ip.tos == 4 and ip.id == 3 and ip.len == 2 and ip.ttl == 1', action: deny",
      ],
      want: 'b<a',
    },
  ];
  for (const row of rows) test(row.name, () => expect(found(...row.input)).toBe(row.want));
});

test('a packet that a covered rule takes is one that the other takes', () => {
  const part = fc.constantFrom(
    'source_cidrs: 192.0.2.0/24',
    'destination_ports: 80',
    'state: new',
    'protocol: tcp',
    "expression: 'ip.ttl < 9'",
    "expression: 'ip.ttl < 9 or tcp.flags.syn'",
    "expression: 'not tcp.flags.syn'",
  );
  const rule = fc
    .tuple(fc.uniqueArray(part, { maxLength: 3, selector: (p) => p.slice(0, 6) }), fc.constantFrom('allow', 'deny', 'log', 'reject'))
    .map(([parts, action]) => [...parts, `action: ${action}`].join(', '));
  const packet = fc.record({
    host: fc.constantFrom('192.0.2.1', '198.51.100.1'),
    ttl: fc.constantFrom(5, 64),
    port: fc.constantFrom(80, 81),
    flags: fc.constantFrom(TCP_FLAGS.syn, TCP_FLAGS.ack),
    state: fc.constantFrom('new' as const, 'established' as const),
  });
  let times = 0;
  fc.assert(
    fc.property(fc.array(rule, { minLength: 2, maxLength: 8 }), fc.array(packet, { minLength: 8, maxLength: 8 }), (rules, packets) => {
      const text = `rules:\n${rules.map((r, i) => `  - { name: r${i}, ${r} }\n`).join('')}`;
      const here = loadTexts({ 'policy.yaml': text }).policy?.rules ?? [];
      for (const [i, by] of covered(here)) {
        times++;
        for (const p of packets) {
          const [source, destination] = [p.host, '203.0.113.1'].map((a) => parseIp(a));
          if (!source || !destination) throw new RangeError('no address');
          const bytes = buildPacket({
            source,
            destination,
            ttl: p.ttl,
            transport: { kind: 'tcp', sourcePort: 1024, destinationPort: p.port, flags: p.flags },
          });
          const subject = Packet.fromNetwork(bytes, { state: p.state });
          const covers = here[i] && (!evaluate(here[i].expression, subject) || evaluate(by.expression, subject));
          expect([text, here[i]?.name, by.name, covers]).toEqual([text, here[i]?.name, by.name, true]);
        }
      }
    }),
    { numRuns: 80 },
  );
  expect(times).toBeGreaterThan(8);
});
