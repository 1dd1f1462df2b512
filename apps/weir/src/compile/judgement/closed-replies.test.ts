import { prefix } from '@weir/wire/inet';
import { describe, expect, test } from 'vitest';
import type { Border, BorderAllow } from '../../model/firewall.ts';
import type { NamedSet } from '../../model/named-set.ts';
import { closedReplyDrafts } from './closed-replies.ts';

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
const way = 'iif.name == "wg0" and oif.name == "eth0" and ct.new';
const rest = '(not tcp.flags.syn or tcp.flags.ack or tcp.flags.fin or tcp.flags.reset)';
const gone = 'not ip.src in $web';
const guard = 'ip.src in {203.0.113.0/24}';

const rows: readonly { readonly name: string; readonly border: Border; readonly want: readonly string[] }[] = [
  { name: 'a set that keeps', border: border([allow('mail', 'tcp', web)]), want: [] },
  { name: 'a border that lets everything through', border: border([allow('web', 'tcp', web)], { default: 'accept' }), want: [] },
  {
    name: 'ports of TCP',
    border: border([allow('web', 'tcp', web)]),
    want: [`${way} and tcp.srcport in {80 443} and ${rest} and ${gone}`],
  },
  {
    name: 'what another set lets in is not closed',
    border: border([allow('web', 'tcp', [{ from: 80, to: 80 }]), allow('mail', 'tcp', [{ from: 25, to: 25 }])]),
    want: [`${way} and tcp.srcport == 80 and ${rest} and ${gone} and not ip.src in $mail`],
  },
  {
    name: 'ports of UDP, only where the set may have members',
    border: border([allow('web', 'udp', [{ from: 53, to: 53 }])]),
    want: [`${way} and ${guard} and udp.srcport == 53 and ${gone}`],
  },
  { name: 'any port of UDP, any ICMP: no telling', border: border([allow('web', 'udp'), allow('web', 'icmp')]), want: [] },
  {
    name: 'anything: the rest of TCP connections',
    border: border([allow('web', 'any')]),
    want: [`${way} and ${guard} and ip.proto == "tcp" and ${rest} and ${gone}`],
  },
  {
    name: 'several interfaces',
    border: border([allow('web', 'tcp', web)], { to: ['wg0', 'wg1', 'br*'] }),
    want: [
      `(iif.name in {"wg0" "wg1"} or iif.name strict wildcard "br*") and oif.name == "eth0" and ct.new and tcp.srcport in {80 443} and ${rest} and ${gone}`,
    ],
  },
  {
    name: 'a service of this host',
    border: border([allow('web', 'tcp', web)], { to: 'local' }),
    want: [`oif.name == "eth0" and ct.new and tcp.srcport in {80 443} and ${rest} and ${gone}`],
  },
];

describe('answers of services that are closed', () => {
  test.each(rows)('$name', ({ border: given, want }) => {
    const drafts = closedReplyDrafts(given, [set('web', 'cut'), set('mail', 'keep')]);
    expect(drafts.map((draft) => draft.text)).toEqual(want);
    expect(drafts.every((draft) => draft.name === 'cut web')).toBe(true);
  });
});
