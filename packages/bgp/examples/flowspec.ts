// A rule from its text, announced, decoded, and what becomes of its packets: node --conditions=source --import tsx packages/bgp/examples/flowspec.ts
import { decodeMessage, encodeUpdate, FAMILY_NAMES, flowRun, sessionContext } from '@weir/bgp/codec';
import { encodeFlowActions, flowActions, flowTreatment, parseFlow, printFlow, printFlowAction, printFlowProblem } from '@weir/bgp/flowspec';
import { asn } from '@weir/wire/inet';

const text = process.argv[2] ?? 'flow4 { dst 203.0.113.0/24; proto 17; sport 123; }';
const result = parseFlow(text);
if (!result.ok) {
  console.error(printFlowProblem(text, result.problem));
  process.exit(1);
}
const { rule } = result;
const context = sessionContext({ localAs: asn(64512), peerAs: asn(64513), families: FAMILY_NAMES });
const attributes = {
  origin: 'igp',
  asPath: [{ kind: 'sequence', asns: [asn(64513)] }],
  ...encodeFlowActions([
    { kind: 'rate-bytes', rate: 0, asn: 0 },
    { kind: 'traffic-action', sample: true, terminal: true },
  ]),
} as const;

for (const bytes of encodeUpdate({ attributes, announceFlows: [{ nextHop: undefined, run: flowRun(rule.family, [rule]) }] }, context)) {
  const message = decodeMessage(bytes, context);
  if (message.kind !== 'update') continue;
  const actions = flowActions(message.attributes);
  for (const { run, nextHop } of message.announceFlows) {
    for (const route of run.routes)
      console.log(printFlow(route.rule), route.rule.key, actions.map(printFlowAction), flowTreatment(actions, nextHop?.address));
  }
}
