// Flow specifications: UPDATE bytes to rules, rules to their order, and both to text and back.
import { decodeMessage, encodeUpdate, FAMILY_NAMES, type FlowRule, flowRun, sessionContext } from '@weir/bgp/codec';
import { flowOrderKey, flowRule, parseFlow, printFlow } from '@weir/bgp/flowspec';
import { asn, ip4, makePrefix } from '@weir/wire/inet';
import type { Bench, BenchOptions, Row } from './bench.ts';

const context = sessionContext({ families: FAMILY_NAMES });

/** A rule of five components: destination, source, protocol, destination ports, length. */
function ruleOf(i: number): FlowRule {
  return flowRule('ipv4 flow', [
    { kind: 'destination', prefix: makePrefix(ip4((0xcb007100 + (i % 256)) >>> 0), 32), offset: 0 },
    { kind: 'source', prefix: makePrefix(ip4((0x0a000000 + i * 256) >>> 0), 24), offset: 0 },
    { kind: 'protocol', anyOf: [[{ operator: '==', value: 17 }]] },
    {
      kind: 'destination-port',
      anyOf: [
        [
          { operator: '>=', value: i % 1000 },
          { operator: '<=', value: 2000 },
        ],
        [{ operator: '==', value: 8080 }],
      ],
    },
    { kind: 'packet-length', anyOf: [[{ operator: '>', value: 400 }]] },
  ]);
}

/** The best of some rounds; `work` handles `count` rules. */
function measure(what: string, count: number, smoke: boolean, work: () => void): Row {
  work();
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < (smoke ? 1 : 7); round++) {
    const started = performance.now();
    work();
    best = Math.min(best, performance.now() - started);
  }
  return {
    what,
    rules: count,
    ms: Number(best.toFixed(1)),
    'us/rule': Number(((best * 1000) / count).toFixed(2)),
    'rules/s': Math.round((count / best) * 1000),
  };
}

export const bench: Bench = {
  name: 'bgp-flowspec',
  summary: 'flow specifications of five components: decode, order, print and parse; the best of 7 rounds',
  async run({ smoke }: BenchOptions): Promise<readonly Row[]> {
    const count = smoke ? 200 : 20_000;
    const rules = Array.from({ length: count }, (_, i) => ruleOf(i));
    const attributes = {
      origin: 'igp',
      asPath: [{ kind: 'sequence', asns: [asn(64513)] }],
      extendedCommunities: [{ high: 0x80060000, low: 0 }],
    } as const;
    const run = flowRun('ipv4 flow', rules);
    const messages = [...encodeUpdate({ attributes, announceFlows: [{ nextHop: undefined, run }] }, context)];
    const texts = rules.map(printFlow);
    return [
      measure('UPDATEs to rules', count, smoke, () => {
        let seen = 0;
        for (const bytes of messages) {
          const message = decodeMessage(bytes, context);
          if (message.kind === 'update') for (const a of message.announceFlows) seen += a.run.routes.length;
        }
        if (seen !== count) throw new Error(`${seen} of ${count} rules were decoded`);
      }),
      measure('rules sorted by RFC 8955', count, smoke, () => {
        rules.map((rule) => ({ rule, key: flowOrderKey(rule) })).sort((a, b) => (a.key < b.key ? -1 : 1));
      }),
      measure('rules to text', count, smoke, () => {
        for (const rule of rules) printFlow(rule);
      }),
      measure('text to rules', count, smoke, () => {
        for (const text of texts) if (!parseFlow(text).ok) throw new Error(text);
      }),
    ];
  },
};
