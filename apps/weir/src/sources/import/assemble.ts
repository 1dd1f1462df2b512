import type { Family } from '@weir/wire/inet';
import type { Conjunction } from './conjunction.ts';
import { type FlatItem, type FlatRule, flattenHook, ImportLimitError, type Label } from './flatten.ts';
import { pairLists } from './pair-families.ts';
import { actionFields, hash, type Lists, type MatchFields, matchFields } from './policy-rule.ts';
import { type BaseChain, type Chain, HOOKS, type ImportHook, type NamedSet, type Program } from './program.ts';
import { settleRates } from './rates.ts';
import { type Entry, note, printable } from './report.ts';
import { ruleName } from './rule-name.ts';

/** A rule of the policy file. */
export interface ImportedRule {
  readonly name: string;
  readonly ref: string;
  readonly hook: ImportHook;
  readonly description: string | undefined;
  readonly match: MatchFields;
  readonly action: Readonly<Record<string, string | number>>;
  /** Of a skip: where it leads; undefined is the default. */
  readonly skipTo: string | undefined;
  /** 65535 for what is to stay last; undefined is the default. */
  readonly priority: number | undefined;
  /** Items of the input that it came of. */
  readonly entries: readonly Entry[];
}

export interface ImportedPolicy {
  readonly defaultAction: 'allow' | 'deny';
  readonly rules: readonly ImportedRule[];
  readonly lists: ReadonlyMap<string, readonly string[]>;
  /** Named sets that the rules refer to and that are to be filled. */
  readonly toFill: readonly NamedSet[];
  /** Families that the input says nothing about, by hook. */
  readonly unjudged: readonly { readonly hook: ImportHook; readonly family: Family }[];
}

/** A rule of one hook on its way: its fields are known, its ref is not. */
interface Draft {
  readonly rules: readonly FlatRule[];
  readonly fields: MatchFields;
  readonly action: Readonly<Record<string, string | number>>;
  readonly priority: number | undefined;
  /** It lets this family through, which the input does not judge. */
  readonly other: Family | undefined;
}

/** Turns a program into a policy. What is lost on the way is noted in the entries. Undefined when a bound was exceeded or an entry is in error. */
export function assemble(program: Program, maxRules?: number): ImportedPolicy | undefined {
  const used = new Set<Chain>();
  const lists: Lists = new Map();
  const unjudged: { hook: ImportHook; family: Family }[] = [];
  const defaultAction = program.baseChains.some((c) => c.policy === 'drop') ? 'deny' : 'allow';
  const rules: ImportedRule[] = [];
  const names = new Set<string>();
  try {
    for (const hook of HOOKS) {
      const chains = program.baseChains.filter((c) => c.hook === hook).sort((a, b) => a.priority - b.priority);
      if (chains.length === 0 || !judges(chains)) continue;
      const items = settleRates(flattenHook(hook, chains, used, maxRules).items);
      const drafts = keepLast(dropDefaults(draftHook(hook, chains, items, lists, unjudged), defaultAction));
      rules.push(...nameRules(hook, drafts, items, names));
    }
  } catch (error) {
    if (!(error instanceof ImportLimitError)) throw error;
    note(error.entry, error.message, 'error');
  }
  noteUnused(program, used);
  if (program.entries.some((e) => e.status === 'error')) return undefined;
  const named = new Set(rules.flatMap((r) => [...(r.match.expression ?? '').matchAll(/\$([a-z0-9_.]+)/g)].map((m) => m[1])));
  const wanted = program.sets.filter((s) => named.has(s.name));
  for (const set of wanted) if (set.members) lists.set(set.name, set.members);
  return {
    defaultAction,
    rules,
    lists,
    toFill: wanted
      .filter((s) => s.members === undefined)
      .map((s) => ({ ...s, original: printable(s.original), purpose: printable(s.purpose) })),
    unjudged,
  };
}

/** Whether anything can happen to a packet in these chains. */
function judges(chains: readonly BaseChain[]): boolean {
  return chains.some((c) => c.policy === 'drop' || c.chain.clauses.length > 0);
}

function noteUnused(program: Program, used: ReadonlySet<Chain>): void {
  for (const { callable, chain } of program.baseChains) {
    for (const other of [chain, ...callable.values()]) {
      if (used.has(other)) continue;
      for (const clause of other.clauses) if (clause.entry.refs.length === 0) note(clause.entry, `no rule leads to chain ${other.name}`);
    }
  }
}

/** The rules of a hook with their fields, in order. */
function draftHook(
  hook: ImportHook,
  chains: readonly BaseChain[],
  items: readonly FlatItem[],
  lists: Lists,
  unjudged: { hook: ImportHook; family: Family }[],
): Draft[] {
  const rules = withoutIdleSkips(items);
  const single = chains.every((c) => c.family !== undefined);
  const families = new Set(chains.map((c) => c.family));
  if (!single) return rules.flatMap((rule) => draft([rule], rule.match, true, lists));
  const of = (family: Family): readonly FlatRule[] => rules.filter((r) => r.match.family === family);
  if (families.size === 1) {
    const family: Family = families.has(4) ? 6 : 4;
    unjudged.push({ hook, family });
    const first: Draft = {
      rules: [],
      fields: { source_cidrs: [family === 6 ? '::/0' : '0.0.0.0/0'] },
      action: { action: 'allow' },
      priority: undefined,
      other: family,
    };
    return [first, ...of(family === 4 ? 6 : 4).flatMap((rule) => draft([rule], rule.match, false, lists))];
  }
  const keys = new Map<FlatRule, string>();
  for (const rule of rules) {
    const fields = rule.action.kind === 'skip' ? undefined : matchFields(rule.match, false, lists);
    if (fields) keys.set(rule, JSON.stringify([fields, actionFields(rule.action), rule.policy]));
  }
  return pairLists(of(4), of(6), (rule) => keys.get(rule)).flatMap(({ a, b }) => {
    const both = [a, b].filter((r) => r !== undefined);
    const first = both[0];
    return first ? draft(both, first.match, both.length === 1, lists) : [];
  });
}

