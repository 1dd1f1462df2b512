import { encodeExpr, lower } from '@weir/filter/ir';
import { IP, PACKET_SCHEME } from '@weir/filter/scheme';
import { parse } from '@weir/filter/syntax';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isActive, nextExpiry } from '../../compile/judgement/index.ts';
import type { Policy, PolicyRule } from '../../model/policy.ts';
import { loadTexts, NOW, printAll } from './memory-policy.ts';

/** The policy of `policy.yaml`, which has no errors. */
function policyOf(text: string, files: { readonly [path: string]: string } = {}, sets: readonly string[] = []): Policy {
  const loaded = loadTexts({ 'policy.yaml': text, ...files }, sets);
  if (!loaded.policy) throw new Error(printAll(loaded));
  return loaded.policy;
}

function ruleOf(lines: string, sets: readonly string[] = []): PolicyRule {
  const [rule] = policyOf(`lists: ${LISTS}\nrules:\n  - name: r\n${lines.replace(/^/gm, '    ')}\n`, {}, sets).rules;
  if (!rule) throw new Error('no rule');
  return rule;
}

const LISTS = '{ admins: [192.0.2.0/24, "2001:db8::/48"], web: [80, 443, 8000-8010], up: [eth0, wg*] }';

/** The expression that a text says, without the places. */
function meaning(text: string): unknown {
  const parsed = parse(text, PACKET_SCHEME);
  if ('problem' in parsed) throw new Error(`${text}: ${parsed.problem.message}`);
  const { expr, problems } = lower(parsed.tree, PACKET_SCHEME, { lists: new Map([['blocked', { kind: 'named', type: IP }]]) });
  if (!expr) throw new Error(`${text}: ${problems.map((p) => p.message).join()}`);
  return placeless(encodeExpr(expr));
}

function placeless(json: unknown): unknown {
  return JSON.parse(JSON.stringify(json, (key, value: unknown) => (key === 'span' ? undefined : value)));
}

