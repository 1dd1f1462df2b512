import {
  type BitmaskTest,
  type FlowComponent,
  type FlowFamily,
  type FlowRule,
  FragmentBit,
  flowRule,
  type NumericKind,
  type NumericTest,
} from '@weir/bgp/flowspec';
import { parsePrefix } from '@weir/wire/inet';
import { LineError } from './json.ts';

/** ExaBGP's words for numbers; what it has no word for is `unknown protocol type 99`. */
const PROTOCOLS: Words = {
  icmp: 1,
  igmp: 2,
  tcp: 6,
  egp: 8,
  udp: 17,
  rsvp: 46,
  gre: 47,
  esp: 50,
  ah: 51,
  ospf: 89,
  ipip: 94,
  pim: 103,
  sctp: 132,
};
const ICMP_TYPES: Words = {
  'echo-reply': 0,
  unreachable: 3,
  'source-quench': 4,
  redirect: 5,
  'echo-request': 8,
  'router-advertisement': 9,
  'router-solicit': 10,
  'time-exceeded': 11,
  'parameter-problem': 12,
  timestamp: 13,
  'timestamp-reply': 14,
  'info-request': 15,
  'info-reply': 16,
  'mask-request': 17,
  'mask-reply': 18,
  traceroute: 30,
  'experimental-mobility': 41,
  'extended-echo-request': 42,
  'extended-echo-reply': 43,
  'experimental-one': 253,
  'experimental-two': 254,
};
const TCP_FLAGS: Words = { fin: 1, syn: 2, rst: 4, push: 8, ack: 16, urg: 32, urgent: 32, ece: 64, cwr: 128, ns: 256 };
const FRAGMENTS: Words = {
  'not-a-fragment': 0,
  'dont-fragment': FragmentBit.dontFragment,
  'is-fragment': FragmentBit.isFragment,
  'first-fragment': FragmentBit.firstFragment,
  'last-fragment': FragmentBit.lastFragment,
};

/** Bits that mean something (RFC 8955 sections 4.2.2.11 and 4.2.2.12, RFC 8956 section 3.6). */
const DSCP_BITS = 0x3f;
const FRAGMENT_BITS = { 4: 0x0f, 6: 0x0e } as const;

interface Words {
  readonly [word: string]: number;
}

const NUMERIC: { readonly [name: string]: readonly [NumericKind, Words] | undefined } = {
  protocol: ['protocol', PROTOCOLS],
  'next-header': ['protocol', PROTOCOLS],
  port: ['port', {}],
  'destination-port': ['destination-port', {}],
  'source-port': ['source-port', {}],
  'icmp-type': ['icmp-type', ICMP_TYPES],
  'icmp-code': ['icmp-code', {}],
  'packet-length': ['packet-length', {}],
  dscp: ['dscp', {}],
  'traffic-class': ['dscp', {}],
  'flow-label': ['flow-label', {}],
};

/**
 * A flow rule as ExaBGP writes it in `string`: `flow destination-ipv4 198.51.100.7/32 protocol [ =tcp =udp ] destination-port >=25&<=80`. The lists beside it
 * are not looked at: 4.2 tears TCP flags that must all be set apart there. An announcement's text has its next hop at the end, which is no part of the rule.
 * Throws LineError.
 */
export function readFlowText(text: string, family: FlowFamily): FlowRule {
  const words = text
    .replace(/ next-hop \S+$/, '')
    .replace(/unknown [a-z -]*?type (\d+)/g, '$1')
    .split(' ')
    .filter((word) => word !== '');
  if (words.shift() !== 'flow') throw new LineError('a flow has no text');
  const address = family.startsWith('ipv4') ? 4 : 6;
  const components: FlowComponent[] = [];
  for (let i = 0; i < words.length; ) {
    const name = words[i++] ?? '';
    let end = i + 1;
    const isList = words[i] === '[';
    if (isList) end = words.indexOf(']', i);
    const values = isList ? words.slice(i + 1, end) : words.slice(i, end);
    if (end < i || values.length === 0) throw new LineError(`the flow's ${name} has no value`);
    components.push(component(name, values.map(withoutFirstAnd), address));
    i = isList ? end + 1 : end;
  }
  try {
    return flowRule(family, components);
  } catch (error) {
    if (error instanceof RangeError) throw new LineError(`a flow: ${error.message}`);
    throw error;
  }
}

