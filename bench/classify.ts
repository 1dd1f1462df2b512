// What a packet costs in long lists of rules of five fields: in Weir's program by test runs, and in Weir at XDP, nft and iptables-legacy by frames through a veth pair.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { attachXdp, BpfProgram } from '@weir/ebpf/kernel';
import { ClassifierMemo, type ClassifierOptions, compileEbpf } from '../apps/weir/src/compile/ebpf/index.ts';
import { type LoadedHook, loadHook, PROGRAM_TYPES } from '../apps/weir/src/kernel/ebpf/index.ts';
import type { HookRules } from '../apps/weir/src/model/rule.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import {
  type FiveTuple,
  KINDS,
  makeFiveTuples,
  makeTrace,
  parseFiveTuples,
  toHookRules,
  toIptables,
  toNft,
} from '../test/rules/five-tuples.ts';
import { frameOf, TraceDriver } from '../test/rules/trace.ts';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';

const RECEIVER = [2, 0, 0, 0, 0, 2] as const;
const FRAMES = 4096;
const XDP = { PASS: 2, TX: 3 } as const;
const COUNTS = [1, 10, 100, 1000, 10_000];

function returning(result: number): BpfProgram {
  const asm = new Assembler();
  asm.mov('r0', result).exit();
  return BpfProgram.load({ name: 'returning', ...PROGRAM_TYPES.xdp, instructions: bindProgram(asm.assemble(), {}) });
}

function load(hook: HookRules, classifier?: ClassifierOptions | false): { readonly loaded: LoadedHook; readonly ms: number } {
  const start = performance.now();
  const result = compileEbpf(hook, { place: 'xdp', ...(classifier === undefined ? {} : { classifier }) });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  const loaded = loadHook(result.compiled, { name: 'classify' });
  return { loaded, ms: performance.now() - start };
}

/** The least of some short runs: what other processes take is left out. */
function least(driver: TraceDriver, program: BpfProgram | undefined, rounds: number): number {
  driver.judgeBy(program);
  return Math.min(...Array.from({ length: rounds }, () => driver.measure(FRAMES * 4)));
}

/** Frames into one end of a veth pair, judged at the other. Nanoseconds a frame. */
class Frames {
  readonly #host: Host;
  readonly #index: number;
  readonly #smoke: boolean;

  constructor(host: Host, index: number, smoke: boolean) {
    this.#host = host;
    this.#index = index;
    this.#smoke = smoke;
  }

