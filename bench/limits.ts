// How well rate limits keep their rate when ten times as much is offered: programs at XDP beside nf_tables, live frames through a veth pair.
import { attachXdp, sumCpus } from '@weir/ebpf/kernel';
import { packetExpr as x } from '@weir/filter/ir';
import { COUNTERS, compileEbpf } from '../apps/weir/src/compile/ebpf/index.ts';
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../apps/weir/src/compile/nft/print.ts';
import { testRule } from '../apps/weir/src/compile/test-rule.ts';
import { loadHook } from '../apps/weir/src/kernel/ebpf/index.ts';
import type { HookRules, RateLimit } from '../apps/weir/src/model/rule.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { FRAME_OCTETS, frameOf, TraceDriver } from '../test/rules/trace.ts';
import type { Bench, BenchOptions, Row } from './bench.ts';

const RECEIVER = [2, 0, 0, 0, 0, 2] as const;
const OVERLOAD = 10;
const XDP_TX = 3;

interface Bed {
  readonly host: Host;
  readonly sender: number;
  readonly receiver: number;
}

async function lay(lab: Lab): Promise<Bed> {
  const host = await lab.host('limits');
  await host.ip('link', 'add', 'tx0', 'type', 'veth', 'peer', 'name', 'rx0');
  await host.ip('link', 'set', 'rx0', 'address', RECEIVER.map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
  for (const name of ['tx0', 'rx0']) await host.ip('link', 'set', name, 'up');
  // Without NAPI the receiver takes no frames from programs.
  await host.exec('ethtool', ['-K', 'rx0', 'gro', 'on']);
  const links = JSON.parse(await host.ip('-j', 'link', 'show')) as readonly { readonly ifname: string; readonly ifindex: number }[];
  const index = (name: string): number => links.find((link) => link.ifname === name)?.ifindex ?? 0;
  return { host, sender: index('tx0'), receiver: index('rx0') };
}

function driver(sources: number): TraceDriver {
  const frames = Array.from({ length: sources }, (_, i) =>
    frameOf({ source: 0xc6336400 + i, destination: 0xcb007105, protocol: 17, sourcePort: 1024, destinationPort: 53 }, RECEIVER),
  );
  return new TraceDriver(frames, XDP_TX);
}

function limited(limit: RateLimit): HookRules {
  const rules = [
    testRule('limit', x.constant(true), { kind: 'rate-limit', limit }, { audit: true }),
    testRule('default', x.constant(true), { kind: 'deny' }, { stage: 'default' }),
  ];
  return { hook: 'prerouting', priority: -150, rules };
}

/** Under a limit: what came to it and what it let through. */
interface Counts {
  readonly seen: number;
  readonly through: number;
}

interface Peer {
  readonly name: string;
  /** Has the rules judge while `run` runs. */
  under(bed: Bed, rules: HookRules, run: () => number): Promise<Counts & { readonly seconds: number }>;
}

const weir: Peer = {
  name: 'weir, XDP',
  async under({ host, receiver }, rules, run) {
    const result = compileEbpf(rules, { place: 'xdp' });
    if (!('compiled' in result)) throw new Error('the rules cannot be compiled');
    const loaded = loadHook(result.compiled, { name: 'weir_bench' });
    try {
      const { link } = attachXdp(loaded.program, { interface: receiver, netns: host.path });
      try {
        const seconds = run();
        const counted = (rule: number): number =>
          Number(sumCpus(loaded.maps.get(COUNTERS)?.lookup(new Uint8Array(Uint32Array.of(rule).buffer)) ?? new Uint8Array(0), 16)[0]);
        // What is under the rate ends there; what is over it comes to the default, and was counted before as well.
        return { seconds, seen: counted(0), through: counted(0) - counted(1) };
      } finally {
        link.close();
      }
    } finally {
      loaded.close();
    }
  },
};

const nft: Peer = {
  name: 'nf_tables, prerouting',
  async under({ host }, rules, run) {
    await host.nft(printTable(compileRules([rules], [], { table: 'weir' }).table));
    try {
      const seconds = run();
      const counters = (await host.nftJson('table', 'inet', 'weir')).flatMap(({ rule }) => {
        const expressions = (rule?.['expr'] ?? []) as readonly Readonly<Record<string, { readonly packets?: number } | null>>[];
        const packets = expressions.map((one) => one['counter']?.packets).find((count) => count !== undefined) ?? 0;
        return expressions.some((one) => 'accept' in one)
          ? [{ through: packets, over: 0 }]
          : expressions.some((one) => 'drop' in one)
            ? [{ through: 0, over: packets }]
            : [];
      });
      const through = counters.reduce((sum, one) => sum + one.through, 0);
      return { seconds, through, seen: through + counters.reduce((sum, one) => sum + one.over, 0) };
    } finally {
      await host.exec('nft', ['delete', 'table', 'inet', 'weir']);
    }
  },
};

async function measure(bed: Bed, peer: Peer, sources: number, packets: number): Promise<Row> {
  const per = sources === 1 ? 'rule' : 'source';
  const frames = driver(sources);
  try {
    const run = (count: number) => (): number => frames.send(count, bed.sender, bed.host.path);
    const first = await peer.under(bed, limited({ unit: 'packets', rate: 1, burst: 1, per }), run(packets / 10));
    const offered = first.seen / first.seconds;
    // Of each bucket.
    const rate = Math.max(1, Math.round(offered / sources / OVERLOAD));
    // The default of policies: what a second brings.
    const burst = rate;
    const { seconds, seen, through } = await peer.under(bed, limited({ unit: 'packets', rate, burst, per }), run(packets));
    const stated = sources * (rate * seconds + burst);
    return {
      peer: peer.name,
      buckets: sources,
      'rate of each': rate,
      'Mpps offered': seen / seconds / 1e6,
      'times the rate': seen / seconds / rate / sources,
      'through / stated': through / stated,
    };
  } finally {
    frames.close();
  }
}

export const bench: Bench = {
  name: 'limits',
  summary: `what comes through rate limits at ten times their rate, in frames of ${FRAME_OCTETS} octets, beside what they say`,
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const lab = new Lab();
    const rows: Row[] = [];
    try {
      const bed = await lay(lab);
      for (const sources of smoke ? [1] : [1, 64, 4096])
        for (const peer of [weir, nft]) rows.push(await measure(bed, peer, sources, smoke ? 20_000 : 5_000_000));
    } finally {
      await lab.dispose();
    }
    return rows;
  },
};
