import { type FlowAnnouncement, parseFamily } from '@weir/bgp/codec';
import { type FlowFamily, type FlowRun, flowRun } from '@weir/bgp/flowspec';
import { readFlowText } from './flow-text.ts';
import { array, type JsonObject, type JsonValue, object, text } from './json.ts';
import { nextHop } from './routes.ts';

/** Flow rules of `announce`. Those with a route distinguisher are left out: no peer can be configured for them. Throws LineError. */
export function readFlows(value: JsonObject): readonly FlowAnnouncement[] {
  return Object.entries(value).flatMap(([name, hops]) => {
    const family = flowFamily(name);
    if (family === undefined) return [];
    return Object.entries(object(hops, name)).map(([hop, list]) => {
      const address = nextHop(hop);
      return { nextHop: address && { address }, run: run(family, list) };
    });
  });
}

/** Flow rules of `withdraw`. */
export function readFlowWithdrawals(value: JsonObject): readonly FlowRun[] {
  return Object.entries(value).flatMap(([name, list]) => {
    const family = flowFamily(name);
    return family === undefined ? [] : [run(family, list)];
  });
}

function flowFamily(name: string): FlowFamily | undefined {
  const family = parseFamily(name);
  return family === 'ipv4 flow' || family === 'ipv6 flow' ? family : undefined;
}

function run(family: FlowFamily, list: JsonValue | undefined): FlowRun {
  const entries = array(list, family).map((entry) => object(entry, 'a flow'));
  return flowRun(
    family,
    entries.map((entry) => readFlowText(text(entry['string'], 'the text of a flow'), family)),
  );
}
