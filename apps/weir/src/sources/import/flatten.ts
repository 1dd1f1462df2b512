import { type Condition, PROTOCOL } from './condition.ts';
import { type Conjunction, conjoin, onlyProtocol } from './conjunction.ts';
import { MAX_NESTING, MAX_RULES } from './limits.ts';
import type { BaseChain, Chain, Clause, ClauseAction, ImportHook, Limit, RejectWith } from './program.ts';
import { type Entry, note, type Status } from './report.ts';

/** A place in the rules of a hook that a skip leads to: the next rule after it. */
export interface Label {
  readonly kind: 'label';
}

export type FlatAction =
  | { readonly kind: 'allow' | 'deny' | 'log' }
  | { readonly kind: 'reject'; readonly with: RejectWith }
  | { readonly kind: 'mark'; readonly mark: number }
  | { readonly kind: 'rate-limit'; readonly limit: Limit }
  | { readonly kind: 'skip'; readonly to: Label };

/** A rule without chains: the first that matches and ends decides. */
export interface FlatRule {
  readonly kind: 'rule';
  readonly match: Conjunction;
  readonly action: FlatAction;
  /** It is the policy of a base chain. */
  readonly policy: boolean;
  /** A rate that is not yet part of the action. */
  readonly limit: Limit | undefined;
  /** The calls that lead here, outermost first, and the item itself. */
  readonly entries: readonly Entry[];
  readonly comment: string | undefined;
}

export type FlatItem = FlatRule | Label;

/** The chains of one hook, as they are called one after the other. */
export interface FlatHook {
  readonly hook: ImportHook;
  readonly items: readonly FlatItem[];
}

/** Thrown inside this folder alone, where a bound is exceeded. */
export class ImportLimitError extends Error {
  readonly entry: Entry;

  constructor(entry: Entry, message: string) {
    super(message);
    this.name = 'ImportLimitError';
    this.entry = entry;
  }
}

interface Walk {
  readonly hook: ImportHook;
  readonly items: FlatItem[];
  readonly used: Set<Chain>;
  rules: number;
  /** Clauses looked at: chains that call each other can be many more than the rules that come of them. */
  steps: number;
  readonly maxRules: number;
}

/** Where a chain was called from. */
interface Call {
  readonly base: BaseChain;
  /** Where an accept goes on: the next base chain that sees the packet. Undefined: it ends. */
  readonly accepted: Label | undefined;
  readonly conditions: readonly Condition[];
  readonly entries: readonly Entry[];
  readonly comment: string | undefined;
  /** Where the end of the chain leads. */
  readonly back: Label;
  readonly open: readonly Chain[];
}

/**
 * Unfolds the base chains of a hook: what a called chain says is said in the caller's place, with the conditions of the call. RETURN and goto become skips.
 * An accept ends one base chain alone, so it skips to the next. ImportLimitError when there would be more than `maxRules` rules.
 */
export function flattenHook(hook: ImportHook, chains: readonly BaseChain[], used: Set<Chain>, maxRules: number = MAX_RULES): FlatHook {
  const walk: Walk = { hook, items: [], used, rules: 0, steps: 0, maxRules };
  const starts = chains.map((): Label => ({ kind: 'label' }));
  chains.forEach((base, i) => {
    const start = starts[i];
    if (start) walk.items.push(start);
    const end: Label = { kind: 'label' };
    const later = chains.findIndex(
      (other, j) => j > i && (other.family === undefined || base.family === undefined || other.family === base.family),
    );
    const family: readonly Condition[] = base.family === undefined ? [] : [{ kind: 'family', family: base.family }];
    const accepted = starts[later];
    const call: Call = { base, accepted, conditions: family, entries: [], comment: undefined, back: end, open: [base.chain] };
    unfold(walk, base.chain, call);
    walk.items.push(end);
    finishBase(walk, base, accepted, family);
  });
  finishOther(walk, chains);
  return { hook, items: walk.items };
}

