import type { Writer } from '@weir/wire/bytes';
import { type Prefix, printPrefix } from '@weir/wire/inet';
import type { FlowFamily } from './flowspec/rule.ts';
import { decodePrefixes4, decodePrefixes6, encodePrefix4, encodePrefix6, prefixAt4, prefixAt6, prefixSize } from './nlri.ts';
import type { AfiSafi, FamilyName, NlriRun, SessionContext, UnicastFamily } from './types.ts';

interface FamilyBase extends AfiSafi {
  readonly address: 4 | 6;
  /** Whether MP_REACH_NLRI may carry a next hop of `length` octets (RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 3, RFC 8955 section 4). */
  readonly allowsNextHop: (length: number, context: SessionContext) => boolean;
}

/** All that the codec knows about one family of prefixes. */
export interface UnicastDescriptor extends FamilyBase {
  readonly kind: 'unicast';
  readonly name: UnicastFamily;
  /** Words a prefix takes in a run. */
  readonly stride: 1 | 4;
  /** NLRI in [start, end) of `bytes`; throws NlriError. */
  readonly decodeNlri: (bytes: Uint8Array, start: number, end: number, addPath: boolean, family: UnicastFamily) => NlriRun;
  /** Octets of entry `index` on the wire. */
  readonly nlriSize: (run: NlriRun, index: number, addPath: boolean) => number;
  readonly encodeNlri: (w: Writer, run: NlriRun, index: number, addPath: boolean) => void;
  readonly prefixAt: (run: NlriRun, index: number) => Prefix;
  readonly printNlri: (run: NlriRun, index: number) => string;
}

/** A family of flow specifications. */
export interface FlowDescriptor extends FamilyBase {
  readonly kind: 'flow';
  readonly name: FlowFamily;
}

/** One family. A new family of prefixes is a row here; nothing else in the codec switches on them. */
export type FamilyDescriptor = UnicastDescriptor | FlowDescriptor;

/** The next hop of flow specifications is not looked at, whatever its length (RFC 8955 section 4). */
const anyNextHop = (): boolean => true;

/** The families that have a name. */
export const FAMILIES: readonly FamilyDescriptor[] = [
  {
    kind: 'unicast',
    name: 'ipv4 unicast',
    afi: 1,
    safi: 1,
    address: 4,
    stride: 1,
    decodeNlri: decodePrefixes4,
    nlriSize: prefixSize,
    encodeNlri: encodePrefix4,
    prefixAt: prefixAt4,
    printNlri: (run, index) => printPrefix(prefixAt4(run, index)),
    allowsNextHop: (length, context) => length === 4 || (context.extendedNextHop && (length === 16 || length === 32)),
  },
  {
    kind: 'unicast',
    name: 'ipv6 unicast',
    afi: 2,
    safi: 1,
    address: 6,
    stride: 4,
    decodeNlri: decodePrefixes6,
    nlriSize: prefixSize,
    encodeNlri: encodePrefix6,
    prefixAt: prefixAt6,
    printNlri: (run, index) => printPrefix(prefixAt6(run, index)),
    allowsNextHop: (length) => length === 16 || length === 32,
  },
  { kind: 'flow', name: 'ipv4 flow', afi: 1, safi: 133, address: 4, allowsNextHop: anyNextHop },
  { kind: 'flow', name: 'ipv6 flow', afi: 2, safi: 133, address: 6, allowsNextHop: anyNextHop },
  { kind: 'flow', name: 'ipv4 flow-vpn', afi: 1, safi: 134, address: 4, allowsNextHop: anyNextHop },
  { kind: 'flow', name: 'ipv6 flow-vpn', afi: 2, safi: 134, address: 6, allowsNextHop: anyNextHop },
];

/** Every name. */
export const FAMILY_NAMES: readonly FamilyName[] = FAMILIES.map((f) => f.name);

const BY_NAME: ReadonlyMap<FamilyName, FamilyDescriptor> = new Map(FAMILIES.map((f) => [f.name, f]));
const BY_NUMBER: ReadonlyMap<number, FamilyDescriptor> = new Map(FAMILIES.map((f) => [f.afi * 256 + f.safi, f]));

export function family(name: UnicastFamily): UnicastDescriptor;
export function family(name: FlowFamily): FlowDescriptor;
export function family(name: FamilyName): FamilyDescriptor;
export function family(name: FamilyName): FamilyDescriptor {
  const found = BY_NAME.get(name);
  if (!found) throw new RangeError(`no such family: ${name}`);
  return found;
}

/** Whether the NLRI of a family are prefixes. */
export function isUnicast(name: FamilyName): name is UnicastFamily {
  return family(name).kind === 'unicast';
}

/** The descriptor of an AFI and SAFI, or undefined where Weir has no name for them. */
export function familyOf(afi: number, safi: number): FamilyDescriptor | undefined {
  return BY_NUMBER.get(afi * 256 + safi);
}

/** `ipv6 unicast`, or `afi 25 safi 70` for a family without a name. */
export function printFamily(f: AfiSafi): string {
  return familyOf(f.afi, f.safi)?.name ?? `afi ${f.afi} safi ${f.safi}`;
}

/** The family of that name, or undefined. */
export function parseFamily(text: string): FamilyName | undefined {
  return FAMILIES.find((f) => f.name === text)?.name;
}
