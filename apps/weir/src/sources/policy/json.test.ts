import { describe, expect, test } from 'vitest';
import type { Policy } from '../../model/policy.ts';
import { loadTexts, printAll } from './memory-policy.ts';
import { policyToJson } from './print-json.ts';
import { PolicyFormatError, policyFromJson } from './read-json.ts';

const TEXT = `default_action: allow
generated_at: 2024-03-01T12:00:00Z
lists: { admins: [192.0.2.0/24, "2001:db8::/48"], web: [80, 8000-8010] }
rules:
  - name: web
    ref: web-1
    hook: [input, forward]
    priority: 20
    source_cidrs: [$admins, 198.51.100.1]
    destination_ports: [$web, 443, 9000-9001]
    protocol: tcp
    action: rate_limit
    rate_limit_bps: 5000000000
    log: true
    description: two
    until: 2027-01-01
  - { name: r, protocol: udp, expression: 'ip.src in $blocked or udp.payload contains "\\x00a"', action: reject, reject_with: admin-prohibited }
  - { name: l, expression: 'bit_slice(udp, 0, 16) == 7', action: log, enabled: false }
  - { name: m, expression: 'cgroup.id == 9007199254740993 ^^ ip.src == ::1', hook: output, action: mark, mark: 4294967295 }
  - { name: s, source_ports: 1, action: skip, skip_to: d, audit: true, log_sample: 100, log_rate: 5 }
  - { name: t, source_ports: 2, action: skip }
  - { name: p, protocol: icmp, action: rate_limit, rate_limit_pps: 5, rate_limit_burst: 9, rate_limit_per: source/20/40 }
  - { name: a, source_cidrs: $blocked, action: allow }
  - { name: d, action: deny, in_interface: [eth0, wg*], state: [new, invalid] }
`;

function load(): Policy {
  const loaded = loadTexts({ 'policy.yaml': TEXT }, ['blocked']);
  if (!loaded.policy) throw new Error(printAll(loaded));
  return loaded.policy;
}

/** As it is after having been a text. */
function json(policy: Policy): Record<string, unknown> & { readonly rules: Record<string, unknown>[] } {
  return JSON.parse(JSON.stringify(policyToJson(policy))) as Record<string, unknown> & { rules: Record<string, unknown>[] };
}

test('a policy is the same after it has been JSON', () => {
  const policy = load();
  expect(policyFromJson(json(policy))).toEqual(policy);
  expect(json(policyFromJson(json(policy)))).toEqual(json(policy));
  // Keys that came later are there where they say something.
  const sampled = json(policy).rules.filter((rule) => 'log_sample' in rule || 'log_rate' in rule);
  expect(sampled).toMatchObject([{ name: 's', log_sample: 100, log_rate: 5 }]);
  expect(policy.rules.find(({ name }) => name === 's')?.sampling).toEqual({ every: 100, perSecond: 5 });
});

test('the shape', () => {
  const { rules, ...whole } = json(load());
  expect(whole).toEqual({
    format_version: 1,
    default_action: 'allow',
    default_audit: false,
    default_action_at: {},
    default_source: { file: 'policy.yaml', line: 1, column: 17, length: 5 },
    generated_at: '2024-03-01T12:00:00Z',
    files: ['policy.yaml'],
    before_rules: [],
  });
  expect(rules[0]).toEqual({
    name: 'web',
    ref: 'web-1',
    description: 'two',
    hooks: ['input', 'forward'],
    priority: 20,
    source_cidrs: ['$admins', '198.51.100.1/32'],
    destination_cidrs: [],
    source_ports: [],
    destination_ports: ['$web', 443, '9000-9001'],
    protocol: 'tcp',
    in_interface: [],
    out_interface: [],
    state: [],
    expression: null,
    bpf: null,
    action: 'rate_limit',
    rate_limit_pps: null,
    rate_limit_bps: 5_000_000_000,
    rate_limit_burst: 4_294_967_295,
    rate_limit_per: 'source',
    reject_with: null,
    mark: null,
    skip_to: null,
    log: true,
    audit: false,
    enabled: true,
    until: '2027-01-01T00:00:00.000Z',
    source: { file: 'policy.yaml', line: 5, column: 11, length: 3 },
    text: 'ip.src in {198.51.100.1 192.0.2.0/24 2001:db8::/48} and tcp.dstport in {443 9000..9001 80 8000..8010}',
    ir: {
      kind: 'and',
      items: [
        { kind: 'literal', test: { kind: 'ip', operand: 'ip.src', set: ['192.0.2.0/24', '198.51.100.1', '2001:db8::/48'] } },
        { kind: 'literal', test: { kind: 'int', operand: 'tcp.dstport', set: [80, 443, [8000, 8010], [9000, 9001]] } },
      ],
    },
  });
});

describe('what is no compiled policy', () => {
  const rows: readonly { readonly name: string; readonly change: (p: ReturnType<typeof json>) => unknown; readonly want: string }[] = [
    { name: 'nothing', change: () => null, want: '' },
    { name: 'another version', change: (p) => ({ ...p, format_version: 2 }), want: 'format_version' },
    { name: 'no rules', change: ({ rules: _, ...p }) => p, want: 'rules' },
    { name: 'a priority', change: (p) => ({ ...p, rules: [{ ...p.rules[0], priority: 65536 }] }), want: 'rules[0].priority' },
    { name: 'a hook', change: (p) => ({ ...p, rules: [{ ...p.rules[0], hooks: ['ingress'] }] }), want: 'rules[0].hooks[0]' },
    { name: 'no hook', change: (p) => ({ ...p, rules: [{ ...p.rules[0], hooks: [] }] }), want: 'rules[0].hooks' },
    { name: 'a rate', change: (p) => ({ ...p, rules: [{ ...p.rules[0], rate_limit_bps: null }] }), want: 'rules[0].rate_limit_pps' },
    {
      name: 'what is counted',
      change: (p) => ({ ...p, rules: [{ ...p.rules[0], rate_limit_per: 'rule/24' }] }),
      want: 'rules[0].rate_limit_per',
    },
    { name: 'a time', change: (p) => ({ ...p, rules: [{ ...p.rules[0], until: 'soon' }] }), want: 'rules[0].until' },
    { name: 'an expression', change: (p) => ({ ...p, rules: [{ ...p.rules[0], ir: { kind: 'and', items: [] } }] }), want: 'rules[0].ir' },
    {
      name: 'a field',
      change: (p) => ({ ...p, rules: [{ ...p.rules[0], ir: { kind: 'literal', test: { kind: 'flag', operand: 'x.y' } } }] }),
      want: 'rules[0].ir.test.operand',
    },
  ];
  for (const row of rows) {
    test(row.name, () => {
      let error: unknown;
      try {
        policyFromJson(row.change(json(load())));
      } catch (caught) {
        error = caught;
      }
      expect(error).toBeInstanceOf(PolicyFormatError);
      expect((error as PolicyFormatError).path).toBe(row.want);
    });
  }
});
