import { readFileSync } from 'node:fs';
import { decodeMessage, describeMessage, encodeUpdate, FAMILY_NAMES, flowRun, longestMessage, sessionContext } from '@weir/bgp/codec';
import {
  COMPONENT_TYPES,
  canonicalFlowRule,
  compareFlowRules,
  decodeFlowRule,
  type FlowComponent,
  FlowError,
  type FlowRule,
  flowOrderKey,
  flowRule,
  parseFlow,
  printFlow,
} from '@weir/bgp/flowspec';
import { parseHex, printHex } from '@weir/wire/bytes';
import { asn, prefix } from '@weir/wire/inet';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyRule, flowUpdates, rules } from './arbitrary-flow.ts';
import { rfcOrder } from './flow-order.ts';
import { encoded, messageSuite, normal } from './kit.ts';

const context = sessionContext({ families: FAMILY_NAMES });

/** The octets of an UPDATE that announces NLRI of SAFI 133; those of the RFCs' examples are the vectors. */
function announcing(afi: 1 | 2, nlri: string): string {
  const bytes = parseHex(nlri);
  const reach = `800e${hex(bytes.length + 5, 1)}000${afi}850000${printHex(bytes)}`;
  const attributes = `${reach}400101004002060201${'0000fc01'}`;
  const length = 23 + attributes.length / 2;
  return `${'ff'.repeat(16)}${hex(length, 2)}020000${hex(attributes.length / 2, 2)}${attributes}`;
}

function hex(value: number, octets: number): string {
  return value.toString(16).padStart(2 * octets, '0');
}

const example = (name: string, source: string, afi: 1 | 2, nlri: string, keys: readonly string[]) => ({
  name,
  source,
  hex: announcing(afi, nlri),
  context,
  canonical: true,
  want: { announceFlows: [{ run: { routes: keys.map((key) => ({ rule: { key } })) } }] },
});

messageSuite('UPDATE with flow specifications', {
  values: flowUpdates,
  vectors: [
    example('packets to 192.0.2.0/24 and TCP port 25', 'RFC 8955 section 4.3.1', 1, '0b 0118c00002 038106 048119', [
      'flow4:0118c00002038106048119',
    ]),
    example(
      'packets to 192.0.2.0/24 from 203.0.113.0/24 and port {range [137, 139] or 8080}',
      'RFC 8955 section 4.3.2',
      1,
      '12 0118c00002 0218cb0071 04 0389 458b 911f90',
      ['flow4:0118c000020218cb0071040389458b911f90'],
    ),
    example('port 80, a short NLRI whose length has two octets', 'RFC 8955 section 4.1, by hand', 1, 'f008 0118c00002 048150', [
      'flow4:0118c00002048150',
    ]),
    example('IPv6 destination and source with an offset', 'RFC 8956 section 3.8.1', 2, '12 0120 00 20010db8 0268 40 123456789a 038106', [
      'flow6:01200020010db8026840123456789a038106',
    ]),
    example('IPv6 source with an offset that is no multiple of 8', 'RFC 8956 section 3.8.2', 2, '0f 0120 00 20010db8 0268 41 2468acf134', [
      'flow6:01200020010db80268412468acf134',
    ]),
  ].map((v) => (v.name.includes('two octets') ? { ...v, canonical: false } : v)),
});

describe('the text of the examples', () => {
  it.each([
    ['0118c00002038106048119', 'ipv4 flow', 'flow4 { dst 192.0.2.0/24; proto 6; port 25; }'],
    ['0118c000020218cb0071040389458b911f90', 'ipv4 flow', 'flow4 { dst 192.0.2.0/24; src 203.0.113.0/24; port 137..139,8080; }'],
    [
      '01200020010db8026840123456789a038106',
      'ipv6 flow',
      'flow6 { dst 2001:db8::/32; src ::1234:5678:9a00:0/104 offset 64; next header 6; }',
    ],
    ['01200020010db80268412468acf134', 'ipv6 flow', 'flow6 { dst 2001:db8::/32; src ::1234:5678:9a00:0/104 offset 65; }'],
  ] as const)('%s', (octets, family, want) => {
    expect(printFlow(decodeFlowRule(family, parseHex(octets)))).toBe(want);
  });
});

const recorded = JSON.parse(readFileSync(new URL('./flowspec-messages.json', import.meta.url), 'utf8')) as readonly {
  readonly source: string;
  readonly messages: readonly { readonly hex: string; readonly want: readonly string[] }[];
}[];

