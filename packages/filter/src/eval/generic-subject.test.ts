import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PACKET_SCHEME, parseScheme } from '../scheme/index.ts';
import { genericSubject } from './generic-subject.ts';

const parsed = parseScheme({ b: 'Bool', n: 'Int', ip: 'Ip', s: 'Bytes', list: 'Array(Int)', map: 'Map(Array(Bytes))' });
if ('problems' in parsed) throw new Error(parsed.problems.join());
const { scheme } = parsed;

describe('fields from JSON', () => {
  it('are values of their types', () => {
    const made = genericSubject(
      { b: false, n: '-9223372036854775808', ip: '2001:db8::1', s: 'ä', list: [1, 2], map: { ä: [[0, 255]] } },
      scheme,
    );
    if ('problems' in made) throw new Error(made.problems.join());
    const { subject } = made;
    expect(subject.field('b')).toBe(false);
    expect(subject.field('n')).toBe(-(2n ** 63n));
    expect(subject.field('ip')).toEqual({ family: 6, w0: 0x20010db8, w1: 0, w2: 0, w3: 1 });
    expect(subject.field('s')).toEqual(Uint8Array.of(0xc3, 0xa4));
    expect(subject.field('list')).toEqual([1, 2]);
    expect(subject.field('map')).toEqual(new Map([['\xc3\xa4', [Uint8Array.of(0, 255)]]]));
    expect(subject.field('other')).toBeUndefined();
  });

  it.each([
    { input: [], want: ['fields are an object of field names to values'] },
    { input: null, want: ['fields are an object of field names to values'] },
    { input: { x: 1 }, want: ['there is no field "x"'] },
    { input: { b: 1, n: 1.5 }, want: ['b is of type Bool, not 1', 'n is of type Int, not 1.5'] },
    { input: { n: 2 ** 53 }, want: ['n is of type Int, not 9007199254740992'] },
    { input: { n: '9223372036854775808' }, want: ['n is of type Int, not "9223372036854775808"'] },
    { input: { ip: '192.0.2.0/24' }, want: ['ip is of type Ip, not "192.0.2.0/24"'] },
    { input: { s: [256] }, want: ['s is of type Bytes, not [256]'] },
    { input: { list: [1, 'x'] }, want: ['list[1] is of type Int, not "x"'] },
    { input: { map: { k: 3 } }, want: ['map["k"] is of type Array(Bytes), not 3'] },
    {
      input: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`f${i}`, 1])),
      want: [...Array.from({ length: 20 }, (_, i) => `there is no field "f${i}"`), 'and 10 more'],
    },
  ])('refuses $input', ({ input, want }) => {
    expect(genericSubject(input, scheme)).toEqual({ problems: want });
  });

  it.each([
    { input: { 'tcp.dstport': 65536 }, want: ['tcp.dstport is 0 to 65535, not 65536'] },
    { input: { 'ip.proto': 'tcp', 'ip.proto.num': 17 }, want: ['ip.proto is tcp, but ip.proto.num is not 6'] },
    { input: { 'ip.proto': 'TCP' }, want: ['ip.proto has no value "TCP": a number without a name is ip.proto.num alone'] },
  ])('refuses of a packet $input', ({ input, want }) => {
    expect(genericSubject(input, PACKET_SCHEME)).toEqual({ problems: want });
  });

  it('null is missing', () => {
    const made = genericSubject({ n: null }, scheme);
    expect('subject' in made && made.subject.field('n')).toBeUndefined();
  });

  it('throws for nothing', () => {
    fc.assert(
      fc.property(
        fc.record({ b: fc.jsonValue(), n: fc.jsonValue(), map: fc.jsonValue(), list: fc.jsonValue() }),
        (json) => void genericSubject(json, scheme),
      ),
    );
  });
});
