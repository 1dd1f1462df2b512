import type { IrSpan, Operand, RangeSet, Test } from '@weir/filter/ir';
import { clampSet, complementSet, intToIp, rangeSet } from '@weir/filter/ir';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import { type Family, printIp } from '@weir/wire/inet';
import { TCP_FLAGS } from '../../tcp-flags.ts';
import { type FieldName, fieldInfo, type SliceField } from '../fields.ts';
import type { ConnectionState, FieldRange, Match } from '../image.ts';
import { ownedSetNames } from '../set-names.ts';
import { type Alternative, ANY, type LiteralForm } from './alternative.ts';
import { always, never, of, onlyFamily, single } from './forms.ts';
import { unsupported } from './problem.ts';

/** Where the members of a named set are: one set of hosts and one of networks a family; undefined where rules cannot look. */
export type ListNames = (list: string) => boolean;

const FAMILIES: readonly Family[] = [4, 6];
/** More ranges than these are not written out for a field that has to be counted instead of compared. */
const MOST_RANGES = 256;

/** Fields that are in one place. */
const PLACES: Readonly<Record<string, FieldName>> = {
  'ip.id': 'id4',
  'ip.frag_offset': 'fragmentOffset4',
  'ip6.flow_label': 'flowLabel6',
  'ip6.frag_offset': 'fragmentOffset6',
  'ip6.next_header': 'nextHeader6',
  'icmp.type': 'icmpType',
  'icmp.code': 'icmpCode',
  'icmpv6.type': 'icmpv6Type',
  'icmpv6.code': 'icmpv6Code',
  'tcp.flags': 'tcpFlagsOctet',
  'tcp.srcport': 'tcpSport',
  'tcp.dstport': 'tcpDport',
  'tcp.window': 'tcpWindow',
  'udp.srcport': 'udpSport',
  'udp.dstport': 'udpDport',
  'udp.length': 'udpLength',
  'sctp.srcport': 'sctpSport',
  'sctp.dstport': 'sctpDport',
  'ip.proto.num': 'protocol',
  'meta.mark': 'mark',
  'meta.len': 'length',
  'process.uid': 'uid',
};

/** Fields whose place differs by family. */
const BY_FAMILY: Readonly<Record<string, readonly [FieldName, FieldName]>> = {
  'ip.ttl': ['ttl4', 'ttl6'],
  'ip.tos': ['tos4', 'tos6'],
  'ip.dscp': ['dscp4', 'dscp6'],
};

const STATES: Readonly<Record<string, ConnectionState>> = {
  'ct.established': 'established',
  'ct.related': 'related',
  'ct.new': 'new',
  'ct.invalid': 'invalid',
};

const SLICES: Readonly<Record<string, Omit<SliceField, 'start' | 'bits'>>> = {
  ip: { base: 'network', family: 4 },
  ip6: { base: 'network', family: 6 },
  icmp: { base: 'transport', protocol: 1, family: 4 },
  tcp: { base: 'transport', protocol: 6 },
  udp: { base: 'transport', protocol: 17 },
  gre: { base: 'transport' },
  esp: { base: 'transport', protocol: 50 },
  icmpv6: { base: 'transport', protocol: 58, family: 6 },
  sctp: { base: 'transport', protocol: 132 },
};

/** The bits of `tcp.flags` that a Bool field asks for. */
export function flagBit(test: Test): number | undefined {
  return test.kind === 'flag' && test.operand.kind === 'field' ? TCP_FLAGS[test.operand.name] : undefined;
}

/** The state that a Bool field asks for. */
export function stateOf(test: Test): ConnectionState | undefined {
  return test.kind === 'flag' && test.operand.kind === 'field' ? STATES[test.operand.name] : undefined;
}

/** One of the flags of `tcp.flags` is on. */
export function flagsForm(mask: number): LiteralForm {
  return single({ kind: 'bits', field: 'tcpFlags', mask }, { kind: 'bits', field: 'tcpFlags', mask, not: true });
}

export function stateForm(states: readonly ConnectionState[]): LiteralForm {
  return always({ kind: 'connection', states }, { kind: 'connection', states, not: true });
}

/** What a test comes to in nf_tables. Throws Inexpressible. */
export function literalForm(test: Test, hasList: ListNames, span: IrSpan | undefined): LiteralForm {
  switch (test.kind) {
    case 'flag':
      return flagForm(test.operand, span);
    case 'int':
      return intForm(test.operand, test.set, span);
    case 'bits':
      return bitsForm(test.operand, BigInt(test.mask), span);
    case 'ip':
      return ipForm(sideOf(test.operand, span), test.set.v4, test.set.v6);
    case 'list':
      return listForm(test.operand, test.list, hasList, span);
    case 'bytes':
      return bytesForm(test.operand, test.values, span);
    case 'wildcard':
      return nameStart(test, span);
    case 'bytes-range':
      throw unsupported(`an order of ${describe(test.operand)}`, span);
    case 'contains':
    case 'matches':
      throw unsupported(`${test.kind} on ${describe(test.operand)}`, span);
    case 'quantified':
      throw unsupported(test.quantifier, span);
  }
}

