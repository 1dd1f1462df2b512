import { Packet } from '@weir/filter/packet';
import { LogListener } from '@weir/netlink/log';
import { PacketSocket } from '@weir/sys';
import { printHex } from '@weir/wire/bytes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOG_GROUP } from '../../apps/weir/src/compile/nft/policy/index.ts';
import type { RateLimit, Rule } from '../../apps/weir/src/model/rule.ts';
import { Lab } from '../lab/index.ts';
import { Bed } from './bed.ts';
import { type Built, build } from './built.ts';
import { observed } from './compare.ts';
import { fixIpv4Checksum } from './generate/checksum.ts';
import type { CaseRule } from './generate/policy.ts';
import { Loader } from './loaded.ts';
import { type Subject, sightsOf } from './subject.ts';

/** What a rule does beside its verdict, which one packet alone does not show. */

let lab: Lab;
let bed: Bed;
let loader: Loader;

beforeAll(async () => {
  lab = new Lab();
  bed = await Bed.open(lab, { hook: 'input', priority: 0, conntrack: false });
  loader = new Loader(bed.host.path);
});
afterAll(async () => {
  loader.close();
  bed.close();
  await lab.dispose();
});

function rule(ref: string, text: string, action: CaseRule['action'], more: Partial<CaseRule> = {}): CaseRule {
  return { ref, node: { kind: 'atom', text, key: text }, action, log: false, audit: false, ...more };
}

function policy(rules: readonly CaseRule[], defaultAction: 'allow' | 'deny' = 'allow'): Built {
  return build({ lists: [], rules, defaultAction, based: false }, 'input', 0);
}

/** With another action for its first rule. */
function limiting(built: Built, limit: RateLimit, more: Partial<Rule> = {}): Built {
  const [first, ...others] = built.hook.rules;
  if (!first) throw new Error('no rule');
  return { ...built, hook: { ...built.hook, rules: [{ ...first, action: { kind: 'rate-limit', limit }, ...more }, ...others] } };
}

/** UDP from 198.51.100.`source` to port 53 of 203.0.113.`target`, with so many octets in all. */
function udp(source: number, length = 28, target = 5): Subject {
  const frame = new Uint8Array(14 + length);
  const udpLength = length - 20;
  frame.set([8, 0, 0x45, 0, length >>> 8, length & 0xff, 0, 1, 0, 0, 64, 17, 0, 0, 198, 51, 100, source, 203, 0, 113, target], 12);
  frame.set([0x30, 0x39, 0, 53, udpLength >>> 8, udpLength & 0xff, 0, 0], 34);
  fixIpv4Checksum(frame, 14);
  return { frames: [frame], bytes: bed.atHook(frame.subarray(14)), mark: 0 };
}

function verdicts(built: Built, subjects: readonly Subject[]): readonly string[] {
  const effects = loader.load(built);
  return sightsOf(subjects, bed).map((sight) => {
    expect(sight.reached).toBe(true);
    const { verdict, rules } = observed(sight, effects);
    return `${verdict} ${rules.join(' ')}`;
  });
}

async function logged(built: Built, subjects: readonly Subject[], count: number): Promise<readonly { prefix: string; payload: string }[]> {
  const listener = new LogListener({ group: LOG_GROUP, netns: bed.host.path, copy: 0xffff, delay: 10 });
  try {
    verdicts(built, subjects);
    const out: { prefix: string; payload: string }[] = [];
    for (let tries = 0; tries < 50 && out.length < count; tries++) {
      await listener.waitReadable(50);
      listener.read(({ prefix = '', payload = new Uint8Array() }) => out.push({ prefix, payload: printHex(payload) }));
    }
    return out;
  } finally {
    listener.close();
  }
}

