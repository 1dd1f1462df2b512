// Millions of packets a second that are dropped by source address: at XDP, tc and netfilter, by Weir and by others. One CPU sends and judges.
import { listInterfaces } from '@weir/ebpf/kernel';
import { ipSet, packetExpr as x } from '@weir/filter/ir';
import { ip4, prefix } from '@weir/wire/inet';
import { COUNTERS } from '../apps/weir/src/compile/ebpf/index.ts';
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../apps/weir/src/compile/nft/print.ts';
import { testRule } from '../apps/weir/src/compile/test-rule.ts';
import type { EbpfEngine } from '../apps/weir/src/kernel/ebpf/index.ts';
import type { HookRules } from '../apps/weir/src/model/rule.ts';
import { waitFor } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';
import { compileHook, denyListed, type EngineBed, frameFrom, HERE, layEngineBed, sendLive, wantedAt } from './load/engine.ts';
import { policy } from './load/policy.ts';

const SOURCE = 0xc0000207;
const ADDRESS = '192.0.2.7';
/** A source that no rule but the last denies. */
const OTHER = 0xc0000208;

interface Subject {
  readonly place: string;
  readonly way: string;
  readonly rules: string;
  readonly source: number;
  /** Packets that were dropped so far. */
  readonly dropped: () => Promise<number>;
}

async function measure(bed: EngineBed, { place, way, rules, source, dropped }: Subject, smoke: boolean): Promise<Row> {
  const frames = smoke ? 10_000 : 1_000_000;
  const rates: number[] = [];
  for (let round = 0; round < (smoke ? 2 : 6); round++) {
    const before = await dropped();
    const ms = sendLive(bed.host, frameFrom(source), frames);
    const count = await settled(dropped);
    // The first is not counted: caches are cold.
    if (round > 0) rates.push((count - before) / ms / 1000);
  }
  return { place, way, rules, 'Mpps dropped': quantile(rates, 0.5), worst: Math.min(...rates) };
}

