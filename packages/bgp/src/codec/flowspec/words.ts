import type { BitmaskKind, ComponentKind, NumericKind } from './component.ts';
import { FragmentBit } from './component.ts';

/** What a component is called in text, as BIRD has it. The first word of two-word names selects nothing by itself. */
const WORDS: Readonly<Record<ComponentKind, string>> = {
  destination: 'dst',
  source: 'src',
  protocol: 'proto',
  port: 'port',
  'destination-port': 'dport',
  'source-port': 'sport',
  'icmp-type': 'icmp type',
  'icmp-code': 'icmp code',
  'tcp-flags': 'tcp flags',
  'packet-length': 'length',
  dscp: 'dscp',
  fragment: 'fragment',
  'flow-label': 'label',
};

/** The name that is printed: the protocol of IPv6 is the `next header`. */
export function componentWord(kind: ComponentKind, address: 4 | 6): string {
  return kind === 'protocol' && address === 6 ? 'next header' : WORDS[kind];
}

/** Every name that is read, and the kind that it names. Both names of the protocol are read in both address families. */
export const NAMES: ReadonlyMap<string, ComponentKind> = new Map([
  ...(Object.entries(WORDS) as [ComponentKind, string][]).map(([kind, word]): [string, ComponentKind] => [word, kind]),
  ['next header', 'protocol'],
]);

/** The greatest value that a person may write: what the field of a packet holds. */
export const GREATEST: Readonly<Record<NumericKind | BitmaskKind, number>> = {
  protocol: 255,
  port: 65535,
  'destination-port': 65535,
  'source-port': 65535,
  'icmp-type': 255,
  'icmp-code': 255,
  'tcp-flags': 0xfff,
  'packet-length': 65535,
  dscp: 63,
  fragment: 0x0f,
  'flow-label': 0xfffff,
};

/** Names of single bits of the fragment component. */
export const FRAGMENT_NAMES: ReadonlyMap<string, number> = new Map([
  ['dont_fragment', FragmentBit.dontFragment],
  ['is_fragment', FragmentBit.isFragment],
  ['first_fragment', FragmentBit.firstFragment],
  ['last_fragment', FragmentBit.lastFragment],
]);
