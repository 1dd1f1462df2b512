import type { Random } from '../../e2e/random.ts';
import { type AtomContext, FIELDS_BY_NAME, intAtom, ipAtomOf, makeAtom, type Part, protocolAtom } from './atoms.ts';
import { makeExpression, type Node } from './expressions.ts';

const PORTS = ['tcp.dstport', 'tcp.dstport', 'udp.dstport', 'tcp.srcport', 'sctp.dstport'] as const;
const HEADERS = ['ip.ttl', 'ip.proto.num', 'ip.dscp', 'ip.len'] as const;

/**
 * Expressions of one shape, as people write them by the hundred: an address, a port, a protocol, each with its own values. Now and then one is of another shape.
 */
export function makeShape(random: Random, context: AtomContext): () => Node {
  const ports: readonly string[] = context.headers ? HEADERS : PORTS;
  const port = random.pick(ports);
  const candidates: readonly Part[] = [
    (r, c) => ipAtomOf(r, c, 'ip.src'),
    (r, c) => ipAtomOf(r, c, 'ip.dst'),
    (r, c) => intAtom(r, c, FIELDS_BY_NAME.get(port) ?? { name: port, bits: 16, usual: [] }),
    (r) => protocolAtom(r),
    (r, c) => makeAtom(r, c),
  ];
  const some = random.some(candidates, 1, 2);
  const parts = some.length === 0 ? candidates.slice(0, 3) : some;
  return () => {
    if (random.below(12) === 0) return makeExpression(random, context, 2);
    const items = parts.filter(() => random.below(8) > 0).map((part) => part(random, context));
    const [first] = items;
    if (!first) return makeAtom(random, context);
    return items.length === 1 ? first : { kind: 'and', items };
  };
}