/** The count when it stays the same. */
async function settled(dropped: () => Promise<number>): Promise<number> {
  for (let last = -1; ; ) {
    const now = await dropped();
    if (now === last) return now;
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Packets that a rule of the engine's has counted. */
function counted(engine: EbpfEngine, ref: string): () => Promise<number> {
  return async () => {
    const [found] = engine.status().rules;
    const at = found?.refs.indexOf(ref) ?? -1;
    return Number(found?.counts(COUNTERS)?.counts[2 * at] ?? 0n);
  };
}

async function byEngine(bed: EngineBed, place: 'xdp' | 'tc', rules: HookRules, label: string, ref: string, smoke: boolean): Promise<Row> {
  const engine = bed.engine();
  try {
    engine.configure([wantedAt(place, compileHook(rules, place))]);
    const { w0, length } = prefix(`${ADDRESS}/32`);
    const words = Uint32Array.of(w0);
    engine.apply([
      { set: 'bad', family: 4, complete: true, count: 1, words, lengths: Uint8Array.of(length), wanted: Uint8Array.of(1), oldest: 0 },
    ]);
    const source = ref === 'listed' ? SOURCE : OTHER;
    return await measure(
      bed,
      { place: place === 'xdp' ? 'XDP' : 'tc ingress', way: 'weir', rules: label, source, dropped: counted(engine, ref) },
      smoke,
    );
  } finally {
    engine.close(new Set([place]));
  }
}

/** The first counter that nft lists. */
async function nftCounter(bed: EngineBed, ...what: readonly string[]): Promise<number> {
  const text = await bed.host.nftList(...what);
  return Number(/counter packets (\d+) bytes \d+ drop/.exec(text)?.[1] ?? 0);
}

async function byNft(bed: EngineBed, place: string, script: string, way: string, smoke: boolean): Promise<Row> {
  await bed.host.nft(script);
  try {
    return await measure(bed, { place, way, rules: '1 set', source: SOURCE, dropped: () => nftCounter(bed) }, smoke);
  } finally {
    await bed.host.nft('flush ruleset');
  }
}

/** What Weir writes into nf_tables for one address. */
async function byWeirNft(bed: EngineBed, smoke: boolean): Promise<Row> {
  const one = x.ip('ip.src', ipSet([{ first: ip4(SOURCE), last: ip4(SOURCE) }]));
  const rules = [testRule('one', one, { kind: 'deny' }), testRule('default', x.constant(true), { kind: 'allow' }, { stage: 'default' })];
  await bed.host.nft(printTable(compileRules([{ hook: 'prerouting', priority: -150, rules }], [], { table: 'weir' }).table));
  try {
    const subject = { place: 'netfilter prerouting', way: 'weir', rules: '1', source: SOURCE, dropped: () => nftCounter(bed) };
    return await measure(bed, subject, smoke);
  } finally {
    await bed.host.nft('flush ruleset');
  }
}

async function byIptables(bed: EngineBed, smoke: boolean): Promise<Row> {
  const raw = (...args: readonly string[]) => bed.host.exec('iptables-legacy', ['-t', 'raw', ...args]);
  await raw('-A', 'PREROUTING', '-s', ADDRESS, '-j', 'DROP');
  try {
    const dropped = async (): Promise<number> => {
      const { stdout } = await raw('-L', 'PREROUTING', '-v', '-x', '-n');
      return Number(/^\s*(\d+)\s+\d+\s+DROP/m.exec(stdout)?.[1] ?? 0);
    };
    return await measure(bed, { place: 'netfilter raw', way: 'iptables-legacy', rules: '1', source: SOURCE, dropped }, smoke);
  } finally {
    await raw('-F', 'PREROUTING');
  }
}

/** In a shell of its own, which sees the BPF file system that its maps are pinned in. */
async function byXdpFilter(bed: EngineBed, smoke: boolean): Promise<Row> {
  const shell = bed.host.spawn('unshare', ['-m', 'sh'], { name: 'xdp-filter' });
  let asked = 0;
  const ask = async (command: string): Promise<string> => {
    const from = shell.stdout.length;
    const end = `end-${asked++}`;
    shell.write(`${command}; echo ${end}\n`);
    return await waitFor(command, async () => (shell.stdout.slice(from).includes(end) ? shell.stdout.slice(from) : undefined), {
      intervalMs: 5,
    });
  };
  try {
    await ask('mount --make-rprivate /; mount -t bpf bpf /sys/fs/bpf');
    await ask(`xdp-filter load ${HERE} -m native -f ipv4; xdp-filter ip ${ADDRESS} -m src`);
    const dropped = async (): Promise<number> => Number(/XDP_DROP\s+(\d+) pkts/.exec(await ask('xdp-filter status'))?.[1] ?? 0);
    return await measure(bed, { place: 'XDP', way: 'xdp-filter', rules: '1 address', source: SOURCE, dropped }, smoke);
  } finally {
    await ask(`xdp-filter unload ${HERE}`);
    await shell.close();
  }
}

export const bench: Bench = {
  name: 'drop',
  summary: 'millions of packets a second through a veth pair that are dropped, by place; one CPU sends and judges',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const bed = await layEngineBed();
    try {
      if (!listInterfaces(bed.host.path).some(({ name }) => name === HERE)) throw new Error('no interfaces');
      return [
        await byEngine(bed, 'xdp', denyListed('xdp'), '1 set', 'listed', smoke),
        await byEngine(bed, 'xdp', policy(smoke ? 10 : 1000, 'xdp'), smoke ? '10' : '1,000', 'default', smoke),
        ...(await beside('xdp-filter', 'xdp-filter', () => byXdpFilter(bed, smoke))),
        await byEngine(bed, 'tc', denyListed('tc'), '1 set', 'listed', smoke),
        await byNft(
          bed,
          'netdev ingress',
          `table netdev t { set bad { type ipv4_addr; elements = { ${ADDRESS} }; }; chain c { type filter hook ingress device ${HERE} priority 0; ip saddr @bad counter drop; }; }`,
          'nft',
          smoke,
        ),
        await byWeirNft(bed, smoke),
        ...(await beside('iptables-legacy', 'iptables-legacy', () => byIptables(bed, smoke))),
      ];
    } finally {
      await bed.close();
    }
  },
};
