import { describe, expect, it } from 'vitest';
import { GUARDED_PACKET_SCHEME, PACKET_SCHEME, type Scheme } from '../scheme/index.ts';
import { parse } from '../syntax/index.ts';
import { packetExpr } from './build.ts';
import type { Expr, IrSpan } from './expr.ts';
import type { ListDefinitions } from './lists.ts';
import { lower } from './lower.ts';
import { printExpr } from './text.ts';

const LISTS: ListDefinitions = new Map([['blocked', { kind: 'named', type: { kind: 'Ip' } }]]);

function lowered(text: string, scheme: Scheme): Expr {
  const parsed = parse(text, scheme, { maxLength: 1e6 });
  if ('problem' in parsed) throw new Error(`${parsed.problem.message}: ${text}`);
  const result = lower(parsed.tree, scheme, { lists: LISTS, maxCost: 1e9 });
  if (!result.expr) throw new Error(result.problems.map((p) => p.message).join());
  return result.expr;
}

/** An expression without its spans. */
function bare(expr: Expr): Expr {
  const { span: _, ...rest }: Expr & { span?: IrSpan | undefined } = expr;
  return 'items' in rest ? { ...rest, items: rest.items.map(bare) } : rest;
}

describe('expressions as text', () => {
  it.each([
    { input: 'ip.proto == "tcp" and tcp.dstport in {80 443 8000..8100}', want: 'ip.proto == "tcp" and tcp.dstport in {80 443 8000..8100}' },
    { input: 'ip.proto.num in {6 17}', want: 'ip.proto in {"tcp" "udp"}' },
    { input: 'ip.proto.num in {6 253}', want: 'ip.proto.num in {6 253}' },
    { input: 'tcp.dstport ge 1024', want: 'tcp.dstport >= 1024' },
    {
      input: 'not (tcp.dstport == 80 or ip.src in {192.0.2.0/24 198.51.100.7..198.51.100.9})',
      want: 'tcp.dstport != 80 and not ip.src in {192.0.2.0/24 198.51.100.7..198.51.100.9}',
    },
    { input: 'cidr(ip.src, 24, 48) == 192.0.2.0', want: 'ip.src in {192.0.2.0/24}' },
    { input: 'cidr(ip.src, 24, 48) == 192.0.2.1', want: 'ip.src in {}' },
    {
      input: '(tcp.flags.syn or udp.dstport == 53) and not ct.established',
      want: '(tcp.flags.syn or udp.dstport == 53) and not ct.established',
    },
    { input: 'tcp.flags.syn xor not tcp.flags.ack', want: 'not (tcp.flags.syn xor tcp.flags.ack)' },
    {
      input: 'udp.payload matches "a\\"b" and udp.payload contains 00:ff',
      want: 'udp.payload matches r#"a"b"# and udp.payload contains "\\x00\\xff"',
    },
    { input: 'bit_slice(tcp, 0, 16) & 0x8001', want: 'bit_slice(tcp, 0, 16) & 32769' },
    { input: 'meta.mark != 5', want: 'meta.mark in {0..4 6..4294967295}' },
    { input: 'ip.dst in $blocked', want: 'ip.dst in $blocked' },
  ])('$input', ({ input, want }) => {
    const expr = lowered(input, PACKET_SCHEME);
    const text = printExpr(expr);
    expect(text).toBe(want);
    expect(bare(lowered(text, PACKET_SCHEME))).toEqual(bare(expr));
  });

  it('says != otherwise where it does not mean the negation', () => {
    const negated = packetExpr.not(packetExpr.int('tcp.dstport', [{ first: 80, last: 80 }]));
    expect(printExpr(negated, GUARDED_PACKET_SCHEME)).toBe('not tcp.dstport == 80');
  });
});