function flagForm(operand: Operand, span: IrSpan | undefined): LiteralForm {
  if (operand.kind === 'call' && operand.name === 'starts_with') {
    const [of, prefix] = operand.args;
    if (of?.kind === 'field' && prefix?.kind === 'bytes') return interfaceForm(of, [text(prefix.value)], true, span);
  }
  if (operand.kind !== 'field') throw unsupported(describe(operand), span);
  const { name } = operand;
  const flag = TCP_FLAGS[name];
  if (flag !== undefined) return flagsForm(flag);
  const state = STATES[name];
  if (state !== undefined) return stateForm([state]);
  if (name === 'ip.frag') {
    // More fragments, or an offset; an IPv6 packet in one fragment is whole (RFC 6946).
    const fragment4: Match = { kind: 'bits', field: 'fragment4', mask: 0x3fff };
    const offset6: Match = { kind: 'field', field: 'fragmentOffset6', ranges: [[1, 0x1fff]] };
    const more6: Match = { kind: 'field', field: 'moreFragments6', ranges: [[1, 1]] };
    return { yes: [of(fragment4), of(offset6), of(more6)], disjoint: false, no: undefined, turned: undefined };
  }
  if (name === 'ip6.frag_more') return fieldForm('moreFragments6', rangeSet([{ first: 1, last: 1 }]));
  throw unsupported(name, span);
}

function intForm(operand: Operand, set: RangeSet, span: IrSpan | undefined): LiteralForm {
  if (operand.kind === 'slice') return sliceForm(operand, fieldForm(sliceOf(operand, span), set));
  if (operand.kind !== 'field') throw unsupported(describe(operand), span);
  const { name } = operand;
  const place = PLACES[name];
  if (place !== undefined) return fieldForm(place, set);
  const places = BY_FAMILY[name];
  if (places) return bothFamilies(fieldForm(places[0], set), fieldForm(places[1], set));
  switch (name) {
    case 'ip.len':
      return bothFamilies(fieldForm('length4', set), fieldForm('length6', shifted(set, -40)));
    case 'ip.hdr_len':
      return bothFamilies(fieldForm('hdrlength4', set), constantOf(6, contains(set, 10)));
    case 'ip.opt.type':
      return optionForm(fieldForm('option4', set));
    default:
      throw unsupported(name, span);
  }
}

function bitsForm(operand: Operand, mask: bigint, span: IrSpan | undefined): LiteralForm {
  if (operand.kind === 'slice') return sliceForm(operand, maskForm(sliceOf(operand, span), mask));
  if (operand.kind !== 'field') throw unsupported(describe(operand), span);
  const { name } = operand;
  const place = name === 'tcp.flags' ? 'tcpFlags' : PLACES[name];
  // Of a mask on bits of an extension header nft makes a shift of the bytes as they lie there, which finds others.
  if (place === 'fragmentOffset6') return fieldForm(place, valuesWithBits(mask, 0, 0x1fff, span));
  if (place !== undefined) return maskForm(place, mask);
  const places = BY_FAMILY[name];
  if (places) return bothFamilies(maskForm(places[0], mask), maskForm(places[1], mask));
  switch (name) {
    case 'ip.len':
      return bothFamilies(maskForm('length4', mask), fieldForm('length6', shifted(valuesWithBits(mask, 40, 40 + 0xffff, span), -40)));
    case 'ip.hdr_len':
      return bothFamilies(maskForm('hdrlength4', mask), constantOf(6, (10n & mask) !== 0n));
    case 'ip.opt.type':
      return optionForm(maskForm('option4', mask));
    default:
      throw unsupported(`& on ${name}`, span);
  }
}

/** A test of one field: the parts of the set that its bits can be. */
function fieldForm(field: FieldName | SliceField, set: RangeSet): LiteralForm {
  const { bits } = fieldInfo(field);
  const ranges = clampSet(set, 0, 2 ** bits - 1).map(({ first, last }): FieldRange => [Number(first), Number(last)]);
  if (ranges.length === 0) return never();
  return formOf(field, { kind: 'field', field, ranges }, { kind: 'field', field, ranges, not: true });
}

function maskForm(field: FieldName | SliceField, wide: bigint): LiteralForm {
  const { bits } = fieldInfo(field);
  const mask = Number(BigInt.asUintN(bits, wide));
  if (mask === 0) return never();
  return formOf(field, { kind: 'bits', field, mask }, { kind: 'bits', field, mask, not: true });
}

