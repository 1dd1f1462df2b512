/** Flow rules (RFC 8955, RFC 8956) as rules of the filter language. */

export { addFlows, unenforceable } from './add-flows.ts';
export { FLOW_STEPS, flowRuleName, redirectOf } from './lower-flow.ts';
