import type { Hook } from '@weir/filter/scheme';
import type { NamedSet } from '../../../model/named-set.ts';
import type { HookRules } from '../../../model/rule.ts';
import { type FieldName, fieldInfo, type SliceField } from '../fields.ts';
import type { ChainHook, ChainImage, MapKey, Match, MeterImage, RuleImage, TableImage } from '../image.ts';
import { isInterface } from '../map-keys.ts';
import { ownedSets } from '../owned-sets.ts';
import { ChainBook, hasRoom } from './chains.ts';
import { compileFlows } from './flows/compile-flows.ts';
import { flowListOf } from './flows/units-of.ts';
import { asksTransport, fromLaterFragments, rulesOfLaterFragments, toLaterFragments } from './later-fragments.ts';
import { arrangeInMaps } from './lookups.ts';
import type { CompileMemo } from './memo.ts';
import type { NftProblem } from './problem.ts';
import { Programs, type ProgramsOptions, type ProgramUse } from './programs.ts';
import { askedMaps, reachable } from './reachable.ts';
import { type Arrange, Sequence } from './sequence.ts';
import { arrangeAsTree, TREE_DEPTH, TREE_WAYS } from './tree.ts';

export interface CompileOptions {
  /** Name of the table, of the family inet. */
  readonly table: string;
  /** nfnetlink_log group that logged packets go to. */
  readonly logGroup?: number;
  /** One rule after another, as they are written: what long lists are measured against. */
  readonly linear?: boolean;
  /** Long lists as trees alone, without maps of several fields: what these are measured against. */
  readonly maps?: boolean;
  /** What is asked by eBPF programs inside the rules; what nf_tables cannot say when absent. */
  readonly programs?: ProgramUse;
  /** Addresses of more ranges than this are looked up by programs, where these are used. */
  readonly mostRanges?: number;
  /** Connections are tracked in the namespace even where no rule of this table asks for their state: eBPF programs do. */
  readonly tracking?: boolean;
  /** Whether there are problems is all that is asked: the table is not to be used. */
  readonly onlyCheck?: boolean;
  /** What the rules came to last time; it is left with what they come to now. */
  readonly memo?: CompileMemo | undefined;
}

export interface CompiledRules {
  /** Without the rules that `problems` are about: not to be used when there is one. */
  readonly table: TableImage;
  readonly problems: readonly NftProblem[];
}

export const LOG_GROUP = 64;

const HOOKS: readonly Hook[] = ['prerouting', 'input', 'forward', 'output'];
/** Conntrack puts fragments together here; before it they are seen. */
const DEFRAGMENTATION = -400;

/**
 * Rules in the order of judgement as a table: a base chain for each hook, and the chains and maps that they lead to. Deterministic; names come from what is in them,
 * so that a change of one rule changes few of them.
 */
export function compileRules(hooks: readonly HookRules[], sets: readonly NamedSet[], options: CompileOptions): CompiledRules {
  const { memo } = options;
  const names = sets.map((set) => set.name);
  const book = memo?.begin(JSON.stringify([ownedNames(sets), names, options.logGroup, options.mostRanges])) ?? new ChainBook();
  const [apart, others] = [hooks.filter(isOfFlows), hooks.filter((hook) => !isOfFlows(hook))];
  const compiled = compileInto(book, others, sets, options);
  memo?.end();
  return addFlowHooks(compiled, apart, sets, options);
}

/** Whether a hook has flow rules alone: what they come to has nothing to do with the other hooks. */
export function isOfFlows(hook: HookRules): boolean {
  return hook.priority <= DEFRAGMENTATION && chainHook(hook) !== undefined && flowListOf(hook) !== undefined;
}

