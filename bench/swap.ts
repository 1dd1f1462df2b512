// How long a change takes: of one rule among many, and of one member of a set, in the kernel and from the call that asks for it; and how long members wait while rules change.
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BpfMap } from '@weir/ebpf/kernel';
import { printExpr } from '@weir/filter/ir';
import { ip4, printIp } from '@weir/wire/inet';
import { ClassifierMemo } from '../apps/weir/src/compile/ebpf/index.ts';
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../apps/weir/src/compile/nft/print.ts';
import { clearEbpf, type EbpfEngine, loadHook } from '../apps/weir/src/kernel/ebpf/index.ts';
import type { KernelPort } from '../apps/weir/src/model/kernel-port.ts';
import type { MemberDelta } from '../apps/weir/src/model/member-delta.ts';
import type { HookRules, Rule } from '../apps/weir/src/model/rule.ts';
import { KernelPortBed } from '../test/kernel/kernel-port-bed.ts';
import { runCommand } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, quantile, type Row } from './bench.ts';
import { compileHook, denyListed, type EngineBed, layEngineBed, wantedAt } from './load/engine.ts';
import { policy } from './load/policy.ts';

const BAD = 0x0a000000;
const SETTLED_MS = 110;

/** Milliseconds of each call. */
function time(times: number, action: (i: number) => void): Float64Array {
  const out = new Float64Array(times);
  for (let i = 0; i < times; i++) {
    const from = performance.now();
    action(i);
    out[i] = performance.now() - from;
  }
  return out;
}

/** What is done to a list of rules, in the middle of it. */
const CHANGES = {
  changed: (rules, other) => rules.with(rules.length >> 1, other),
  inserted: (rules, other) => rules.toSpliced(rules.length >> 1, 0, { ...other, ref: 'another', name: 'another' }),
  removed: (rules) => rules.toSpliced(rules.length >> 1, 1),
  'moved in priority': (rules) => {
    const at = rules.length >> 1;
    const out = rules.toSpliced(at, 1);
    out.splice(at >> 1, 0, ...rules.slice(at, at + 1));
    return out;
  },
} as const satisfies Readonly<Record<string, (rules: readonly Rule[], other: Rule) => readonly Rule[]>>;

/** Time by the clock, and of processors; milliseconds. */
interface Spent {
  readonly clock: number;
  readonly compile: number;
  readonly cpu: number;
}

/** From a list of rules to its program in the slot, as the daemon does it: what was compiled before is remembered. */
async function takeRules(engine: EbpfEngine, memo: ClassifierMemo, hook: HookRules): Promise<Spent> {
  // Counts of the generation before are taken over meanwhile, and what it was is noted.
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  do engine.poll();
  while (engine.nextDue() !== undefined);
  const usage = process.cpuUsage();
  const from = performance.now();
  const compiled = compileHook(hook, 'xdp', memo);
  const done = performance.now();
  const { problems } = engine.configure([wantedAt('xdp', compiled)]);
  const clock = performance.now() - from;
  const { user, system } = process.cpuUsage(usage);
  if (problems[0]) throw problems[0].error;
  return { clock, compile: done - from, cpu: (user + system) / 1000 };
}

/** One rule of many: the first time in the process, and then. */
async function ruleChanges(bed: EngineBed, count: number, times: number): Promise<Row[]> {
  const rows: Row[] = [];
  const base = policy(count, 'xdp');
  const other = policy(count, 'xdp', count >> 1).rules[count >> 1];
  if (!other) throw new Error('no rules');
  const engine = bed.engine();
  const memo = new ClassifierMemo();
  try {
    const first = await takeRules(engine, memo, base);
    rows.push(rowOf('all rules, at first', count, [first], undefined));
    for (const [name, change] of Object.entries(CHANGES)) {
      const spent: Spent[] = [];
      for (let i = 0; i <= times; i++) {
        spent.push(await takeRules(engine, memo, { ...base, rules: change(base.rules, other) }));
        await takeRules(engine, memo, base);
      }
      rows.push(rowOf(`one rule ${name}`, count, spent.slice(1), spent[0]));
    }
    return rows;
  } finally {
    engine.close(new Set(['xdp']));
  }
}

