/** Flow specifications (RFC 8955, RFC 8956): rules as values, their octets, their order, their text and their actions. Pure. */

export { encodeFlowActions, type FlowAction, flowActions, isMalformedAction, type RedirectTarget } from './action.ts';
export { parseFlowAction, printFlowAction } from './action-text.ts';
export {
  type AnyOf,
  type BitmaskComponent,
  type BitmaskKind,
  type BitmaskTest,
  COMPONENT_TYPES,
  type ComponentKind,
  type FlowComponent,
  FragmentBit,
  isBitmaskComponent,
  isPrefixComponent,
  type NumericComponent,
  type NumericKind,
  type NumericOperator,
  type NumericTest,
  type PrefixComponent,
  type PrefixKind,
} from './component.ts';
export { canonicalFlowRule, decodeFlowRule, flowRule, MAX_FLOW_OCTETS } from './decode.ts';
export { FlowError } from './error.ts';
export { type FlowRoute, type FlowRun, flowRun } from './nlri.ts';
export { compareFlowRules, flowOrderKey } from './order.ts';
export { type FlowResult, parseFlow, printFlowProblem } from './parse.ts';
export { printComponent, printFlow } from './print.ts';
export { type FlowFamily, type FlowKey, type FlowRule, flowComponent } from './rule.ts';
export type { FlowProblem } from './text-cursor.ts';
export { type FlowJson, flowToJson } from './to-json.ts';
export { type FlowNote, type FlowRedirect, type FlowTreatment, flowTreatment, treatmentActions } from './treatment.ts';
