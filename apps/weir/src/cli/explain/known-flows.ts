import { decodeFlowRule, flowOrderKey, flowTreatment, parseFlowAction } from '@weir/bgp/flowspec';
import { parseHex } from '@weir/wire/bytes';
import { asn } from '@weir/wire/inet';
import type { ControlClient, FlowSummary, FlowsAnswer } from '../../api/index.ts';
import { flowStepOf } from '../../compile/flows/flow-ref.ts';
import type { ActiveFlow } from '../../model/flow.ts';
import type { Rule } from '../../model/rule.ts';

/** Announcements that are asked for at a time. */
const PAGE = 2000;

/** The flow rules of a daemon in pages, put together. */
export async function everyFlow(
  client: ControlClient,
  asked: { readonly peer?: string; readonly state?: FlowSummary['state'] },
  signal?: AbortSignal,
): Promise<FlowsAnswer> {
  let answer = await client.call('flows', { ...asked, limit: PAGE });
  const flows = [...answer.flows];
  while (answer.next !== undefined && !signal?.aborted) {
    answer = await client.call('flows', { ...asked, limit: PAGE, cursor: answer.next });
    flows.push(...answer.flows);
  }
  const { next: _, ...last } = answer;
  return { ...last, flows };
}

/** The flow rules that a daemon enforces, or that a file names, in their order, with what the daemon says of each. */
export class KnownFlows {
  readonly list: readonly ActiveFlow[];
  readonly #summaries = new Map<string, FlowSummary>();

  constructor(summaries: readonly FlowSummary[]) {
    this.list = summaries.map((summary) => {
      const flow = activeFlow(summary);
      this.#summaries.set(flow.rule.key, summary);
      return flow;
    });
  }

  static async of(client: ControlClient): Promise<KnownFlows> {
    return new KnownFlows((await everyFlow(client, { state: 'enforced' })).flows);
  }

  /** The announcement that a rule is one step of; undefined where it is of none. */
  of(rule: Rule): FlowSummary | undefined {
    const step = flowStepOf(rule);
    return step && this.#summaries.get(step.key);
  }

  /** What one of its steps has counted, of those that are enforced. */
  counted(rule: Rule): { readonly packets: number; readonly bytes: number } | undefined {
    const step = flowStepOf(rule);
    return step && this.#summaries.get(step.key)?.counters?.find((one) => one.step === step.step);
  }
}

/** Throws FlowError or RangeError for what no daemon says. */
function activeFlow({
  family,
  octets,
  treatment,
  path,
  peer,
  flow,
  path_id: pathId,
  as_path: asPath,
  since,
  stale,
}: FlowSummary): ActiveFlow {
  const rule = decodeFlowRule(family, parseHex(octets));
  const actions = treatment.map((text) => {
    const action = parseFlowAction(text);
    if (!action) throw new RangeError(`not an action of a flow rule: ${text}`);
    return action;
  });
  return {
    rule,
    order: flowOrderKey(rule),
    treatment: flowTreatment(actions, undefined),
    provenance: { kind: 'flow', peer, flow, pathId, asPath: asPath.map(asn), since: Date.parse(since), stale },
    ...(path ? { path } : {}),
  };
}
