import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FeatureName, type FeatureReport, PIN_DIRECTORY, PinDirectory, probeFeatures } from '@weir/ebpf/kernel';
import { type Prefix, prefix } from '@weir/wire/inet';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { compileEbpf } from '../../apps/weir/src/compile/ebpf/index.ts';
import { namedSets, writtenRule } from '../../apps/weir/src/compile/test-rule.ts';
import { clearEbpf, EbpfEngine, type WantedAttachment, type WantedHook } from '../../apps/weir/src/kernel/ebpf/index.ts';
import type { CompiledHook, Place } from '../../apps/weir/src/model/ebpf-program.ts';
import type { MemberDelta } from '../../apps/weir/src/model/member-delta.ts';
import type { Action, HookRules, Rule } from '../../apps/weir/src/model/rule.ts';
import { type Host, runCommand } from '../lab/index.ts';

export function rule(ref: string, text: string, action: Action = { kind: 'deny' }, more: Partial<Rule> = {}): Rule {
  return writtenRule(ref, text, action, more, namedSets('web', 'bad', 'other'));
}

export const allow: Rule = rule('default', 'ip.ttl >= 0 or not ip.ttl >= 0', { kind: 'allow' }, { stage: 'default' });

export function compiled(place: Place, rules: readonly Rule[], name: HookRules['hook'] = 'prerouting'): CompiledHook {
  const hook: HookRules = { hook: name, priority: 0, rules };
  const result = compileEbpf(hook, { place });
  if (!('compiled' in result)) throw new Error(result.refusals.map(({ message }) => message).join('; '));
  return result.compiled;
}

/** A hook with one program for all its attachments. */
export function wanted(hook: 'xdp' | 'tc', rules: readonly Rule[], ...places: readonly WantedAttachment['place'][]): WantedHook {
  return {
    hook,
    programs: new Map([[hook, compiled(hook, rules)]]),
    attachments: places.map((place) => ({ place, variant: hook })),
  };
}

export const xdp = (name: string, mode: 'auto' | 'native' | 'generic' = 'auto') => ({ kind: 'xdp', interface: name, mode }) as const;
export const tc = (name: string, direction: 'ingress' | 'egress') => ({ kind: 'tc', interface: name, direction }) as const;

let number = 0;
let report: FeatureReport | undefined;

export function features(without: readonly FeatureName[] = []): FeatureReport {
  const pinDirectory = mounted ?? PIN_DIRECTORY;
  if (without.length > 0) return probeFeatures({ without, pinDirectory });
  report ??= probeFeatures({ pinDirectory });
  return report;
}

let mounted: string | undefined;

/** A BPF file system of the test's own, for the time of a file of tests. */
export function mountBpf(): void {
  beforeAll(async () => {
    mounted = mkdtempSync(join(tmpdir(), 'weir-bpffs-'));
    await runCommand('mount', ['-t', 'bpf', 'bpf', mounted]);
  });
  afterAll(async () => {
    if (mounted === undefined) return;
    await runCommand('umount', [mounted]);
    rmdirSync(mounted);
  });
}

/** A pin directory of the test's own, which is cleared and removed when it is over. */
export function pinDirectory(netns?: string): string {
  const path = join(mounted ?? PIN_DIRECTORY, `weir-${number++}`);
  onTestFinished(() => {
    clearEbpf(path, netns);
  });
  PinDirectory.open(path);
  return path;
}

/** Where a BPF file system is mounted for this file of tests. */
export function bpfMount(): string {
  if (mounted === undefined) throw new Error('mountBpf was not called');
  return mounted;
}

/** An engine that is closed when the test is over. */
export function engine(directory: string, host: Host, without: readonly FeatureName[] = [], now = () => performance.now()): EbpfEngine {
  const made = EbpfEngine.open({ directory, netns: host.path, features: features(without), now });
  onTestFinished(() => made.close());
  return made;
}

/** A delta of IPv4 members; `-` before one removes it. */
export function delta(set: string, members: readonly string[], complete = false): MemberDelta {
  const prefixes = members.map((text): { prefix: Prefix; wanted: number } => {
    const parsed = prefix(text.replace(/^-/, ''));
    return { prefix: parsed, wanted: text.startsWith('-') ? 0 : 1 };
  });
  return {
    set,
    family: 4,
    complete,
    count: prefixes.length,
    words: Uint32Array.from(prefixes, ({ prefix }) => prefix.w0),
    lengths: Uint8Array.from(prefixes, ({ prefix }) => prefix.length),
    wanted: Uint8Array.from(prefixes, ({ wanted }) => wanted),
    oldest: 0,
  };
}
