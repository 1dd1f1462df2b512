import { type Expr, packetExpr as x } from '@weir/filter/ir';
import { buildPacket } from '@weir/filter/packet';
import { parseIp } from '@weir/wire/inet';
import { afterAll, describe, expect, it } from 'vitest';
import { readExpression } from '../../apps/weir/src/compile/judgement/read-expression.ts';
import { DEFAULT_CUMULUS } from '../../apps/weir/src/model/cumulus.ts';
import type { Action, HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { Hints } from '../agreement/generate/hints.ts';
import { Random } from '../e2e/random.ts';
import { CumulusBed, type Place, VARIANTS } from './cumulus-bed.ts';
import { testRule } from './policy-rules.ts';

const read = (text: string): Expr => readExpression(text, new Set());
const ROUNDS = Number(process.env['WEIR_CUMULUS_ROUNDS'] ?? 40);

const ATOMS: readonly string[] = [
  'tcp.dstport == 80',
  'tcp.dstport in {22 80 443 8080..8090}',
  'tcp.srcport < 1024',
  'udp.dstport == 53',
  'udp.srcport in {53 123}',
  'sctp.dstport == 80',
  'tcp.flags.syn',
  'tcp.flags.ack',
  '(tcp.flags.syn and not tcp.flags.ack)',
  'tcp.flags & 5',
  'ip.src in {192.0.2.0/24 2001:db8::/32}',
  'ip.src in {192.0.2.1..192.0.2.9 2001:db8::1..2001:db8::9 198.51.100.0/25}',
  'ip.dst in {198.51.100.0/24 2001:db8:1::/48}',
  'ip.src in {192.0.2.1}',
  'ip.ttl == 64',
  'ip.ttl in {3..9}',
  'ip.dscp in {0 10 46}',
  'ip.tos & 6',
  'meta.len in {40..100}',
  'ip.proto == "tcp"',
  'ip.proto in {"udp" "icmp" "icmpv6"}',
  'ip.proto.num in {6 17 47}',
  'icmp.type == 8',
  'icmp.type in {3 8 11}',
  '(icmp.type == 3 and icmp.code in {1 3 4})',
  '(icmp.type == 3 and not icmp.code == 4)',
  'icmpv6.type in {1..4}',
  '(icmpv6.type == 1 and not icmpv6.code == 4)',
  'iif.name == "eth0"',
  'iif.name strict wildcard "eth*"',
  'iif.name == "wg0"',
  'ip.frag_offset > 0',
  'ip.frag_offset in {1..3 185}',
  '(ip.frag and ip.src in {0.0.0.0/0})',
  'ip.id in {1 7..9}',
  'ct.new',
  'ct.invalid',
  'meta.mark in {0 5}',
];

const PLACES: readonly Place[] = [
  { hook: 'forward', priority: 0, state: false },
  { hook: 'input', priority: 0, state: true },
  { hook: 'prerouting', priority: -150, state: false },
];

function randomText(random: Random, depth: number, atoms: readonly string[]): string {
  if (depth === 0 || random.below(4) === 0) return `${random.below(4) === 0 ? 'not ' : ''}${random.pick(atoms)}`;
  const joined = Array.from({ length: 2 + random.below(2) }, () => randomText(random, depth - 1, atoms)).join(
    ` ${random.pick(['and', 'and', 'or', 'xor'])} `,
  );
  return `${random.below(6) === 0 ? 'not ' : ''}(${joined})`;
}

function randomRules(random: Random, { hook, state }: Place): Rule[] {
  const atoms = state ? ATOMS : ATOMS.filter((atom) => !atom.startsWith('ct.'));
  const count = 2 + random.below(4);
  return Array.from({ length: count }, (_, i) => {
    const later = i + 1 + random.below(count - i);
    const action = random.pick<Action>([
      { kind: 'allow' },
      { kind: 'allow' },
      { kind: 'deny' },
      { kind: 'deny' },
      ...(hook === 'prerouting'
        ? ([{ kind: 'dscp', dscp: random.pick([0, 10, 46]) }] as const)
        : [{ kind: 'reject', with: random.pick(['port-unreachable', 'admin-prohibited', 'tcp-reset'] as const) } as const]),
      { kind: 'log' },
      { kind: 'mark', mark: random.below(10) },
      { kind: 'skip', to: later === count ? undefined : `r${later}` },
    ]);
    const text = randomText(random, random.below(3), atoms);
    return testRule(`r${i}`, read(text), action, { text, log: random.below(4) === 0, audit: random.below(8) === 0 });
  });
}

function hints(): Hints {
  const out = new Hints();
  out.addInt('tcp.dstport', 22, 80, 443, 8085);
  out.addInt('udp.dstport', 53);
  out.addV4(0xc0000201, 0xc0000205, 0xc6336401);
  out.addV6(0x20010db8_00000000_00000000_00000001n, 0x20010db8_00010000_00000000_00000005n);
  return out;
}

describe.each(VARIANTS)('verdicts of ACL files by iptables-%s', (variant) => {
  let bed: CumulusBed | undefined;
  afterAll(() => bed?.close());

  it.each(PLACES)("at $hook are the interpreter's on random rules and packets", async (place) => {
    const random = new Random(20_260_121);
    bed = new CumulusBed(place, variant);
    await bed.prepare();
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const rules = randomRules(random, place);
        const last = testRule('<default>', x.constant(true), { kind: random.below(2) === 0 ? 'deny' : 'allow' }, { stage: 'default' });
        const hook: HookRules = { hook: place.hook, priority: place.priority, rules: [...rules, last] };
        const inInterfaces = random.pick([['eth+'], ['+'], ['swp+', 'eth0']]);
        await bed.judge(hook, { ...DEFAULT_CUMULUS, inInterfaces, state: place.state }, random, hints());
      }
    } finally {
      bed.close();
    }
    const { allow, deny, fragments, rules } = bed.seen;
    const refused = [...bed.refused.values()].reduce((sum, count) => sum + count, 0);
    console.log(
      `cumulus at ${place.hook} (${variant}): ${allow + deny} packets, ${allow} allowed, ${fragments} fragments, ${rules} rules; ${refused} rules refused`,
    );
    if (process.env['WEIR_CUMULUS_WHY']) console.log([...bed.refused].sort((a, b) => b[1] - a[1]).slice(0, 12));
    expect(allow).toBeGreaterThan(50 * ROUNDS);
    expect(deny).toBeGreaterThan(50 * ROUNDS);
    expect(fragments).toBeGreaterThan(place.state ? -1 : 2 * ROUNDS);
    expect(refused).toBeLessThan(rules / 3);
  });
});

