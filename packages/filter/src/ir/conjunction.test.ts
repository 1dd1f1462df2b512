import { describe, expect, it } from 'vitest';
import { PACKET_SCHEME } from '../scheme/index.ts';
import { parse } from '../syntax/index.ts';
import { boxOf, conjunctionOf, toBoxes } from './conjunction.ts';
import type { Expr } from './expr.ts';
import { lower } from './lower.ts';
import { printExpr } from './text.ts';

function packets(text: string): Expr {
  const parsed = parse(text, PACKET_SCHEME);
  if ('problem' in parsed) throw new Error(parsed.problem.message);
  const { expr } = lower(parsed.tree);
  if (!expr) throw new Error('problems');
  return expr;
}

describe('boxes', () => {
  it.each([
    { input: 'tcp.dstport == 80', want: ['tcp.dstport == 80 and ip.proto == "tcp"'] },
    { input: 'tcp.dstport == 80 and udp.dstport == 53', want: [] },
    { input: 'icmpv6.type == 135 and ip.src in {192.0.2.0/24}', want: [] },
    {
      input: 'icmpv6.type == 135 and ip.src in {192.0.2.0/24 2001:db8::/32}',
      want: ['icmpv6.type == 135 and ip.src in {2001:db8::/32} and ip.proto == "icmpv6"'],
    },
    { input: 'ip.src == 192.0.2.1 and ip.dst == 2001:db8::1', want: [] },
    { input: 'ip.proto == "udp" and tcp.dstport != 80', want: ['ip.proto == "udp"'] },
    { input: 'ip.proto == "tcp" and tcp.dstport != 80', want: ['ip.proto == "tcp" and tcp.dstport != 80'] },
    {
      input: '(tcp.dstport in {80 443} or udp.dstport == 53) and ip.proto == "tcp"',
      want: ['ip.proto == "tcp" and tcp.dstport in {80 443}'],
    },
    {
      input: 'tcp.flags.syn xor tcp.flags.ack',
      want: ['tcp.flags.syn and not tcp.flags.ack and ip.proto == "tcp"', 'not tcp.flags.syn and tcp.flags.ack and ip.proto == "tcp"'],
    },
  ])('$input', ({ input, want }) => {
    const boxes = toBoxes(packets(input), 10);
    expect(
      boxes?.map(({ literals }) => printExpr(literals.length === 1 && literals[0] ? literals[0] : { kind: 'and', items: literals })),
    ).toEqual(want);
  });

  it('stop at the limit', () => {
    const either = (n: number): string => `(ip.len & ${2 ** n} or ip.id & ${2 ** n})`;
    const expr = packets(Array.from({ length: 15 }, (_, i) => either(i)).join(' and '));
    expect(toBoxes(expr, 100)).toBeUndefined();
  });

  it('stop at the limit in xor', () => {
    const expr = packets(Array.from({ length: 60 }, (_, i) => `ip.src == 192.0.2.${i} and ip.ttl == ${i}`).join(' xor '));
    expect(toBoxes(expr, 1000)).toBeUndefined();
  });
});

describe('conjunctionOf', () => {
  it.each([
    { input: 'ip.ttl == 1', want: 1 },
    { input: 'ip.ttl == 1 and ip.id != 3', want: 2 },
    { input: 'ip.ttl == 1 or ip.id == 3', want: undefined },
    { input: 'not ip.src in {}', want: 0 },
    { input: 'ip.src in {}', want: undefined },
  ])('$input', ({ input, want }) => {
    expect(conjunctionOf(packets(input))?.length).toBe(want);
  });
});

it('boxOf tells contradictions', () => {
  const literals = conjunctionOf(packets('tcp.srcport == 1 and sctp.srcport == 1')) ?? [];
  expect(literals).toHaveLength(2);
  expect(boxOf(literals)).toBeUndefined();
});