describe('what is logged', () => {
  const octets = (): string => printHex(udp(7).bytes);
  const rows: readonly { readonly name: string; readonly rules: () => readonly CaseRule[]; readonly want: readonly string[] }[] = [
    { name: 'nothing where no rule asks for it', rules: () => [rule('web', 'udp.dstport == 53', { kind: 'deny' })], want: [] },
    {
      name: 'a log rule, which does not end',
      rules: () => [rule('look', 'udp.dstport == 53', { kind: 'log' }), rule('shut', 'udp.dstport < 54', { kind: 'deny' }, { log: true })],
      want: ['weir input look log: ', 'weir input shut deny: '],
    },
    {
      name: 'allowed',
      rules: () => [rule('web', 'udp.dstport == 53', { kind: 'allow' }, { log: true })],
      want: ['weir input web allow: '],
    },
    {
      name: 'what audit lets pass',
      rules: () => [rule('try', 'udp.dstport == 53', { kind: 'deny' }, { audit: true }), rule('rest', 'ip.ttl == 64', { kind: 'allow' })],
      want: ['weir input try audit deny: '],
    },
    {
      name: 'through chains: an expression that takes some',
      rules: () => [
        rule('odd', '(udp.dstport == 53 xor ip.ttl == 1) and not (tcp.dstport == 80 or icmp.type == 8)', { kind: 'log' }),
        rule('rest', 'ip.ttl == 64', { kind: 'deny' }),
      ],
      want: ['weir input odd log: '],
    },
  ];
  it.each(rows)('$name', async ({ rules, want }) => {
    const entries = await logged(policy(rules()), [udp(7)], Math.max(1, want.length));
    expect(entries).toEqual(want.map((prefix) => ({ prefix, payload: octets() })));
  });
});

describe('codepoints', () => {
  /** UDP to port 53 with this identification and TOS. */
  const marked = (id: number, tos: number): Subject => {
    const { frames, bytes } = udp(7);
    const frame = Uint8Array.from(frames[0] ?? []);
    frame.set([tos, 0, bytes.length, id >>> 8, id & 0xff], 15);
    fixIpv4Checksum(frame, 14);
    return { frames: [frame], bytes: bed.atHook(frame.subarray(14)), mark: 0 };
  };
  const written = ({ bytes }: Subject): string => printHex(Packet.fromNetwork(bytes).withDscp(10).bytes);
  it('are written with the checksum as the interpreter writes them, 0 as 0xffff', async () => {
    const { hook, ...others } = policy([
      rule('write', 'udp.dstport == 53', { kind: 'log' }),
      rule('look', 'ip.dscp == 10', { kind: 'log' }),
    ]);
    const rules = hook.rules.map((one): Rule => (one.ref === 'write' ? { ...one, action: { kind: 'dscp', dscp: 10 } } : one));
    const ids = Array.from({ length: 0x10000 }, (_, id) => id);
    const zero = ids.find((id) => written(marked(id, 0)).slice(20, 24) === 'ffff');
    expect(zero).toBeDefined();
    const subjects = [...[0, 1, 3, 0x28, 0x2b, 0xb8, 0xff].map((tos, id) => marked(id, tos)), marked(zero ?? 0, 0)];
    const entries = await logged({ hook: { ...hook, rules }, ...others }, subjects, subjects.length);
    expect(entries.map(({ payload }) => payload)).toEqual(subjects.map(written));
  });
});