describe('a rule as one expression', () => {
  const rows: readonly { readonly name: string; readonly input: string; readonly want: string }[] = [
    { name: 'nothing', input: '', want: 'meta.len >= 0' },
    { name: 'one source', input: 'source_cidrs: 192.0.2.1', want: 'ip.src in {192.0.2.1}' },
    {
      name: 'sources of both families',
      input: 'source_cidrs: [192.0.2.0/24, "2001:db8::/32"]',
      want: 'ip.src in {192.0.2.0/24 2001:db8::/32}',
    },
    { name: 'host bits', input: 'destination_cidrs: [192.0.2.7/24]', want: 'ip.dst in {192.0.2.0/24}' },
    { name: 'a list', input: 'source_cidrs: $admins', want: 'ip.src in {192.0.2.0/24 2001:db8::/48}' },
    {
      name: 'a list, a set and a prefix',
      input: 'source_cidrs: [$admins, $blocked, 198.51.100.1/32]',
      want: '(ip.src in {198.51.100.1 192.0.2.0/24 2001:db8::/48} or ip.src in $blocked)',
    },
    { name: 'protocols', input: 'protocol: tcp', want: 'ip.proto == "tcp"' },
    { name: 'icmp is ICMPv6 as well', input: 'protocol: icmp', want: 'ip.proto in {"icmp" "icmpv6"}' },
    { name: 'gre', input: 'protocol: gre', want: 'ip.proto == "gre"' },
    { name: 'any', input: 'protocol: any', want: 'meta.len >= 0' },
    { name: 'a port', input: 'protocol: tcp\ndestination_ports: [80]', want: 'tcp.dstport == 80' },
    { name: 'ports', input: 'protocol: udp\ndestination_ports: [53, 8000-8010]', want: 'udp.dstport in {53 8000..8010}' },
    {
      name: 'ports of every protocol that has ports',
      input: 'destination_ports: 53',
      want: '(tcp.dstport == 53 or udp.dstport == 53 or sctp.dstport == 53)',
    },
    {
      name: 'ports of both sides',
      input: 'source_ports: 1\ndestination_ports: $web',
      want: '((tcp.srcport == 1 and tcp.dstport in {80 443 8000..8010}) or (udp.srcport == 1 and udp.dstport in {80 443 8000..8010}) or (sctp.srcport == 1 and sctp.dstport in {80 443 8000..8010}))',
    },
    {
      name: 'both sides of one protocol',
      input: 'protocol: sctp\nsource_ports: 1\ndestination_ports: 2',
      want: 'sctp.srcport == 1 and sctp.dstport == 2',
    },
    { name: 'no ports', input: 'protocol: tcp\ndestination_ports: []', want: 'ip.proto == "tcp"' },
    {
      name: 'nothing in a field',
      input: 'protocol: tcp\ndestination_ports:\nrate_limit_pps: null\ndescription: ~',
      want: 'ip.proto == "tcp"',
    },
    { name: 'an interface', input: 'in_interface: eth0', want: 'iif.name == "eth0"' },
    {
      name: 'interfaces',
      input: 'hook: forward\nin_interface: [eth0, eth1, wg*, ppp*]\nout_interface: $up',
      want: '(iif.name in {"eth0" "eth1"} or iif.name strict wildcard "wg*" or iif.name strict wildcard "ppp*") and (oif.name == "eth0" or oif.name strict wildcard "wg*")',
    },
    { name: 'an interface with signs', input: `in_interface: 'a"b\\*'`, want: String.raw`iif.name strict wildcard "a\"b\\\\*"` },
    { name: 'a state', input: 'state: new', want: 'ct.new' },
    { name: 'states', input: 'state: [established, related, established]', want: '(ct.established or ct.related)' },
    { name: 'an expression', input: "expression: 'tcp.flags.syn or ip.ttl < 3'", want: 'tcp.flags.syn or ip.ttl < 3' },
    {
      name: 'an expression beside fields',
      input: "source_cidrs: $admins\nexpression: 'tcp.flags.syn or ip.ttl < 3'",
      want: 'ip.src in {192.0.2.0/24 2001:db8::/48} and (tcp.flags.syn or ip.ttl < 3)',
    },
    {
      name: 'lists in an expression',
      input: "expression: 'ip.src in $admins and not (tcp.dstport in $web or ip.dst in $blocked) and tcp'\nprotocol: tcp".replace(
        ' and tcp',
        ' and tcp.flags.ack',
      ),
      want: 'ip.proto == "tcp" and ip.src in {192.0.2.0/24 2001:db8::/48} and not (tcp.dstport in {80 443 8000..8010} or ip.dst in $blocked) and tcp.flags.ack',
    },
    {
      name: 'an expression of several lines',
      input: 'expression: |\n  tcp.flags.syn\n    and iif.name == "a  b"\n  and ip.ttl < 9',
      want: 'tcp.flags.syn and iif.name == "a  b" and ip.ttl < 9',
    },
    {
      name: 'everything',
      input:
        'state: new\nsource_cidrs: 192.0.2.1\ndestination_cidrs: 192.0.2.2\nin_interface: eth0\nprotocol: tcp\ndestination_ports: 22\nexpression: ip.ttl > 9',
      want: 'iif.name == "eth0" and ct.new and ip.src in {192.0.2.1} and ip.dst in {192.0.2.2} and tcp.dstport == 22 and ip.ttl > 9',
    },
  ];
  for (const row of rows) {
    test(row.name, () => {
      const rule = ruleOf(`${row.input}\naction: deny`, ['blocked']);
      expect(rule.text).toBe(row.want);
      expect(placeless(encodeExpr(rule.expression))).toEqual(meaning(row.want));
    });
  }
});