function rowOf(change: string, of: number, spent: readonly Spent[], first: Spent | undefined): Row {
  const sorted = (pick: (one: Spent) => number, q: number): number => quantile(Float64Array.from(spent, pick), q);
  return {
    change,
    of,
    way: 'weir, XDP',
    'first ms': first?.clock ?? '',
    'compile ms': sorted(({ compile }) => compile, 0.5),
    'CPU ms': sorted(({ cpu }) => cpu, 0.5),
    'p50 us': sorted(({ clock }) => clock, 0.5) * 1000,
    'p99 us': sorted(({ clock }) => clock, 0.99) * 1000,
  };
}

/** The moment of the change: another program in the slot that the stub calls. */
function slotChange(rules: number, times: number): Row {
  const loaded = [-1, rules >> 1].map((odd) => loadHook(compileHook(policy(rules, 'xdp', odd), 'xdp'), { name: 'weir_swap' }));
  const slots = BpfMap.create({ name: 'weir_slots', type: 'prog_array', maxEntries: 1 });
  try {
    const values = loaded.map(({ program }) => new Uint8Array(Int32Array.of(program.fd).buffer));
    const key = new Uint8Array(4);
    slots.update(key, values[0]!);
    const took = time(times, (i) => slots.update(key, values[(i + 1) % 2]!));
    return {
      change: 'the slot alone',
      of: rules,
      way: 'weir, XDP',
      'p50 us': quantile(took, 0.5) * 1000,
      'p99 us': quantile(took, 0.99) * 1000,
    };
  } finally {
    slots.close();
    for (const one of loaded) one.close();
  }
}

/** A reload that changes one rule, in the kernel worker, and members of a set that come while it goes on: how long they wait. */
async function reloads(count: number, times: number): Promise<Row[]> {
  const bed = await KernelPortBed.create();
  const mounted = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
  try {
    await bed.host.ip('link', 'add', 'here', 'type', 'veth', 'peer', 'name', 'there');
    const configs = [-1, count >> 1].map((odd) => bed.config(reloadText(join(mounted, 'weir'), count, odd)));
    const port = await bed.open();
    await port.configure(configs[0]!);
    await port.apply([delta(BAD, 2, true)]);
    const [took, alone, meanwhile]: [number[], number[], number[]] = [[], [], []];
    for (let i = 0; i <= times; i++) {
      await new Promise((resolve) => setTimeout(resolve, 3 * SETTLED_MS));
      let going = true;
      const from = performance.now();
      const done = port.configure(configs[(i + 1) % 2]!).then(() => {
        took.push(performance.now() - from);
        going = false;
      });
      while (going) meanwhile.push(await memberTime(port, meanwhile.length));
      await done;
      for (let one = 0; one < 20; one++) alone.push(await memberTime(port, one));
    }
    const [first = 0, ...others] = took;
    return [
      row('a reload with one rule changed', count, 'weir, kernel worker', others, { 'first ms': first }),
      row('a member, of 3', count, 'weir, nothing else', alone),
      row('a member, of 3', count, 'weir, meanwhile', meanwhile, { 'most us': Math.max(...meanwhile) * 1000 }),
    ];
  } finally {
    await bed.closePorts();
    clearEbpf(join(mounted, 'weir'), bed.host.path);
    await bed.close();
    await runCommand('umount', [mounted]);
    rmdirSync(mounted);
  }
}

/** From the call to its answer; milliseconds. */
async function memberTime(port: KernelPort, i: number): Promise<number> {
  const from = performance.now();
  await port.apply([delta(BAD + 1, 1, i % 2 === 0)]);
  return performance.now() - from;
}

function row(change: string, of: number, way: string, took: readonly number[], more: Row = {}): Row {
  const times = Float64Array.from(took);
  return { change, of, way, ...more, 'p50 us': quantile(times, 0.5) * 1000, 'p99 us': quantile(times, 0.99) * 1000 };
}

/** A configuration with a set that programs look into, and its policy. */
function reloadText(pins: string, count: number, odd: number): string {
  const rules = policy(count, 'xdp', odd).rules.slice(0, -1);
  const lines = rules.map(({ ref, expression, action }) =>
    JSON.stringify({ name: ref, hook: 'xdp', expression: printExpr(expression), action: action.kind }),
  );
  return `bgp: { as: 64512, router_id: 192.0.2.1, peers: [{ name: core, address: 192.0.2.2, as: 64512 }] }
sets:
  bad: { kind: deny, communities: ["64512:666"], guard: { peers: [core], prefixes: [10.0.0.0/8] }, on_session_loss: hold forever }
policy: [policy.yaml]
ebpf: { pin_directory: ${pins}, xdp: { interfaces: [here], on_exit: detach } }
---
default_action: deny
rules:
  - { name: listed, hook: xdp, expression: "ip.src in $bad", action: deny }
${lines.map((line) => `  - ${line}`).join('\n')}
`;
}

