import { protocolName } from '@weir/filter/packet';
import type { VerdictSummary } from '../../api/index.ts';
import { escapeControl } from './escape.ts';
import type { Palette } from './paint.ts';

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

const WORDS: Readonly<Record<string, string>> = {
  allow: 'ALLOWED',
  deny: 'DENIED',
  reject: 'REJECTED',
  log: 'LOGGED',
  mark: 'MARKED',
  skip: 'SKIPPED',
};

/**
 * A verdict in one line, in the shape that Hubble made known:
 *
 *     Nov 21 00:13:07.412 [node-a]: 203.0.113.9:51000 (AS64500) -> 192.0.2.5:22 policy-verdict DENIED BY block-scanners#100 (TCP SYN, eth0, gen 42)
 *
 * The time is that of the place. Control characters are escaped: processes are called what an attacker likes.
 */
export function renderFlow(v: VerdictSummary, p: Palette): string {
  const word = `${v.audit ? 'WOULD BE ' : ''}${WORDS[v.verdict] ?? v.verdict.toUpperCase()}`;
  const paint = v.verdict === 'deny' || v.verdict === 'reject' ? (v.audit ? p.yellow : p.red) : v.verdict === 'allow' ? p.green : p.bold;
  const by = escapeControl(v.rule_label ?? v.rule ?? 'a rule that is gone');
  const node = escapeControl(v.tenant === undefined ? v.node : `${v.node}/${v.tenant}`);
  const details = [protocolText(v), interfaceText(v), ...(v.generation === undefined ? [] : [`gen ${v.generation}`])].filter(
    (one) => one !== '',
  );
  return `${timeText(v.at)} [${node}]: ${flowText(v)} policy-verdict ${paint(`${word} BY`)} ${p.bold(by)} (${details.join(', ')})`;
}

function timeText(iso: string): string {
  const at = new Date(iso);
  const two = (n: number): string => String(n).padStart(2, '0');
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${String(at.getMilliseconds()).padStart(3, '0')}`;
  return `${MONTHS[at.getMonth()]} ${two(at.getDate())} ${clock}`;
}

function flowText(v: VerdictSummary): string {
  const to = v.destination === undefined ? 'no IP' : end(v.destination, v.destination_port);
  const sender = v.process === undefined ? '' : `${escapeControl(v.process)}[${v.pid ?? '?'}]`;
  const owner = v.uid === undefined ? '' : `uid ${v.uid}`;
  if (v.source === undefined) {
    const who = [sender, ...(owner === '' ? [] : [`(${owner})`])].filter((one) => one !== '').join(' ');
    return who === '' ? to : `${who} -> ${to}`;
  }
  const about = [
    ...(v.source_as === undefined ? [] : [`AS${v.source_as}`]),
    ...(sender === '' ? [] : [sender]),
    ...(owner === '' ? [] : [owner]),
  ];
  return `${end(v.source, v.source_port)}${about.length === 0 ? '' : ` (${about.join(' ')})`} -> ${to}`;
}

function end(address: string, port: number | undefined): string {
  if (port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function protocolText({ protocol, tcp_flags: flags }: VerdictSummary): string {
  if (protocol === undefined) return '';
  const name = protocolName(protocol)?.toUpperCase() ?? `protocol ${protocol}`;
  return flags === undefined ? name : `${name} ${flags}`;
}

function interfaceText({ in_interface: from, out_interface: to }: VerdictSummary): string {
  const names = [...(from === undefined ? [] : [from]), ...(to === undefined ? [] : [`-> ${to}`])];
  return escapeControl(names.join(' '));
}