  static async lay(lab: Lab, smoke: boolean): Promise<Frames> {
    const host = await lab.host('classify');
    await host.ip('link', 'add', 'tx0', 'type', 'veth', 'peer', 'name', 'rx0');
    await host.ip('link', 'set', 'rx0', 'address', RECEIVER.map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
    await host.exec('ethtool', ['-K', 'rx0', 'gro', 'on']);
    for (const name of ['tx0', 'rx0']) await host.ip('link', 'set', name, 'up');
    const [link] = JSON.parse(await host.ip('-j', 'link', 'show', 'tx0')) as readonly { readonly ifindex: number }[];
    if (!link) throw new Error('no tx0');
    return new Frames(host, link.ifindex, smoke);
  }

  get host(): Host {
    return this.#host;
  }

  send(frames: readonly Uint8Array[], slow: boolean): number {
    const packets = this.#smoke ? 2_000 : slow ? 20_000 : 500_000;
    const driver = new TraceDriver(frames, XDP.TX);
    try {
      driver.send(Math.ceil(packets / 10), this.#index, this.#host.path);
      const times = Array.from({ length: this.#smoke ? 1 : 3 }, () => driver.send(packets, this.#index, this.#host.path));
      return (Math.min(...times) * 1e9) / packets;
    } finally {
      driver.close();
    }
  }

  async receiverIndex(): Promise<number> {
    const [link] = JSON.parse(await this.#host.ip('-j', 'link', 'show', 'rx0')) as readonly { readonly ifindex: number }[];
    return link?.ifindex ?? 0;
  }
}

async function live(frames: Frames, tuples: readonly FiveTuple[], trace: readonly Uint8Array[], program: BpfProgram): Promise<Row> {
  const { host } = frames;
  // Everything is dropped early in any case: what is over that is the rules.
  const nft = async (rules: readonly FiveTuple[]): Promise<number> => {
    await host.nft(
      `flush ruleset\n${toNft(rules, 'classify')}add chain ip classify last { type filter hook prerouting priority 0; policy drop; }`,
    );
    const time = frames.send(trace, rules.length >= 1000);
    await host.nft('flush ruleset');
    return time;
  };
  const iptables = async (rules: readonly FiveTuple[]): Promise<number> => {
    await host.exec('iptables-legacy-restore', [], { input: toIptables(rules) });
    await host.nft('add table ip last\nadd chain ip last last { type filter hook prerouting priority 0; policy drop; }');
    const time = frames.send(trace, rules.length >= 1000);
    await host.nft('flush ruleset');
    await host.exec('iptables-legacy', ['-t', 'raw', '-F']);
    await host.exec('iptables-legacy', ['-t', 'raw', '-P', 'PREROUTING', 'ACCEPT']);
    return time;
  };
  const index = await frames.receiverIndex();
  const atXdp = (judged: BpfProgram): number => {
    const { link } = attachXdp(judged, { interface: index, netns: host.path, mode: 'native' });
    try {
      return frames.send(trace, false);
    } finally {
      link.close();
    }
  };
  const drop = returning(1);
  try {
    const row: Record<string, number> = { 'live XDP': atXdp(program) - atXdp(drop) };
    if (isInstalled('nft')) row['live nft'] = (await nft(tuples)) - (await nft([]));
    if (isInstalled('iptables-legacy')) row['live iptables'] = (await iptables(tuples)) - (await iptables([]));
    return row;
  } finally {
    drop.close();
  }
}

async function measure(name: string, all: readonly FiveTuple[], count: number, frames: Frames, smoke: boolean): Promise<Row> {
  const tuples = all.slice(0, count);
  const hook = toHookRules(tuples);
  const trace = makeTrace(tuples, FRAMES, 7).map((header) => frameOf(header, RECEIVER));
  const rounds = smoke ? 1 : 40;
  const driver = new TraceDriver(trace, XDP.PASS);
  const empty = returning(XDP.PASS);
  const open: { close(): void }[] = [driver, empty];
  try {
    const none = load({ ...hook, rules: [] }).loaded;
    const memo = new ClassifierMemo();
    const { loaded, ms } = load(hook, { memo });
    open.push(none, loaded);
    const base = least(driver, empty, rounds);
    const headers = least(driver, none.program, rounds) - base;
    const classified = least(driver, loaded.program, rounds) - base;
    const change = changed(hook, memo, open);
    driver.judgeBy(undefined);
    const row: Row = {
      set: name,
      rules: tuples.length,
      ns: classified,
      'of it rules': classified - headers,
      ...(count <= 1000 ? { 'in order': otherwise(hook, false, { driver, open, rounds }) - base } : {}),
      ...(count >= 1000 ? { vectors: otherwise(hook, { form: 'vectors' }, { driver, open, rounds }) - base } : {}),
      'compile+load ms': ms,
      'change ms': change,
    };
    return { ...row, ...(await live(frames, tuples, trace, loaded.program)) };
  } finally {
    for (const one of open.reverse()) one.close();
  }
}

/** The same rules judged in another way. */
function otherwise(
  hook: HookRules,
  classifier: ClassifierOptions | false,
  { driver, open, rounds }: { readonly driver: TraceDriver; readonly open: { close(): void }[]; readonly rounds: number },
): number {
  const { loaded } = load(hook, classifier);
  open.push(loaded);
  return least(driver, loaded.program, rounds);
}

/** Milliseconds for one rule that denies where it allowed: compiled again with what is remembered, and all of its maps loaded again. */
function changed(hook: HookRules, memo: ClassifierMemo, open: { close(): void }[]): number {
  const at = hook.rules.length >> 1;
  const rules = hook.rules.map((rule, index) => (index === at ? { ...rule, action: { kind: 'deny' } as const } : rule));
  const { loaded, ms } = load({ ...hook, rules }, { memo });
  open.push(loaded);
  return ms;
}

export const bench: Bench = {
  name: 'classify',
  summary:
    'nanoseconds a packet in long lists of rules, over a program, or a chain, without any (--rules FILE: of a file in the format of ClassBench)',
  needsRoot: true,
  async run({ smoke, rules }: BenchOptions) {
    const most = smoke ? 100 : 10_000;
    const sets =
      rules === undefined
        ? KINDS.map((kind) => ({ name: kind, tuples: makeFiveTuples(kind, most, 1) }))
        : [{ name: basename(rules), tuples: parseFiveTuples(readFileSync(rules, 'utf8')) }];
    const lab = new Lab();
    const rows: Row[] = [];
    try {
      const frames = await Frames.lay(lab, smoke);
      for (const { name, tuples } of sets) {
        for (const count of COUNTS.filter((one) => one <= most && (one < tuples.length * 10 || one === COUNTS[0])))
          rows.push(await measure(name, tuples, count, frames, smoke));
      }
    } finally {
      await lab.dispose();
    }
    return rows;
  },
};
