import { type AssembledProgram, Assembler, type Label } from '@weir/ebpf/asm';
import type { HookRules, Rule } from '../../model/rule.ts';
import { type Refusal, Unsayable } from '../refusal.ts';
import { emitExpression, type Known } from './expression.ts';
import { Facts } from './facts.ts';
import { emitFindHeaders } from './find-headers.ts';
import { CONTEXT, type Place, type RuleAssembler, STACK } from './layout.ts';

/** The members of a named set of one family, as prefixes in an LPM trie with a value of one octet. */
export interface ListMap {
  /** As the program names it. */
  readonly symbol: string;
  readonly list: string;
  readonly family: 4 | 6;
}

/** The program of one hook. */
export interface CompiledHook {
  readonly place: Place;
  readonly program: AssembledProgram<Rule>;
  readonly lists: readonly ListMap[];
  /** Rule by counter: a per-CPU array named COUNTERS, of { packets u64 · octets u64 } for each rule in order. */
  readonly rules: readonly Rule[];
}

/** The name of the map with the counters of the rules. */
export const COUNTERS = 'counters';

/** What a program returns for a packet that it lets go on, and for one that it does not. */
const VERDICTS: Readonly<Record<Place, { readonly allow: number; readonly deny: number }>> = {
  // XDP_PASS, XDP_DROP.
  xdp: { allow: 2, deny: 1 },
  // TCX_NEXT (TC_ACT_UNSPEC): what else is attached judges as well. TC_ACT_SHOT.
  tc: { allow: -1, deny: 2 },
  network: { allow: 1, deny: 0 },
};

export interface CompileEbpfOptions {
  readonly place: Place;
  /** For test runs: the result is the verdict (1 allows, 0 denies) with the number of the deciding rule, from 1, shifted left by 8. */
  readonly tellRule?: boolean;
  readonly known?: Known | undefined;
}

export type CompileResult = { readonly compiled: CompiledHook } | { readonly refusals: readonly Refusal[] };

/**
 * The rules of one hook as straight code, one rule after the other: what an eBPF program of a few rules is. What it cannot do comes back as refusals, each with the construct's
 * place.
 */
export function compileEbpf(hook: HookRules, { place, known, tellRule = false }: CompileEbpfOptions): CompileResult {
  const refusals: Refusal[] = [];
  const lists = new Map<string, ListMap>();
  const facts = new Facts();
  const listMap = (list: string, family: 4 | 6): string => {
    const symbol = `${list} ${family}`;
    lists.set(symbol, { symbol, list, family });
    return symbol;
  };
  const rules = new Assembler<Rule>('rules');
  emitRules(rules, hook, { place, known, facts, listMap, refuse: (refusal) => refusals.push(refusal), tellRule });
  if (refusals.length > 0) return { refusals };
  const asm = new Assembler<Rule>('main');
  emitProgram(asm, hook, { place, known, facts, listMap, refuse: () => undefined, tellRule });
  return { compiled: { place, program: asm.assemble({ unreachable: 'remove' }), lists: [...lists.values()], rules: hook.rules } };
}

interface RulesContext {
  readonly place: Place;
  readonly known: Known | undefined;
  readonly facts: Facts;
  readonly listMap: (list: string, family: 4 | 6) => string;
  readonly refuse: (refusal: Refusal) => void;
  readonly tellRule: boolean;
}

/** The facts are known once the rules have been written: so they are written twice, the second time behind the facts. */
function emitProgram(asm: RuleAssembler, hook: HookRules, context: RulesContext): void {
  const impossible = asm.label('no packet');
  asm.mov(CONTEXT, 'r1');
  emitFindHeaders(asm, context.place, impossible);
  context.facts.emit(asm, context.place);
  emitRules(asm, hook, context);
  asm.place(impossible).mov('r0', VERDICTS[context.place].deny).exit();
}