describe('actions', () => {
  const rows: readonly { readonly input: string; readonly want: PolicyRule['action'] }[] = [
    { input: 'action: allow\nprotocol: tcp', want: { kind: 'allow' } },
    { input: 'action: deny', want: { kind: 'deny' } },
    { input: 'action: reject', want: { kind: 'reject', with: 'port-unreachable' } },
    { input: 'action: reject\nreject_with: tcp-reset\nprotocol: tcp', want: { kind: 'reject', with: 'tcp-reset' } },
    { input: 'action: log', want: { kind: 'log' } },
    { input: 'action: mark\nmark: 0x10', want: { kind: 'mark', mark: 16 } },
    { input: 'action: skip', want: { kind: 'skip', to: undefined } },
    {
      input: 'action: rate_limit\nrate_limit_pps: 100',
      want: { kind: 'rate-limit', limit: { unit: 'packets', rate: 100, burst: 100, per: 'source' } },
    },
    {
      input: 'action: rate_limit\nrate_limit_bps: 1000\nrate_limit_per: rule',
      want: { kind: 'rate-limit', limit: { unit: 'bytes', rate: 1000, burst: 65_536, per: 'rule' } },
    },
    {
      input: 'action: rate_limit\nrate_limit_bps: 1000000\nrate_limit_burst: 5\nrate_limit_per: destination',
      want: { kind: 'rate-limit', limit: { unit: 'bytes', rate: 1_000_000, burst: 5, per: 'destination' } },
    },
    {
      input: 'action: rate_limit\nrate_limit_pps: 10\nrate_limit_per: source/24/56',
      want: { kind: 'rate-limit', limit: { unit: 'packets', rate: 10, burst: 10, per: 'source', prefix: { ip4: 24, ip6: 56 } } },
    },
  ];
  for (const row of rows) test(row.input.replaceAll('\n', ', '), () => expect(ruleOf(row.input).action).toEqual(row.want));
});

/** A file as the original's documentation has them. */
const B1 = `---
default_action: deny
generated_at: "2024-03-01T12:00:00Z"
rules:
  - name: allow-https
    priority: 100
    source_cidrs:
      - 10.0.0.0/8
      - 2001:db8::/32
    destination_ports:
      - 443
      - 8443
    protocol: tcp
    action: allow
    rate_limit_pps: 0
    log: false
    description: "HTTPS from inside"
  - name: limit-dns
    priority: 50
    destination_ports: [53]
    protocol: any
    action: rate_limit
    rate_limit_pps: 1000
    log: true
  - name: block-ping
    priority: 50
    destination_ports: []
    protocol: icmp
    action: deny
    rate_limit_pps: null
`;

test('a file of the original loads unchanged', () => {
  const loaded = loadTexts({ 'policy.yaml': B1 });
  expect(printAll(loaded)).toBe('');
  const { policy } = loaded;
  expect(policy).toMatchObject({
    files: ['policy.yaml'],
    defaultAction: 'deny',
    defaultSpan: { file: 'policy.yaml', line: 2, column: 17, length: 4 },
    defaultAudit: false,
    generatedAt: '2024-03-01T12:00:00Z',
  });
  expect(policy?.rules.map((r) => [r.priority, r.name, r.ref, r.hooks.join(), r.action.kind, r.log, r.text])).toEqual([
    [50, 'limit-dns', 'limit-dns', 'input', 'rate-limit', true, '(tcp.dstport == 53 or udp.dstport == 53 or sctp.dstport == 53)'],
    [50, 'block-ping', 'block-ping', 'input', 'deny', false, 'ip.proto in {"icmp" "icmpv6"}'],
    [100, 'allow-https', 'allow-https', 'input', 'allow', false, 'ip.src in {10.0.0.0/8 2001:db8::/32} and tcp.dstport in {443 8443}'],
  ]);
  expect(policy?.rules[2]).toMatchObject({
    description: 'HTTPS from inside',
    enabled: true,
    audit: false,
    until: undefined,
    fields: { source_cidrs: ['10.0.0.0/8', '2001:db8::/32'], destination_ports: ['443', '8443'], protocol: 'tcp', expression: undefined },
    span: { file: 'policy.yaml', line: 5, column: 11, length: 11 },
  });
});

