import type { Writer } from '@weir/wire/bytes';
import { type Prefix, printPrefix } from '@weir/wire/inet';
import { decodePrefixes4, decodePrefixes6, encodePrefix4, encodePrefix6, prefixAt4, prefixAt6, prefixSize } from './nlri.ts';
import type { AfiSafi, FamilyName, NlriRun, SessionContext } from './types.ts';

/** All that the codec knows about one family. A new family is a row here; nothing else in the codec switches on families. */
export interface FamilyDescriptor extends AfiSafi {
  readonly name: FamilyName;
  readonly address: 4 | 6;
  /** Words a prefix takes in a run. */
  readonly stride: 1 | 4;
  /** NLRI in [start, end) of `bytes`; throws NlriError. */
  readonly decodeNlri: (bytes: Uint8Array, start: number, end: number, addPath: boolean, family: FamilyName) => NlriRun;
  /** Octets of entry `index` on the wire. */
  readonly nlriSize: (run: NlriRun, index: number, addPath: boolean) => number;
  readonly encodeNlri: (w: Writer, run: NlriRun, index: number, addPath: boolean) => void;
  readonly prefixAt: (run: NlriRun, index: number) => Prefix;
  readonly printNlri: (run: NlriRun, index: number) => string;
  /** Whether MP_REACH_NLRI may carry a next hop of `length` octets (RFC 4760 section 3, RFC 2545 section 3, RFC 8950 section 3). */
  readonly allowsNextHop: (length: number, context: SessionContext) => boolean;
}

/** The families that have a name. */
export const FAMILIES: readonly FamilyDescriptor[] = [
  {
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
];

const BY_NAME: ReadonlyMap<FamilyName, FamilyDescriptor> = new Map(FAMILIES.map((f) => [f.name, f]));
const BY_NUMBER: ReadonlyMap<number, FamilyDescriptor> = new Map(FAMILIES.map((f) => [f.afi * 256 + f.safi, f]));

export function family(name: FamilyName): FamilyDescriptor {
  const found = BY_NAME.get(name);
  if (!found) throw new RangeError(`no such family: ${name}`);
  return found;
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
