// What rules about connections cost a process that connects: programs at connect(2) beside the same rules in iptables' OUTPUT chain.
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { attachCgroup, findCgroup2 } from '@weir/ebpf/kernel';
import { ipSet, rangeSet, packetExpr as x } from '@weir/filter/ir';
import { ip4, printIp } from '@weir/wire/inet';
import { compileEbpf } from '../apps/weir/src/compile/ebpf/index.ts';
import { describeRefusal } from '../apps/weir/src/compile/refusal.ts';
import { testRule } from '../apps/weir/src/compile/test-rule.ts';
import { loadHook } from '../apps/weir/src/kernel/ebpf/index.ts';
import type { HookRules, Rule } from '../apps/weir/src/model/rule.ts';
import { type Host, Lab } from '../test/lab/index.ts';
import { type Bench, type BenchOptions, beside, quantile, type Row } from './bench.ts';

const PORT = 8080;
const CLIENT = join(import.meta.dirname, 'load/connect.py');

/** Where rule `i` denies connections to: nothing that the bench connects to. */
function denied(i: number): { readonly address: number; readonly port: number } {
  return { address: 0x0a000000 + i, port: 1 + (i % 5000) };
}

function policy(count: number): HookRules {
  const rules = Array.from({ length: count }, (_, i): Rule => {
    const { address, port } = denied(i);
    const to = [
      x.ip('ip.dst', ipSet([{ first: ip4(address), last: ip4(address) }])),
      x.int('tcp.dstport', rangeSet([{ first: port, last: port }])),
    ];
    return testRule(`rule-${i}`, x.and(to), { kind: 'deny' });
  });
  return { hook: 'connect', priority: 0, rules: [...rules, testRule('default', x.constant(true), { kind: 'allow' })] };
}

/** Times connections of a process in the cgroup. */
async function connect(host: Host, cgroup: string, connections: number): Promise<{ readonly p50: number; readonly p99: number }> {
  const { stdout } = await host.exec('python3', [CLIENT, cgroup, String(PORT), String(connections)]);
  // The first are not counted: caches are cold.
  const times = stdout
    .trim()
    .split('\n')
    .map(Number)
    .slice(Math.floor(connections / 10));
  return { p50: quantile(times, 0.5) / 1000, p99: quantile(times, 0.99) / 1000 };
}

async function byProgram(host: Host, cgroup: string, rules: number, connections: number): Promise<Row> {
  const result = compileEbpf(policy(rules), { place: 'connect4' });
  if (!('compiled' in result)) throw new Error(result.refusals.slice(0, 1).map(describeRefusal).join(''));
  const loaded = loadHook(result.compiled, { name: 'weir_bench' });
  try {
    const link = attachCgroup(loaded.program, cgroup, 'cgroup_inet4_connect');
    try {
      return { peer: 'weir, connect4', rules, ...micro(await connect(host, cgroup, connections)) };
    } finally {
      link.close();
    }
  } finally {
    loaded.close();
  }
}

async function byIptables(host: Host, cgroup: string, rules: number, connections: number): Promise<Row> {
  const lines = Array.from({ length: rules }, (_, i) => {
    const { address, port } = denied(i);
    return `-A OUTPUT -d ${printIp(ip4(address))} -p tcp --dport ${port} -j DROP`;
  });
  await host.exec('iptables-legacy-restore', [], { input: `*filter\n${lines.join('\n')}\nCOMMIT\n` });
  try {
    return { peer: 'iptables-legacy, OUTPUT', rules, ...micro(await connect(host, cgroup, connections)) };
  } finally {
    await host.exec('iptables-legacy', ['-F', 'OUTPUT']);
  }
}

function micro({ p50, p99 }: { readonly p50: number; readonly p99: number }): Row {
  return { 'p50 us': p50, 'p99 us': p99 };
}

export const bench: Bench = {
  name: 'connect',
  summary: 'microseconds of connect(2) over loopback with rules about connections',
  needsRoot: true,
  async run({ smoke }: BenchOptions) {
    const cgroup2 = findCgroup2();
    if (cgroup2 === undefined) return [{ peer: 'weir, connect4', note: 'there is no cgroup2 file system' }];
    const cgroup = join(cgroup2, `weir-bench-${process.pid}`);
    const connections = smoke ? 50 : 4000;
    const rows: Row[] = [];
    const lab = new Lab();
    mkdirSync(cgroup);
    try {
      const host = await lab.host('connect');
      await host.ip('link', 'set', 'lo', 'up');
      rows.push({ peer: 'no rules', rules: 0, ...micro(await connect(host, cgroup, connections)) });
      for (const rules of smoke ? [10] : [1, 1000, 10_000]) {
        rows.push(await byProgram(host, cgroup, rules, connections));
        rows.push(...(await beside('iptables-legacy', 'iptables-legacy', () => byIptables(host, cgroup, rules, connections))));
      }
    } finally {
      await lab.dispose();
      rmdirSync(cgroup);
    }
    const least = rows[0]?.['p50 us'];
    return rows.map((row) => ({ ...row, times: typeof least === 'number' ? Number(row['p50 us']) / least : '' }));
  },
};
