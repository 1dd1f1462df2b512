import {
  encodeFlowActions,
  type FlowRule,
  flowActions,
  flowTreatment,
  parseFlow,
  parseFlowAction,
  printFlow,
  printFlowAction,
} from '@weir/bgp/flowspec';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { action, writtenRule } from './arbitrary-flow.ts';

describe('text', () => {
  it('what is printed is read back: it means the same and prints the same', () => {
    fc.assert(
      fc.property(writtenRule, (rule) => {
        const text = printFlow(rule);
        const result = parseFlow(text);
        if (!result.ok) throw new Error(`${text}: ${result.problem.message}`);
        expect(printFlow(result.rule)).toBe(text);
        for (let i = 0; i < 40; i++) expect(matches(result.rule, packet(i))).toBe(matches(rule, packet(i)));
      }),
      { numRuns: 250 },
    );
  });

  it('never throws, whatever the text', () => {
    const pieces = fc.constantFrom(
      'flow4',
      'flow6',
      '{',
      '}',
      ';',
      'dst',
      'src',
      '10.0.0.0/8',
      '2001:db8::/32',
      'offset',
      '8',
      'dport',
      '80',
      '..',
      ',',
      '&&',
      '||',
      '>',
      '<=',
      '!=',
      'true',
      'tcp',
      'flags',
      '0x3',
      '/',
      '!',
      'fragment',
      'is_fragment',
      'icmp',
      'type',
      'next',
      'header',
      'rd',
      '64512:1',
      'label',
      '\n',
      'ß',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces).map((p) => `flow4 { ${p.join(' ')}`),
        ),
        (text) => {
          const result = parseFlow(text);
          if (!result.ok) expect(result.problem.offset).toBeLessThanOrEqual(text.length);
        },
      ),
      { numRuns: 250 },
    );
  });
});

/** A few numbers for every field, by a fixed sequence. */
function packet(seed: number): (kind: string) => number {
  return (kind) => {
    let x = seed * 7919 + kind.length * 104729 + kind.charCodeAt(0);
    x = Math.imul(x ^ (x >>> 7), 2654435761) >>> 0;
    return [x % 16, x % 256, x % 4096, x % 65536][seed % 4] ?? 0;
  };
}

/** Whether numbers and bits of a packet meet a rule, prefixes aside; they are compared as text. */
function matches(rule: FlowRule, field: (kind: string) => number): boolean {
  return rule.components.every((c) => {
    if ('prefix' in c) return true;
    const x = c.kind === 'fragment' ? field(c.kind) & 15 : field(c.kind);
    return c.anyOf.some((all) =>
      (all as readonly object[]).every((test) => {
        if ('mask' in test) {
          const { mask, match, negated } = test as { mask: number; match: string; negated: boolean };
          return (match === 'all' ? (x & mask) === mask : (x & mask) !== 0) !== negated;
        }
        const { operator, value } = test as { operator: string; value: number };
        return {
          '==': x === value,
          '!=': x !== value,
          '<': x < value,
          '<=': x <= value,
          '>': x > value,
          '>=': x >= value,
          true: true,
          false: false,
        }[operator];
      }),
    );
  });
}

describe('actions', () => {
  it('what is announced is what is read', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 5 }), (actions) => {
        const ofIpv6 = (a: (typeof actions)[number]): boolean =>
          (a.kind === 'redirect-rt' && a.administrator.kind === 'ipv6') || (a.kind === 'redirect-ip' && a.address?.family === 6);
        expect(flowActions(encodeFlowActions(actions))).toEqual([...actions.filter((a) => !ofIpv6(a)), ...actions.filter(ofIpv6)]);
      }),
    );
  });

  it('print and parse are inverse', () => {
    fc.assert(
      fc.property(action, (a) => {
        expect(parseFlowAction(printFlowAction(a))).toEqual(a);
      }),
      { numRuns: 250 },
    );
  });

  it('what they come to does not depend on their order', () => {
    fc.assert(
      fc.property(
        fc
          .array(action, { maxLength: 6 })
          .chain((list) => fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))),
        ([list, shuffled]) => {
          const { notes: _a, ...one } = flowTreatment(list, undefined);
          const { notes: _b, ...other } = flowTreatment(shuffled, undefined);
          expect(other).toEqual(one);
        },
      ),
    );
  });

  it('whatever the octets of a community, what it comes to is finite', () => {
    fc.assert(
      fc.property(fc.constantFrom(0x8006, 0x800c), fc.integer({ min: 0, max: 0xffffffff }), (type, low) => {
        const actions = flowActions({ extendedCommunities: [{ high: (type << 16) >>> 0, low }] });
        const { rateBytes, ratePackets } = flowTreatment(actions, undefined);
        for (const rate of [rateBytes, ratePackets])
          if (rate !== undefined) expect(rate >= 0 && rate < Number.POSITIVE_INFINITY).toBe(true);
      }),
      { numRuns: 250 },
    );
  });
});
