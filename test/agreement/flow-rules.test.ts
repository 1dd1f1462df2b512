import type { FlowAction } from '@weir/bgp/flowspec';
import { buildPacket, Packet } from '@weir/filter/packet';
import { printHex } from '@weir/wire/bytes';
import { ip6 } from '@weir/wire/inet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { addFlows, unenforceable } from '../../apps/weir/src/compile/flows/index.ts';
import { judge } from '../../apps/weir/src/compile/interpreter/index.ts';
import { loadHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { FlowConfig } from '../../apps/weir/src/model/flow.ts';
import type { HookRules } from '../../apps/weir/src/model/rule.ts';
import { testFlow, testFlowConfig, testRedirects } from '../../apps/weir/src/model/test-flow.ts';
import { Random } from '../e2e/random.ts';
import { Lab } from '../lab/index.ts';
import { Bed } from './bed.ts';
import type { Built } from './built.ts';
import { interpreted, observed, printOpinion, sameOpinion } from './compare.ts';
import { hintFlows, randomFlows } from './generate/flow-rules.ts';
import { Hints } from './generate/hints.ts';
import { PacketMaker } from './generate/packets.ts';
import { Loader } from './loaded.ts';
import { hasFragmentHeader } from './network.ts';
import { type Subject, sightsOf, subjectsOf } from './subject.ts';

const SEED = Number(process.env['WEIR_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
/** Pairs of flow rules and a packet: more by hand. */
const PAIRS = Number(process.env['WEIR_FLOW_PAIRS'] ?? 6000);
const PACKETS = 200;
const MOST_RULES = 12;
/** Now and then lists that are looked up by their fields. */
const MANY_RULES = 150;
const SHORTEST = 15;
const LONGEST = 3500;
/** struct __sk_buff up to and with ingress_ifindex, which test runs of socket buffers leave at 0. */
const SKB_CONTEXT = new Uint8Array(new Uint32Array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).buffer);
const NO_LISTS = { has: () => false };

const CONFIG = testFlowConfig({ redirects: testRedirects({ '64512:80': 100 }) });

const GO_ON: FlowAction = { kind: 'traffic-action', sample: false, terminal: false };
const ACTIONS: readonly (readonly FlowAction[])[] = [
  [{ kind: 'rate-bytes', rate: 0, asn: 0 }],
  [{ kind: 'rate-packets', rate: 0, asn: 0 }],
  [{ kind: 'rate-bytes', rate: 1e9, asn: 0 }],
  [{ kind: 'rate-packets', rate: 1e6, asn: 0 }, GO_ON],
  [{ kind: 'redirect-rt', administrator: { kind: 'as2', asn: 64512 as never }, local: 80 }, GO_ON],
  [{ kind: 'mark', dscp: 10 }, GO_ON],
  [{ kind: 'mark', dscp: 46 }],
  [],
  [GO_ON],
];

/** Flow rules that are enforced there, some of them protected from. */
function randomHook(random: Random, at: FlowConfig['at']): HookRules | undefined {
  const [shield] = random.below(3) === 0 ? randomFlows(random, 1, ACTIONS) : [];
  const config = { ...CONFIG, at, protectedFlows: shield ? [shield.rule] : [] };
  const most = at === 'prerouting' && random.below(6) === 0 ? MANY_RULES : MOST_RULES;
  const flows = randomFlows(random, most, ACTIONS).filter((flow) => unenforceable(flow, config) === undefined);
  return addFlows([], flows, config, [])[0];
}

/** IPv6 packets with two fragment headers, some of them apart, and ends of all lengths that look like the header of an IPv6 packet or like another. */
function nested(): Uint8Array[] {
  const out: Uint8Array[] = [];
  const between = { kind: 'destination-options' } as const;
  for (const protocol of [6, 17, 58, 132, 60])
    for (const first of [0, 3])
      for (const second of [0, 3])
        for (const apart of [[], [between]])
          for (const begin of [0x60, 0x12])
            for (const length of [0, 1, 2, 3, 4, 5, 24]) {
              const payload = new Uint8Array(length).fill(begin);
              const fragment = { kind: 'fragment', offset: first, more: true } as const;
              out.push(
                buildPacket({
                  source: ip6(0x20010db8, 0, 0, 1),
                  destination: ip6(0x20010db8, 0x10000, 0, 1),
                  extensions: [fragment, ...apart],
                  fragment: { offset: second, more: false },
                  transport: { kind: 'raw', protocol, payload },
                }),
              );
            }
  return out;
}

function framed(packet: Uint8Array): Uint8Array {
  const frame = new Uint8Array(14 + packet.length);
  frame.set([0x86, 0xdd], 12);
  frame.set(packet, 14);
  return frame;
}

let lab: Lab;
beforeEach(() => {
  lab = new Lab();
});
afterEach(() => lab.dispose());

describe(`flow rules (seed ${SEED})`, () => {
  it('nf_tables, before defragmentation, does with packets what the interpreter says', async () => {
    const random = new Random(SEED);
    const bed = await Bed.open(lab, { hook: 'prerouting', priority: -450, conntrack: true });
    const loader = new Loader(bed.host.path);
    const maker = new PacketMaker(random, {
      trains: true,
      wholeTrains: bed.assembles(4) || bed.assembles(6),
      plainOptions: false,
      vlans: [],
    });
    let [pairs, denied] = [0, 0];
    const differences: string[] = [];
    try {
      while (pairs < PAIRS && differences.length < 3) {
        const hook = randomHook(random, 'prerouting');
        if (!hook) continue;
        const built: Built = { hook, sets: [], members: new Map(), lists: NO_LISTS, definitions: new Map() };
        expect(loader.problems(built)).toEqual([]);
        const effects = loader.load(built);
        const hints = new Hints();
        hintFlows(hints);
        const subjects: Subject[] = [];
        while (subjects.length < PACKETS) subjects.push(...subjectsOf(maker.make(hints), 0, bed));
        const sights = sightsOf(subjects, bed);
        for (const [i, subject] of subjects.entries()) {
          const sight = sights[i];
          if (!sight?.reached || (subject.frames.length === 1 && bed.assembles(6) && hasFragmentHeader(subject.bytes))) continue;
          pairs++;
          const [wanted, seen] = [interpreted(subject, sight, built, bed), observed(sight, effects)];
          if (wanted.verdict === 'deny') denied++;
          if (sameOpinion(wanted, seen)) continue;
          differences.push(
            `${printHex(subject.bytes)}: the interpreter ${printOpinion(wanted)}, the kernel ${printOpinion(seen)}; ${hook.rules.map((r) => `${r.name} [${r.text}] ${JSON.stringify(r.action)}`).join('; ')}`,
          );
        }
      }
    } finally {
      loader.close();
      bed.close();
    }
    expect(differences).toEqual([]);
    expect(denied).toBeGreaterThan(pairs / 50);
  }, 120_000);

  it('nf_tables does so with packets of several fragment headers', async () => {
    // Beds are told apart by it.
    const priority = -451;
    const bed = await Bed.open(lab, { hook: 'prerouting', priority, conntrack: true });
    const loader = new Loader(bed.host.path);
    const texts = ['dport != 80', 'sport 24576..28671', 'icmp type 96', 'next header 17; tcp flags 0x10/0x10', 'fragment first_fragment'];
    const flows = texts.map((text) => testFlow(`flow6 { ${text}; }`, { kind: 'mark', dscp: 10 }, GO_ON));
    const [hook] = addFlows([], flows, { ...CONFIG, at: 'prerouting' }, []);
    if (!hook) throw new Error('no flow rules');
    const built: Built = { hook: { ...hook, priority }, sets: [], members: new Map(), lists: NO_LISTS, definitions: new Map() };
    try {
      const effects = loader.load(built);
      const subjects = nested().map((bytes): Subject => ({ frames: [framed(bytes)], bytes: bed.atHook(bytes), mark: 0 }));
      const sights = sightsOf(subjects, bed);
      const judged = subjects.flatMap((subject, i) => {
        const sight = sights[i];
        return sight?.reached
          ? [{ bytes: printHex(subject.bytes), wanted: interpreted(subject, sight, built, bed), seen: observed(sight, effects) }]
          : [];
      });
      expect(judged.length).toBeGreaterThan(subjects.length / 2);
      expect(judged.filter(({ wanted, seen }) => !sameOpinion(wanted, seen))).toEqual([]);
      expect(new Set(judged.map(({ wanted }) => wanted.rules.join())).size).toBeGreaterThan(3);
    } finally {
      loader.close();
      bed.close();
    }
  });

  it.each(['xdp', 'tc'] as const)(
    'programs at %s do with packets what the interpreter says',
    (place) => {
      const random = new Random(SEED + 1);
      const maker = new PacketMaker(random, { trains: true, wholeTrains: false, plainOptions: false, longChains: true, vlans: [7, 12] });
      let [pairs, denied, marked] = [0, 0, 0];
      const differences: string[] = [];
      while (pairs < PAIRS && differences.length < 3) {
        const hook = randomHook(random, place);
        if (!hook) continue;
        const result = compileEbpf(hook, { place, tellRule: true });
        if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
        const loaded = loadHook(result.compiled, { name: 'flows' });
        try {
          const hints = new Hints();
          hintFlows(hints);
          for (const frame of Array.from({ length: PACKETS }, () => maker.make(hints).frames).flat()) {
            const packet = Packet.fromEthernet(frame);
            // A test run takes a link header, and of socket buffers what fits into a page.
            if (frame.length < SHORTEST || (place === 'tc' && frame.length > LONGEST)) continue;
            const { result: answer, data } = loaded.program.run({
              data: frame,
              discard: 'context',
              ...(place === 'tc' ? { context: SKB_CONTEXT } : {}),
            });
            const wanted = judge(hook, packet, { lists: NO_LISTS });
            pairs++;
            if (wanted.verdict === 'deny') denied++;
            const verdict = (answer & 1) === 1 ? 'allow' : 'deny';
            const written = wanted.packet instanceof Packet ? printHex(wanted.packet.bytes) : '';
            if (written !== printHex(frame)) marked++;
            if (verdict === wanted.verdict && written === printHex(data)) continue;
            differences.push(
              `${printHex(frame)}: the interpreter ${wanted.verdict} ${wanted.rule?.name} ${written}, the program ${verdict} ${printHex(data)}`,
            );
          }
        } finally {
          loaded.close();
        }
      }
      expect(differences).toEqual([]);
      expect(Math.min(denied, marked)).toBeGreaterThan(pairs / 50);
    },
    120_000,
  );
});
