// What flow rules in force cost a packet, at each place where they can be judged, beside the same rules in iptables: frames through a veth pair, dropped in any case.
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { attachTcx, attachXdp, BpfProgram } from '@weir/ebpf/kernel';
import { compileEbpf } from '../apps/weir/src/compile/ebpf/index.ts';
import { addFlows } from '../apps/weir/src/compile/flows/index.ts';
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { loadHook, PROGRAM_TYPES } from '../apps/weir/src/kernel/ebpf/index.ts';
import { NftBackend } from '../apps/weir/src/kernel/nft/nft-backend.ts';
import { DEFAULT_FLOWSPEC, type FlowConfig } from '../apps/weir/src/model/flow.ts';
import { planTable } from '../apps/weir/src/reconcile/owned-table.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { frameOf, TraceDriver } from '../test/rules/trace.ts';
import { type Bench, type BenchOptions, isInstalled, type Row } from './bench.ts';
import { activeFlows, type FlowKind, type LoadFlow, loadFlows } from './load/flows.ts';

const RECEIVER = [2, 0, 0, 0, 0, 2] as const;
const FRAMES = 4096;
const XDP_TX = 3;
const COUNTS = [10, 1000, 10_000];
/** What programs answer: go on, drop. */
const ANSWERS = { xdp: { pass: 2, drop: 1 }, tc: { pass: -1, drop: 2 } } as const;
const ADDRESS = { family: 'inet', table: 'weir' } as const;
/** Behind flow rules: what these let through ends here. */
const LAST = 'add table ip last\nadd chain ip last last { type filter hook prerouting priority -449; policy drop; }';

type Place = keyof typeof ANSWERS;
/** Packets that a rule drops, and packets to the same addresses that none is about. */
type Traffic = 'met' | 'other';

const span = { file: 'weir.yaml', line: 1, column: 1, length: 1 };

function configAt(at: FlowConfig['at']): FlowConfig {
  return { ...DEFAULT_FLOWSPEC, at, protected: [], protectedFlows: [], guards: [], announce: undefined, redirects: [], span };
}

function returning(place: Place, result: number): BpfProgram {
  const asm = new Assembler();
  asm.mov('r0', result).exit();
  return BpfProgram.load({ name: 'returning', ...PROGRAM_TYPES[place], instructions: bindProgram(asm.assemble(), {}) });
}

async function indexOf(host: Host, name: string): Promise<number> {
  const [link] = JSON.parse(await host.ip('-j', 'link', 'show', name)) as readonly { readonly ifindex: number }[];
  if (!link) throw new Error(`no ${name}`);
  return link.ifindex;
}

/** A veth pair: frames go into one end, and are judged at the other. */
class Road {
  readonly host: Host;
  readonly #from: number;
  readonly #to: number;
  readonly #smoke: boolean;

  private constructor(host: Host, from: number, to: number, smoke: boolean) {
    this.host = host;
    this.#from = from;
    this.#to = to;
    this.#smoke = smoke;
  }

  static async lay(lab: Lab, smoke: boolean): Promise<Road> {
    const host = await lab.host('flows');
    await host.ip('link', 'add', 'tx0', 'type', 'veth', 'peer', 'name', 'rx0');
    await host.ip('link', 'set', 'rx0', 'address', RECEIVER.map((octet) => octet.toString(16).padStart(2, '0')).join(':'));
    await host.exec('ethtool', ['-K', 'rx0', 'gro', 'on']);
    for (const name of ['tx0', 'rx0']) await host.ip('link', 'set', name, 'up');
    return new Road(host, await indexOf(host, 'tx0'), await indexOf(host, 'rx0'), smoke);
  }

