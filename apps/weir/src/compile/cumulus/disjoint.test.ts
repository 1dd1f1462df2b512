import { evaluate, NO_LISTS } from '@weir/filter/eval';
import { type Box, toBoxes, packetExpr as x } from '@weir/filter/ir';
import { buildPacket, Packet } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { readExpression } from '../judgement/read-expression.ts';
import { disjointBoxes } from './disjoint.ts';

const ATOMS = [
  'tcp.dstport in {1..3}',
  'tcp.dstport == 2',
  'udp.dstport == 2',
  'ip.ttl > 9',
  'ip.ttl in {5..20}',
  'tcp.flags.syn',
  'ip.src in {192.0.2.0/25}',
];
const expressions = fc.letrec<{ expr: string }>((tie) => ({
  expr: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(...ATOMS),
    fc.tuple(fc.constantFrom('and', 'or', 'or', 'xor'), tie('expr'), tie('expr')).map(([word, a, b]) => `(${a} ${word} ${b})`),
    tie('expr').map((a) => `not (${a})`),
  ),
})).expr;

const PACKETS = [1, 2, 4].flatMap((port) =>
  [6, 10, 30].flatMap((ttl) =>
    ['192.0.2.1', '192.0.2.200'].flatMap((from) => {
      const [source, destination] = [from, '203.0.113.1'].map((text) => parseIp(text));
      if (!source || !destination) throw new RangeError(from);
      const ports = { sourcePort: 9, destinationPort: port };
      return [
        buildPacket({ source, destination, ttl, transport: { kind: 'tcp', ...ports, flags: 2 } }),
        buildPacket({ source, destination, ttl, transport: { kind: 'tcp', ...ports, flags: 16 } }),
        buildPacket({ source, destination, ttl, transport: { kind: 'udp', ...ports } }),
      ].map((bytes) => Packet.fromNetwork(bytes));
    }),
  ),
);

const isIn = (box: Box, packet: Packet): boolean => evaluate(x.and(box.literals), packet, NO_LISTS);

it('boxes made disjoint have the same packets, each in one', () => {
  let several = 0;
  fc.assert(
    fc.property(expressions, (text) => {
      const boxes = toBoxes(readExpression(text, new Set()), 64);
      const apart = boxes && disjointBoxes(boxes, 256);
      if (!boxes || !apart) return;
      if (apart.length > 1) several++;
      for (const packet of PACKETS) {
        const count = apart.filter((box) => isIn(box, packet)).length;
        expect(count).toBe(boxes.some((box) => isIn(box, packet)) ? 1 : 0);
      }
    }),
    { numRuns: 300 },
  );
  expect(several).toBeGreaterThan(50);
});
