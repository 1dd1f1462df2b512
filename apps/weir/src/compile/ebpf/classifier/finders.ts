import type { Label } from '@weir/ebpf/asm';
import type { HookRules } from '../../../model/rule.ts';
import type { RuleAssembler } from '../layout.ts';
import type { JudgeContext } from '../program-context.ts';
import type { Classifier, Vectors } from './build.ts';
import { emitClass } from './emit-class.ts';
import { emitValues } from './emit-values.ts';
import { emitRecord } from './entry-table.ts';
import type { Forests } from './forests.ts';
import type { ClassifierSymbols } from './needs.ts';
import { findsKind, hasKind, ruleKinds } from './rule-kinds.ts';
import type { Finder, SearchSlots } from './search.ts';
import { type LoopParts, SearchLoop } from './search-loop.ts';
import { type TreeParts, TreeSearch, type TreeSlots } from './tree-search.ts';
import { type Slots, VectorReader } from './vector-reader.ts';

interface FinderOptions {
  readonly symbols: ClassifierSymbols;
  readonly context: JudgeContext;
  readonly impossible: Label;
}

/** How rules are found in the tables of a classifier. */
export function finderFor(asm: RuleAssembler, hook: HookRules, classifier: Classifier, options: FinderOptions): Finder {
  const { tables } = classifier;
  return tables.kind === 'trees'
    ? treeFinder(asm, hook, classifier, tables, options)
    : vectorFinder(asm, hook, classifier, tables, options);
}

function treeFinder(asm: RuleAssembler, hook: HookRules, classifier: Classifier, forests: Forests, options: FinderOptions): Finder {
  const { symbols, context, impossible } = options;
  const slot = slotsIn(context);
  const { words } = forests.layout;
  // The stack grows downwards.
  const many = words === 3 ? 4 : words;
  const places = Array.from({ length: many }, (_, word) => slot(`value ${many - word}`));
  const values = places.at(-1) ?? 0;
  if ((places[0] ?? 0) - values !== (many - 1) * 8) throw new RangeError('the values of a classifier are not one after the other');
  const { residuals, starts } = classifier.plan;
  const kinds = ruleKinds(hook.rules);
  const resumes = residuals.length > 0 || findsKind(kinds, starts, 'act') || findsKind(kinds, starts, 'skip');
  const slots: TreeSlots = {
    ...searchSlots(classifier, slot),
    values,
    roots: slot('roots'),
    zero: slot('zero'),
    cursors: resumes ? forests.depths.map((_, tree) => slot(`tree ${tree}`)) : [],
    from: resumes ? slot('from') : 0,
  };
  const parts: TreeParts = {
    classifier,
    forests,
    slots,
    symbols: { nodes: symbols.tables[0] ?? '', records: symbols.tables[1] ?? '', entries: symbols.entries },
    impossible,
    resumes,
    forgets: forgetsOf(hook, context),
  };
  const { place, facts } = context;
  return {
    slots,
    values: () => emitValues(asm, { place, facts, forests, tables: symbols.tables.slice(2), slots, impossible }),
    search: (name) => new TreeSearch(asm, name, parts),
    record: () => emitRecord(asm, symbols.entries, classifier.capacity, impossible),
  };
}

function vectorFinder(asm: RuleAssembler, hook: HookRules, classifier: Classifier, vectors: Vectors, options: FinderOptions): Finder {
  const { symbols, context, impossible } = options;
  const { dimensions, geometry } = vectors;
  const slot = slotsIn(context);
  const slots: Slots = {
    vectors: dimensions.map(({ dimension }) => slot(dimension.name)),
    summaryAt: slot('summary at'),
    summary: slot('summary'),
    wordAt: slot('word at'),
    word: slot('word'),
    ...searchSlots(classifier, slot),
  };
  const reader = new VectorReader(asm, vectors, { slots, entries: symbols.entries, impossible });
  const record = (): void => emitRecord(asm, symbols.entries, classifier.capacity, impossible);
  const parts: LoopParts = { vectors, reader, record, slots, entries: symbols.entries, impossible, forgets: forgetsOf(hook, context) };
  const { place, facts } = context;
  return {
    slots,
    values: () => {
      for (const [index, tables] of dimensions.entries()) {
        const names = { search: symbols.tables[index * 2] ?? '', vectors: symbols.tables[index * 2 + 1] ?? '' };
        emitClass(asm, tables, names, slots.vectors[index] ?? 0, { place, facts, geometry, impossible });
      }
    },
    search: (name) => new SearchLoop(asm, name, parts),
    record,
  };
}

function slotsIn({ facts }: JudgeContext): (name: string) => number {
  return (name) => {
    const made = facts.slot(`classifier ${name}`);
    if (made === undefined) throw new RangeError('no room on the stack for a classifier');
    return made;
  };
}

function searchSlots({ plan }: Classifier, slot: (name: string) => number): SearchSlots {
  const code = (name: string): number => (plan.residuals.length === 0 ? 0 : slot(name));
  return { found: slot('found'), resume: code('resume'), wanted: code('wanted'), held: code('held') };
}

function forgetsOf(hook: HookRules, { facts }: JudgeContext): { readonly scratch: boolean; readonly buffer: boolean } {
  const acts = hasKind(ruleKinds(hook.rules), 'act');
  return { scratch: acts, buffer: acts && facts.usesBuffer };
}
