// How long a change takes: of one rule among many, and of one member of a set, in the kernel and from the call that asks for it.
import { BpfMap } from '@weir/ebpf/kernel';
import { ip4, printIp } from '@weir/wire/inet';
import { compileRules } from '../apps/weir/src/compile/nft/policy/index.ts';
import { printTable } from '../apps/weir/src/compile/nft/print.ts';
import { loadHook } from '../apps/weir/src/kernel/ebpf/index.ts';
import type { MemberDelta } from '../apps/weir/src/model/member-delta.ts';
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

/** Compiling, loading and putting into force, and the last of it alone. */
async function ruleChange(bed: EngineBed, rules: number, times: number): Promise<Row> {
  const engine = bed.engine();
  try {
    const compileMs = time(times, (i) => compileHook(policy(rules, 'xdp', i % 2 === 0 ? rules >> 1 : -1), 'xdp'));
    const versions = [-1, rules >> 1].map((odd) => wantedAt('xdp', compileHook(policy(rules, 'xdp', odd), 'xdp')));
    engine.configure([versions[0]!]);
    const loadMs: number[] = [];
    for (let i = 0; i < times; i++) {
      // Counts of the generation before are taken over meanwhile.
      await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
      engine.poll();
      loadMs.push(...time(1, () => void engine.configure([versions[(i + 1) % 2]!])));
    }
    return {
      change: 'one rule',
      of: rules,
      way: 'weir, XDP',
      'compile ms': quantile(compileMs, 0.5),
      'p50 us': quantile(loadMs, 0.5) * 1000,
      'p99 us': quantile(loadMs, 0.99) * 1000,
    };
  } finally {
    engine.close(new Set(['xdp']));
  }
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
      'compile ms': '',
      'p50 us': quantile(took, 0.5) * 1000,
      'p99 us': quantile(took, 0.99) * 1000,
    };
  } finally {
    slots.close();
    for (const one of loaded) one.close();
  }
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
    'compile ms': '',
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
      'compile ms': '',
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
    'compile ms': '',
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
        rows.push(await ruleChange(bed, rules, smoke ? 2 : rules > 1000 ? 10 : 50));
        rows.push(slotChange(rules, smoke ? 10 : 1000));
        rows.push(await nftFile(bed, rules, smoke ? 2 : rules > 1000 ? 5 : 20));
      }
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
