import { parseHex } from '@weir/wire/bytes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Lab } from '../lab/index.ts';
import { Bed, type BedHook } from './bed.ts';
import { build } from './built.ts';
import { interpreted, type Opinion, observed } from './compare.ts';
import { fixIpv4Checksum } from './generate/checksum.ts';
import type { CaseAction, CaseList, PolicyCase } from './generate/policy.ts';
import { Loader } from './loaded.ts';
import { type Subject, sightsOf } from './subject.ts';

/** What has differed once, or nearly: both sides say `want`. */
interface Row {
  readonly name: string;
  readonly hook?: BedHook;
  /** Text and action; the name is `r` and the place, from 0. */
  readonly rules: readonly (readonly [string, CaseAction])[];
  readonly lists?: readonly CaseList[];
  readonly logged?: boolean;
  /** Nothing but the policy's own table has connections tracked. */
  readonly untracked?: true;
  readonly packet: string;
  /** Undefined: the packet does not come to the hook. */
  readonly want: Opinion | undefined;
}

const allow: CaseAction = { kind: 'allow' };
const deny: CaseAction = { kind: 'deny' };
const log: CaseAction = { kind: 'log' };
const V6 = '20010db800000000000000000000000120010db8000000000000000000000002';

const rows: readonly Row[] = [
  {
    name: 'the data of a later fragment are no header: conntrack keeps it until the rest has come',
    rules: [['icmp.type > 14', deny]],
    untracked: true,
    packet: '4510001c0000200240015ca8c0000221cb00710540117c96c0000221',
    want: undefined,
  },
  {
    name: 'the same of IPv6, where the kernel would read the IPv6 header as if it were the one of ICMPv6',
    rules: [['icmpv6.type >= 0', deny]],
    untracked: true,
    packet: '6b8fffff00102c4020010db800010000000000000000000120010db8ffff000000000000000000073a000029000000064aca55c8c3cf431c',
    want: undefined,
  },
  {
    name: 'a first fragment that ends in the TCP header passes conntrack: what is not there is missing',
    rules: [
      ['tcp.flags.syn', deny],
      ['tcp.flags == 0 or tcp.window >= 0', deny],
      ['tcp.dstport == 5060 and ip.frag', allow],
    ],
    packet: '6ff0000100102c01fe80000000000000000000000000000120010db80000000000000000000000020600000100000017000013c4e8990643',
    want: { verdict: 'allow', rules: ['r2'] },
  },
  {
    name: 'AH of which one octet is there is no protocol',
    rules: [['ip.proto.num >= 0', deny]],
    packet: `6001ee2000013302${V6}32`,
    want: { verdict: 'deny', rules: ['<default>'] },
  },
  {
    name: 'AH behind a routing header that is longer than the packet',
    rules: [['ip.proto == "ah"', deny]],
    packet: `6030000000062bff${V6}330203000000`,
    want: { verdict: 'deny', rules: ['<default>'] },
  },
  {
    name: 'AH that is there',
    rules: [['ip.proto == "ah"', allow]],
    packet: `6030000000083302${V6}0600000000000000`,
    want: { verdict: 'allow', rules: ['r0'] },
  },
  {
    name: 'a skip to the next rule counts and logs',
    rules: [
      ['ip.ttl > 1', { kind: 'skip', to: 'r1' }],
      ['ip.ttl > 2', allow],
    ],
    logged: true,
    packet: '451000222c2c40003f59a906c6336407cb0071050000000000000000000000007989',
    want: { verdict: 'allow', rules: ['r0', 'r1'] },
  },
  {
    name: 'a skip to the default by the last rule',
    rules: [['tcp.flags.urg', { kind: 'skip', to: undefined }]],
    packet: '61000000000e06000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000006f',
    want: { verdict: 'deny', rules: ['r0', '<default>'] },
  },
  {
    name: 'a rule that never holds does not end the judgement',
    rules: [['(ip.frag_offset in {1 5900} and ip.dst == fe80::1) or (tcp.srcport == 18928 and icmpv6.code >= 0x1)', allow]],
    packet: '45e30014000000000000ba080000000000000000',
    want: { verdict: 'deny', rules: ['<default>'] },
  },
  {
    name: 'skips over skips, with expressions that take chains',
    rules: [
      ['ip.ttl > 1 xor udp.dstport == 53', { kind: 'skip', to: 'r3' }],
      ['not (ip.ttl > 2 and tcp.dstport == 80)', { kind: 'skip', to: 'r4' }],
      ['ip.ttl > 3', deny],
      ['(ip.ttl == 1 or ip.ttl == 64) and not udp.dstport in {1..10}', log],
      ['meta.len > 20', allow],
    ],
    packet: '4500001c0000000040110000c6336401cb00710530390035000812ab',
    want: { verdict: 'allow', rules: ['r1', 'r4'] },
  },
];

let lab: Lab;

beforeAll(() => {
  lab = new Lab();
});
afterAll(() => lab.dispose());

function withChecksum(packet: Uint8Array): Uint8Array {
  if ((packet[0] ?? 0) >> 4 === 4) fixIpv4Checksum(packet, 0);
  return packet;
}

function policyOf({ rules, lists = [], logged = false }: Row): PolicyCase {
  return {
    lists,
    defaultAction: 'deny',
    based: false,
    rules: rules.map(([text, action], i) => ({ ref: `r${i}`, node: { kind: 'atom', text, key: text }, action, log: logged, audit: false })),
  };
}

describe('what has differed once', () => {
  const beds = new Map<string, { readonly bed: Bed; readonly loader: Loader }>();

  it.each(rows)('$name', async (row) => {
    const hook = row.hook ?? 'prerouting';
    const conntrack = row.untracked !== true;
    const key = `${hook} ${conntrack}`;
    let place = beds.get(key);
    if (!place) {
      const bed = await Bed.open(lab, { hook, priority: hook === 'prerouting' ? -150 : 0, conntrack });
      place = { bed, loader: new Loader(bed.host.path) };
      beds.set(key, place);
    }
    const { bed, loader } = place;
    const built = build(policyOf(row), hook, bed.options.priority);
    const packet = withChecksum(parseHex(row.packet));
    const frame = new Uint8Array(14 + packet.length);
    frame.set((packet[0] ?? 0) >> 4 === 4 ? [8, 0] : [0x86, 0xdd], 12);
    frame.set(packet, 14);
    const subject: Subject = { frames: [frame], bytes: bed.atHook(packet), mark: 0 };
    const effects = loader.load(built);
    const [sight] = sightsOf([subject], bed);
    if (!sight?.reached) {
      expect(row.want).toBeUndefined();
      return;
    }
    expect({ kernel: observed(sight, effects) }).toEqual({ kernel: row.want });
    expect({ interpreter: interpreted(subject, sight, built, bed) }).toEqual({ interpreter: row.want });
  });

  afterAll(() => {
    for (const { bed, loader } of beds.values()) {
      loader.close();
      bed.close();
    }
  });
});
