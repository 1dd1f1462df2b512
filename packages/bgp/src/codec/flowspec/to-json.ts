import { printPrefix } from '@weir/wire/inet';
import type { Json } from '../attribute/descriptor.ts';
import type { PathAttributes } from '../types.ts';
import { type FlowAction, flowActions } from './action.ts';
import { printFlowAction } from './action-text.ts';
import { COMPONENT_TYPES, type FlowComponent, isPrefixComponent } from './component.ts';
import { printDistinguisher } from './distinguisher.ts';
import { printComponent, printFlow } from './print.ts';
import type { FlowRule } from './rule.ts';

/** A rule and what becomes of its packets, as `weir decode bgp` prints them. */
export interface FlowJson {
  /** `printFlow` of the rule. */
  readonly flow: string;
  /** By type: the kind, the text behind its name, and its prefix or its tests as alternatives of lists. */
  readonly components: readonly { readonly [key: string]: Json }[];
  /** Actions among the extended communities of the message: kind, text and fields. */
  readonly actions: readonly { readonly [key: string]: Json }[];
}

/** A number as JSON has it: what is over 2^53 - 1 as text, what is not finite as its name. */
function number(value: number | bigint): Json {
  return typeof value === 'bigint' || !Number.isFinite(value) ? String(value) : value;
}

function componentToJson(c: FlowComponent): { readonly [key: string]: Json } {
  const head = { type: COMPONENT_TYPES[c.kind], kind: c.kind, text: printComponent(c) };
  if (isPrefixComponent(c)) return { ...head, prefix: printPrefix(c.prefix), ...(c.offset === 0 ? {} : { offset: c.offset }) };
  const anyOf: Json = c.anyOf.map((all) =>
    all.map((test): Json => ('operator' in test ? { operator: test.operator, value: number(test.value) } : { ...test })),
  );
  return { ...head, anyOf };
}

function actionToJson(action: FlowAction): { readonly [key: string]: Json } {
  const head = { kind: action.kind, text: printFlowAction(action) };
  switch (action.kind) {
    case 'rate-bytes':
    case 'rate-packets':
      return { ...head, rate: number(action.rate), asn: action.asn };
    case 'traffic-action':
      return { ...head, sample: action.sample, terminal: action.terminal };
    case 'mark':
      return { ...head, dscp: action.dscp };
    case 'redirect-ip':
      return { ...head, copy: action.copy };
    default:
      return head;
  }
}

/** A rule of an UPDATE with these attributes. */
export function flowToJson(rule: FlowRule, attributes: PathAttributes): FlowJson & { readonly rd?: string } {
  return {
    flow: printFlow(rule),
    ...(rule.distinguisher ? { rd: printDistinguisher(rule.distinguisher) } : {}),
    components: rule.components.map(componentToJson),
    actions: flowActions(attributes).map(actionToJson),
  };
}
