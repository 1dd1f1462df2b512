import { type FlowAnnouncement, type MessageError, parseFamily } from '@weir/bgp/codec';
import { type FlowFamily, type FlowRule, type FlowRun, flowRun } from '@weir/bgp/flowspec';
import { readFlowText } from './flow-text.ts';
import { array, type JsonObject, type JsonValue, LineError, object, text } from './json.ts';
import { nextHop } from './routes.ts';

/**
 * Flow rules of `announce`. Those with a route distinguisher are left out: no peer can be configured for them. One that cannot be read is told in `errors`, and those beside it are read. Throws
 * LineError.
 */
export function readFlows(value: JsonObject, errors: MessageError[]): readonly FlowAnnouncement[] {
  return Object.entries(value).flatMap(([name, hops]) => {
    const family = flowFamily(name);
    if (family === undefined) return [];
    return Object.entries(object(hops, name)).flatMap(([hop, list]) => {
      const address = nextHop(hop);
      return runs(family, list, errors).map((run) => ({ nextHop: address && { address }, run }));
    });
  });
}

/** Flow rules of `withdraw`. */
export function readFlowWithdrawals(value: JsonObject, errors: MessageError[]): readonly FlowRun[] {
  return Object.entries(value).flatMap(([name, list]) => {
    const family = flowFamily(name);
    return family === undefined ? [] : runs(family, list, errors);
  });
}

function flowFamily(name: string): FlowFamily | undefined {
  const family = parseFamily(name);
  return family === 'ipv4 flow' || family === 'ipv6 flow' ? family : undefined;
}

/** One run, or none where no rule is left. */
function runs(family: FlowFamily, list: JsonValue | undefined, errors: MessageError[]): readonly FlowRun[] {
  const rules: FlowRule[] = [];
  for (const entry of array(list, family).map((one) => object(one, 'a flow'))) {
    try {
      rules.push(readFlowText(text(entry['string'], 'the text of a flow'), family));
    } catch (error) {
      if (!(error instanceof LineError)) throw error;
      errors.push({ offset: 0, attribute: undefined, message: error.message, action: 'treat-as-withdraw', rfc: 'RFC 8955 section 4.2' });
    }
  }
  return rules.length > 0 ? [flowRun(family, rules)] : [];
}