/** A field that every packet has, or every packet of a family, needs no chain for its negation. */
function formOf(field: FieldName | SliceField, match: Match, not: Match): LiteralForm {
  const { load, family } = fieldInfo(field);
  const header = family === 4 ? 20 : 40;
  if (load.kind === 'meta') return load.key === 'mark' || load.key === 'len' ? always(match, not) : single(match, not);
  if (load.kind === 'payload' && load.base === 'network' && family !== undefined && load.offset + load.length <= header) {
    return { yes: [of(match)], disjoint: true, no: [onlyFamily(family === 4 ? 6 : 4), of(not)], turned: of(not) };
  }
  return single(match, not);
}

/** nft cannot list what follows a condition on GRE, so that stands last: see `meet`. */
function sliceForm(operand: Extract<Operand, { kind: 'slice' }>, form: LiteralForm): LiteralForm {
  if (operand.protocol !== 'gre') return form;
  const { gre } = IP_PROTOCOLS;
  const yes = form.yes.map(
    (one): Alternative => ({
      ...one,
      protocol: gre,
      matches: [...one.matches, { kind: 'field', field: 'protocol', ranges: [[gre ?? 0, gre ?? 0]] }],
    }),
  );
  return { ...form, yes, turned: undefined };
}

/** The type of the first option: of IPv4 headers longer than 20 octets. */
function optionForm(form: LiteralForm): LiteralForm {
  const has: Match = { kind: 'field', field: 'hdrlength4', ranges: [[6, 15]] };
  const yes = form.yes.map((one): Alternative => ({ ...one, family: 4, matches: [has, ...one.matches] }));
  return { yes, disjoint: true, no: yes.length === 0 ? [ANY] : undefined, turned: undefined };
}

/** What is there in every packet of one family each. */
function bothFamilies(v4: LiteralForm, v6: LiteralForm): LiteralForm {
  const not = (form: LiteralForm, family: Family): readonly Alternative[] => (form.no ?? []).filter((a) => a.family === family);
  const full = (form: LiteralForm, family: Family): readonly Alternative[] =>
    form.yes.length === 0 ? [onlyFamily(family)] : not(form, family);
  return { yes: [...v4.yes, ...v6.yes], disjoint: true, no: [...full(v4, 4), ...full(v6, 6)], turned: undefined };
}

/** A value that every packet of the family has: the test always passes for it, or never. */
function constantOf(family: Family, passes: boolean): LiteralForm {
  return passes
    ? { yes: [onlyFamily(family)], disjoint: true, no: [], turned: undefined }
    : { yes: [], disjoint: true, no: [onlyFamily(family)], turned: undefined };
}

type Side = 'source' | 'destination';

function sideOf(operand: Operand, span: IrSpan | undefined): Side {
  if (operand.kind === 'field' && operand.name === 'ip.src') return 'source';
  if (operand.kind === 'field' && operand.name === 'ip.dst') return 'destination';
  throw unsupported(describe(operand), span);
}

function ipForm(side: Side, v4: RangeSet, v6: RangeSet): LiteralForm {
  return bothFamilies(addressForm(side, 4, v4), addressForm(side, 6, v6));
}

function addressForm(side: Side, family: Family, set: RangeSet): LiteralForm {
  if (set.length === 0) return constantOf(family, false);
  const highest = family === 4 ? 0xffffffff : (1n << 128n) - 1n;
  if (complementSet(set, 0, highest).length === 0) return constantOf(family, true);
  const ranges = set.map(({ first, last }): FieldRange => [printIp(intToIp(first, family)), printIp(intToIp(last, family))]);
  const field = side === 'source' ? (family === 4 ? 'saddr4' : 'saddr6') : family === 4 ? 'daddr4' : 'daddr6';
  return formOf(field, { kind: 'field', field, ranges }, { kind: 'field', field, ranges, not: true });
}

function listForm(operand: Operand, list: string, hasList: ListNames, span: IrSpan | undefined): LiteralForm {
  const side = sideOf(operand, span);
  if (!hasList(list)) throw unsupported(`$${list}, which is not a set of the table that Weir owns`, span);
  const member = (family: Family, set: string, absent: boolean): Match => ({
    kind: 'member',
    family,
    side,
    set,
    ...(absent ? { absent } : {}),
  });
  const sets = FAMILIES.map((family) => ({ family, names: ownedSetNames(list, family) }));
  return {
    yes: sets.flatMap(({ family, names }) =>
      [names.hosts, names.networks].map((set) => ({ family, protocol: undefined, matches: [member(family, set, false)] })),
    ),
    disjoint: false,
    no: sets.map(({ family, names }) => ({
      family,
      protocol: undefined,
      matches: [names.hosts, names.networks].map((set) => member(family, set, true)),
    })),
    turned: undefined,
  };
}

