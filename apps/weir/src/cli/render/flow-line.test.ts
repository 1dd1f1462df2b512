import { expect, test } from 'vitest';
import type { VerdictSummary } from '../../api/index.ts';
import { renderFlow } from './flow-line.ts';
import { palette } from './paint.ts';

const plain = palette('never', false, {});
const BASE: VerdictSummary = {
  at: new Date(2026, 10, 21, 0, 13, 7, 412).toISOString(),
  node: 'node-a',
  hook: 'xdp',
  verdict: 'deny',
  from: 'ebpf',
  generation: 42,
  rule: 'scanners',
  rule_label: 'block-scanners#100',
  source: '203.0.113.9',
  source_as: 64500,
  source_port: 51_000,
  destination: '192.0.2.5',
  destination_port: 22,
  protocol: 6,
  tcp_flags: 'SYN',
  length: 60,
  in_interface: 'eth0',
};
const without = (...keys: readonly (keyof VerdictSummary)[]): VerdictSummary =>
  Object.fromEntries(Object.entries(BASE).filter(([key]) => !keys.includes(key as keyof VerdictSummary))) as unknown as VerdictSummary;
const rest = without('source', 'source_as', 'source_port', 'tcp_flags', 'in_interface');
const HEAD = 'Nov 21 00:13:07.412 [node-a]:';

test.each([
  {
    name: 'a packet',
    input: BASE,
    want: `${HEAD} 203.0.113.9:51000 (AS64500) -> 192.0.2.5:22 policy-verdict DENIED BY block-scanners#100 (TCP SYN, eth0, gen 42)`,
  },
  {
    name: 'IPv6, forwarded, by the default',
    input: {
      ...BASE,
      source: '2001:db8::9',
      destination: '2001:db8::5',
      out_interface: 'wg0',
      rule_label: '<default>',
      generation: undefined,
    },
    want: `${HEAD} [2001:db8::9]:51000 (AS64500) -> [2001:db8::5]:22 policy-verdict DENIED BY <default> (TCP SYN, eth0 -> wg0)`,
  },
  { name: 'what is only audited', input: { ...BASE, audit: true }, want: / policy-verdict WOULD BE DENIED BY block-scanners#100 / },
  {
    name: 'a process whose name is an attack',
    input: { ...rest, hook: 'connect', process: 'x\u001b[2J\n', pid: 812, uid: 1000 },
    want: `${HEAD} x\\x1b[2J\\x0a[812] (uid 1000) -> 192.0.2.5:22 policy-verdict DENIED BY block-scanners#100 (TCP, gen 42)`,
  },
  {
    name: 'of a tenant, without ports',
    input: { ...without('source_port', 'destination_port', 'source_as', 'tcp_flags'), tenant: 'blue', protocol: 1 },
    want: ' [node-a/blue]: 203.0.113.9 -> 192.0.2.5 ',
  },
  {
    name: 'what is no IP',
    input: without('source', 'source_as', 'source_port', 'destination', 'destination_port', 'protocol', 'tcp_flags'),
    want: `${HEAD} no IP policy-verdict DENIED BY block-scanners#100 (eth0, gen 42)`,
  },
  { name: 'a rule that is forgotten', input: without('rule', 'rule_label'), want: ' DENIED BY a rule that is gone (' },
  { name: 'a protocol without a name', input: { ...without('tcp_flags'), protocol: 250 }, want: '(protocol 250, eth0, gen 42)' },
])('$name', ({ input, want }) => {
  const line = renderFlow(input as VerdictSummary, plain);
  if (want instanceof RegExp) expect(line).toMatch(want);
  else if (want.startsWith(HEAD)) expect(line).toBe(want);
  else expect(line).toContain(want);
  expect(line).not.toMatch(/\p{Cc}/u);
});
