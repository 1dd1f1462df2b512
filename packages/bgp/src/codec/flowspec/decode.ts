import { Writer } from '@weir/wire/bytes';
import {
  COMPONENT_TYPES,
  type ComponentKind,
  componentKind,
  type FlowComponent,
  isBitmaskComponent,
  isBitmaskKind,
  isPrefixComponent,
  isPrefixKind,
} from './component.ts';
import { FlowError } from './error.ts';
import { decodeBitmask, decodeNumeric, encodeBitmask, encodeNumeric, type FlowCursor } from './operators.ts';
import { decodePrefixComponent, encodePrefixComponent } from './prefixes.ts';
import { type FlowFamily, type FlowRule, flowForm, flowKey } from './rule.ts';

/** Octets of a route distinguisher. */
const DISTINGUISHER = 8;
/** The longest NLRI that its length can say (RFC 8955 section 4.1). */
export const MAX_FLOW_OCTETS = 4095;

/**
 * The rule whose NLRI, without its length, is [start, end) of `bytes`; it keeps a copy. Throws FlowError, with `offset` as in `bytes`, where the NLRI is malformed: a component
 * of unknown type, out of order or given twice, cut short, or not laid out as its section of RFC 8955 or RFC 8956 demands.
 */
export function decodeFlow(bytes: Uint8Array, start: number, end: number, family: FlowFamily): FlowRule {
  const { address, vpn } = flowForm(family);
  if (vpn && end - start < DISTINGUISHER)
    throw new FlowError(`${end - start} octets, too few for a route distinguisher`, start, 'RFC 8955 section 8');
  const components: FlowComponent[] = [];
  const cursor: FlowCursor = { bytes, at: vpn ? start + DISTINGUISHER : start, end };
  let before = 0;
  while (cursor.at < end) {
    const type = bytes[cursor.at] as number;
    const kind = componentKind(type, address);
    if (kind === undefined) throw new FlowError(`component of unknown type ${type}`, cursor.at, 'RFC 8955 section 4.2');
    if (type <= before) throw new FlowError(`${kind} ${type === before ? 'twice' : 'out of order'}`, cursor.at, 'RFC 8955 section 4.2');
    before = type;
    cursor.at++;
    components.push(decodeComponent(cursor, kind, address));
  }
  const octets = bytes.slice(start, end);
  return {
    family,
    address,
    distinguisher: vpn ? octets.subarray(0, DISTINGUISHER) : undefined,
    components,
    octets,
    key: flowKey(family, octets),
  };
}

function decodeComponent(c: FlowCursor, kind: ComponentKind, address: 4 | 6): FlowComponent {
  if (isPrefixKind(kind)) return decodePrefixComponent(c, kind, address);
  if (isBitmaskKind(kind)) return { kind, anyOf: decodeBitmask(c, kind, address) };
  return { kind, anyOf: decodeNumeric(c, kind) };
}

/** The rule of one NLRI without its length. Throws FlowError. */
export function decodeFlowRule(family: FlowFamily, octets: Uint8Array): FlowRule {
  return decodeFlow(octets, 0, octets.length, family);
}

/**
 * A rule from its components, in any order, in canonical octets: components by type, every value in as few octets as hold it (a flow label in four), the AND bit of the first operator, reserved
 * bits and padding 0. Tests stay in the order in which they are given: RFC 8955 knows no equality but that of octets. RangeError for a component given twice, one that cannot be written,
 * a missing or superfluous route distinguisher, or more than 4,095 octets.
 */
export function flowRule(family: FlowFamily, components: readonly FlowComponent[], distinguisher?: Uint8Array): FlowRule {
  const { address, vpn } = flowForm(family);
  if (vpn !== (distinguisher !== undefined) || (distinguisher && distinguisher.length !== DISTINGUISHER)) {
    throw new RangeError(`${family}: ${vpn ? 'a route distinguisher of 8 octets is needed' : 'there is no route distinguisher'}`);
  }
  const w = new Writer(64);
  if (distinguisher) w.bytes(distinguisher);
  const sorted = components.toSorted((a, b) => COMPONENT_TYPES[a.kind] - COMPONENT_TYPES[b.kind]);
  sorted.forEach((c, i) => {
    if (c.kind === sorted[i - 1]?.kind) throw new RangeError(`${c.kind} is given twice`);
    const type = COMPONENT_TYPES[c.kind];
    if (componentKind(type, address) === undefined) throw new RangeError(`${c.kind} is not for IPv${address}`);
    w.u8(type);
    if (isPrefixComponent(c)) encodePrefixComponent(w, c, address);
    else if (isBitmaskComponent(c)) encodeBitmask(w, c.kind, address, c.anyOf);
    else encodeNumeric(w, c.kind, c.anyOf);
  });
  if (w.length > MAX_FLOW_OCTETS) throw new RangeError(`a flow specification of ${w.length} octets, at most ${MAX_FLOW_OCTETS}`);
  return decodeFlow(w.view(), 0, w.length, family);
}

/** The same rule in canonical octets, and so perhaps under another key. RangeError where flow labels, received in fewer than four octets, make it longer than 4,095. */
export function canonicalFlowRule(rule: FlowRule): FlowRule {
  return flowRule(rule.family, rule.components, rule.distinguisher);
}