function emitRules(asm: RuleAssembler, hook: HookRules, context: RulesContext): void {
  const starts = hook.rules.map((rule) => asm.label(rule.ref));
  const end = asm.label('no rule');
  const verdicts = { allow: asm.label('allow'), deny: asm.label('deny') };
  for (const [index, rule] of hook.rules.entries()) {
    const start = starts[index];
    const next = starts[index + 1] ?? end;
    if (start === undefined) continue;
    asm.place(start).within(rule, () => {
      try {
        emitRule(asm, hook, { rule, index, next, end, starts, verdicts }, context);
      } catch (error) {
        if (!(error instanceof Unsayable)) throw error;
        const { construct, message, span } = error;
        context.refuse({ hook: hook.hook, rule: rule.ref, construct, message, span, provenance: rule.provenance });
      }
    });
  }
  asm.place(end).mov('r9', 0);
  emitVerdict(asm, context, 'allow', verdicts.allow);
  emitVerdict(asm, context, 'deny', verdicts.deny);
}

interface OneRule {
  readonly rule: Rule;
  readonly index: number;
  readonly next: Label;
  readonly end: Label;
  readonly starts: readonly Label[];
  readonly verdicts: { readonly allow: Label; readonly deny: Label };
}

function emitRule(asm: RuleAssembler, hook: HookRules, one: OneRule, context: RulesContext): void {
  const { rule, index, next, verdicts } = one;
  const { action } = rule;
  const refused = (construct: string): Unsayable => new Unsayable(`an eBPF program at ${context.place}`, construct);
  if (rule.log || rule.audit) throw refused(rule.log ? 'log' : 'audit');
  const hit = asm.label('it matches');
  emitExpression({ asm, depth: 0, ...context }, rule.expression, { yes: hit, no: next });
  asm.place(hit);
  switch (action.kind) {
    case 'allow':
    case 'deny':
      // From here on r9 is the number of the rule.
      asm.mov('r9', index + 1).goto(action.kind === 'allow' ? verdicts.allow : verdicts.deny);
      return;
    case 'skip': {
      const target =
        action.to === undefined
          ? hook.rules.findIndex(({ stage }) => stage === 'default')
          : hook.rules.findIndex(({ ref }) => ref === action.to);
      emitCount(asm, index);
      asm.goto(one.starts[target] ?? one.end);
      return;
    }
    case 'mark':
      if (context.place !== 'tc') throw refused('mark');
      asm.mov('w1', action.mark).store('u32', CONTEXT, 8, 'r1');
      emitCount(asm, index);
      asm.goto(next);
      return;
    default:
      throw refused(action.kind);
  }
}

/** Counts a packet for a rule that does not end the judgement. */
function emitCount(asm: RuleAssembler, index: number): void {
  const missing = asm.label('no counter');
  // All eight octets, so that the verifier forgets what was there.
  asm.store('u64', 'r10', STACK.scratch, index);
  count(asm, missing);
  asm.place(missing);
}

/** For the counter whose number is in the scratch octets. r0 to r5 are lost. */
function count(asm: RuleAssembler, missing: Label): void {
  asm.mov('r2', 'r10').alu('r2', '+=', STACK.scratch).map('r1', COUNTERS).call('map_lookup_elem').jump('r0', '==', 0, missing);
  asm.load('r1', 'u64', 'r0', 0).alu('r1', '+=', 1).store('u64', 'r0', 0, 'r1');
  asm.load('r2', 'u64', 'r10', STACK.length).load('r1', 'u64', 'r0', 8).alu('r1', '+=', 'r2').store('u64', 'r0', 8, 'r1');
}

/** Counts for the rule in r9, where there is one, and ends the program. */
function emitVerdict(asm: RuleAssembler, { place, tellRule }: RulesContext, verdict: 'allow' | 'deny', label: Label): void {
  const done = asm.label('counted');
  asm.place(label).jump('r9', '==', 0, done);
  asm.mov('r1', 'r9').alu('r1', '-=', 1).store('u64', 'r10', STACK.scratch, 'r1');
  count(asm, done);
  asm.place(done);
  if (tellRule)
    asm
      .mov('r0', 'r9')
      .alu('r0', '<<=', 8)
      .alu('r0', '|=', verdict === 'allow' ? 1 : 0)
      .exit();
  else asm.mov('r0', VERDICTS[place][verdict]).exit();
}
