import { describe, expect, it } from 'vitest';
import { lower } from '../ir/lower.ts';
import { PACKET_SCHEME } from '../scheme/index.ts';
import { parse } from '../syntax/index.ts';
import { genericSubject } from './generic-subject.ts';
import { printSaw, trace } from './trace.ts';
import type { Subject } from './value.ts';

describe('trace', () => {
  const subject = (fields: unknown): Subject => {
    const made = genericSubject(fields, PACKET_SCHEME);
    if ('problems' in made) throw new Error(made.problems.join());
    return made.subject;
  };

  it.each([
    {
      input: 'ip.proto == "tcp" and tcp.dstport in {80 443} and ip.src in {192.0.2.0/24}',
      fields: { 'ip.proto': 'tcp', 'tcp.dstport': 22, 'ip.src': '192.0.2.1' },
      steps: ['ip.proto.num is 6', 'tcp.dstport is 22'],
      because: ['tcp.dstport is 22'],
    },
    {
      input: 'tcp.dstport == 80 or udp.dstport == 53',
      fields: { 'tcp.dstport': 22 },
      steps: ['tcp.dstport is 22', 'udp.dstport is missing'],
      because: ['tcp.dstport is 22', 'udp.dstport is missing'],
    },
    {
      input: 'ip.src == 2001:db8::1 and not tcp.payload contains "x"',
      fields: { 'ip.src': '2001:db8::1', 'tcp.payload': 'GET /' },
      steps: ['ip.src is 2001:db8::1', 'tcp.payload is "GET /"'],
      because: ['ip.src is 2001:db8::1', 'tcp.payload is "GET /"'],
    },
    {
      input: 'udp.payload contains 00:01',
      fields: { 'udp.payload': new Array(70).fill(27) },
      steps: [`udp.payload is ${'1b'.repeat(64)}...`],
      because: [`udp.payload is ${'1b'.repeat(64)}...`],
    },
  ])('$input', ({ input, fields, steps, because }) => {
    const parsed = parse(input, PACKET_SCHEME);
    if ('problem' in parsed) throw new Error(parsed.problem.message);
    const { expr } = lower(parsed.tree);
    if (!expr) throw new Error('problems');
    const traced = trace(expr, subject(fields));
    expect(traced.steps.map(printSaw)).toEqual(steps);
    expect(traced.because.map(printSaw)).toEqual(because);
  });
});