/** After a chain of both families there may be chains of one family alone: what is of the other has been accepted by then. */
function finishOther(walk: Walk, chains: readonly BaseChain[]): void {
  const last = chains.findLastIndex((c) => c.family === undefined);
  const after = new Set(chains.slice(last + 1).map((c) => c.family));
  const both = chains[last];
  const match = both && after.size === 1 ? conjoin([{ kind: 'family', family: after.has(4) ? 6 : 4 }], walk.hook) : undefined;
  if (!both || !match) return;
  const { entry } = both.chain;
  push(
    walk,
    { kind: 'rule', match, action: { kind: 'allow' }, limit: undefined, policy: true, entries: [entry], comment: undefined },
    entry,
  );
}

/** The policy of a base chain, as a rule for what comes to its end. */
function finishBase(walk: Walk, base: BaseChain, accepted: Label | undefined, family: readonly Condition[]): void {
  const match = conjoin(family, walk.hook);
  if (!match || (base.policy === 'accept' && accepted)) return;
  const action: FlatAction = { kind: base.policy === 'drop' ? 'deny' : 'allow' };
  push(
    walk,
    { kind: 'rule', match, action, limit: undefined, policy: true, entries: [base.chain.entry], comment: undefined },
    base.chain.entry,
  );
}

function push(walk: Walk, rule: FlatRule, entry: Entry): void {
  if (++walk.rules > walk.maxRules) throw tooMany(walk, entry);
  walk.items.push(rule);
}

function tooMany(walk: Walk, entry: Entry): ImportLimitError {
  return new ImportLimitError(
    entry,
    `the chains of hook ${walk.hook} unfold to more than ${walk.maxRules} rules, which is the limit of an import`,
  );
}

function unfold(walk: Walk, chain: Chain, call: Call): void {
  walk.used.add(chain);
  const { clauses } = chain;
  for (let i = 0; i < clauses.length; i++) {
    const clause = clauses[i];
    if (!clause) continue;
    const overDrop = returnsUnderRate(clause, clauses[i + 1]);
    if (overDrop) i++;
    step(walk, overDrop ?? clause, call);
  }
}

/** `limit ... RETURN` and then `DROP` of the same packets: what is over the rate is dropped. */
function returnsUnderRate(clause: Clause, next: Clause | undefined): Clause | undefined {
  if (clause.action.kind !== 'return' || clause.limit === undefined || clause.limit.over) return undefined;
  if (next?.action.kind !== 'drop' || next.limit !== undefined) return undefined;
  if (JSON.stringify(clause.conditions, bigints) !== JSON.stringify(next.conditions, bigints)) return undefined;
  return { ...next, limit: { ...clause.limit, over: true }, comment: next.comment ?? clause.comment };
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `${value}` : value;
}

function step(walk: Walk, clause: Clause, call: Call): void {
  const { entry, action, limit } = clause;
  if (++walk.steps > 10 * walk.maxRules) throw tooMany(walk, entry);
  if (beforeTracking(call.base) && clause.conditions.some((c) => c.kind === 'state')) {
    note(entry, 'the chain comes before connection tracking', 'unsupported');
    return;
  }
  if (walk.hook !== 'output' && clause.conditions.some((c) => c.kind === 'text' && c.user === true)) {
    note(entry, `a policy sees the user of a socket at hook output alone, not at ${walk.hook}`, 'unsupported');
    return;
  }
  const conditions = [...call.conditions, ...clause.conditions];
  const match = conjoin(conditions, walk.hook);
  if (!match) {
    note(entry, `matches no packet at hook ${walk.hook}`);
    return;
  }
  const entries = [...call.entries, entry];
  const comment = clause.comment ?? call.comment;
  const flat = answerable(flatAction(action, call), match, entry);
  if (flat) push(walk, { kind: 'rule', match, action: flat, limit, policy: false, entries, comment }, entry);
  else if (action.kind === 'jump' || action.kind === 'goto') enter(walk, clause, action, conditions, match, call);
}

/** Only TCP is answered with a reset. */
function answerable(action: FlatAction | undefined, match: Conjunction, entry: Entry): FlatAction | undefined {
  if (action?.kind !== 'reject' || action.with !== 'tcp-reset' || onlyProtocol(match) === PROTOCOL.tcp) return action;
  note(entry, 'the answer is port-unreachable: only TCP is answered with a reset', 'approximated');
  return { kind: 'reject', with: 'port-unreachable' };
}