/** A process of nft that replaces the whole table, in one transaction. */
async function nftFile(bed: EngineBed, rules: number, times: number): Promise<Row> {
  const texts = [-1, rules >> 1].map((odd) =>
    printTable(compileRules([policy(rules, 'prerouting', odd)], [], { table: 'weir', linear: true, maps: false }).table),
  );
  const took: number[] = [];
  for (let i = 0; i < times; i++) {
    const text = `table inet weir\ndelete table inet weir\n${texts[i % 2]}`;
    const from = performance.now();
    await bed.host.nft(text);
    took.push(performance.now() - from);
  }
  await bed.host.nft('delete table inet weir');
  return {
    change: 'one rule',
    of: rules,
    way: 'nft -f, the whole table',
    'p50 us': quantile(took, 0.5) * 1000,
    'p99 us': quantile(took, 0.99) * 1000,
  };
}

function delta(first: number, count: number, wanted: boolean): MemberDelta {
  return {
    set: 'bad',
    family: 4,
    complete: false,
    count,
    words: Uint32Array.from({ length: count }, (_, i) => (first + 2 * i) >>> 0),
    lengths: new Uint8Array(count).fill(32),
    wanted: new Uint8Array(count).fill(wanted ? 1 : 0),
    oldest: 0,
  };
}

function memberChange(bed: EngineBed, members: number, times: number): Row {
  const engine = bed.engine();
  try {
    engine.configure([wantedAt('xdp', compileHook(denyListed('xdp'), 'xdp'))]);
    engine.apply([delta(BAD, members, true)]);
    const took = time(times, (i) => void engine.apply([delta(BAD + 1, 1, i % 2 === 0)]));
    return {
      change: 'one member',
      of: members,
      way: 'weir, XDP',
      'p50 us': quantile(took, 0.5) * 1000,
      'p99 us': quantile(took, 0.99) * 1000,
    };
  } finally {
    engine.close(new Set(['xdp']));
  }
}

/** One process of nft for each change, of a set with ranges. */
async function nftMember(bed: EngineBed, members: number, times: number): Promise<Row> {
  const elements = Array.from({ length: members }, (_, i) => printIp(ip4((BAD + 2 * i) >>> 0))).join(', ');
  await bed.host.nft(`table inet weir { set bad { type ipv4_addr; flags interval; elements = { ${elements} }; }; }`);
  const took: number[] = [];
  for (let i = 0; i < times; i++) {
    const from = performance.now();
    await bed.host.exec('nft', [i % 2 === 0 ? 'add' : 'delete', 'element', 'inet', 'weir', 'bad', `{ ${printIp(ip4(BAD + 1))} }`]);
    took.push(performance.now() - from);
  }
  await bed.host.nft('delete table inet weir');
  return {
    change: 'one member',
    of: members,
    way: 'nft, interval set',
    'p50 us': quantile(took, 0.5) * 1000,
    'p99 us': quantile(took, 0.99) * 1000,
  };
}

export const bench: Bench = {
  name: 'swap',
  summary: 'how long a change of one rule, and of one member of a set, takes until packets are judged by it',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const bed = await layEngineBed();
    const rows: Row[] = [];
    try {
      for (const rules of smoke ? [10] : [10, 1000, 10_000]) {
        rows.push(...(await ruleChanges(bed, rules, smoke ? 1 : rules > 1000 ? 10 : 20)));
        rows.push(slotChange(rules, smoke ? 10 : 1000));
        rows.push(await nftFile(bed, rules, smoke ? 2 : rules > 1000 ? 5 : 20));
      }
      for (const rules of smoke ? [10] : [10_000]) rows.push(...(await reloads(rules, smoke ? 1 : 6)));
      for (const members of smoke ? [100] : [1000, 100_000]) {
        rows.push(memberChange(bed, members, smoke ? 10 : 2000));
        rows.push(await nftMember(bed, members, smoke ? 2 : 20));
      }
    } finally {
      await bed.close();
    }
    return rows;
  },
};
