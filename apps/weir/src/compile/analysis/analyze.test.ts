import { describe, expect, it } from 'vitest';
import type { Action, HookRules } from '../../model/rule.ts';
import { analyze } from './analyze.ts';
import { all, bytesTest, EVERYTHING, flagTest, hookOf, intTest, ipTest, listTest, not, rule, some, wildcardTest } from './test-domains.ts';

const ALLOW: Action = { kind: 'allow' };
const DENY: Action = { kind: 'deny' };
const LIMIT: Action = { kind: 'rate-limit', limit: { unit: 'packets', rate: 10, burst: 10, per: 'source' } };
const lower = ipTest('ip.src', ['192.0.2.0', '192.0.2.127']);
const upper = ipTest('ip.src', ['192.0.2.128', '192.0.2.255']);
const whole = ipTest('ip.src', ['192.0.2.0', '192.0.2.255']);
const six = ipTest('ip.src', ['2001:db8::', '2001:db8::ffff']);
const http = intTest('tcp.dstport', [80, 80]);
const web = intTest('tcp.dstport', [80, 443]);
const ports = (first: number, last: number) => some(...['tcp', 'udp', 'sctp'].map((p) => intTest(`${p}.dstport`, [first, last])));

/** `kind rule others: packet`, and what was not analysed. */
function show(hook: HookRules): readonly string[] {
  const { findings, notAnalysed } = analyze([hook]);
  return [
    ...findings.map(({ kind, rule: r, others, witness }) => {
      const about = others.map((other) => ` ${other.ref}`).join('');
      const given = witness?.assumes.map((text) => ` if ${text}`).join('') ?? '';
      return `${kind} ${r.ref}${about}${witness === undefined ? '' : `: ${witness.text}${given}`}`;
    }),
    ...notAnalysed.map(({ kind, rule: r, reason }) => `not analysed ${r.ref} ${kind ?? ''}: ${reason}`),
  ];
}

