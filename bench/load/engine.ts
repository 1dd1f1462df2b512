// The eBPF engine over a veth pair, with a BPF file system of its own.
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Assembler, bindProgram } from '@weir/ebpf/asm';
import { BpfProgram, listInterfaces, probeFeatures, xdpContext } from '@weir/ebpf/kernel';
import { packetExpr as x } from '@weir/filter/ir';
import { finishChecksum, sumWords } from '@weir/filter/packet';
import { type ClassifierMemo, compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { describeRefusal } from '../../apps/weir/src/compile/refusal.ts';
import { testRule } from '../../apps/weir/src/compile/test-rule.ts';
import { clearEbpf, EbpfEngine, type WantedHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { CompiledHook } from '../../apps/weir/src/model/ebpf-program.ts';
import type { HookRules } from '../../apps/weir/src/model/rule.ts';
import { type Host, Lab, runCommand } from '../../test/lab/index.ts';

/** Frames that come in by `here` are judged; they are sent out of `there`. */
export const HERE = 'here';
const MAC = '02:00:00:00:00:01';
const XDP_TX = 3;

export interface EngineBed {
  readonly host: Host;
  readonly directory: string;
  engine(): EbpfEngine;
  close(): Promise<void>;
}

export async function layEngineBed(): Promise<EngineBed> {
  const mounted = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
  const lab = new Lab();
  const host = await lab.host('engine');
  await host.ip('link', 'add', HERE, 'type', 'veth', 'peer', 'name', 'there');
  await host.ip('link', 'set', HERE, 'address', MAC);
  for (const name of [HERE, 'there']) {
    await host.sysctl(`net.ipv6.conf.${name}.disable_ipv6`, 1);
    await host.exec('ethtool', ['-K', name, 'gro', 'on']);
    await host.ip('link', 'set', name, 'up');
  }
  const directory = join(mounted, 'weir');
  const features = probeFeatures({ pinDirectory: directory });
  return {
    host,
    directory,
    engine: () => EbpfEngine.open({ directory, netns: host.path, features, now: () => performance.now() }),
    close: async () => {
      clearEbpf(directory, host.path);
      await lab.dispose();
      await runCommand('umount', [mounted]);
      rmdirSync(mounted);
    },
  };
}

/** `memo`: what was compiled before. */
export function compileHook(rules: HookRules, place: 'xdp' | 'tc', memo?: ClassifierMemo): CompiledHook {
  const result = compileEbpf(rules, { place, ...(memo && { classifier: { memo } }) });
  if ('compiled' in result) return result.compiled;
  throw new Error(result.refusals.slice(0, 1).map(describeRefusal).join(''));
}

/** A program at XDP or at tc ingress of `here`. */
export function wantedAt(place: 'xdp' | 'tc', compiled: CompiledHook): WantedHook {
  const at =
    place === 'xdp'
      ? ({ kind: 'xdp', interface: HERE, mode: 'native' } as const)
      : ({ kind: 'tc', interface: HERE, direction: 'ingress' } as const);
  return { hook: place, programs: new Map([[place, compiled]]), attachments: [{ place: at, variant: place }] };
}

/** Denies what comes from a member of `bad`, and lets the rest go on. */
export function denyListed(hook: 'xdp' | 'tc'): HookRules {
  const listed = testRule('listed', x.list('ip.src', 'bad'), { kind: 'deny' });
  return { hook, priority: 0, rules: [listed, testRule('default', x.constant(true), { kind: 'allow' }, { stage: 'default' })] };
}

/** An Ethernet frame to `here` with UDP over IPv4. */
export function frameFrom(source: number): Uint8Array {
  const out = new Uint8Array(60);
  const view = new DataView(out.buffer);
  out.set(MAC.split(':').map((octet) => Number.parseInt(octet, 16)));
  out.set([8, 0, 0x45, 0, 0, 46, 0, 1, 0, 0, 64, 17], 12);
  view.setUint32(26, source);
  view.setUint32(30, 0xcb007105);
  view.setUint16(24, finishChecksum(sumWords(out.subarray(14, 34))));
  out.set([0x30, 0x39, 0, 53, 0, 26, 0, 0], 34);
  return out;
}

/** Sends frames out of `there` as fast as this CPU can, which judges them as well; milliseconds that it took. */
export function sendLive(host: Host, frame: Uint8Array, frames: number): number {
  const index = listInterfaces(host.path).find(({ name }) => name === 'there')?.index ?? 0;
  const program = BpfProgram.load({
    name: 'weir_source',
    type: 'xdp',
    instructions: bindProgram(new Assembler().mov('r0', XDP_TX).exit().assemble(), {}),
  });
  try {
    const from = performance.now();
    program.run({ data: frame, context: xdpContext(frame.length, index), repeat: frames, live: { batch: 64, netns: host.path } });
    return performance.now() - from;
  } finally {
    program.close();
  }
}