  /** Nanoseconds a frame: the least of some runs. */
  send(frames: readonly Uint8Array[], slow: boolean): number {
    const packets = this.#smoke ? 2000 : slow ? 20_000 : 300_000;
    const driver = new TraceDriver(frames, XDP_TX);
    try {
      driver.send(Math.ceil(packets / 10), this.#from, this.host.path);
      const times = Array.from({ length: this.#smoke ? 1 : 3 }, () => driver.send(packets, this.#from, this.host.path));
      return (Math.min(...times) * 1e9) / packets;
    } finally {
      driver.close();
    }
  }

  /** The same with a program at the end. */
  through(place: Place, program: BpfProgram, frames: readonly Uint8Array[]): number {
    const at = { interface: this.#to, netns: this.host.path };
    const link = place === 'xdp' ? attachXdp(program, { ...at, mode: 'native' }).link : attachTcx(program, { ...at, direction: 'ingress' });
    try {
      return this.send(frames, false);
    } finally {
      link.close();
    }
  }
}

/** What flow rules at a place of programs cost over a program that says the same at once. */
async function ofProgram(
  road: Road,
  place: Place,
  flows: readonly LoadFlow[],
  frames: Readonly<Record<Traffic, readonly Uint8Array[]>>,
): Promise<Row> {
  const [hook] = addFlows([], activeFlows(flows.map(({ text }) => text)), configAt(place), []);
  if (!hook) throw new Error('no hook');
  const result = compileEbpf(hook, { place });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  await road.host.nft(LAST);
  const loaded = loadHook(result.compiled, { name: 'flows' });
  const { program } = loaded;
  const [pass, drop] = [returning(place, ANSWERS[place].pass), returning(place, ANSWERS[place].drop)];
  try {
    return {
      [`${place} met`]: round(road.through(place, program, frames.met) - road.through(place, drop, frames.met)),
      [`${place} other`]: round(road.through(place, program, frames.other) - road.through(place, pass, frames.other)),
    };
  } finally {
    for (const one of [pass, drop, loaded]) one.close();
    await road.host.nft('flush ruleset');
  }
}

async function ofNft(road: Road, flows: readonly LoadFlow[], frames: Readonly<Record<Traffic, readonly Uint8Array[]>>): Promise<Row> {
  await road.host.nft(LAST);
  const none = { met: road.send(frames.met, false), other: road.send(frames.other, false) };
  const hooks = addFlows([], activeFlows(flows.map(({ text }) => text)), configAt('prerouting'), []);
  const { table, problems } = compileRules(hooks, [], { table: ADDRESS.table });
  if (problems[0]) throw new Error(problems[0].message);
  const backend = new NftBackend({ netns: road.host.path, ownership: false });
  try {
    const { prepare, enforce } = planTable(ADDRESS, table, undefined, false);
    const start = performance.now();
    const outcome = backend.commit([...prepare, ...enforce]);
    const ms = performance.now() - start;
    if (outcome.kind !== 'committed') throw new Error(`the kernel did not take it: ${JSON.stringify(outcome)}`);
    return {
      'prerouting met': round(road.send(frames.met, false) - none.met),
      'prerouting other': round(road.send(frames.other, false) - none.other),
      'its load ms': round(ms),
    };
  } finally {
    backend.close();
    await road.host.nft('flush ruleset');
  }
}

async function ofIptables(road: Road, flows: readonly LoadFlow[], frames: Readonly<Record<Traffic, readonly Uint8Array[]>>): Promise<Row> {
  const load = (rules: readonly string[]): Promise<unknown> =>
    road.host.exec('iptables-legacy-restore', [], {
      input: `*raw\n:PREROUTING DROP [0:0]\n${rules.map((rule) => `-A PREROUTING ${rule} -j DROP\n`).join('')}COMMIT\n`,
    });
  const slow = flows.length >= 1000;
  await load([]);
  const none = { met: road.send(frames.met, false), other: road.send(frames.other, false) };
  await load(flows.map(({ iptables }) => iptables));
  try {
    return {
      'iptables met': round(road.send(frames.met, slow) - none.met),
      'iptables other': round(road.send(frames.other, slow) - none.other),
    };
  } finally {
    await road.host.exec('iptables-legacy', ['-t', 'raw', '-F']);
    await road.host.exec('iptables-legacy', ['-t', 'raw', '-P', 'PREROUTING', 'ACCEPT']);
  }
}

function round(value: number): number {
  return Math.round(value);
}

async function measure(road: Road, kind: FlowKind, count: number): Promise<Row> {
  const flows = loadFlows(kind, count);
  const framesOf = (other: boolean): readonly Uint8Array[] =>
    Array.from({ length: FRAMES }, (_, i) => {
      // Spread over all rules, each time the same.
      const flow = flows[(i * 2_654_435_761) % count];
      if (!flow) throw new RangeError('no flow');
      return frameOf(flow.header(other), RECEIVER);
    });
  const frames = { met: framesOf(false), other: framesOf(true) };
  const nft = await ofNft(road, flows, frames);
  const [tc, xdp] = [await ofProgram(road, 'tc', flows, frames), await ofProgram(road, 'xdp', flows, frames)];
  const row = { rules: kind, count, ...nft, ...tc, ...xdp };
  if (!isInstalled('iptables-legacy')) return { ...row, peer: 'iptables-legacy is not installed' };
  const iptables = await ofIptables(road, flows, frames);
  const ratio = Number(iptables['iptables other']) / Math.max(1, Number(nft['prerouting other']));
  return { ...row, ...iptables, 'iptables / prerouting': Number(ratio.toFixed(1)) };
}

export const bench: Bench = {
  name: 'flow-table',
  summary:
    'nanoseconds a packet for flow rules in force, those that it meets (met) and those to the same addresses that it does not (other), beside iptables',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const lab = new Lab();
    const rows: Row[] = [];
    try {
      const road = await Road.lay(lab, smoke);
      for (const kind of ['reflection', 'mixed'] as const)
        for (const count of smoke ? [10, 100] : COUNTS) rows.push(await measure(road, kind, count));
    } finally {
      await lab.dispose();
    }
    return rows;
  },
};
