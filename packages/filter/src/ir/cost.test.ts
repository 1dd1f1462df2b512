import { describe, expect, it } from 'vitest';
import { PACKET_SCHEME } from '../scheme/index.ts';
import { parse } from '../syntax/index.ts';
import { cost, costliest } from './cost.ts';
import type { Expr } from './expr.ts';
import { lower } from './lower.ts';

function packets(text: string): Expr {
  const parsed = parse(text, PACKET_SCHEME);
  if ('problem' in parsed) throw new Error(parsed.problem.message);
  const { expr } = lower(parsed.tree);
  if (!expr) throw new Error('problems');
  return expr;
}

describe('cost', () => {
  it.each([
    { input: 'ip.src in {}', want: 0 },
    { input: 'ip.ttl == 1', want: 1 },
    { input: 'ip.ttl in {1 3 5 7 9}', want: 4 },
    { input: 'len(udp.payload) == 1', want: 2 },
    { input: 'ip.src in {192.0.2.1 192.0.2.3 2001:db8::1 2001:db8::3}', want: 3 },
    { input: 'udp.payload contains "abc"', want: 5 },
    { input: 'iif.name wildcard "eth*"', want: 2 },
    { input: 'udp.payload matches "abc"', want: 5 },
    { input: 'udp.payload matches "(abc){10}"', want: 32 },
    { input: 'ip.ttl == 1 and (ip.id == 2 or sip)', want: 3 },
    { input: 'ip.ttl == 1 xor ip.id == 2', want: 4 },
    { input: 'ip.ttl == 1 xor (ip.id == 2 and (sip xor ip.frag))', want: 12 },
  ])('$input', ({ input, want }) => {
    expect(cost(packets(input))).toBe(want);
  });

  it('finds the part to blame', () => {
    const text = 'ip.ttl == 1 and (ip.id == 2 or udp.payload matches "(abc){10}")';
    const { span } = costliest(packets(text));
    expect(span && text.slice(span.start, span.end)).toBe('udp.payload matches "(abc){10}"');
  });
});