describe('rate limits', () => {
  const limited = (limit: RateLimit, more: Partial<Rule> = {}): Built =>
    limiting(policy([rule('few', 'udp.dstport == 53', { kind: 'allow' })], 'allow'), limit, more);
  const flood = (sources: readonly number[], each: number, length = 28): readonly Subject[] =>
    sources.flatMap((source) => Array.from({ length: each }, () => udp(source, length)));
  const countAllowed = (all: readonly string[], from: number, to: number): number =>
    all.slice(from, to).filter((one) => one === 'allow few').length;

  it('per source: each has its burst, what is over it is denied by the rule', () => {
    const all = verdicts(limited({ unit: 'packets', rate: 1, burst: 5, per: 'source' }), flood([1, 2, 3], 40));
    for (const from of [0, 40, 80]) {
      // A slow machine may see a second go by.
      expect(countAllowed(all, from, from + 5)).toBe(5);
      expect(countAllowed(all, from, from + 40)).toBeLessThan(10);
    }
    expect(new Set(all)).toEqual(new Set(['allow few', 'deny few']));
  });

  it('per prefix: its sources share a burst', () => {
    const limit = { unit: 'packets', rate: 1, burst: 4, per: 'source', prefix: { ip4: 30, ip6: 64 } } as const;
    const all = verdicts(limited(limit), [...flood([4, 5, 6, 7], 8), ...flood([8, 9], 10)]);
    for (const [from, to] of [
      [0, 32],
      [32, 52],
    ] as const) {
      expect(countAllowed(all, from, from + 4)).toBe(4);
      expect(countAllowed(all, from, to)).toBeLessThan(9);
    }
  });

  it('per destination: sources share it', () => {
    const one = Array.from({ length: 20 }, (_, i) => udp(i + 1, 28, 5));
    const two = Array.from({ length: 20 }, (_, i) => udp(i + 1, 28, 6));
    const all = verdicts(limited({ unit: 'packets', rate: 1, burst: 3, per: 'destination' }), [...one, ...two]);
    for (const from of [0, 20]) {
      expect(countAllowed(all, from, from + 3)).toBe(3);
      expect(countAllowed(all, from, from + 20)).toBeLessThan(8);
    }
  });

  it('per rule: all share it', () => {
    const all = verdicts(limited({ unit: 'packets', rate: 1, burst: 4, per: 'rule' }), flood([1, 2, 3], 10));
    expect(countAllowed(all, 0, 4)).toBe(4);
    expect(countAllowed(all, 0, 30)).toBeLessThan(9);
  });

  it('in octets: so many at once as the burst says', () => {
    const all = verdicts(limited({ unit: 'bytes', rate: 10_000, burst: 20_000, per: 'rule' }), flood([1], 60, 1000));
    expect(countAllowed(all, 0, 20)).toBe(20);
    expect(countAllowed(all, 0, 60)).toBeLessThan(30);
  });

  it('in audit mode what is over it goes on', () => {
    const built = limiting(
      policy([rule('few', 'udp.dstport == 53', { kind: 'allow' }), rule('rest', 'ip.ttl == 64', { kind: 'deny' })]),
      { unit: 'packets', rate: 1, burst: 2, per: 'source' },
      { audit: true },
    );
    const all = verdicts(built, flood([1], 20));
    expect(all.slice(0, 2)).toEqual(['allow few', 'allow few']);
    expect(all.at(-1)).toBe('deny few rest');
  });
});

describe('answers of a reject', () => {
  it('say what the rule asks for; a denied packet has none', async () => {
    const client = await lab.host('client');
    const server = await lab.host('server');
    await lab.link(
      { host: client, addresses: ['192.0.2.1/24', '2001:db8::1/64'] },
      { host: server, addresses: ['192.0.2.2/24', '2001:db8::2/64'] },
    );
    const wire = PacketSocket.open({ netns: client.path, interface: 'server', receive: true });
    const far = new Loader(server.path);
    try {
      far.load(
        policy([
          rule('reset', 'tcp.dstport == 81', { kind: 'reject', with: 'tcp-reset' }),
          rule('port', 'tcp.dstport == 82', { kind: 'reject', with: 'port-unreachable' }),
          rule('admin', 'tcp.dstport == 83', { kind: 'reject', with: 'admin-prohibited' }),
          rule('drop', 'tcp.dstport == 84', { kind: 'deny' }),
        ]),
      );
      const got: string[] = [];
      for (const address of ['192.0.2.2', '2001:db8::2']) {
        for (const port of [81, 82, 83, 84]) {
          await client.tcpConnect(address, port, 300);
          got.push(`${port} ${answers(wire).join(' ')}`.trim());
        }
      }
      expect(got).toEqual(['81 reset', '82 icmp 3/3', '83 icmp 3/13', '84', '81 reset', '82 icmpv6 1/4', '83 icmpv6 1/1', '84']);
    } finally {
      far.close();
      wire.close();
    }
  });
});

/** What came back since the last call: resets and unreachable messages. */
function answers(wire: PacketSocket): readonly string[] {
  const out: string[] = [];
  const buffer = new Uint8Array(2048);
  for (let frame = wire.receive(buffer); frame; frame = wire.receive(buffer)) {
    const packet = Packet.fromEthernet(frame.slice());
    const type = packet.field('icmp.type') ?? packet.field('icmpv6.type');
    const code = packet.field('icmp.code') ?? packet.field('icmpv6.code');
    if (packet.field('tcp.flags.reset') === true) out.push('reset');
    // Errors, not neighbour discovery.
    else if (typeof type === 'number' && type < 5)
      out.push(`${packet.field('icmp.type') === undefined ? 'icmpv6' : 'icmp'} ${type}/${code}`);
  }
  return out;
}
