import { type Expr, type IpSet, ipSet, type Operand, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { type Ip, ip4, ip6 } from '@weir/wire/inet';
import { testRule as plainRule } from '../../apps/weir/src/compile/test-rule.ts';
import type { Action, Rule } from '../../apps/weir/src/model/rule.ts';

/** Numbers that come again with the same seed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to `below`, without it. */
  under(below: number): number {
    this.#state = (Math.imul(this.#state, 1664525) + 1013904223) >>> 0;
    let t = this.#state ^ (this.#state >>> 15);
    t = Math.imul(t, 0x2c1b3c6d);
    t = (t ^ (t >>> 12)) >>> 0;
    return Math.floor((t / 2 ** 32) * below);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.under(items.length)] as T;
  }

  chance(percent: number): boolean {
    return this.under(100) < percent;
  }
}

/** Int fields that nf_tables can see, with the highest value. */
const INTS: readonly (readonly [string, number])[] = [
  ['ip.proto.num', 255],
  ['ip.hdr_len', 15],
  ['ip.len', 65535],
  ['ip.ttl', 255],
  ['ip.tos', 255],
  ['ip.dscp', 63],
  ['ip.id', 65535],
  ['ip.frag_offset', 8191],
  ['ip.opt.type', 255],
  ['ip6.flow_label', 0xfffff],
  ['ip6.frag_offset', 8191],
  ['ip6.next_header', 255],
  ['icmp.type', 255],
  ['icmp.code', 255],
  ['icmpv6.type', 255],
  ['icmpv6.code', 255],
  ['tcp.flags', 255],
  ['tcp.srcport', 65535],
  ['tcp.dstport', 65535],
  ['tcp.window', 65535],
  ['udp.srcport', 65535],
  ['udp.dstport', 65535],
  ['udp.length', 65535],
  ['sctp.srcport', 65535],
  ['sctp.dstport', 65535],
  ['meta.mark', 0xffffffff],
  ['meta.len', 0xffff],
];
const FLAGS = ['ack', 'cwr', 'ecn', 'fin', 'push', 'reset', 'syn', 'urg'].map((flag) => `tcp.flags.${flag}`);
const STATES = ['ct.established', 'ct.related', 'ct.new', 'ct.invalid'];
const SLICED = ['ip', 'ip6', 'icmp', 'tcp', 'udp', 'gre', 'esp', 'icmpv6', 'sctp'];

/** Every kind of literal that nf_tables has, with sets of one and of many values and ranges. */
export function randomLiteral(random: Random, lists: readonly string[] = []): Expr {
  const kind = random.under(lists.length > 0 ? 9 : 8);
  const [name, highest] = random.pick(INTS);
  switch (kind) {
    case 0:
    case 1:
      return x.int(name, ranges(random, highest));
    case 2:
      return name === 'ip.len' ? x.bits(name, random.pick([0x8000, 0x10000, 0x4000])) : x.bits(name, 1 + random.under(highest));
    case 3:
      return x.ip(random.pick(['ip.src', 'ip.dst']), addresses(random));
    case 4:
      return x.flag(random.pick([...FLAGS, ...STATES, 'ip.frag', 'ip6.frag_more']));
    case 5:
      return x.bytes('ip.proto', some(random, ['tcp', 'udp', 'icmp', 'icmpv6', 'gre', 'esp', 'sctp', 'ah', 'ospf']));
    case 6:
      return random.chance(50)
        ? x.bytes('iif.name', some(random, ['eth0', 'eth1', 'lo', 'wg0']))
        : x.test({
            kind: 'wildcard',
            operand: { kind: 'field', name: 'iif.name' },
            pattern: text(random.pick(['eth*', 'w*', '*'])),
            strict: true,
          });
    case 7: {
      const start = random.under(200);
      const width = 1 + random.under(32);
      const slice: Operand = { kind: 'slice', protocol: random.pick(SLICED), start, end: start + width };
      const most = 2 ** width - 1;
      return random.chance(40) ? x.bits(slice, 1 + random.under(most)) : x.int(slice, ranges(random, most));
    }
    default:
      return x.list(random.pick(['ip.src', 'ip.dst']), random.pick(lists));
  }
}

export function randomExpression(random: Random, depth: number, lists: readonly string[] = []): Expr {
  if (depth === 0 || random.chance(35)) {
    const literal = randomLiteral(random, lists);
    return random.chance(30) ? x.not(literal) : literal;
  }
  const items = Array.from({ length: 2 + random.under(2) }, () => randomExpression(random, depth - 1, lists));
  const made = x[random.pick(['and', 'and', 'or', 'xor'] as const)](items);
  return random.chance(20) ? x.not(made) : made;
}