describe('UPDATEs that real speakers sent', () => {
  it.each(recorded.flatMap(({ source, messages }) => messages.map((m, i) => [`${source}, ${i}`, m] as const)))(
    '%s',
    (_source, { hex, want }) => {
      const bytes = parseHex(hex);
      const json = describeMessage(bytes);
      expect([
        ...json.withdraw.map((r) => `- ${'flow' in r ? r.flow : r.prefix}`),
        ...json.announce.map((r) => `+ ${'flow' in r ? [r.flow, ...r.actions.map((a) => a['text'])].join(' | ') : r.prefix}`),
        ...(json.eor === null ? [] : [`EOR ${json.eor}`]),
        ...json.errors.map((e) => `${e.action}: ${e.message}`),
      ]).toEqual(want);
      if (json.outcome !== 'accept') return;
      const message = decodeMessage(bytes, context);
      expect(normal(decodeMessage(encoded(message, context), context))).toEqual(normal(message));
    },
  );
});

describe('octets of rules', () => {
  it('what is made of components decodes to them, and is canonical', () => {
    fc.assert(
      fc.property(anyRule, (rule) => {
        const again = decodeFlowRule(rule.family, rule.octets);
        expect(again).toEqual(rule);
        expect(canonicalFlowRule(again).key).toBe(rule.key);
      }),
    );
  });

  it('whatever octets decode, their canonical form means the same and is the same made canonical again', () => {
    fc.assert(
      fc.property(fc.constantFrom('ipv4 flow' as const, 'ipv6 flow' as const), noisy, (family, octets) => {
        let rule: FlowRule;
        try {
          rule = decodeFlowRule(family, octets);
        } catch (error) {
          expect(error).toBeInstanceOf(FlowError);
          return;
        }
        expect(printHex(rule.octets)).toBe(printHex(octets));
        const canonical = canonicalFlowRule(rule);
        expect(canonical.components).toEqual(rule.components);
        expect(canonicalFlowRule(canonical).key).toBe(canonical.key);
        expect(canonical.octets.length).toBeLessThanOrEqual(octets.length + 3 * octets.length);
      }),
      { numRuns: 200 },
    );
  });

  it('cut at any octet a rule is a FlowError or a shorter rule of the first components', () => {
    fc.assert(
      fc.property(anyRule, (rule) => {
        for (let k = 0; k < rule.octets.length; k++) {
          try {
            const shorter = decodeFlowRule(rule.family, rule.octets.subarray(0, k));
            expect(shorter.components).toEqual(rule.components.slice(0, shorter.components.length));
            expect(shorter.components.length).toBeLessThan(rule.components.length);
          } catch (error) {
            expect(error).toBeInstanceOf(FlowError);
          }
        }
      }),
      { numRuns: 50 },
    );
  });
});

/** Octets that begin as rules do, with changes. */
const noisy = fc.tuple(rules('ipv4 flow'), fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { maxLength: 2 })).map(([rule, changes]) => {
  const octets = rule.octets.slice();
  for (const [at, value] of changes) if (octets.length > 0) octets[at % octets.length] = value;
  return octets;
});

describe('lengths of NLRI', () => {
  /** A rule whose NLRI has exactly so many octets: a destination port list. */
  function ruleOf(octets: number): FlowRule {
    const anyOf = Array.from({ length: Math.floor((octets - 1) / 2) }, () => [{ operator: '==' as const, value: 7 }]);
    const rest = octets - 1 - 2 * anyOf.length;
    return flowRule('ipv4 flow', [
      { kind: 'destination-port', anyOf: rest === 0 ? anyOf : [...anyOf.slice(1), [{ operator: '==', value: 700 }]] },
    ]);
  }

  it.each([3, 239, 240, 241, 255, 256, 257, 3000, 3900, 4094, 4095])('%i octets', (octets) => {
    const rule = ruleOf(octets);
    expect(rule.octets.length).toBe(octets);
    const long = { ...context, extendedMessage: true };
    const attributes = { origin: 'igp', asPath: [{ kind: 'sequence', asns: [asn(64513)] }] } as const;
    const batch = { attributes, announceFlows: [{ nextHop: undefined, run: flowRun('ipv4 flow', [rule, rule]) }] };
    const [message, ...others] = encodeUpdate(batch, long);
    expect(others).toEqual([]);
    const update = decodeMessage(message as Uint8Array, long);
    expect(update.kind === 'update' && update.announceFlows.flatMap((a) => a.run.routes.map((r) => r.rule.key))).toEqual([
      rule.key,
      rule.key,
    ]);
    const [gone] = encodeUpdate({ withdrawFlows: [flowRun('ipv4 flow', [rule])] }, long);
    expect(decodeMessage(gone as Uint8Array, long)).toMatchObject({ withdrawFlows: [{ routes: [{ rule: { key: rule.key } }] }] });
  });

  it('4,096 octets are too many', () => {
    expect(() => ruleOf(4096)).toThrow(/4096 octets, at most 4095/);
  });

  it('messages are filled with as many rules as fit, with and without path identifiers', () => {
    const many = Array.from({ length: 800 }, (_, i) =>
      flowRule('ipv4 flow', [
        { kind: 'destination', prefix: prefix('203.0.113.0/24'), offset: 0 },
        { kind: 'destination-port', anyOf: [[{ operator: '==', value: i }]] },
      ]),
    );
    const attributes = { origin: 'igp', asPath: [{ kind: 'sequence', asns: [asn(64513)] }] } as const;
    for (const addPath of [[], ['ipv4 flow'] as const]) {
      const session = sessionContext({ families: FAMILY_NAMES, addPath });
      const run = { family: 'ipv4 flow' as const, routes: many.map((rule, i) => ({ rule, pathId: addPath.length > 0 ? i : undefined })) };
      for (const batch of [{ attributes, announceFlows: [{ nextHop: undefined, run }] }, { withdrawFlows: [run] }]) {
        const messages = [...encodeUpdate(batch, session)];
        const updates = messages.map((m) => decodeMessage(m, session));
        const seen = updates.flatMap((u) => (u.kind === 'update' ? [...u.announceFlows.map((a) => a.run), ...u.withdrawFlows] : []));
        const told = (r: (typeof seen)[number]): string[] => r.routes.map(({ rule, pathId }) => `${pathId} ${rule.key}`);
        expect(seen.flatMap(told)).toEqual(told(run));
        for (const m of messages.slice(0, -1)) expect(m.length).toBeGreaterThan(longestMessage(session) - 20);
        for (const m of messages) expect(m.length).toBeLessThanOrEqual(longestMessage(session));
      }
    }
  });
});

