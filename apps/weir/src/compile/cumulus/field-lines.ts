import {
  clampSet,
  complementSet,
  type IpSet,
  type IrSpan,
  intSet,
  intToIp,
  ipSetPrefixes,
  onlyMember,
  type RangeSet,
  type Test,
} from '@weir/filter/ir';
import { type Int, IP_PROTOCOLS } from '@weir/filter/scheme';
import { printIp, printPrefix } from '@weir/wire/inet';
import { addressSide, linesOf, multiportLines, PORTS, stateWord } from '../iptables/literal.ts';
import { ALWAYS, type Match, option } from '../iptables/match.ts';
import { withoutHeader } from './header-absent.ts';
import type { BoxContext } from './lines.ts';
import { protocolLines } from './protocol-lines.ts';
import { u32Lines } from './u32.ts';
import { unsayable } from './unsayable.ts';

/** Fields that every packet has at these hooks, with their highest values as iptables asks for them. */
const ALWAYS_THERE: Readonly<Record<string, Int>> = {
  'ip.ttl': 255,
  'ip.tos': 255,
  'ip.dscp': 63,
  'ip.len': 0xffff,
  'meta.len': 0xffff,
  'meta.mark': 0xffff_ffff,
};

/** Fields of the IPv4 header that only `-m u32` reads: where, and their highest values. */
const U32: Readonly<Record<string, readonly [location: string, most: Int]>> = {
  'ip.frag_offset': ['4&0x1FFF', 8191],
  'ip.id': ['4>>16', 0xffff],
};

const MOST_RANGE_PREFIXES = 4;

/** The packets that pass a test, or that do not, as lines of which a packet matches one at most. Throws Unsayable. */
export function fieldLines(test: Test, negated: boolean, context: BoxContext, span: IrSpan | undefined): readonly Match[] {
  const state = stateWord(test);
  if (state !== undefined) return stateLines(state, negated, context, span);
  switch (test.kind) {
    case 'ip':
      return addressLines(test, negated, context, span);
    case 'int':
      if (test.operand.kind === 'slice') return sliceLines(test.operand, test.set, negated, context, span);
      if (test.operand.kind === 'field') return intLines(test.operand.name, test, negated, context, span);
      break;
    case 'bits':
      if (test.operand.kind === 'field') return bitLines(test.operand.name, BigInt(test.mask), negated, span);
      break;
    case 'flag':
      if (test.operand.kind === 'field' && test.operand.name === 'ip.frag') return fragmentLines(negated, context, span);
      break;
    case 'bytes':
      if (test.operand.kind === 'field' && test.operand.name === 'ip.proto') return protocolNameLines(test.values, negated, context, span);
      break;
    default:
  }
  // Only for its refusal where it is negated: what may be missing has no line for its absence.
  const lines = linesOf(test, context, span);
  if (negated) throw unsayable('a negation of this', span);
  return lines;
}

function stateLines(state: string, negated: boolean, { options }: BoxContext, span: IrSpan | undefined): readonly Match[] {
  if (!options.state)
    throw unsayable(`ct.${state.toLowerCase()}: the ACLs of a switch know no connections; \`state: true\` is for targets that do`, span);
  return [option('conntrack', `${negated ? '! ' : ''}--ctstate ${state}`)];
}

function intLines(
  name: string,
  test: Extract<Test, { kind: 'int' }>,
  negated: boolean,
  context: BoxContext,
  span: IrSpan | undefined,
): readonly Match[] {
  const { family, options } = context;
  const within = (most: Int): RangeSet => (negated ? complementSet(clampSet(test.set, 0, most), 0, most) : clampSet(test.set, 0, most));
  const port = PORTS[name];
  if (port) {
    const [module, end] = port;
    const lines = multiportLines(module, end, within(0xffff));
    return negated ? withoutHeader(IP_PROTOCOLS[module] ?? 0, name, lines, context, span) : lines;
  }
  const most = ALWAYS_THERE[name];
  if (most !== undefined) return linesOf({ ...test, set: within(most) }, context, span);
  if (name === 'ip.proto.num') {
    if (negated && family === 6) throw unsayable('a protocol that it is not, in IPv6', span);
    return protocolLines(within(255), context, span);
  }
  if (name === 'tcp.flags' && complementSet(test.set, 0, 255).length === 0) {
    // Whatever its flags are: a TCP header.
    return negated ? withoutHeader(6, name, [], context, span) : [option('multiport', '--sports 0:65535', 6)];
  }
  if (name === 'ip6.flow_label') return sliceLines({ protocol: 'ip6', start: 12, end: 32 }, test.set, negated, context, span);
  const read = U32[name];
  if (read) {
    if (family === 6) return negated ? [ALWAYS] : [];
    const [location, highest] = read;
    const set = within(highest);
    const rest = complementSet(set, 0, highest);
    if (rest.length === 0) return [ALWAYS];
    if (name === 'ip.frag_offset' && onlyMember(rest) === 0) return [option(undefined, '-f')];
    if (name === 'ip.frag_offset' && onlyMember(set) === 0 && options.matches === 'iptables') return [option(undefined, '! -f')];
    return u32Lines(location, set);
  }
  const lines = linesOf(test, context, span);
  if (negated) throw unsayable(`not ${name}`, span);
  return lines;
}

