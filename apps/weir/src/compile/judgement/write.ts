import type { Family, Ip, Prefix } from '@weir/wire/inet';
import { printIp, printPrefix } from '@weir/wire/inet';
import type { PortRange } from '../../model/firewall.ts';

/** Parts of expressions in the filter language. */
export type Side = 'src' | 'dst';

export function all(...parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join(' and ');
}

/** One is enough; in parentheses where there are several, so that it can stand in a conjunction. */
export function some(...parts: readonly string[]): string {
  return parts.length > 1 ? `(${parts.join(' or ')})` : (parts[0] ?? '');
}

export function onInterface(direction: 'iif' | 'oif', names: readonly string[]): string {
  const plain = names.filter((name) => !name.endsWith('*'));
  const starts = names.filter((name) => name.endsWith('*'));
  const parts = starts.map((name) => `${direction}.name strict wildcard ${quote(name)}`);
  if (plain.length === 1) parts.unshift(`${direction}.name == ${quote(plain[0] ?? '')}`);
  else if (plain.length > 1) parts.unshift(`${direction}.name in {${plain.map(quote).join(' ')}}`);
  return some(...parts);
}

export function inSet(side: Side, set: string): string {
  return `ip.${side} in $${set}`;
}

export function within(side: Side, prefixes: readonly Prefix[]): string {
  return `ip.${side} in {${prefixes.map(printPrefix).join(' ')}}`;
}

export function isHost(side: Side, address: Ip): string {
  return `ip.${side} == ${printIp(address)}`;
}

/** `tcp.dstport in {80 443}`; no ports means the protocol alone. */
export function onPorts(protocol: 'tcp' | 'udp', side: Side, ports: readonly PortRange[]): string {
  const [only] = ports;
  if (!only) return `ip.proto == "${protocol}"`;
  const field = `${protocol}.${side}port`;
  if (ports.length === 1 && only.from === only.to) return `${field} == ${only.from}`;
  return `${field} in {${ports.map(({ from, to }) => (from === to ? String(from) : `${from}..${to}`)).join(' ')}}`;
}

/** A TCP segment that does not ask for a new connection. */
export const NOT_FIRST = '(not tcp.flags.syn or tcp.flags.ack or tcp.flags.fin or tcp.flags.reset)';

/** IPv4 or IPv6 alone: every address of the family. */
export function ofFamily(family: Family): string {
  return family === 4 ? 'ip.src in {0.0.0.0/0}' : 'ip.src in {::/0}';
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, (c) => `\\${c}`)}"`;
}