/** A table, compiled without them, with the hooks of flow rules. */
export function addFlowHooks(
  { table, problems }: CompiledRules,
  hooks: readonly HookRules[],
  sets: readonly NamedSet[],
  options: CompileOptions,
): CompiledRules {
  const found = hooks.flatMap((hook) => {
    const at = chainHook(hook);
    if (!at) return [];
    const { priority, rules } = hook;
    const name = baseName(at, priority);
    const effects = { group: options.logGroup ?? LOG_GROUP };
    return (
      compileFlows({ hook: at, priority, rules }, { name, effects, programs: programsOptions(sets, options), memo: options.memo?.flows }) ??
      []
    );
  });
  if (found.length === 0) return { table, problems };
  const [maps, lookups, programs] = [
    [...(table.maps ?? []), ...found.flatMap((one) => one.maps)],
    [...(table.lookups ?? []), ...found.flatMap((one) => one.lookups)],
    [...new Map([...(table.programs ?? []), ...found.flatMap((one) => one.programs)].map((program) => [program.name, program])).values()],
  ];
  return {
    table: {
      ...table,
      ...(maps.length === 0 ? {} : { maps }),
      ...(lookups.length === 0 ? {} : { lookups }),
      ...(programs.length === 0 ? {} : { programs }),
      chains: table.chains.concat(...found.map((one) => one.chains)),
    },
    problems: [...problems, ...found.flatMap((one) => one.problems)],
  };
}

function chainHook({ hook }: HookRules): ChainHook | undefined {
  return HOOKS.find((one) => one === hook) as ChainHook | undefined;
}

function programsOptions(sets: readonly NamedSet[], options: CompileOptions): ProgramsOptions {
  const { programs: use = 'needed', mostRanges, onlyCheck } = options;
  return { owned: new Set(ownedNames(sets)), all: new Set(sets.map((set) => set.name)), use, mostRanges, onlyCheck };
}

function ownedNames(sets: readonly NamedSet[]): readonly string[] {
  return sets.filter((set) => set.target.kind === 'owned').map((set) => set.name);
}

function compileInto(book: ChainBook, hooks: readonly HookRules[], sets: readonly NamedSet[], options: CompileOptions): CompiledRules {
  const owned = sets.filter((set) => set.target.kind === 'owned');
  const { memo } = options;
  const problems: NftProblem[] = [];
  const meters: MeterImage[] = [];
  const base: ChainImage[] = [];
  /** Chains that only chains of `base` lead to. */
  const apart: ChainImage[] = [];
  const arranging =
    (known: CompileMemo | undefined): Arrange =>
    (rules, slug, run) => {
      if (options.linear) return rules;
      if (options.maps === false) return arrangeAsTree(rules, slug, String(run), book);
      return arrangeInMaps(rules, slug, run, book, known && ((keyed) => known.layersOf(`${slug} ${run}`, keyed)));
    };
  const [arrange, arrangeAfresh] = [arranging(memo), arranging(undefined)];
  const programs = new Programs(book, programsOptions(sets, options));
  const effects = { group: options.logGroup ?? LOG_GROUP };
  for (const hook of hooks) {
    const name = chainHook(hook);
    if (!name) {
      const message = `nf_tables has no hook ${hook.hook}: use the eBPF engine for its rules`;
      problems.push({
        code: 'nft-hook',
        hook: hook.hook,
        rule: undefined,
        construct: hook.hook,
        message,
        span: undefined,
        provenance: undefined,
      });
      continue;
    }
    const parts = { book, programs, effects, problems, meters };
    const sequence = new Sequence(hook, { ...parts, arrange, memo: options.memo });
    const { priority } = hook;
    const own = baseName(name, priority);
    const rules = sequence.compile();
    if (priority <= DEFRAGMENTATION && asksTransport(hook)) {
      const later = { name: `${own}_later`, hook: undefined };
      apart.push({
        ...later,
        rules: [
          ...fromLaterFragments(),
          ...new Sequence(rulesOfLaterFragments(hook), { ...parts, arrange: arrangeAfresh, memo: undefined }).compile(),
        ],
      });
      rules.unshift(...toLaterFragments(later.name));
    }
    base.push({ name: own, hook: name, ...(priority === 0 ? {} : { priority }), rules });
  }
  const led = [...apart, ...base];
  const chains = [...reachable(book.chains, [...book.maps, ...book.lookups], led), ...led];
  // A way of putting a list that came to nothing has left maps behind.
  const asked = askedMaps(chains);
  const maps = book.maps.filter((map) => asked.has(map.name));
  const lookups = book.lookups.filter((map) => asked.has(map.name));
  const early = hooks.filter((hook) => hook.priority <= DEFRAGMENTATION);
  const late = early.length < hooks.length;
  const transport = late && chains.some((chain) => chain.rules.some(readsTransport));
  const payload = late && chains.some((chain) => chain.rules.some(asksPayload));
  const tracked = chains.some((chain) => chain.rules.some(readsState));
  if ((transport || payload) && !tracked) chains.unshift(DEFRAGMENT);
  else if (options.tracking && !tracked) chains.unshift(TRACK);
  const used = new Set(chains.flatMap((chain) => chain.rules.flatMap(({ matches }) => matches.map(programOf))));
  const matchPrograms = book.programs.filter((program) => used.has(program.name));
  const table: TableImage = {
    name: options.table,
    sets: owned.flatMap(ownedSets),
    ...(meters.length === 0 ? {} : { meters: unique(meters) }),
    ...(maps.length === 0 ? {} : { maps }),
    ...(lookups.length === 0 ? {} : { lookups }),
    ...(matchPrograms.length === 0 ? {} : { programs: matchPrograms }),
    chains,
  };
  return { table, problems };
}