/** Connections are looked up at priority -200 of these hooks. */
function beforeTracking({ hook, priority }: BaseChain): boolean {
  return priority <= -200 && (hook === 'prerouting' || hook === 'output');
}

/** Undefined for calls of chains. */
function flatAction(action: ClauseAction, call: Call): FlatAction | undefined {
  switch (action.kind) {
    case 'accept':
      return call.accepted ? { kind: 'skip', to: call.accepted } : { kind: 'allow' };
    case 'drop':
      return { kind: 'deny' };
    case 'return':
      return { kind: 'skip', to: call.back };
    case 'jump':
    case 'goto':
      return undefined;
    case 'log':
      return { kind: 'log' };
    case 'reject':
    case 'mark':
      return action;
  }
}

function enter(
  walk: Walk,
  clause: Clause,
  action: { readonly kind: 'jump' | 'goto'; readonly chain: string },
  conditions: readonly Condition[],
  match: Conjunction,
  call: Call,
): void {
  const { entry } = clause;
  const target = call.base.callable.get(action.chain);
  const refusal = target ? refuse(clause, target, call) : ([`there is no chain ${action.chain}`, 'error'] as const);
  if (!target || refusal) {
    if (refusal) note(entry, ...refusal);
    return;
  }
  const back: Label = { kind: 'label' };
  const entries = [...call.entries, entry];
  const comment = clause.comment ?? call.comment;
  const inner = { ...call, entries, comment, back, open: [...call.open, target] };
  if (conditions.some((c) => c.kind === 'text' && c.mark === true) && changesMark(target, call.base, new Set())) {
    // The chain changes what its call asks for: the call is asked once, by a skip past it.
    const otherwise: Label = { kind: 'label' };
    const body: Label = { kind: 'label' };
    push(walk, { kind: 'rule', match, action: { kind: 'skip', to: body }, limit: undefined, policy: false, entries, comment }, entry);
    // The family is the base chain's, which no rule changes.
    const family = conditions.filter((c) => c.kind === 'family');
    const everything = conjoin(family, walk.hook);
    if (everything)
      push(
        walk,
        { kind: 'rule', match: everything, action: { kind: 'skip', to: otherwise }, limit: undefined, policy: false, entries, comment },
        entry,
      );
    walk.items.push(body);
    unfold(walk, target, { ...inner, conditions: family });
    walk.items.push(back);
    if (action.kind === 'goto' && everything)
      push(
        walk,
        { kind: 'rule', match: everything, action: { kind: 'skip', to: call.back }, limit: undefined, policy: false, entries, comment },
        entry,
      );
    walk.items.push(otherwise);
    return;
  }
  unfold(walk, target, { ...inner, conditions });
  walk.items.push(back);
  // What comes to the end of a chain that was gone to does not return to this one, but to its caller.
  if (action.kind === 'goto')
    push(walk, { kind: 'rule', match, action: { kind: 'skip', to: call.back }, limit: undefined, policy: false, entries, comment }, entry);
}

/** Why a chain is not entered, and what that makes of the clause. */
function refuse(clause: Clause, target: Chain, call: Call): readonly [string, Status] | undefined {
  if (call.open.includes(target)) return [`chain ${target.name} calls itself`, 'error'];
  if (call.open.length >= MAX_NESTING) {
    throw new ImportLimitError(clause.entry, `chains call each other more than ${MAX_NESTING} deep, which is the limit of an import`);
  }
  if (clause.limit) return ['calls a chain at a limited rate; a policy has no such thing', 'unsupported'];
  if (target.clauses.length === 0 && clause.action.kind === 'jump') return [`chain ${target.name} is empty`, 'nothing'];
  return undefined;
}

function changesMark(chain: Chain, base: BaseChain, seen: Set<Chain>): boolean {
  if (seen.has(chain)) return false;
  seen.add(chain);
  return chain.clauses.some(({ action }) => {
    if (action.kind === 'mark') return true;
    const target = action.kind === 'jump' || action.kind === 'goto' ? base.callable.get(action.chain) : undefined;
    return target !== undefined && changesMark(target, base, seen);
  });
}