const RATE = { unit: 'packets', rate: 1, burst: 20 } as const;
const BOTH = 'ip.src in {192.0.2.0/25 198.51.100.0/25} and udp.dstport == 53';
/** A second or two may pass meanwhile. */
const MORE = 4;

const LIMITS: readonly {
  readonly name: string;
  readonly action: Action;
  readonly each: readonly [number, number];
  readonly over: number;
}[] = [
  {
    name: 'a rule has one bucket in all of its lines',
    action: { kind: 'rate-limit', limit: { ...RATE, per: 'rule' } },
    each: [0, 20],
    over: 20,
  },
  { name: 'each source has one', action: { kind: 'rate-limit', limit: { ...RATE, per: 'source' } }, each: [20, 20], over: 40 },
  {
    name: 'sources of a prefix have one',
    action: { kind: 'rate-limit', limit: { ...RATE, per: 'source', prefix: { ip4: 1, ip6: 1 } } },
    each: [0, 20],
    over: 20,
  },
  { name: 'what polices counts the same', action: { kind: 'police', limit: { ...RATE, per: 'rule' } }, each: [0, 20], over: 20 },
];

describe.each(VARIANTS)('rates of ACL files by iptables-%s', (variant) => {
  it.each(LIMITS)('$name', async ({ action, each, over }) => {
    const place: Place = { hook: 'forward', priority: 0, state: false };
    const limits = new CumulusBed(place, variant);
    try {
      await limits.prepare();
      const rules = [
        testRule('limited', read(BOTH), action, { text: BOTH }),
        testRule('<default>', x.constant(true), { kind: 'allow' }, { stage: 'default' }),
      ];
      const packets = ['192.0.2.1', '198.51.100.1'].flatMap((source) => Array.from({ length: 60 }, () => udp(source)));
      const passed = await limits.pass({ hook: 'forward', priority: 0, rules }, { ...DEFAULT_CUMULUS, inInterfaces: ['eth+'] }, packets);
      const counts = [passed.slice(0, 60), passed.slice(60)].map((part) => part.filter(Boolean).length);
      const all = counts.reduce((sum, count) => sum + count, 0);
      expect(all).toBeGreaterThanOrEqual(over);
      expect(all).toBeLessThanOrEqual(over + 2 * MORE);
      for (const count of counts) {
        expect(count).toBeGreaterThanOrEqual(each[0]);
        expect(count).toBeLessThanOrEqual(each[1] + MORE);
      }
    } finally {
      limits.close();
    }
  });
});

function udp(from: string): Uint8Array {
  const [source, destination] = [from, '203.0.113.1'].map((text) => parseIp(text));
  if (!source || !destination) throw new RangeError(from);
  return buildPacket({
    source,
    destination,
    transport: { kind: 'udp', sourcePort: 5000, destinationPort: 53, payload: new Uint8Array(4) },
  });
}
