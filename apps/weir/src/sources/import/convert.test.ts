import { describe, expect, test } from 'vitest';
import { importPrograms } from './convert.ts';
import { readSave } from './iptables/read-save.ts';
import { countEntries } from './report.ts';

function save(lines: string, policy = 'ACCEPT'): string {
  return `*filter\n:INPUT ${policy} [0:0]\n:FORWARD ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n${lines}\nCOMMIT\n`;
}

const read = (text: string, family: 4 | 6 = 4) => readSave(text, `rules.v${family}`, family);
const refs = (text: string): readonly (readonly [string, string])[] =>
  (importPrograms([read(text)], ['r']).policy?.rules ?? []).map((r) => [JSON.stringify(r.match), r.ref] as const);

test('refs are of the content: a neighbour, a counter or a comment changes none', () => {
  const before = new Map(refs(save('-A INPUT -p tcp --dport 22 -j ACCEPT\n-A INPUT -p udp --dport 53 -j ACCEPT', 'DROP')));
  const after = new Map(
    refs(
      save(
        '-A INPUT -s 192.0.2.1 -j DROP\n[5:6] -A INPUT -p tcp -m tcp --dport 22 -m comment --comment "ssh" -j ACCEPT\n-A INPUT -p udp --dport 53 -j ACCEPT',
        'DROP',
      ),
    ),
  );
  for (const [match, ref] of before) expect(after.get(match)).toBe(ref);
  expect(new Set(after.values()).size).toBe(after.size);
});

test('equal rules have different names and refs', () => {
  const { policy } = importPrograms([read(save('-A INPUT -p tcp -j LOG\n-A INPUT -p tcp -j LOG'))], ['r']);
  expect(new Set(policy?.rules.map((r) => r.ref)).size).toBe(policy?.rules.length);
  expect(new Set(policy?.rules.map((r) => r.name)).size).toBe(policy?.rules.length);
});

test('rules of both families that are the same are one rule', () => {
  const v4 = '-A INPUT -i lo -j ACCEPT\n-A INPUT -s 192.0.2.0/24 -j DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT';
  const v6 = '-A INPUT -i lo -j ACCEPT\n-A INPUT -p ipv6-icmp -j ACCEPT\n-A INPUT -p tcp --dport 22 -j ACCEPT';
  const { policy } = importPrograms([read(save(v4, 'DROP')), read(save(v6, 'DROP'), 6)], ['4', '6']);
  expect(policy?.defaultAction).toBe('deny');
  expect(policy?.unjudged).toEqual([]);
  expect(policy?.rules.map((r) => r.match)).toEqual([
    { in_interface: ['lo'] },
    { source_cidrs: ['192.0.2.0/24'] },
    { source_cidrs: ['::/0'], expression: 'ip.proto == "icmpv6"' },
    { protocol: 'tcp', destination_ports: ['22'] },
  ]);
});

test('a family that the input does not judge passes, and that is said', () => {
  const { policy, text } = importPrograms([read(save('-A INPUT -p tcp -j ACCEPT', 'DROP'))], ['r']);
  expect(policy?.unjudged).toEqual([{ hook: 'input', family: 6 }]);
  expect(policy?.rules[0]).toMatchObject({ match: { source_cidrs: ['::/0'] }, action: { action: 'allow' } });
  expect(text).toContain('says nothing about IPv6');
});

test('policies that differ become rules where they are not the default', () => {
  const { policy } = importPrograms([read(save('-A FORWARD -p tcp -j DROP', 'DROP'))], ['r']);
  expect(policy?.defaultAction).toBe('deny');
  expect(policy?.rules.filter((r) => r.hook === 'forward').at(-1)).toMatchObject({ action: { action: 'allow' }, priority: 65_535 });
  // A hook that does nothing is not judged, so the default does not reach it.
  expect(policy?.rules.some((r) => r.hook === 'output')).toBe(false);
});

test('tables of one hook follow each other: what one accepts is judged by the next', () => {
  const text =
    '*raw\n:PREROUTING ACCEPT\n-A PREROUTING -s 192.0.2.1 -j ACCEPT\n-A PREROUTING -p udp -j DROP\nCOMMIT\n*mangle\n:PREROUTING ACCEPT\n-A PREROUTING -p tcp -j DROP\nCOMMIT\n';
  const { policy } = importPrograms([read(text)], ['r']);
  const rules = policy?.rules.slice(1) ?? [];
  expect(rules.map((r) => r.action['action'])).toEqual(['skip', 'deny', 'deny']);
  expect(rules[0]?.skipTo).toBe(rules[2]?.ref);
});

test('connection states are not known before connections are looked up', () => {
  const { entries } = importPrograms(
    [read('*raw\n:PREROUTING ACCEPT\n-A PREROUTING -m conntrack --ctstate INVALID -j DROP\nCOMMIT\n')],
    ['r'],
  );
  expect(entries[2]).toMatchObject({ status: 'unsupported', reasons: ['the chain comes before connection tracking'] });
});

describe('bounds', () => {
  const error = (text: string, max?: number): string | undefined => {
    const { policy, entries } = importPrograms([read(text)], ['r'], max);
    return policy ? undefined : entries.find((e) => e.status === 'error')?.reasons[0];
  };

  test('rules', () => {
    const text = `*filter\n:INPUT ACCEPT\n${'-A INPUT -p tcp -j DROP\n'.repeat(11)}COMMIT\n`;
    expect(error(text, 20)).toBeUndefined();
    expect(error(text, 10)).toBe('the chains of hook input unfold to more than 10 rules, which is the limit of an import');
  });

  test('chains that call each other twice each do not take for ever', () => {
    const chains = Array.from({ length: 25 }, (_, i) => i);
    const text = `*filter\n:INPUT ACCEPT\n${chains.map((i) => `:c${i} -\n`).join('')}-A INPUT -j c0\n${chains
      .slice(1)
      .map((i) => `-A c${i - 1} -p tcp -j c${i}\n-A c${i - 1} -p udp -j c${i}\n`)
      .join('')}-A c24 -p icmp -j DROP\nCOMMIT\n`;
    expect(error(text)).toBeUndefined();
    expect(error(text.replaceAll('-p udp', '-m mark --mark 1').replaceAll('-p tcp', '-m mark --mark 2'))).toMatch(
      /unfold to more than 20000 rules/,
    );
  });

  test('nesting', () => {
    const chains = Array.from({ length: 40 }, (_, i) => i);
    const text = `*filter\n:INPUT ACCEPT\n${chains.map((i) => `:c${i} -\n`).join('')}-A INPUT -j c0\n${chains
      .slice(1)
      .map((i) => `-A c${i - 1} -j c${i}\n`)
      .join('')}-A c39 -j DROP\nCOMMIT\n`;
    expect(error(text)).toBe('chains call each other more than 32 deep, which is the limit of an import');
  });

  test('a chain that calls itself', () => {
    expect(error('*filter\n:INPUT ACCEPT\n:a -\n-A INPUT -j a\n-A a -j a\nCOMMIT\n')).toBe('chain a calls itself');
  });
});

test('every line is counted once', () => {
  const text = `# a comment\n${save('-A INPUT -p tcp -j ACCEPT\n-A INPUT -m mac --mac-source 02:00:00:00:00:01 -j DROP\n-A INPUT -m limit --limit 1/min -j LOG')}`;
  const { entries } = importPrograms([read(text)], ['r']);
  expect(entries).toHaveLength(9);
  expect(countEntries(entries)).toEqual({ translated: 4, approximated: 1, unsupported: 1, error: 0, nothing: 3 });
});
