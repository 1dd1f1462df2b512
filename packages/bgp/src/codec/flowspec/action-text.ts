import { parseIp, printIp } from '@weir/wire/inet';
import { decodeExtendedCommunity, parseExtendedCommunity, printAdministrator, printExtendedCommunity } from '../extended-community.ts';
import type { FlowAction, RedirectTarget } from './action.ts';

/**
 * `discard`, `rate-bytes 12500`, `rate-packets 100`, `sample`, `continue` (later rules are evaluated too), `sample continue`, `terminal`, `redirect rt:64512:80`,
 * `redirect-to 192.0.2.1`, `copy-to next-hop`, `mark 46`, `generic:0x80ff0000:0x00000000`. A rate with an AS number has `as 64512` behind it.
 */
export function printFlowAction(action: FlowAction): string {
  switch (action.kind) {
    case 'rate-bytes':
    case 'rate-packets': {
      const { kind, rate, asn } = action;
      if (kind === 'rate-bytes' && Object.is(rate, 0) && asn === 0) return 'discard';
      return `${kind} ${printRate(rate)}${asn === 0 ? '' : ` as ${asn}`}`;
    }
    case 'traffic-action': {
      const words = [...(action.sample ? ['sample'] : []), ...(action.terminal ? [] : ['continue'])];
      return words.join(' ') || 'terminal';
    }
    case 'redirect-rt':
      return `redirect rt:${printTarget(action.administrator)}:${action.local}`;
    case 'redirect-ip':
      return `${action.copy ? 'copy' : 'redirect'}-to ${action.address ? printIp(action.address) : 'next-hop'}`;
    case 'mark':
      return `mark ${action.dscp}`;
    case 'unknown':
      return printExtendedCommunity(action);
  }
}

/** The shortest decimal that is the same float of 32 bits: `0.1`, not `0.10000000149011612`. */
function printRate(rate: number): string {
  if (!Number.isFinite(rate)) return String(rate);
  if (Object.is(rate, -0)) return '-0';
  if (Number.isInteger(rate) && Math.abs(rate) < 2 ** 53) return String(rate);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(rate.toPrecision(digits));
    if (Math.fround(short) === rate) return String(short);
  }
  return String(rate);
}

function printTarget(administrator: RedirectTarget): string {
  return administrator.kind === 'ipv6' ? `[${printIp(administrator.address)}]` : printAdministrator(administrator);
}

/** The texts that `printFlowAction` writes; undefined for anything else. A rate is rounded to the nearest float of 32 bits. */
export function parseFlowAction(text: string): FlowAction | undefined {
  const words = text.trim().split(/\s+/);
  const [first = '', second = ''] = words;
  switch (first) {
    case 'discard':
      return words.length === 1 ? { kind: 'rate-bytes', rate: 0, asn: 0 } : undefined;
    case 'rate-bytes':
    case 'rate-packets':
      return parseRate(first, words);
    case 'sample':
    case 'continue':
    case 'terminal':
      return parseFlags(words);
    case 'redirect':
      return words.length === 2 ? parseRedirect(second) : undefined;
    case 'redirect-to':
    case 'copy-to': {
      if (words.length !== 2) return undefined;
      const address = second === 'next-hop' ? undefined : parseIp(second);
      if (address === undefined && second !== 'next-hop') return undefined;
      return { kind: 'redirect-ip', address, copy: first === 'copy-to' };
    }
    case 'mark':
      return words.length === 2 && /^\d{1,2}$/.test(second) && Number(second) < 64 ? { kind: 'mark', dscp: Number(second) } : undefined;
  }
  const generic = words.length === 1 && first.startsWith('generic:') ? parseExtendedCommunity(first) : undefined;
  return generic && { kind: 'unknown', ...generic };
}

function parseRate(kind: 'rate-bytes' | 'rate-packets', words: readonly string[]): FlowAction | undefined {
  const [, rate = '', as, number = ''] = words;
  if (!/^(-?(\d+(\.\d+)?(e[+-]?\d+)?|Infinity)|NaN)$/.test(rate) || (words.length !== 2 && words.length !== 4)) return undefined;
  if (as !== undefined && (as !== 'as' || !/^\d{1,5}$/.test(number) || Number(number) > 0xffff)) return undefined;
  return { kind, rate: Math.fround(Number(rate)), asn: as === undefined ? 0 : Number(number) };
}

function parseFlags(words: readonly string[]): FlowAction | undefined {
  const sample = words.includes('sample');
  const on = words.includes('continue');
  const action: FlowAction = { kind: 'traffic-action', sample, terminal: !on };
  return printFlowAction(action) === words.join(' ') ? action : undefined;
}

/** A route target in any of its forms, by way of the community of that text; an IPv6 address is in brackets. */
function parseRedirect(text: string): FlowAction | undefined {
  const bracketed = /^rt:\[([0-9a-f:.]+)\]:(0|[1-9]\d{0,4})$/i.exec(text);
  if (bracketed) {
    const address = parseIp(bracketed[1] ?? '');
    const local = Number(bracketed[2]);
    return address?.family === 6 && local <= 0xffff ? { kind: 'redirect-rt', administrator: { kind: 'ipv6', address }, local } : undefined;
  }
  const community = text.startsWith('rt:') ? parseExtendedCommunity(text) : undefined;
  const view = community && decodeExtendedCommunity(community);
  return view?.kind === 'route-target' ? { kind: 'redirect-rt', administrator: view.administrator, local: view.local } : undefined;
}