export function randomAction(random: Random): Action {
  const kinds: readonly Action[] = [
    { kind: 'allow' },
    { kind: 'deny' },
    { kind: 'reject', with: random.pick(['port-unreachable', 'admin-prohibited', 'tcp-reset'] as const) },
    { kind: 'rate-limit', limit: { unit: 'packets', rate: 1 + random.under(1000), burst: 1 + random.under(100), per: 'rule' } },
    {
      kind: 'rate-limit',
      limit: {
        unit: 'bytes',
        rate: 1 + random.under(1e6),
        burst: 1 + random.under(1e5),
        per: random.pick(['source', 'destination'] as const),
        ...(random.chance(50) ? { prefix: { ip4: 1 + random.under(32), ip6: 1 + random.under(128) } } : {}),
      },
    },
    { kind: 'log' },
    { kind: 'mark', mark: random.under(2 ** 32) },
  ];
  return random.pick(kinds);
}

export function testRule(ref: string, expression: Expr, action: Action, more: Partial<Rule> = {}): Rule {
  return plainRule(ref, expression, action, { name: `rule ${ref}`, ...more });
}

/** Rules that ask for the same one to four fields, each for values of its own. */
export function randomRun(random: Random, ref: string, count: number): Rule[] {
  const four = random.chance(60);
  const address = (): IpSet => {
    const size = random.pick([1, 1, 1, 4, 16, 256, 5]);
    const at = random.under(4096) * 16;
    const [first, last] = [at - (at % size), at - (at % size) + size - 1];
    return four
      ? ipSet([{ first: ip4(0xc0000000 + first), last: ip4(0xc0000000 + last) }])
      : ipSet([{ first: ip6(0x20010db8, 0, 0, first), last: ip6(0x20010db8, 0, 0, last) }]);
  };
  const exact = random.chance(40);
  const port = (): ReturnType<typeof rangeSet> => {
    const first = 1 + random.under(60_000);
    return rangeSet([{ first, last: exact || random.chance(50) ? first : first + random.under(900) }]);
  };
  const protocol = random.pick(['tcp', 'udp', 'sctp']);
  const parts: readonly (() => Expr)[] = [
    () => x.ip('ip.src', address()),
    () => x.ip('ip.dst', address()),
    // nft makes one test of two ports one behind the other, and lists that of the source first.
    () => x.int(`${protocol}.srcport`, port()),
    () => x.int(`${protocol}.dstport`, port()),
    () => x.int('ip.proto.num', rangeSet([{ first: random.under(40), last: 40 + random.under(2) }])),
    () => x.bytes('iif.name', [text(`eth${random.under(6)}`)]),
  ];
  const some = parts.filter(() => random.chance(45));
  const chosen = some.length === 0 ? parts.slice(0, 2) : some;
  const more: readonly Expr[] = random.chance(25) ? [x.flag('ct.new')] : [];
  return Array.from({ length: count }, (_, i) =>
    testRule(
      `${ref}-${i}`,
      x.and([...chosen.map((part) => part()), ...more]),
      random.chance(70) ? { kind: 'allow' } : randomAction(random),
    ),
  );
}

function ranges(random: Random, highest: number): ReturnType<typeof rangeSet> {
  const count = random.chance(50) ? 1 : 2 + random.under(3);
  return rangeSet(
    Array.from({ length: count }, () => {
      const first = random.chance(10) ? 0 : random.under(highest + 1);
      const last = random.chance(50) ? first : random.chance(20) ? highest : Math.min(highest, first + random.under(40));
      return { first, last };
    }),
  );
}

function addresses(random: Random): IpSet {
  const one = (): { first: Ip; last: Ip } => {
    if (random.chance(60)) {
      const first = ip4(0xc0000200 + random.under(2048));
      const length = random.pick([32, 32, 24, 25, 30]);
      if (random.chance(20)) return { first, last: ip4(first.w0 + random.under(9)) };
      const mask = length === 32 ? 0 : 2 ** (32 - length) - 1;
      return { first: ip4((first.w0 & ~mask) >>> 0), last: ip4((first.w0 | mask) >>> 0) };
    }
    const w3 = random.under(4096);
    if (random.chance(50)) return { first: ip6(0x20010db8, random.under(4), 0, w3), last: ip6(0x20010db8, 4, 0, w3) };
    return { first: ip6(0x20010db8, w3, 0, 0), last: ip6(0x20010db8, w3, 0xffffffff, 0xffffffff) };
  };
  return ipSet(Array.from({ length: random.chance(50) ? 1 : 2 + random.under(4) }, one));
}

function some(random: Random, words: readonly string[]): Uint8Array[] {
  return Array.from({ length: 1 + random.under(3) }, () => text(random.pick(words)));
}

function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
