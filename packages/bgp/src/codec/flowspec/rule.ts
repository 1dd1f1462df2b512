import { printHex } from '@weir/wire/bytes';
import type {
  BitmaskComponent,
  BitmaskKind,
  ComponentKind,
  FlowComponent,
  NumericComponent,
  PrefixComponent,
  PrefixKind,
} from './component.ts';

declare const flowKeyBrand: unique symbol;
/**
 * Names a flow rule for as long as it lives: its NLRI as received, address family first. BGP takes the NLRI for an opaque key (RFC 8955 section 4), so rules
 * that mean the same are two rules when their octets differ, and a withdrawal names the octets of the announcement.
 */
export type FlowKey = string & { readonly [flowKeyBrand]: true };

/** The families of flow rules: SAFI 133, and 134 with a route distinguisher. */
export type FlowFamily = 'ipv4 flow' | 'ipv6 flow' | 'ipv4 flow-vpn' | 'ipv6 flow-vpn';

/** One flow specification. Made by the decoder, `flowRule` and `parseFlow`; never by hand, so that octets and components agree. */
export interface FlowRule {
  readonly family: FlowFamily;
  /** 4 or 6. */
  readonly address: 4 | 6;
  /** The route distinguisher of `flow-vpn`, eight octets; undefined elsewhere. */
  readonly distinguisher: Uint8Array | undefined;
  /** In ascending order of type, no type twice. All must hold; a rule without components holds for every packet of its family. */
  readonly components: readonly FlowComponent[];
  /** The NLRI without its length: as received, or canonical. With `flow-vpn` the route distinguisher comes first. */
  readonly octets: Uint8Array;
  readonly key: FlowKey;
}

/** `flow4:0118cb0071`; `flow-vpn6:` and so on. */
export function flowKey(family: FlowFamily, octets: Uint8Array): FlowKey {
  return `${FORMS[family].word}:${printHex(octets)}` as FlowKey;
}

interface FlowForm {
  readonly word: string;
  readonly address: 4 | 6;
  readonly vpn: boolean;
}

const FORMS: Readonly<Record<FlowFamily, FlowForm>> = {
  'ipv4 flow': { word: 'flow4', address: 4, vpn: false },
  'ipv6 flow': { word: 'flow6', address: 6, vpn: false },
  'ipv4 flow-vpn': { word: 'flow-vpn4', address: 4, vpn: true },
  'ipv6 flow-vpn': { word: 'flow-vpn6', address: 6, vpn: true },
};

/** Address family, whether there is a route distinguisher, and the first word of the text form. */
export function flowForm(family: FlowFamily): FlowForm {
  return FORMS[family];
}

type ComponentOf<K extends ComponentKind> = K extends PrefixKind
  ? PrefixComponent
  : K extends BitmaskKind
    ? BitmaskComponent
    : NumericComponent;

/** The component of that kind, or undefined. */
export function flowComponent<K extends ComponentKind>(rule: FlowRule, kind: K): ComponentOf<K> | undefined {
  return rule.components.find((c): c is ComponentOf<K> => c.kind === kind);
}
