import { AssemblyError } from '@weir/ebpf/asm';
import {
  ClassifierMemo,
  type ClassifierOptions,
  type CompileEbpfOptions,
  type CompileResult,
  compileEbpf,
  prepareClassifier,
  prepareRules,
  type Variant,
  variantsOf,
} from '../compile/ebpf/index.ts';
import { programKeys } from '../compile/ebpf/program-key.ts';
import type { Refusal } from '../compile/refusal.ts';
import type { AttachPlace, WantedAttachment, WantedHook } from '../kernel/ebpf/index.ts';
import { attaches, type EbpfConfig, type EbpfHook, isEbpfHook } from '../model/ebpf.ts';
import type { CompiledHook } from '../model/ebpf-program.ts';
import type { HookRules } from '../model/rule.ts';
import { standIns } from './ebpf-stand-ins.ts';
import { atOnce } from './in-steps.ts';
import { sameData } from './same-data.ts';

/** What is wanted of a hook; where its rules cannot be said there are `refusals` instead of programs, and those before stay. */
export interface PlannedHook {
  readonly rules: HookRules;
  readonly wanted: WantedHook;
  readonly refusals: readonly Refusal[];
}

export interface PlanOptions {
  /** Whether the kernel has loops; true unless told. */
  readonly mayGoto?: boolean;
  /** Of hooks whose rules the kernel refuses: rules that were in force once, with what they are called. */
  readonly earlier?: { readonly what: string; readonly hooks: readonly HookRules[] } | undefined;
  /** For tests of what the kernel refuses. */
  readonly compileHook?: typeof compileEbpf;
}

/** What a configuration wants of eBPF: for each hook that is attached to something and has rules, its programs and their places. */
export function planHooks(ebpf: EbpfConfig, hooks: readonly HookRules[], options: PlanOptions = {}): readonly PlannedHook[] {
  return atOnce(planInSteps(ebpf, hooks, options));
}

/** `planHooks` in steps: a program is one, and before it a few rules of a long list, or a part of the tables that they become. */
export function* planInSteps(
  ebpf: EbpfConfig,
  hooks: readonly HookRules[],
  options: PlanOptions = {},
): Generator<undefined, readonly PlannedHook[]> {
  const variants = variantsOf(ebpf);
  const planned: PlannedHook[] = [];
  for (const rules of hooks) {
    const { hook } = rules;
    if (!isEbpfHook(hook) || !attaches(ebpf, hook)) continue;
    const own = variants.filter((variant) => variant.hook === hook);
    planned.push(yield* planHook(ebpf, rules, own, options));
  }
  return planned;
}

function* planHook(
  ebpf: EbpfConfig,
  rules: HookRules,
  variants: readonly Variant[],
  options: PlanOptions,
): Generator<undefined, PlannedHook> {
  const { hook } = rules;
  const result = yield* compileChanged(ebpf, rules, variants, options);
  const refusals = 'refusals' in result ? result.refusals : [];
  const before = options.earlier?.hooks.find((one) => one.hook === hook);
  const instead = standIns({
    rules,
    compile: (some, classifier) => {
      const made = atOnce(compileVariants(ebpf, some, variants, options, { classifier }));
      return 'programs' in made ? made.programs : undefined;
    },
    unsayable: refusals.map(({ rule }) => rule),
    earlier: before && options.earlier ? [{ what: options.earlier.what, rules: before }] : [],
  });
  // Where rules cannot be said the places are the same, judged by what is there.
  const programs = 'programs' in result ? result.programs : new Map<string, CompiledHook>();
  const attachments = variants.map((variant): WantedAttachment => {
    const place = placeOf(ebpf, hook, variant.name);
    const bridge = (): CompiledHook | undefined => {
      const made = atOnce(compileVariants(ebpf, rules, [{ ...variant, place: 'tc' }], options, { classifier: undefined }));
      return 'programs' in made ? made.programs.get(variant.name) : undefined;
    };
    return { place, variant: variant.name, ...(place.kind === 'xdp' && { bridge }) };
  });
  return { rules, wanted: { hook, programs, attachments, instead }, refusals };
}

type Compiled = { readonly programs: ReadonlyMap<string, CompiledHook> } | { readonly refusals: readonly Refusal[] };

/** Of each hook what was compiled last. */
const LAST = new Map<string, { readonly key: string; readonly rules: HookRules; readonly compiled: Compiled }>();

/** `compileVariants`, unless nothing has changed since the last time. */
function* compileChanged(
  ebpf: EbpfConfig,
  rules: HookRules,
  variants: readonly Variant[],
  options: PlanOptions,
): Generator<undefined, Compiled> {
  const key = JSON.stringify([variants.map(({ name, place }) => [name, place]), options.mayGoto !== false, ebpf.eventBuffer]);
  const last = LAST.get(rules.hook);
  if (last?.key === key && options.compileHook === undefined && sameData(last.rules, rules)) return last.compiled;
  const compiled = yield* compileVariants(ebpf, rules, variants, options);
  if (options.compileHook === undefined) LAST.set(rules.hook, { key, rules, compiled });
  return compiled;
}

/** The programs of every variant. `other`: of rules that stand in for the hook's, in this arrangement. */
function* compileVariants(
  ebpf: EbpfConfig,
  rules: HookRules,
  variants: readonly Variant[],
  { mayGoto = true, compileHook = compileEbpf }: PlanOptions,
  other?: { readonly classifier: ClassifierOptions | false | undefined },
): Generator<undefined, Compiled> {
  const programs = new Map<string, CompiledHook>();
  // Where rules do not tell interfaces apart, one program serves all.
  const keyOf = programKeys(rules);
  const byKey = new Map<string, CompiledHook>();
  for (const variant of variants) {
    const { name, place, known } = variant;
    const key = keyOf(variant);
    const shared = byKey.get(key);
    const classifier = other ? other.classifier : { memo: memoOf(rules.hook, name) };
    if (!shared) yield* prepare(rules, known, classifier && mayGoto ? classifier.memo : undefined);
    const result = shared
      ? { compiled: shared }
      : compile(compileHook, rules, { place, known, mayGoto, ...(classifier !== undefined && { classifier }) });
    if ('refusals' in result) return result;
    const compiled = shared ?? withEventBuffer(result.compiled, ebpf.eventBuffer);
    byKey.set(key, compiled);
    programs.set(name, compiled);
    if (!shared) yield;
  }
  return { programs };
}

/** What is planned at once. */
const LONG_LIST = 256;
/** Rules that are looked at in one step. */
const RULES_A_STEP = 64;

/** Does in steps what of compiling a long list takes longest. */
function* prepare({ rules }: HookRules, known: Variant['known'], memo: ClassifierMemo | undefined): Generator<undefined, void> {
  if (rules.length < LONG_LIST) return;
  for (let from = 0; from < rules.length; from += RULES_A_STEP) {
    prepareRules(rules.slice(from, from + RULES_A_STEP), known);
    yield;
  }
  if (memo) yield* prepareClassifier(rules, { known, memo });
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
function compile(compileHook: typeof compileEbpf, rules: HookRules, options: CompileEbpfOptions): CompileResult {
  try {
    return compileHook(rules, options);
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
