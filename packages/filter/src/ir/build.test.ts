import { describe, expect, it } from 'vitest';
import { PACKET_SCHEME } from '../scheme/index.ts';
import { exprBuilder, packetExpr } from './build.ts';
import type { Expr } from './expr.ts';
import { familySet, ipSet } from './ip-set.ts';
import type { Conflict } from './merge.ts';
import { keyOctets } from './octets.ts';
import { complementSet, interval, intSet } from './range-set.ts';
import { printExpr } from './text.ts';

const x = packetExpr;
const ttl = (...values: number[]): Expr => x.int('ip.ttl', intSet(...values));

describe('builders', () => {
  it.each([
    { name: 'and of none', input: x.and([]), want: 'not ip.src in {}' },
    { name: 'or of none', input: x.or([]), want: 'ip.src in {}' },
    { name: 'xor of none', input: x.xor([]), want: 'ip.src in {}' },
    { name: 'and of one', input: x.and([ttl(1)]), want: 'ip.ttl == 1' },
    { name: 'and with true', input: x.and([x.constant(true), ttl(1)]), want: 'ip.ttl == 1' },
    { name: 'or with true', input: x.or([x.constant(true), ttl(1)]), want: 'not ip.src in {}' },
    { name: 'what stands twice', input: x.and([x.flag('sip'), ttl(1), x.flag('sip')]), want: 'sip and ip.ttl == 1' },
    { name: 'A and not B', input: x.and([ttl(1, 2, 3), x.not(ttl(2))]), want: 'ip.ttl in {1 3}' },
    { name: 'not A and not B', input: x.and([x.not(ttl(1)), x.not(ttl(2))]), want: 'not ip.ttl in {1..2}' },
    { name: 'not A or not B', input: x.or([x.not(ttl(1, 2)), x.not(ttl(2, 3))]), want: 'ip.ttl != 2' },
    { name: 'A or not B', input: x.or([ttl(1), x.not(ttl(1, 2))]), want: 'ip.ttl != 2' },
    {
      name: 'A or the rest, which may be missing',
      input: x.or([ttl(1), x.int('ip.ttl', complementSet(intSet(1), 0, 255))]),
      want: 'ip.ttl >= 0',
    },
    {
      name: 'A or the rest, never missing',
      input: x.or([x.int('meta.mark', intSet(1)), x.not(x.int('meta.mark', intSet(1)))]),
      want: 'not ip.src in {}',
    },
    { name: 'families', input: x.and([x.ip('ip.src', familySet(4)), x.not(x.ip('ip.src', familySet(6)))]), want: 'ip.src in {0.0.0.0/0}' },
    {
      name: 'places',
      input: x.and([ttl(1, 2), x.flag('sip'), ttl(2, 3), x.or([x.flag('ip.frag'), x.flag('tcp.flags.syn')])]),
      want: 'ip.ttl == 2 and sip and (ip.frag or tcp.flags.syn)',
    },
    { name: 'nested and', input: x.and([ttl(1, 2), x.and([x.flag('sip'), ttl(2, 3)])]), want: 'ip.ttl == 2 and sip' },
    {
      name: 'masks that become a set',
      input: x.and([x.not(x.bits('tcp.flags', 0xf0)), x.not(x.bits('tcp.flags', 0x1f)), x.int('tcp.flags', interval(0, 9))]),
      want: 'tcp.flags == 0',
    },
    { name: 'masks that exclude', input: x.and([x.bits('tcp.flags', 2), x.not(x.bits('tcp.flags', 6))]), want: 'ip.src in {}' },
    {
      name: 'octets',
      input: x.and([x.bytes('iif.name', ['a', 'b'].map(keyOctets)), x.bytes('iif.name', ['b', 'c'].map(keyOctets))]),
      want: 'iif.name == "b"',
    },
    { name: 'xor of sets', input: x.xor([ttl(1, 2), ttl(2, 3), x.constant(true)]), want: 'not ip.ttl in {1 3}' },
    {
      name: 'not of everything',
      input: x.not(x.and([ttl(1), x.or([x.flag('sip'), x.not(x.flag('ip.frag'))])])),
      want: 'ip.ttl != 1 or not sip and ip.frag',
    },
    { name: 'ports out of range', input: x.int('tcp.dstport', interval(-5, 80)), want: 'tcp.dstport <= 80' },
    { name: 'no address', input: x.ip('ip.src', ipSet([])), want: 'ip.src in {}' },
  ])('$name', ({ input, want }) => {
    expect(printExpr(input)).toBe(want);
    expect(x.simplify(input)).toEqual(input);
  });

  it('tell what cannot hold together', () => {
    const told: Conflict[] = [];
    const at = (start: number, set: number): Expr => ({
      kind: 'literal',
      negated: false,
      test: { kind: 'int', operand: { kind: 'field', name: 'ip.ttl' }, set: intSet(set) },
      span: { start, end: start + 3 },
    });
    expect(x.and([at(0, 1), x.flag('sip'), at(10, 2)], undefined, (c) => told.push(c))).toEqual({ kind: 'constant', value: false });
    expect(told).toEqual([{ operand: { kind: 'field', name: 'ip.ttl' }, span: { start: 0, end: 13 } }]);
  });

  it('make one set of fifty thousand', () => {
    const build = exprBuilder(PACKET_SCHEME);
    const many = Array.from({ length: 50_000 }, (_, i) => build.int('ip6.flow_label', intSet(i * 2)));
    const union = build.or(many);
    expect(union.kind === 'literal' && union.test.kind === 'int' && union.test.set.length).toBe(50_000);
    const none = build.and(many.map((item) => build.not(item)));
    expect(none).toEqual(build.not(union));
    expect(build.and([build.or(many), none])).toEqual({ kind: 'constant', value: false });
    const bits = Array.from({ length: 50_000 }, (_, i) => build.bits('ip.id', 1 << (i % 16)));
    expect(printExpr(build.or(bits))).toBe('ip.id >= 1');
    const octets = Array.from({ length: 40_000 }, (_, i) => build.bytes('iif.name', [keyOctets(`eth${i % 20_000}`)]));
    const names = build.or(octets);
    expect(names.kind === 'literal' && names.test.kind === 'bytes' && names.test.values.length).toBe(20_000);
  });
});