function bytesForm(operand: Operand, values: readonly Uint8Array[], span: IrSpan | undefined): LiteralForm {
  if (operand.kind !== 'field') throw unsupported(describe(operand), span);
  if (operand.name === 'ip.proto') {
    const numbers = values.flatMap((value) => {
      const number = Object.hasOwn(IP_PROTOCOLS, text(value)) ? IP_PROTOCOLS[text(value)] : undefined;
      return number === undefined ? [] : [{ first: number, last: number }];
    });
    return fieldForm('protocol', rangeSet(numbers));
  }
  return interfaceForm(operand, values.map(text), false, span);
}

/** `strict wildcard "eth*"`: the start of a name, and nothing else that has a `*`. */
function nameStart(test: Extract<Test, { kind: 'wildcard' }>, span: IrSpan | undefined): LiteralForm {
  const pattern = text(test.pattern);
  const letters = !test.strict && /[a-z]/i.test(pattern);
  const stars = pattern.split('*').length - 1;
  if (letters || pattern.includes('\\') || stars > 1 || (stars === 1 && !pattern.endsWith('*'))) {
    throw unsupported(`wildcard on ${describe(test.operand)}, except strict wildcard "name*",`, span);
  }
  return stars === 0
    ? interfaceForm(test.operand, [pattern], false, span)
    : interfaceForm(test.operand, [pattern.slice(0, -1)], true, span);
}

const IFNAMSIZ = 16;

function interfaceForm(operand: Operand, names: readonly string[], starts: boolean, span: IrSpan | undefined): LiteralForm {
  const direction =
    operand.kind === 'field' && operand.name === 'iif.name'
      ? 'in'
      : operand.kind === 'field' && operand.name === 'oif.name'
        ? 'out'
        : undefined;
  if (!direction) throw unsupported(describe(operand), span);
  const fitting = names.filter((name) => name !== '' && new TextEncoder().encode(name).length < IFNAMSIZ);
  if (starts) {
    const [name] = names;
    // Every interface has a name.
    if (name === '') return { yes: [ANY], disjoint: true, no: [], turned: undefined };
    if (name === undefined || fitting.length === 0) return never();
    if (!isPlain(name)) throw unsupported('such a name of an interface', span);
    return always({ kind: 'interface', direction, name: `${name}*` }, { kind: 'interface', direction, name: `${name}*`, not: true });
  }
  if (fitting.length === 0) return never();
  if (!fitting.every((name) => isPlain(name) && !name.endsWith('*'))) throw unsupported('such a name of an interface', span);
  return always({ kind: 'interfaces', direction, names: fitting }, { kind: 'interfaces', direction, names: fitting, not: true });
}

/** What nft can read between quotation marks. */
function isPlain(name: string): boolean {
  return /^[!#-~]+$/.test(name);
}

function sliceOf(operand: Extract<Operand, { kind: 'slice' }>, span: IrSpan | undefined): SliceField {
  const base = Object.hasOwn(SLICES, operand.protocol) ? SLICES[operand.protocol] : undefined;
  if (!base) throw unsupported(`bit_slice of ${operand.protocol}`, span);
  return { ...base, start: operand.start, bits: operand.end - operand.start };
}

/** The values between two bounds that have one of the bits, where these are few ranges. */
function valuesWithBits(mask: bigint, min: number, max: number, span: IrSpan | undefined): RangeSet {
  const ranges: { first: number; last: number }[] = [];
  const bits = Number(BigInt.asUintN(20, mask));
  for (let value = min; value <= max; value++) {
    if ((value & bits) === 0) continue;
    const before = ranges.at(-1);
    if (before && before.last === value - 1) before.last = value;
    else ranges.push({ first: value, last: value });
    if (ranges.length > MOST_RANGES) throw unsupported('& on the length of IPv6 packets', span);
  }
  return ranges;
}

function shifted(set: RangeSet, by: number): RangeSet {
  const inside = clampSet(set, -by, 0x1ffff);
  return inside.map(({ first, last }) => ({ first: Number(first) + by, last: Number(last) + by }));
}

function contains(set: RangeSet, value: number): boolean {
  return set.some(({ first, last }) => first <= value && value <= last);
}

function text(bytes: Uint8Array): string {
  return new TextDecoder('latin1').decode(bytes);
}

function describe(operand: Operand): string {
  switch (operand.kind) {
    case 'field':
      return operand.name;
    case 'slice':
      return `bit_slice of ${operand.protocol}`;
    case 'call':
      return operand.name;
    case 'index':
      return `an element of ${describe(operand.of)}`;
  }
}