/** The AND bit of the first test means nothing (RFC 8955 section 4.2.1.1), and is printed. */
function withoutFirstAnd(value: string, index: number): string {
  return index === 0 && value.startsWith('&') ? value.slice(1) : value;
}

/** Bits of one octet that mean nothing are printed too, and not looked at, as they are not in what comes over the wire. */
function component(name: string, values: readonly string[], address: 4 | 6): FlowComponent {
  const numeric = NUMERIC[name];
  if (numeric) {
    const [kind, words] = numeric;
    const most = kind === 'dscp' ? DSCP_BITS : undefined;
    return { kind, anyOf: values.map((value) => value.split('&').map((test) => meaningful(numericTest(test, words), most))) };
  }
  if (name === 'tcp-flags')
    return { kind: name, anyOf: values.map((value) => value.split('&').map((test) => bitmaskTest(test, TCP_FLAGS))) };
  if (name === 'fragment') {
    const bits = FRAGMENT_BITS[address];
    const test = (value: string): BitmaskTest => {
      const read = bitmaskTest(value, FRAGMENTS);
      return read.mask > 0xff ? read : { ...read, mask: read.mask & bits };
    };
    return { kind: name, anyOf: values.map((value) => value.split('&').map(test)) };
  }
  const side = /^(destination|source)(?:-ipv[46])?$/.exec(name)?.[1];
  const [only] = values;
  if (side === undefined || only === undefined || values.length > 1) throw new LineError(`a flow has ${name}, which is not known`);
  return prefixComponent(side === 'source' ? 'source' : 'destination', only);
}

function meaningful(test: NumericTest, bits: number | undefined): NumericTest {
  return bits === undefined || test.value > 0xff ? test : { ...test, value: Number(test.value) & bits };
}

/**
 * IPv6 has the bits that are passed over behind the length: `2001:db8::7/128/0`. Where there are any, ExaBGP cuts the prefix and all that follows it in the wrong places (RFC 8956 section 3.1 leaves
 * these bits out): what it prints is another rule.
 */
function prefixComponent(kind: 'destination' | 'source', written: string): FlowComponent {
  const found = /^([^/]+\/\d{1,3})(?:\/(\d{1,3}))?$/.exec(written);
  const result = parsePrefix(found?.[1] ?? '');
  if (!result.ok) throw new LineError(`the ${kind} of a flow is not a prefix`);
  if (Number(found?.[2] ?? 0) !== 0) throw new LineError('a flow has an IPv6 offset, which ExaBGP misreads: it needs `consolidate`');
  return { kind, prefix: result.prefix, offset: 0 };
}

function numericTest(written: string, words: Words): NumericTest {
  // Behind `&` the value that nobody looks at is printed too.
  const [, constant] = /^(true|false)(?:[\w-]*)$/.exec(written) ?? [];
  if (constant === 'true' || constant === 'false') return { operator: constant, value: 0 };
  const found = /^(!=|<=|>=|=|<|>)([\w-]+)$/.exec(written);
  const operator = found?.[1];
  const value = numberOf(found?.[2] ?? '', words);
  switch (operator) {
    case '=':
      return { operator: '==', value };
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
      return { operator, value };
    default:
      throw new LineError('a flow has a comparison that is not known');
  }
}

/** `syn+ack` is a mask; `=` asks for all of it, `!` turns the outcome round. */
function bitmaskTest(written: string, words: Words): BitmaskTest {
  const found = /^(!?)(=?)([\w+-]+)$/.exec(written);
  if (!found) throw new LineError('a flow has bits that are not known');
  const mask = (found[3] ?? '').split('+').reduce((bits, word) => bits | numberOf(word, words), 0);
  return { match: found[2] === '=' ? 'all' : 'any', negated: found[1] === '!', mask };
}

function numberOf(word: string, words: Words): number {
  const known = Object.hasOwn(words, word) ? words[word] : undefined;
  if (known !== undefined) return known;
  if (/^\d{1,10}$/.test(word)) return Number(word);
  throw new LineError('a flow has a word that is not known');
}
