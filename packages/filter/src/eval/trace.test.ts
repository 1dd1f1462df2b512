import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exprBuilder } from '../ir/build.ts';
import { lower } from '../ir/lower.ts';
import { arbitraryExpr, arbitrarySubject, LISTS, SMALL_SCHEME } from '../ir/small-domain.testkit.ts';
import { PACKET_SCHEME } from '../scheme/index.ts';
import { parse } from '../syntax/index.ts';
import { evaluate } from './evaluate.ts';
import { genericSubject } from './generic-subject.ts';
import { printSaw, trace } from './trace.ts';
import type { Subject } from './value.ts';

describe('trace', () => {
  it('says what evaluate says, by literals that hold as it says', () => {
    fc.assert(
      fc.property(arbitraryExpr, arbitrarySubject, (expr, subject) => {
        const { value, steps, because } = trace(expr, subject, LISTS);
        expect(value).toBe(evaluate(expr, subject, LISTS));
        for (const step of steps) expect(step.holds).toBe(evaluate(step.literal, subject, LISTS));
        for (const step of because) expect(steps).toContain(step);
      }),
      { numRuns: 1000 },
    );
  });

  it('names literals that decide: the others may be anything', () => {
    const build = exprBuilder(SMALL_SCHEME);
    fc.assert(
      fc.property(arbitraryExpr, arbitrarySubject, fc.boolean(), (expr, subject, other) => {
        const { value, because } = trace(expr, subject, LISTS);
        const decided = new Map(because.map((step) => [step.literal, step.holds]));
        type Node = typeof expr;
        const put = (node: Node): Node => {
          if (node.kind === 'constant') return node;
          if (node.kind === 'literal') return build.constant(decided.get(node) ?? other);
          return { ...node, items: node.items.map(put) };
        };
        expect(evaluate(put(expr), subject, LISTS)).toBe(value);
      }),
      { numRuns: 1000 },
    );
  });

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
