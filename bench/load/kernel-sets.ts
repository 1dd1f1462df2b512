// Sets of nft and ipset with the members of a set, and the kernel's memory.
import { readFileSync } from 'node:fs';
import { type Family, prefixFromWords, printPrefix } from '@weir/wire/inet';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';

/** As nft and ipset read them. */
export function elements({ family, count, words, lengths }: MemberDelta): string[] {
  return Array.from({ length: count }, (_, i) => {
    const word = (at: number): number => (family === 4 ? (at === 0 ? (words[i] ?? 0) : 0) : (words[4 * i + at] ?? 0));
    return printPrefix(prefixFromWords(family, word(0), word(1), word(2), word(3), lengths[i] ?? 0));
  });
}

/** A table that drops all packets, whether their source is in its set or not; without a list it has no set. */
export function nftTable(family: Family, list?: readonly string[]): string {
  const ip = family === 4 ? 'ip' : 'ip6';
  const chain = (rule: string): string => `chain c { type filter hook prerouting priority raw; policy drop; ${rule}\n}`;
  if (!list) return `table ${ip} peer {\n${chain('')}\n}`;
  const type = `type ipv${family}_addr; flags interval; auto-merge`;
  return `table ${ip} peer {\nset s { ${type}; elements = { ${list.join(',\n')} } }\n${chain(`${ip} saddr @s drop;`)}\n}`;
}

/** For `ipset restore`: a set called s. */
export function ipsetScript(members: MemberDelta): string {
  const inet = members.family === 4 ? 'inet' : 'inet6';
  const lines = elements(members).map((element) => `add s ${element}`);
  return `create s hash:net family ${inet} maxelem ${2 * members.count}\n${lines.join('\n')}\n`;
}

/** Octets that the kernel has for objects of its own: small ones, mapped ones, those of each CPU. */
export function kernelMemory(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const of = (name: string): number => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return of('SUnreclaim') + of('VmallocUsed') + of('Percpu');
}