/**
 * The problems that `compileRules` has with these rules. Lists are arranged as trees only where that can be one: where rules lie deep, or skip others.
 */
export function checkRules(hooks: readonly HookRules[], sets: readonly NamedSet[], options: CompileOptions): readonly NftProblem[] {
  const skips = hooks.some((hook) => hook.rules.some((rule) => rule.action.kind === 'skip'));
  if (!skips) {
    const book = new ChainBook();
    const { table, problems } = compileInto(book, hooks, sets, { ...options, linear: true, onlyCheck: true });
    const room = table.chains.every((chain) => chain.hook === undefined || hasRoom(book.shapeOf(chain.rules), TREE_DEPTH, TREE_WAYS));
    if (problems.length === 0 && room) return problems;
  }
  return compileRules(hooks, sets, { ...options, onlyCheck: true }).problems;
}

/** `input`, and `input_m150` for a priority of -150. */
function baseName(hook: ChainHook, priority: number): string {
  return priority === 0 ? hook : `${hook}_${priority < 0 ? 'm' : ''}${Math.abs(priority)}`;
}

/** Nothing leads here: a rule that asks for states has the kernel track connections. */
const TRACK: ChainImage = {
  name: 'track',
  hook: undefined,
  rules: [
    { name: 'connections are tracked', matches: [{ kind: 'connection', states: ['new'] }], count: false, verdict: { kind: 'continue' } },
  ],
};

/**
 * Nothing jumps to it. That a rule asks for the state of connections has fragments put together before the hooks; the kernel would read the ports of a later fragment
 * where its data are.
 */
const DEFRAGMENT: ChainImage = {
  name: 'defragment',
  hook: undefined,
  rules: [
    { name: 'fragments are put together', matches: [{ kind: 'connection', states: ['new'] }], count: false, verdict: { kind: 'continue' } },
  ],
};

function readsTransport(rule: RuleImage): boolean {
  const { verdict } = rule;
  const keys: readonly MapKey[] = verdict.kind === 'map' ? [verdict.field] : verdict.kind === 'lookup' ? verdict.keys : [];
  return keys.some((key) => !isInterface(key) && inTransport(key)) || rule.matches.some(isTransport);
}

function isTransport(match: Match): boolean {
  return (match.kind === 'field' || match.kind === 'bits') && inTransport(match.field);
}

function inTransport(field: FieldName | SliceField): boolean {
  const { load } = fieldInfo(field);
  return load.kind === 'payload' && load.base === 'transport';
}

/** Programs see fragments as they are: they are put together all the same, so that nobody gets past by splitting a packet. */
function asksPayload(rule: RuleImage): boolean {
  return rule.matches.some((match) => match.kind === 'program' && match.transport);
}

function programOf(match: Match): string | undefined {
  return match.kind === 'program' ? match.program : undefined;
}

function readsState(rule: RuleImage): boolean {
  return rule.matches.some((match) => match.kind === 'connection');
}

function unique<T extends { readonly name: string }>(items: readonly T[]): T[] {
  return [...new Map(items.map((item) => [item.name, item])).values()];
}
