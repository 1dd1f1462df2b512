import { complementSet, type IrSpan, intSet, subtractSet } from '@weir/filter/ir';
import { type Match, option } from '../iptables/match.ts';
import type { BoxContext } from './lines.ts';
import { protocolLines } from './protocol-lines.ts';
import { unsayable } from './unsayable.ts';

/**
 * The packets that do not pass a test of a transport header, which packets without that header do not: those of other protocols, later fragments, and of the others
 * `lines`. Throws Unsayable.
 */
export function withoutHeader(
  protocol: number,
  what: string,
  lines: readonly Match[],
  context: BoxContext,
  span: IrSpan | undefined,
): readonly Match[] {
  const { box, family, options } = context;
  if (context.hasHeader(protocol)) return lines;
  // Packets whose extension headers cannot be walked have no protocol that could be asked for.
  if (family === 6 && !box.protocols) throw unsayable(`not ${what} in IPv6 without a protocol`, span);
  const others = box.protocols ? subtractSet(box.protocols, intSet(protocol)) : complementSet(intSet(protocol), 0, 255);
  const rest = [...protocolLines(others, context, span), ...lines];
  if (options.state) return rest;
  if (family === 6) throw unsayable(`not ${what} in IPv6: ip6tables cannot ask for the fragments that have none`, span);
  return [...rest, { protocol, options: option(undefined, '-f').options }];
}