function protocolNameLines(
  values: readonly Uint8Array[],
  negated: boolean,
  context: BoxContext,
  span: IrSpan | undefined,
): readonly Match[] {
  const numbers = values.flatMap((value) => {
    const name = new TextDecoder('latin1').decode(value);
    const number = Object.hasOwn(IP_PROTOCOLS, name) ? IP_PROTOCOLS[name] : undefined;
    return number === undefined ? [] : [number];
  });
  const test = { kind: 'int', operand: { kind: 'field', name: 'ip.proto.num' }, set: intSet(...numbers) } as const;
  return intLines('ip.proto.num', test, negated, context, span);
}

function bitLines(name: string, mask: bigint, negated: boolean, span: IrSpan | undefined): readonly Match[] {
  const width = name === 'ip.tos' ? 8 : name === 'meta.mark' ? 32 : undefined;
  if (width === undefined) throw unsayable(`& on ${name}`, span);
  const word = name === 'ip.tos' ? 'tos' : 'mark';
  const kept = mask & ((1n << BigInt(width)) - 1n);
  const line = (value: bigint, of: bigint): Match => option(word, `--${word} 0x${value.toString(16)}/0x${of.toString(16)}`);
  if (negated) return [kept === 0n ? ALWAYS : line(0n, kept)];
  // Each with one bit, and none of those before.
  const bits = Array.from({ length: width }, (_, i) => 1n << BigInt(i)).filter((bit) => (kept & bit) !== 0n);
  return bits.map((bit) => line(bit, kept & (bit * 2n - 1n)));
}

/** Octets of the header that every packet of a family has. */
const FIXED: Readonly<Record<string, readonly [family: 4 | 6, octets: number]>> = { ip: [4, 20], ip6: [6, 40] };

/** Bits of the IP header itself. */
function sliceLines(
  { protocol, start, end }: { readonly protocol: string; readonly start: number; readonly end: number },
  set: RangeSet,
  negated: boolean,
  { family }: BoxContext,
  span: IrSpan | undefined,
): readonly Match[] {
  const fixed = FIXED[protocol];
  if (!fixed) throw unsayable('bit_slice', span);
  const [of, octets] = fixed;
  if (of !== family) return negated ? [ALWAYS] : [];
  const word = Math.floor(start / 32) * 4;
  const at = end <= word * 8 + 32 ? word : Math.min(Math.floor(start / 8), octets - 4);
  const width = end - start;
  const below = at * 8 + 32 - end;
  if (below < 0 || end > octets * 8) throw unsayable('bit_slice', span);
  const most = 2 ** width - 1;
  const asked = negated ? complementSet(clampSet(set, 0, most), 0, most) : clampSet(set, 0, most);
  if (complementSet(asked, 0, most).length === 0) return [ALWAYS];
  return u32Lines(`${at}${below > 0 ? `>>${below}` : ''}&0x${most.toString(16)}`, asked);
}

/** An IPv4 packet with an offset or more to come. */
function fragmentLines(negated: boolean, { family }: BoxContext, span: IrSpan | undefined): readonly Match[] {
  if (family === 6) throw unsayable('ip.frag in IPv6: ip6tables cannot tell a last fragment from an atomic one', span);
  return u32Lines('4&0x3FFF', negated ? intSet(0) : [{ first: 1, last: 0x3fff }]);
}

function addressLines(
  test: Extract<Test, { kind: 'ip' }>,
  negated: boolean,
  { family, options }: BoxContext,
  span: IrSpan | undefined,
): readonly Match[] {
  const side = addressSide(test.operand);
  if (!side) throw unsayable('an address that is not that of the packet', span);
  const highest = family === 4 ? 0xffffffff : (1n << 128n) - 1n;
  const asked = family === 4 ? test.set.v4 : test.set.v6;
  const set = negated ? complementSet(asked, 0, highest) : asked;
  const rest = complementSet(set, 0, highest);
  if (rest.length === 0) return [ALWAYS];
  if (set.length > options.maxRules) throw unsayable(`${set.length} ranges of addresses (${options.maxRules} lines at most)`, span);
  const flag = side === 'src' ? '-s' : '-d';
  const prefixes = (ranges: RangeSet): readonly string[] => {
    const of: IpSet = family === 4 ? { v4: ranges, v6: [] } : { v4: [], v6: ranges };
    return ipSetPrefixes(of).map(printPrefix);
  };
  const fully = options.matches === 'iptables';
  const [not, more] = fully && rest.length === 1 ? prefixes(rest) : [];
  if (not !== undefined && more === undefined && prefixes(set).length > 1) return [option(undefined, `! ${flag} ${not}`)];
  return set.flatMap((range) => {
    const words = prefixes([range]);
    if (!fully || words.length <= MOST_RANGE_PREFIXES) return words.map((word) => option(undefined, `${flag} ${word}`));
    const [first, last] = [range.first, range.last].map((value) => printIp(intToIp(value, family)));
    return [option('iprange', `--${side}-range ${first}-${last}`)];
  });
}