function draft(rules: readonly FlatRule[], match: Conjunction, withFamily: boolean, lists: Lists): Draft[] {
  const first = rules[0];
  const fields = matchFields(match, withFamily, lists);
  if (!first) return [];
  if (!fields) {
    for (const rule of rules) {
      const entry = rule.entries.at(-1);
      if (entry) note(entry, 'its expression would be longer than the filter language allows', 'unsupported');
    }
    return [];
  }
  return [{ rules, fields, action: actionFields(first.action), priority: undefined, other: undefined }];
}

/** Without skips that lead to the very next rule. */
function withoutIdleSkips(items: readonly FlatItem[]): readonly FlatRule[] {
  const out: FlatRule[] = [];
  const ahead = new Set<Label>();
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i];
    if (!item) continue;
    if (item.kind === 'label') ahead.add(item);
    else if (!(item.action.kind === 'skip' && ahead.has(item.action.to))) {
      out.push(item);
      ahead.clear();
    }
  }
  return out.reverse();
}

/** The policies of the last chains say what the default says; one rule stays when there is no other, so that the hook has a default. */
function dropDefaults(drafts: Draft[], defaultAction: 'allow' | 'deny'): Draft[] {
  while (drafts.length > 1) {
    const last = drafts.at(-1);
    if (!last || !isPolicy(last) || last.action['action'] !== defaultAction) break;
    drafts.pop();
  }
  return drafts;
}

function isPolicy(d: Draft): boolean {
  return d.rules.length > 0 && d.rules.every((r) => r.policy);
}

/** Policies at the end stay behind what is added later. Those of chains that others follow stand where they are. */
function keepLast(drafts: readonly Draft[]): Draft[] {
  const after = drafts.findLastIndex((d) => !isPolicy(d));
  return drafts.map((d, i) => (i > after ? { ...d, priority: 65_535 } : d));
}

/** Gives names and refs, which only the content decides (and, among equals, their order), and resolves skips. */
function nameRules(hook: ImportHook, drafts: readonly Draft[], items: readonly FlatItem[], names: Set<string>): ImportedRule[] {
  const refs = new Map<string, number>();
  const slugs = new Map<string, number>();
  const named = drafts.map((d) => {
    const chain = d.action['action'] === 'skip' ? d.rules[0]?.entries.map((e) => e.text).join('\n') : undefined;
    const content = hash(JSON.stringify([hook, d.fields, d.action, chain]));
    const times = (refs.get(content) ?? 0) + 1;
    refs.set(content, times);
    const suffix = times === 1 ? content : `${content}-${times}`;
    const slug = ruleName(hook, d.fields, d.action, isPolicy(d), d.other);
    slugs.set(slug, (slugs.get(slug) ?? 0) + 1);
    return { draft: d, ref: `${hook}-${suffix}`, suffix, slug };
  });
  const refOf = new Map<FlatRule, string>();
  for (const { draft: d, ref } of named) {
    for (const rule of d.rules) {
      refOf.set(rule, ref);
      for (const entry of rule.entries) if (entry.refs.at(-1) !== ref) entry.refs.push(ref);
    }
  }
  const targets = resolveLabels(items, refOf);
  return named.map(({ draft: d, ref, suffix, slug }) => {
    const name = slugs.get(slug) === 1 && !names.has(slug) ? slug : `${slug}-${suffix}`;
    names.add(name);
    const action = d.rules[0]?.action;
    return {
      name,
      ref,
      hook,
      description: describe(d),
      match: d.fields,
      action: d.action,
      skipTo: action?.kind === 'skip' ? targets.get(action.to) : undefined,
      priority: d.priority,
      entries: [...new Set(d.rules.flatMap((r) => r.entries))],
    };
  });
}

const MAX_DESCRIPTION = 500;

function describe(d: Draft): string | undefined {
  if (d.other !== undefined) return `IPv${d.other} is not judged by what was imported`;
  const comments = [...new Set(d.rules.flatMap((r) => (r.comment === undefined ? [] : [r.comment])))];
  return comments.length === 0 ? undefined : printable(comments.join('; ').slice(0, MAX_DESCRIPTION));
}

/** For each label the ref of the next rule that there still is. */
function resolveLabels(items: readonly FlatItem[], refOf: ReadonlyMap<FlatRule, string>): ReadonlyMap<Label, string | undefined> {
  const out = new Map<Label, string | undefined>();
  let next: string | undefined;
  for (let i = items.length - 1; i >= 0; i--) {
    const item = items[i];
    if (!item) continue;
    if (item.kind === 'label') out.set(item, next);
    else next = refOf.get(item) ?? next;
  }
  return out;
}
