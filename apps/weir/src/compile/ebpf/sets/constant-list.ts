import { type IpSet, ipSetPrefixes } from '@weir/filter/ir';
import type { Prefix } from '@weir/wire/inet';
import type { MapNeed } from '../../../model/ebpf-program.ts';
import { LIST_SHAPE } from '../../../model/list-shape.ts';
import { listSymbol } from '../../../model/set-layout.ts';
import { contentName } from '../../nft/content-name.ts';

/** No named set is called so. */
const CONSTANT = '=';

export interface ConstantNeeds {
  readonly 4: MapNeed | undefined;
  readonly 6: MapNeed | undefined;
}

/** What was worked out for sets: a program is written twice. */
const known = new WeakMap<IpSet, ConstantNeeds>();

/** The maps of addresses that are written in a policy, for each family that has some: named by what is in them, so that the same list is there once. */
export function constantNeeds(set: IpSet): ConstantNeeds {
  const found = known.get(set);
  if (found) return found;
  const prefixes = ipSetPrefixes(set);
  const needs = { 4: needOf(4, prefixes), 6: needOf(6, prefixes) };
  known.set(set, needs);
  return needs;
}

function needOf(family: 4 | 6, all: readonly Prefix[]): MapNeed | undefined {
  const prefixes = all.filter((one) => one.family === family);
  if (prefixes.length === 0) return undefined;
  const members = octetsOf(family, prefixes);
  const list = `${CONSTANT}${contentName(Buffer.from(members).toString('latin1'))}`;
  return { kind: 'list', symbol: listSymbol(list, family), list, family, shape: LIST_SHAPE, members };
}

/** See MatchList. */
function octetsOf(family: 4 | 6, prefixes: readonly Prefix[]): Uint8Array {
  const stride = family === 4 ? 1 : 4;
  const octets = new Uint8Array(prefixes.length * (4 * stride + 1));
  const view = new DataView(octets.buffer);
  for (const [i, { w0, w1, w2, w3, length }] of prefixes.entries()) {
    const words = family === 4 ? [w0] : [w0, w1, w2, w3];
    for (const [k, word] of words.entries()) view.setUint32(4 * (i * stride + k), word, true);
    octets[4 * stride * prefixes.length + i] = length;
  }
  return octets;
}
