import { type Expr, packetExpr as x } from '@weir/filter/ir';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileIptables } from '../../apps/weir/src/compile/iptables/index.ts';
import { readExpression } from '../../apps/weir/src/compile/judgement/read-expression.ts';
import type { Action, HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { Hints } from '../agreement/generate/hints.ts';
import { Random } from '../e2e/random.ts';
import { type Host, Lab } from '../lab/index.ts';
import { IptablesBed, type IptablesPlace, restoreCommand } from './iptables-bed.ts';
import { testRule } from './policy-rules.ts';

const FAMILIES = [4, 6] as const;
const read = (text: string): Expr => readExpression(text, new Set());
const DEFAULT = testRule('<default>', x.constant(true), { kind: 'deny' }, { stage: 'default' });

function hookOf(rules: readonly Rule[], more: Partial<HookRules> = {}): HookRules {
  return { hook: 'input', priority: 0, rules: [...rules, DEFAULT], ...more };
}

/** What the real tools take, and print again. */
const ROWS: readonly { readonly name: string; readonly hooks: readonly HookRules[]; readonly shown: readonly string[] }[] = [
  {
    name: 'conditions',
    hooks: [
      hookOf([
        testRule('web', read('tcp.dstport in {80 443 8000..8100} and ip.src in {192.0.2.0/24 2001:db8::/32}'), { kind: 'allow' }),
        testRule('not-web', read('not tcp.dstport == 80 and ip.ttl > 3 and ip.ttl < 9'), { kind: 'allow' }),
        testRule('marked', read('meta.mark in {16..31} and ip.dscp == 3 and ip.tos in {12..15} and meta.len in {100..200}'), {
          kind: 'allow',
        }),
        testRule('syn', read('tcp.flags.syn and not tcp.flags.ack and ct.new'), { kind: 'reject', with: 'tcp-reset' }),
        testRule('names', read('iif.name strict wildcard "wg*" or not iif.name == "eth0"'), { kind: 'log' }),
        testRule('range', read('ip.src in {192.0.2.1..192.0.2.9 2001:db8::1..2001:db8::9} and not ct.invalid'), {
          kind: 'mark',
          mark: 0xffff_ffff,
        }),
        testRule('icmp', read('icmp.type == 3 and icmp.code in {1 4} or icmpv6.type in {128 129}'), { kind: 'allow' }, { log: true }),
      ]),
    ],
    shown: ['"rule web"', '-p tcp -m multiport --dports 80,443,8000:8100', '--set-xmark 0xffffffff', '--tcp-flags SYN,ACK SYN', '-i wg+'],
  },
  {
    name: 'limits',
    hooks: [
      hookOf([
        testRule('all', read('udp.dstport == 53'), {
          kind: 'rate-limit',
          limit: { unit: 'packets', rate: 10_000, burst: 10_000, per: 'rule' },
        }),
        testRule('fast', read('udp.dstport == 54'), {
          kind: 'rate-limit',
          limit: { unit: 'packets', rate: 1_000_000, burst: 1_000_000, per: 'rule' },
        }),
        testRule(
          'each',
          read('udp.dstport == 55'),
          { kind: 'rate-limit', limit: { unit: 'packets', rate: 7, burst: 5, per: 'source' } },
          { log: true },
        ),
        testRule('slow', read('udp.dstport == 56'), {
          kind: 'rate-limit',
          limit: { unit: 'packets', rate: 1, burst: 10_000, per: 'destination' },
        }),
      ]),
    ],
    shown: ['--limit 10000/sec --limit-burst 10000', '--hashlimit-upto 1000000/sec', '--hashlimit-mode srcip', '--hashlimit-mode dstip'],
  },
  {
    name: 'hooks',
    hooks: (['prerouting', 'input', 'forward', 'output'] as const).map((hook) =>
      hookOf(
        [
          testRule('skip', read('not udp.dstport == 53'), { kind: 'skip', to: 'web' }),
          testRule('dns', read('ip.ttl == 1'), { kind: 'deny' }),
          testRule('web', read('tcp.dstport == 80'), { kind: 'allow' }),
        ],
        {
          hook,
          priority: hook === 'prerouting' ? -150 : 0,
        },
      ),
    ),
    shown: [
      '-A PREROUTING -j weir_prerouting',
      '-A INPUT -j weir_input',
      '-A FORWARD -j weir_forward',
      '-A OUTPUT -j weir_output',
      '-g weir_input_to_1',
    ],
  },
];

describe('text that iptables-restore and ip6tables-restore take', () => {
  let lab: Lab;
  let host: Host;

  beforeAll(async () => {
    lab = new Lab();
    host = await lab.host('restore');
  });
  afterAll(() => lab.dispose());

  it.each(ROWS)('$name', async ({ hooks, shown }) => {
    let saved = '';
    for (const family of FAMILIES) {
      const { text, refusals } = compileIptables(hooks, family);
      expect(refusals).toEqual([]);
      await host.exec(restoreCommand(family), ['--test'], { input: text });
      await host.exec(restoreCommand(family, true), ['--test'], { input: text });
      await host.exec(restoreCommand(family), [], { input: text });
      const { stdout } = await host.exec(`${family === 4 ? 'iptables' : 'ip6tables'}-save`);
      const rules = (from: string): number => from.split('\n').filter((line) => line.startsWith('-A weir_')).length;
      expect(rules(stdout)).toBe(rules(text));
      saved += stdout;
    }
    for (const words of shown) expect(saved).toContain(words);
  });

  it('loaded again beside what others have it replaces its own chains alone', async () => {
    const jumps = /^-A [A-Z]+ -j weir_\w+\n/gm;
    const { text } = compileIptables([hookOf([testRule('web', read('tcp.dstport == 80'), { kind: 'allow' })])], 4);
    const { text: changed } = compileIptables([hookOf([testRule('ssh', read('tcp.dstport == 22'), { kind: 'allow' })])], 4);
    await host.exec('iptables', ['-F']);
    await host.exec('iptables', ['-N', 'mine']);
    await host.exec('iptables', ['-A', 'mine', '-j', 'RETURN']);
    await host.exec('iptables-restore', ['--noflush'], { input: text });
    await host.exec('iptables-restore', ['--noflush'], { input: changed.replace(jumps, '') });
    const { stdout } = await host.exec('iptables-save', ['-t', 'filter']);
    expect(stdout).toContain('-A mine -j RETURN');
    expect(stdout).toContain('--dport 22');
    expect(stdout).not.toContain('--dport 80');
    expect(stdout.match(/^-A INPUT /gm)).toHaveLength(1);
  });
});

const ATOMS: readonly string[] = [
  'tcp.dstport == 80',
  'tcp.dstport in {22 80 443 8080..8090}',
  'tcp.srcport < 1024',
  'udp.dstport == 53',
  'udp.srcport in {53 123}',
  'sctp.dstport == 80',
  'tcp.flags.syn',
  'tcp.flags.ack',
  'tcp.flags.fin',
  'tcp.flags.reset',
  'ip.src in {192.0.2.0/24 2001:db8::/32}',
  'ip.src in {192.0.2.1..192.0.2.9 2001:db8::1..2001:db8::9 198.51.100.0/25}',
  'ip.dst in {198.51.100.0/24 2001:db8:1::/48}',
  'ip.src in {192.0.2.1}',
  'ip.ttl == 64',
  'ip.ttl in {3..9}',
  'ip.ttl > 64',
  'ip.dscp in {0 10 46}',
  'ip.tos in {0..3}',
  'meta.len in {40..100}',
  'ip.proto == "tcp"',
  'ip.proto in {"udp" "icmp" "icmpv6"}',
  'ip.proto.num in {6 17 47}',
  'icmp.type == 8',
  'icmp.type in {3 8 11}',
  '(icmp.type == 3 and icmp.code in {1 3 4})',
  'icmpv6.type in {1..4}',
  '(icmpv6.type == 1 and not icmpv6.code == 4)',
  'iif.name == "eth0"',
  'iif.name strict wildcard "eth*"',
  'iif.name == "wg0"',
  'ct.new',
  'ct.invalid',
  'meta.mark in {0 5}',
  'meta.mark in {3..9}',
];

const PLACES: readonly IptablesPlace[] = [
  { hook: 'input', priority: 0, tracked: true },
  { hook: 'forward', priority: 0, tracked: false },
  { hook: 'prerouting', priority: -150, tracked: false },
];

function randomText(random: Random, depth: number, atoms: readonly string[]): string {
  if (depth === 0 || random.below(4) === 0) return `${random.below(3) === 0 ? 'not ' : ''}${random.pick(atoms)}`;
  const joined = Array.from({ length: 2 + random.below(2) }, () => randomText(random, depth - 1, atoms)).join(
    ` ${random.pick(['and', 'and', 'or', 'xor'])} `,
  );
  return `${random.below(6) === 0 ? 'not ' : ''}(${joined})`;
}

function randomRules(random: Random, { hook, tracked }: IptablesPlace): Rule[] {
  const atoms = tracked ? ATOMS : ATOMS.filter((atom) => !atom.startsWith('ct.'));
  const count = 3 + random.below(6);
  return Array.from({ length: count }, (_, i) => {
    const later = i + 1 + random.below(count - i);
    const action: Action = random.pick<Action>([
      { kind: 'allow' },
      { kind: 'allow' },
      { kind: 'deny' },
      ...(hook === 'prerouting'
        ? []
        : [{ kind: 'reject', with: random.pick(['port-unreachable', 'admin-prohibited', 'tcp-reset'] as const) } as const]),
      { kind: 'log' },
      { kind: 'mark', mark: random.below(10) },
      { kind: 'skip', to: later === count ? undefined : `r${later}` },
    ]);
    const text = randomText(random, random.below(3), atoms);
    return testRule(`r${i}`, read(text), action, { text, log: random.below(4) === 0, audit: random.below(8) === 0 });
  });
}

describe('verdicts', () => {
  it.each(PLACES)("at $hook are the interpreter's on random rules and packets", async (place) => {
    const { hook: name, priority } = place;
    const random = new Random(20_260_101);
    const bed = new IptablesBed(place);
    let refused = 0;
    try {
      for (let round = 0; round < 40; round++) {
        const allowed: Rule = { ...DEFAULT, action: { kind: 'allow' } };
        const rules = [...randomRules(random, place), random.below(2) === 0 ? DEFAULT : allowed];
        const hints = new Hints();
        hints.addInt('tcp.dstport', 22, 80, 443, 8085);
        hints.addInt('udp.dstport', 53);
        hints.addV4(0xc0000201, 0xc0000205, 0xc6336401);
        hints.addV6(0x20010db8_00000000_00000000_00000001n, 0x20010db8_00010000_00000000_00000005n);
        if (!(await bed.judge({ hook: name, priority, rules }, random, hints))) refused++;
      }
    } finally {
      bed.close();
    }
    const { seen } = bed;
    console.log(`compile-iptables at ${name}: ${seen.allow + seen.deny} packets, ${seen.allow} allowed; ${refused} of 40 policies refused`);
    expect(seen.allow).toBeGreaterThan(1000);
    expect(seen.deny).toBeGreaterThan(1000);
    expect(refused).toBeLessThan(20);
  });
});