const rows: readonly { readonly name: string; readonly input: HookRules; readonly want: readonly string[] }[] = [
  { name: 'rules that are apart', input: hookOf([rule('r1', all(lower), ALLOW), rule('r2', all(six, http), ALLOW)]), want: [] },
  {
    name: 'shadowed by one',
    input: hookOf([rule('r1', all(whole), ALLOW), rule('r2', all(lower, http), DENY)]),
    want: ['shadowed r2 r1: tcp 192.0.2.0 -> 203.0.113.5:80'],
  },
  {
    name: 'shadowed by two together, of which neither does it alone',
    input: hookOf([rule('r1', all(lower), ALLOW), rule('r2', all(upper, web), ALLOW), rule('r3', all(whole, http), DENY)]),
    want: [
      'conflict r1 r3: tcp 192.0.2.0 -> 203.0.113.5:80',
      'conflict r2 r3: tcp 192.0.2.128 -> 203.0.113.5:80',
      'shadowed r3 r1 r2: tcp 192.0.2.0 -> 203.0.113.5:80',
    ],
  },
  {
    name: 'a gap of one address',
    input: hookOf([
      rule('r1', all(ipTest('ip.src', ['192.0.2.0', '192.0.2.126'])), LIMIT),
      rule('r2', all(upper), LIMIT),
      rule('r3', all(whole), ALLOW),
    ]),
    want: [],
  },
  {
    name: 'shadowed by what comes before the policy',
    input: hookOf([
      rule('base', all(flagTest('ct.established')), ALLOW, { stage: 'established', name: 'established' }),
      rule('r2', all(flagTest('ct.established'), http), DENY),
    ]),
    want: ['shadowed r2 base: tcp 198.51.100.7 -> 203.0.113.5:80 established'],
  },
  {
    name: 'in audit mode nothing is dropped, so nothing is shadowed',
    input: hookOf([rule('r1', all(whole), DENY, { audit: true }), rule('r2', all(lower, http), ALLOW)]),
    want: [],
  },
  {
    name: 'rules that a skip goes past',
    input: hookOf([rule('r1', all(whole), { kind: 'skip', to: 'r3' }), rule('r2', all(lower), ALLOW), rule('r3', all(lower, http), ALLOW)]),
    want: ['shadowed r2 r1: tcp 192.0.2.0 -> 203.0.113.5:443'],
  },
  {
    name: 'marks that rules set and later ones ask for',
    input: hookOf([
      rule('r1', all(lower), { kind: 'mark', mark: 7 }),
      rule('r2', all(intTest('meta.mark', [7, 7])), ALLOW),
      rule('r3', all(lower, http), DENY),
    ]),
    want: ['shadowed r3 r2: tcp 192.0.2.0 -> 203.0.113.5:80'],
  },
  {
    name: 'the protocol of a port',
    input: hookOf([rule('r1', all(bytesTest('ip.proto', 'tcp')), LIMIT), rule('r2', all(http), ALLOW)]),
    want: ['shadowed r2 r1: tcp 198.51.100.7 -> 203.0.113.5:80'],
  },
  {
    name: '!= is true of packets that have no port',
    input: hookOf([rule('r1', all(bytesTest('ip.proto', 'tcp')), LIMIT), rule('r2', not(http), LIMIT)]),
    want: [],
  },
  {
    name: 'two protocols in one packet',
    input: hookOf([rule('r1', all(http, intTest('udp.dstport', [53, 53])), ALLOW)]),
    want: ['never-matches r1'],
  },
  {
    name: 'a port in a later fragment',
    input: hookOf([rule('r1', all(http, intTest('ip.frag_offset', [1, 8191])), ALLOW)]),
    want: ['never-matches r1'],
  },
  {
    name: 'a constant that is false',
    input: hookOf([rule('r1', { kind: 'constant', value: false }, ALLOW)]),
    want: ['never-matches r1'],
  },
  {
    name: 'the default does the same',
    input: hookOf([rule('r1', all(lower), DENY)]),
    want: ['redundant r1 default: tcp 192.0.2.0 -> 203.0.113.5:443'],
  },
  {
    name: 'the default does the same, but a rule between does not',
    input: hookOf([rule('r1', all(lower), DENY), rule('r2', all(whole, http), ALLOW)]),
    want: ['conflict r1 r2: tcp 192.0.2.0 -> 203.0.113.5:80'],
  },
  {
    name: 'an exception before the rule that it is one of is no conflict',
    input: hookOf([rule('r1', all(lower, http), DENY), rule('r2', all(whole), ALLOW)]),
    want: [],
  },
  {
    name: 'a rule that logs is not the same as the default',
    input: hookOf([rule('r1', all(lower), DENY, { log: true })]),
    want: [],
  },
  {
    name: 'a conflict that is settled before is none',
    input: hookOf([rule('r1', all(whole, http), LIMIT), rule('r2', all(lower), DENY), rule('r3', all(http), ALLOW)]),
    want: ['conflict r1 r2: tcp 192.0.2.0 -> 203.0.113.5:80', 'redundant r2 default: tcp 192.0.2.0 -> 203.0.113.5:443'],
  },
  {
    name: 'two halves of a prefix',
    input: hookOf([rule('r1', all(lower, http), ALLOW), rule('r2', all(upper, http), ALLOW)]),
    want: ['mergeable r1 r2: tcp 192.0.2.128 -> 203.0.113.5:80'],
  },
  {
    name: 'two families of one field',
    input: hookOf([rule('r1', all(lower, http), ALLOW), rule('r2', all(six, http), ALLOW)]),
    want: ['mergeable r1 r2: tcp 2001:db8:: -> [2001:db8:2::5]:80'],
  },
  {
    name: 'ports of any protocol are one field',
    input: hookOf([rule('r1', all(lower, ports(80, 80)), ALLOW), rule('r2', all(lower, ports(443, 443)), ALLOW)]),
    want: ['mergeable r1 r2: tcp 192.0.2.0 -> 203.0.113.5:443'],
  },
  {
    name: 'two fields differ',
    input: hookOf([rule('r1', all(lower, http), ALLOW), rule('r2', all(upper, intTest('tcp.dstport', [22, 22])), ALLOW)]),
    want: [],
  },
  {
    name: 'a named set is a member or not, whatever is in it',
    input: hookOf([rule('r1', all(http), ALLOW), rule('r2', all(listTest('ip.src', 'bad'), http), DENY)]),
    want: ['shadowed r2 r1: tcp 198.51.100.7 -> 203.0.113.5:80 if 198.51.100.7 is in $bad'],
  },
  {
    name: 'a conflict that depends on a named set',
    input: hookOf([rule('r1', all(listTest('ip.src', 'bad')), DENY), rule('r2', all(http), ALLOW)]),
    want: ['not analysed r1 conflict: whether it conflicts with r2 depends on the members of named sets'],
  },
  {
    name: 'interfaces by name and by pattern',
    input: hookOf([
      rule('r1', all(wildcardTest('iif.name', 'eth*')), LIMIT),
      rule('r2', all(bytesTest('iif.name', 'eth0', 'lo')), LIMIT),
      rule('r3', all(bytesTest('iif.name', 'eth1'), http), ALLOW),
    ]),
    want: ['shadowed r3 r1: tcp 198.51.100.7 -> 203.0.113.5:80 in eth1'],
  },
  {
    name: 'a rate limit that only counts what is over it',
    input: hookOf([rule('r1', all(whole), LIMIT, { audit: true }), rule('r2', all(lower), ALLOW)]),
    want: [],
  },
  {
    name: 'everything',
    input: hookOf([rule('r1', EVERYTHING, ALLOW), rule('r2', all(http), DENY)]),
    want: ['shadowed r2 r1: tcp 198.51.100.7 -> 203.0.113.5:80'],
  },
];

describe('analyze', () => {
  it.each(rows)('$name', ({ input, want }) => {
    expect(show(input)).toEqual(want);
  });

  it('names both places and the reason', () => {
    const { findings } = analyze([hookOf([rule('r1', all(whole), ALLOW), rule('r2', all(lower), DENY)])]);
    expect(findings[0]).toMatchObject({
      code: 'A001',
      message: 'every packet that r2 (policy.yaml:3) matches is decided before it by r1 (policy.yaml:2)',
      hooks: ['forward'],
      rule: { span: { line: 3 } },
      others: [{ ref: 'r1', span: { line: 2 } }],
    });
  });

  it('is one finding at two hooks', () => {
    const forward = hookOf([rule('r1', all(whole), ALLOW), rule('r2', all(lower), DENY)]);
    const { findings, rules } = analyze([forward, { ...forward, hook: 'input' }]);
    expect(findings.map((f) => f.hooks)).toEqual([['forward', 'input']]);
    expect(rules).toBe(4);
  });

  it('says of a rule with too many alternatives that it is not analysed', () => {
    const choices = Array.from({ length: 14 }, (_, i) =>
      some(intTest('ip.ttl', [i * 2, i * 2]), intTest('ip.len', [100 + i * 2, 100 + i * 2]), intTest('ip.id', [i * 2, i * 2])),
    );
    const { notAnalysed } = analyze([hookOf([rule('r1', { kind: 'xor', items: choices, negated: false }, DENY)])]);
    expect(notAnalysed.map((one) => one.reason)).toEqual(['too many alternatives']);
  });
});