describe('several files', () => {
  const files = {
    'policy.d/20-web.yaml': 'rules:\n  - { name: web, priority: 5, protocol: tcp, destination_ports: $web, action: allow }\n',
    'policy.d/10-lists.yaml': 'lists: { web: [80, 443] }\n',
    'policy.d/30-trial.yaml': 'mode: audit\nrules:\n  - { name: trial, protocol: udp, action: deny }\n',
    'policy.d/notes.txt': 'not a policy',
  };
  const main = 'default_action: allow\ninclude: policy.d/*.yaml\nrules:\n  - { name: first, priority: 5, protocol: gre, action: deny }\n';

  test('are one policy, in the order of their names within a priority; lists are for all', () => {
    const policy = policyOf(main, files);
    expect(policy.files).toEqual(['policy.yaml', 'policy.d/10-lists.yaml', 'policy.d/20-web.yaml', 'policy.d/30-trial.yaml']);
    expect(policy.rules.map((r) => [r.name, r.span.file, r.audit])).toEqual([
      ['first', 'policy.yaml', false],
      ['web', 'policy.d/20-web.yaml', false],
      ['trial', 'policy.d/30-trial.yaml', true],
    ]);
    expect([policy.defaultAction, policy.defaultAudit]).toEqual(['allow', false]);
  });

  test('mistakes are told by file', () => {
    const loaded = loadTexts({
      'policy.yaml': main,
      ...files,
      'policy.d/40-more.yaml': 'rules:\n  - { name: web, protocol: esp, action: deny }\n',
    });
    expect(printAll(loaded)).toBe(`policy.d/40-more.yaml:2:13 error[E020] a rule is already called web at policy.d/20-web.yaml:2
  - { name: web, protocol: esp, action: deny }
            ^^^
`);
  });

  test('when all of them audit, so does the default', () => {
    expect(policyOf('mode: audit\ninclude: b.yaml\n', { 'b.yaml': 'mode: audit\n' }).defaultAudit).toBe(true);
    expect(policyOf('rules: []\n').defaultAction).toBe('deny');
  });
});

test('expiry and enabled stay in the policy; what is enforced is asked for', () => {
  const policy = policyOf(`rules:
  - { name: a, protocol: tcp, action: deny, until: 2026-03-01 }
  - { name: b, protocol: udp, action: deny, enabled: false, until: 2026-02-01 }
  - { name: c, protocol: gre, action: deny }
  - { name: d, protocol: esp, action: deny, until: "2026-02-01T12:00:00.5+02:00" }
`);
  const at = (text: string): readonly string[] => policy.rules.filter((rule) => isActive(rule, Date.parse(text))).map(({ name }) => name);
  expect(policy.rules.map((r) => [r.name, r.enabled, r.until])).toEqual([
    ['a', true, Date.UTC(2026, 2, 1)],
    ['b', false, Date.UTC(2026, 1, 1)],
    ['c', true, undefined],
    ['d', true, Date.UTC(2026, 1, 1, 10, 0, 0, 500)],
  ]);
  expect(at('2026-01-01T00:00:00Z')).toEqual(['a', 'c', 'd']);
  expect(at('2026-02-01T10:00:00.499Z')).toEqual(['a', 'c', 'd']);
  expect(at('2026-02-01T10:00:00.500Z')).toEqual(['a', 'c']);
  expect(at('2026-03-01T00:00:00Z')).toEqual(['c']);
  expect(nextExpiry(policy, NOW)).toBe(Date.UTC(2026, 1, 1, 10, 0, 0, 500));
  expect(nextExpiry(policy, Date.UTC(2026, 2, 1))).toBeUndefined();
});

test('whatever the fields, the text of a rule means its expression', () => {
  const pick = (...values: readonly string[]): fc.Arbitrary<string> => fc.constantFrom('', ...values);
  const rule = fc.tuple(
    pick('source_cidrs: [192.0.2.0/24, 192.0.2.128/25, "::/0"]', 'source_cidrs: $admins', 'source_cidrs: [$blocked, $admins, 0.0.0.0/0]'),
    pick('destination_cidrs: ["2001:db8::1"]', 'destination_cidrs: [0.0.0.0/1, 128.0.0.0/1]'),
    pick('protocol: tcp', 'protocol: udp', 'protocol: sctp', 'protocol: any'),
    pick('source_ports: [1, 2-3, 3-9]', 'source_ports: [$web, 0-65535]', 'source_ports: 0'),
    pick('destination_ports: [$web, 81]', 'destination_ports: 443'),
    pick('state: [new, invalid]', 'state: related'),
    pick('in_interface: [$up, eth1]', 'in_interface: w*'),
    pick(
      `expression: 'ip.src in $admins or ip.ttl == 1'`,
      `expression: 'not tcp.dstport in $web ^^ ip.src in $blocked'`,
      `expression: '!(ip.ttl < 9 and tcp.dstport == 1)'`,
      `expression: 'iif.name in $up && ip.len > 99'`,
    ),
  );
  fc.assert(
    fc.property(rule, (lines) => {
      const made = ruleOf(`${lines.filter((l) => l !== '').join('\n')}\naction: deny`, ['blocked']);
      expect([made.text, placeless(encodeExpr(made.expression))]).toEqual([made.text, meaning(made.text)]);
    }),
    { numRuns: 150 },
  );
});
