import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { BpfMap, sumCpus } from '@weir/ebpf/kernel';
import { packetExpr as x } from '@weir/filter/ir';
import { expect } from 'vitest';
import { COUNTERS, compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { testRule } from '../../apps/weir/src/compile/test-rule.ts';
import { type LoadedHook, loadHook, PROGRAM_TYPES } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { CompiledHook, MapNeed, Place } from '../../apps/weir/src/model/ebpf-program.ts';
import type { HookRules, RateLimit, Rule } from '../../apps/weir/src/model/rule.ts';
import { keep, load, u32, u64 } from './ebpf-bed.ts';

const everything = testRule('rest', x.constant(true), { kind: 'deny' }, { stage: 'default' });

/** A rule that limits everything; what is over the limit goes on to the last rule, so that it is counted there. */
export function limitRule(limit: RateLimit, ref = 'limit', more: Partial<Rule> = {}): Rule {
  return testRule(ref, x.constant(true), { kind: 'rate-limit', limit }, { audit: true, ...more });
}

export function limitHook(...rules: readonly Rule[]): HookRules {
  return { hook: 'prerouting', priority: 0, rules: [...rules, everything] };
}

function compileLimits(hook: HookRules, place: Place): CompiledHook {
  const result = compileEbpf(hook, { place, tellRule: true });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  return result.compiled;
}

/** The hook's program, closed when the test is over. `provide` gives maps that other programs have as well. */
export function loadLimits(hook: HookRules, place: Place = 'tc', provide?: (need: MapNeed) => BpfMap | undefined): LoadedHook {
  return keep(loadHook(compileLimits(hook, place), { name: 'weir_limits', ...(provide && { provide }) }));
}

/** Buckets that another program has made. */
export function sharing({ maps }: LoadedHook): (need: MapNeed) => BpfMap | undefined {
  return (need) => (need.kind === 'limits' ? maps.get(need.symbol) : undefined);
}

/** Packets that a rule has counted. */
export function counted({ maps }: LoadedHook, rule: number): number {
  const values = maps.get(COUNTERS)?.lookup(new Uint8Array(Uint32Array.of(rule).buffer));
  return Number(sumCpus(values ?? new Uint8Array(0), 16)[0]);
}

/** Whether a packet is under the limit. */
export function under({ program }: LoadedHook, data: Uint8Array): boolean {
  return (program.run({ data, discard: true }).result & 1) === 1;
}

/** An Ethernet frame with UDP over IPv4; addresses as numbers. */
export function udp4(source: number, destination = 0xcb007105, octets = 28): Uint8Array {
  const frame = new Uint8Array(14 + octets);
  const view = new DataView(frame.buffer);
  frame.set([8, 0, 0x45, 0, octets >>> 8, octets & 0xff, 0, 1, 0, 0, 64, 17], 12);
  view.setUint32(26, source);
  view.setUint32(30, destination);
  frame.set([0x30, 0x39, 0, 53, (octets - 20) >>> 8, (octets - 20) & 0xff, 0, 0], 34);
  return frame;
}

/** The same over IPv6, from 2001:db8: and the six words given. */
export function udp6(...source: readonly number[]): Uint8Array {
  const frame = new Uint8Array(14 + 48);
  const view = new DataView(frame.buffer);
  frame.set([0x86, 0xdd, 0x60, 0, 0, 0, 0, 8, 17, 64, 0x20, 0x01, 0x0d, 0xb8], 12);
  for (const [at, word] of source.entries()) view.setUint16(26 + 2 * at, word);
  frame.set([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5], 38);
  frame.set([0x30, 0x39, 0, 53, 0, 8, 0, 0], 54);
  return frame;
}

/** Runs a program at XDP so often, each time with the next IPv4 source. */
export function flooding({ program }: LoadedHook, first: number): (times: number) => void {
  const next = keep(BpfMap.create({ name: 'next', type: 'array', valueSize: 8, maxEntries: 1 }));
  const programs = keep(BpfMap.create({ name: 'programs', type: 'prog_array', maxEntries: 1 }));
  programs.update(u32(0), u32(program.fd));
  next.update(u32(0), u64(first));
  const flood = load(
    { name: 'weir_flood', ...PROGRAM_TYPES.xdp },
    (asm) => {
      const short = asm.label();
      asm
        .mov('r6', 'r1')
        .load('r2', 'u32', 'r1', 0)
        .load('r3', 'u32', 'r1', 4)
        .mov('r4', 'r2')
        .alu('r4', '+=', 34)
        .jump('r4', '>', 'r3', short);
      asm.mapValue('r5', 'next', 0).load('r1', 'u64', 'r5', 0).alu('r1', '+=', 1).store('u64', 'r5', 0, 'r1');
      asm.byteOrder('r1', 'be', 32).store('u32', 'r2', 26, 'r1').tailCall('r6', 'programs', 0);
      asm.place(short).mov('r0', 0).exit();
    },
    [next, programs],
  );
  keep(flood);
  return (times) => void flood.run({ data: udp4(0), discard: true, repeat: times });
}

/** A process that is ready to run a program over a packet so often. */
export async function startElsewhere(id: number, frame: Uint8Array, times: number): Promise<{ run(): Promise<void> }> {
  const script = fileURLToPath(new URL('./ebpf-limits-load.ts', import.meta.url));
  const args = ['--conditions=source', '--import', 'tsx', script, String(id), Buffer.from(frame).toString('hex'), String(times)];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'], timeout: 60_000 });
  const ended = once(child, 'exit');
  await once(child.stdout, 'data');
  return {
    async run() {
      child.stdin.end('\n');
      expect(await ended).toEqual([0, null]);
    },
  };
}
