import { prefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { Border, BorderAllow } from '../../model/firewall.ts';
import type { NamedSet } from '../../model/named-set.ts';
import { closedReplies, closedReplyEntries } from './closed-replies.ts';
import { printRule } from './print.ts';

const span = { file: '', line: 1, column: 1, length: 1 };

function set(name: string, onWithdraw: 'keep' | 'cut'): NamedSet {
  return {
    name,
    kind: 'allow',
    communities: [],
    guard: {
      peers: ['core'],
      prefixes: [prefix('203.0.113.0/24')],
      lengths: { 4: { min: 8, max: 32 }, 6: { min: 16, max: 128 } },
      maxMembers: 100,
      churn: { rate: 1, burst: 1 },
    },
    onSessionLoss: { kind: 'withdraw' },
    onWithdraw,
    target: { kind: 'owned' },
    span,
  };
}

function allow(name: string, protocol: BorderAllow['protocol'], ports: BorderAllow['ports'] = []): BorderAllow {
  return { set: name, protocol, ports, span };
}

function border(lines: readonly BorderAllow[], more: Partial<Border> = {}): Border {
  return { name: 'internet', from: ['eth0'], to: ['wg0'], deny: [], allow: lines, established: true, default: 'drop', span, ...more };
}

const web = [
  { from: 80, to: 80 },
  { from: 443, to: 443 },
];
const gone4 = 'ip saddr != @web_v4 ip saddr != @web_v4_net';
const gone6 = 'ip6 saddr != @web_v6 ip6 saddr != @web_v6_net';
const rest = 'tcp flags & (fin | syn | rst | ack) != syn';
const end = 'counter drop comment "cut web"';

const rows: readonly { readonly name: string; readonly border: Border; readonly want: readonly string[] | undefined }[] = [
  { name: 'a set that keeps', border: border([allow('mail', 'tcp', web)]), want: undefined },
  { name: 'a border that lets everything through', border: border([allow('web', 'tcp', web)], { default: 'accept' }), want: undefined },
  {
    name: 'ports of TCP',
    border: border([allow('web', 'tcp', web)]),
    want: [`tcp sport { 80, 443 } ${rest} ${gone4} ${end}`, `tcp sport { 80, 443 } ${rest} ${gone6} ${end}`],
  },
  {
    name: 'what another set lets in is not closed',
    border: border([allow('web', 'tcp', [{ from: 80, to: 80 }]), allow('mail', 'tcp', [{ from: 25, to: 25 }])]),
    want: [
      `tcp sport 80 ${rest} ${gone4} ip saddr != @mail_v4 ip saddr != @mail_v4_net ${end}`,
      `tcp sport 80 ${rest} ${gone6} ip6 saddr != @mail_v6 ip6 saddr != @mail_v6_net ${end}`,
    ],
  },
  {
    name: 'ports of UDP, only where the set may have members',
    border: border([allow('web', 'udp', [{ from: 53, to: 53 }])]),
    want: [`ip saddr 203.0.113.0/24 udp sport 53 ${gone4} ${end}`],
  },
  { name: 'any port of UDP, any ICMP: no telling', border: border([allow('web', 'udp'), allow('web', 'icmp')]), want: undefined },
  {
    name: 'anything: the rest of TCP connections',
    border: border([allow('web', 'any')]),
    want: [`ip saddr 203.0.113.0/24 ${rest} ${gone4} ${end}`],
  },
];

describe('answers of services that are closed', () => {
  test.each(rows)('$name', ({ border: given, want }) => {
    const chain = closedReplies(given, [set('web', 'cut'), set('mail', 'keep')]);
    expect(chain?.rules.map(printRule)).toEqual(want);
  });

  test.each([
    { to: ['wg0', 'wg1'], want: ['iifname "wg0" oifname "eth0"', 'iifname "wg1" oifname "eth0"'] },
    { to: 'local' as const, want: ['oifname "eth0"'] },
  ])('only new packets the other way round are judged: $to', ({ to, want }) => {
    const given = border([allow('web', 'tcp', web)], { to });
    const chain = closedReplies(given, [set('web', 'cut')]);
    expect(chain && closedReplyEntries(given, chain).map(printRule)).toEqual(
      want.map((matches) => `${matches} ct state new counter jump cut_internet comment "replies internet"`),
    );
  });
});