describe('order', () => {
  /** Three rules that take each component from one of two, or have none: they often differ late. */
  const near = fc
    .constantFrom('ipv4 flow' as const, 'ipv6 flow' as const)
    .chain((family) => fc.tuple(rules(family), rules(family), fc.array(fc.integer(), { minLength: 3, maxLength: 3 })))
    .map(([one, two, picks]) =>
      picks.map((pick) => {
        const of = (rule: FlowRule, bit: number): FlowComponent[] =>
          rule.components.filter((c) => ((pick >> COMPONENT_TYPES[c.kind]) & 1) === bit);
        return flowRule(one.family, [...of(one, 0), ...of(two, 1)]);
      }),
    )
    .map(([a, b, c]) => [a as FlowRule, b as FlowRule, c as FlowRule] as const);

  it('is that of the RFCs, which a second implementation goes through step by step', () => {
    fc.assert(
      fc.property(near, ([a, b]) => {
        const want = rfcOrder(a, b);
        if (want !== 0) expect(Math.sign(compareFlowRules(a, b))).toBe(want);
      }),
      { numRuns: 200 },
    );
  });

  it('is total: antisymmetric, transitive, and nothing but the rule itself is equal', () => {
    fc.assert(
      fc.property(near, ([a, b, c]) => {
        expect(Math.sign(compareFlowRules(a, b)) + Math.sign(compareFlowRules(b, a))).toBe(0);
        expect(compareFlowRules(a, b) === 0).toBe(a.key === b.key);
        if (compareFlowRules(a, b) <= 0 && compareFlowRules(b, c) <= 0) expect(compareFlowRules(a, c)).toBeLessThanOrEqual(0);
        expect(flowOrderKey(a) < flowOrderKey(b)).toBe(compareFlowRules(a, b) < 0);
      }),
      { numRuns: 200 },
    );
  });

  it('the RFC order is transitive as well, so that sorting by it is defined', () => {
    fc.assert(
      fc.property(near, ([a, b, c]) => {
        if (rfcOrder(a, b) <= 0 && rfcOrder(b, c) <= 0) expect(rfcOrder(a, c)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 200 },
    );
  });

  it('orders a list', () => {
    const texts = [
      'flow4 { dst 10.0.0.0/24; }',
      'flow4 { dst 10.0.0.0/16; proto 6; }',
      'flow4 { dst 10.0.0.0/16; }',
      'flow4 { dst 10.1.0.0/16; src 192.0.2.0/24; }',
      'flow4 { dst 10.1.0.0/16; proto 6; }',
      'flow4 { dst 10.0.0.0/8; }',
      'flow4 { dst 11.0.0.0/8; }',
      'flow4 { src 10.0.0.0/8; }',
      'flow4 { proto 17; }',
      'flow4 { }',
      'flow6 { dst 2001:db8::/32; }',
      'flow6 { dst ::db8:0:0:0:0/64 offset 32; }',
    ];
    const parsed = texts.map((text) => {
      const result = parseFlow(text);
      if (!result.ok) throw new Error(result.problem.message);
      return result.rule;
    });
    expect(parsed.toReversed().toSorted(compareFlowRules).map(printFlow)).toEqual(parsed.map(printFlow));
  });
});
