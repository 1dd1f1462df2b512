import { AssemblyError } from '@weir/ebpf/asm';
import {
  ClassifierMemo,
  type CompileEbpfOptions,
  type CompileResult,
  compileEbpf,
  type Variant,
  variantsOf,
} from '../compile/ebpf/index.ts';
import { programKeys } from '../compile/ebpf/program-key.ts';
import type { Refusal } from '../compile/refusal.ts';
import type { AttachPlace, WantedAttachment, WantedHook } from '../kernel/ebpf/index.ts';
import { attaches, type EbpfConfig, type EbpfHook, isEbpfHook } from '../model/ebpf.ts';
import type { CompiledHook } from '../model/ebpf-program.ts';
import type { HookRules } from '../model/rule.ts';

/** What is wanted of a hook; where its rules cannot be said there are `refusals` instead of programs, and those before stay. */
export interface PlannedHook {
  readonly rules: HookRules;
  readonly wanted: WantedHook;
  readonly refusals: readonly Refusal[];
}

/** What a configuration wants of eBPF: for each hook that is attached to something and has rules, its programs and their places. `mayGoto` says whether the kernel has loops. */
export function planHooks(ebpf: EbpfConfig, hooks: readonly HookRules[], mayGoto = true): readonly PlannedHook[] {
  const variants = variantsOf(ebpf);
  return hooks.flatMap((rules): PlannedHook[] => {
    const { hook } = rules;
    if (!isEbpfHook(hook) || !attaches(ebpf, hook)) return [];
    return [
      planHook(
        ebpf,
        rules,
        variants.filter((variant) => variant.hook === hook),
        mayGoto,
      ),
    ];
  });
}

function planHook(ebpf: EbpfConfig, rules: HookRules, variants: readonly Variant[], mayGoto: boolean): PlannedHook {
  const programs = new Map<string, CompiledHook>();
  const attachments: WantedAttachment[] = [];
  // Where rules do not tell interfaces apart, one program serves all.
  const keyOf = programKeys(rules);
  const byKey = new Map<string, CompiledHook>();
  for (const variant of variants) {
    const { name, place, known } = variant;
    const key = keyOf(variant);
    const shared = byKey.get(key);
    const result = shared
      ? { compiled: shared }
      : compile(rules, { place, known, mayGoto, classifier: { memo: memoOf(rules.hook, name) } });
    if ('refusals' in result) return { rules, wanted: unchanged(ebpf, rules.hook, variants), refusals: result.refusals };
    const compiled = shared ?? withEventBuffer(result.compiled, ebpf.eventBuffer);
    byKey.set(key, compiled);
    programs.set(name, compiled);
    attachments.push({ place: placeOf(ebpf, rules.hook, name), variant: name });
  }
  return { rules, wanted: { hook: rules.hook, programs, attachments }, refusals: [] };
}

/** Tables of long lists of rules that have stayed as they were, by hook and variant: of each what was built last. */
const MEMOS = new Map<string, ClassifierMemo>();

function memoOf(hook: string, variant: string): ClassifierMemo {
  const key = `${hook} ${variant}`;
  const known = MEMOS.get(key);
  if (known) return known;
  const made = new ClassifierMemo();
  MEMOS.set(key, made);
  return made;
}

/** A program that becomes too long for its jumps is a refusal of the hook. */
function compile(rules: HookRules, options: CompileEbpfOptions): CompileResult {
  try {
    return compileEbpf(rules, options);
  } catch (error) {
    if (!(error instanceof AssemblyError)) throw error;
    const refusal = {
      hook: rules.hook,
      rule: undefined,
      construct: 'program',
      message: error.message,
      span: undefined,
      provenance: undefined,
    };
    return { refusals: [refusal] };
  }
}

/** The same places, judged by what is there. */
function unchanged(ebpf: EbpfConfig, hook: string, variants: readonly Variant[]): WantedHook {
  const attachments = variants.map(({ name }) => ({ place: placeOf(ebpf, hook, name), variant: name }));
  return { hook, programs: new Map(), attachments };
}

function withEventBuffer(compiled: CompiledHook, maxEntries: number): CompiledHook {
  const maps = compiled.maps.map((need) => (need.kind === 'events' ? { ...need, shape: { ...need.shape, maxEntries } } : need));
  return { ...compiled, maps };
}

function placeOf({ xdp, connect }: EbpfConfig, hook: string, variant: string): AttachPlace {
  if (hook === 'xdp') return { kind: 'xdp', interface: variant, mode: xdp?.mode ?? 'auto' };
  if (hook === 'tc') {
    const [direction, ...name] = variant.split(' ');
    return { kind: 'tc', interface: name.join(' '), direction: direction === 'egress' ? 'egress' : 'ingress' };
  }
  if (variant === 'connect4' || variant === 'connect6' || variant === 'sendmsg4' || variant === 'sendmsg6')
    return { kind: 'cgroup', path: connect?.cgroup ?? '', at: variant };
  throw new TypeError(`there is no place for ${hook} ${variant}`);
}

/** The hooks whose programs are taken off when the daemon ends by itself. */
export function detachedOnExit({ xdp, tc, connect }: EbpfConfig): ReadonlySet<string> {
  const hooks: readonly (readonly [EbpfHook, string | undefined])[] = [
    ['xdp', xdp?.onExit],
    ['tc', tc?.onExit],
    ['connect', connect?.onExit],
  ];
  return new Set(hooks.flatMap(([hook, onExit]) => (onExit === 'detach' ? [hook] : [])));
}
