import { Assembler, AssemblyError, type Label } from '@weir/ebpf/asm';
import type { IrSpan } from '@weir/filter/ir';
import type { CompiledHook, MapNeed, Place } from '../../model/ebpf-program.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { type Refusal, Unsayable } from '../refusal.ts';
import { emitAct } from './act.ts';
import { buildClassifier, type Classifier, type ClassifierOptions, emitClassified, needClassifier, TooLarge } from './classifier/index.ts';
import { emitFindDestination, isConnectPlace, knownAtConnect } from './connect/index.ts';
import { counters, emitCount } from './counters.ts';
import type { Known } from './expression.ts';
import { Facts } from './facts.ts';
import { emitFindHeaders } from './find-headers.ts';
import { emitInOrder } from './judge-in-order.ts';
import { CONTEXT, NETWORK_AT, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from './layout.ts';
import { type JudgeContext, RULE, type Verdicts } from './program-context.ts';
import { ruleTable } from './rule-table.ts';

/** What a program returns for a packet that it lets go on, and for one that it does not. */
const VERDICTS: Readonly<Record<Place, { readonly allow: number; readonly deny: number }>> = {
  // XDP_PASS, XDP_DROP.
  xdp: { allow: 2, deny: 1 },
  // TCX_NEXT (TC_ACT_UNSPEC): what else is attached judges as well. TC_ACT_SHOT.
  tc: { allow: -1, deny: 2 },
  network: { allow: 1, deny: 0 },
  // What denies gives the process EPERM.
  connect4: { allow: 1, deny: 0 },
  connect6: { allow: 1, deny: 0 },
  sendmsg4: { allow: 1, deny: 0 },
  sendmsg6: { allow: 1, deny: 0 },
};

export interface CompileEbpfOptions {
  readonly place: Place;
  /** For test runs: the result is the verdict (1 allows, 0 denies) with the number of the deciding rule, from 1, shifted left by 8. */
  readonly tellRule?: boolean;
  readonly known?: Known | undefined;
  /** The kernel has may_goto (6.9), which loops over payloads and extension headers need; true unless told. */
  readonly mayGoto?: boolean;
  /** How long lists of rules are classified; false judges them one after the other. */
  readonly classifier?: ClassifierOptions | false;
}

export type CompileResult = { readonly compiled: CompiledHook } | { readonly refusals: readonly Refusal[] };

/** The rules of one hook as a program. What it cannot do comes back as refusals, each with the construct's place. */
export function compileEbpf(hook: HookRules, options: CompileEbpfOptions): CompileResult {
  const { place, tellRule = false, mayGoto = true } = options;
  const known = isConnectPlace(place) ? knownAtConnect(options.known) : options.known;
  const refusals: Refusal[] = [];
  let dearest: { readonly rule: Rule; readonly cost: number } | undefined;
  let classifier: Classifier | undefined;
  try {
    classifier = chooseClassifier(hook, { known, mayGoto, classifier: options.classifier });
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return { refusals: [refusalOf(hook, undefined, { construct: 'so many rules', message: error.message })] };
  }
  const maps = new Map<string, MapNeed>();
  const facts = new Facts(mayGoto);
  const write = (asm: RuleAssembler, prologue: boolean, refuse: (refusal: Refusal) => void): void => {
    let act: Label | undefined;
    const need = (one: MapNeed): string => {
      maps.set(one.symbol, one);
      return one.symbol;
    };
    const context: JudgeContext = {
      place,
      known,
      facts,
      need,
      act: () => {
        if (act === undefined) {
          act = asm.label('act');
          need(ruleTable(hook));
        }
        return act;
      },
      attempt: (into, rule, emit) => {
        const before = into.slots;
        into.within(rule, () => attempt(hook, rule, emit, refuse));
        const cost = into.slots - before;
        if (cost > (dearest?.cost ?? 0)) dearest = { rule, cost };
      },
    };
    need(counters(hook.rules.length));
    emitProgram(asm, hook, { context, prologue, tellRule, classifier });
    facts.functions(asm).emit(place, need);
    if (act !== undefined) emitAct(asm, act, { place, hook, facts, need });
  };
  try {
    // The facts are known once the rules have been written: so they are written twice, the second time behind the facts.
    write(new Assembler<Rule>('rules'), false, (refusal) => refusals.push(refusal));
    if (refusals.length > 0) return { refusals };
    const asm = new Assembler<Rule>('main');
    write(asm, true, () => undefined);
    return { compiled: { place, program: asm.assemble({ unreachable: 'remove' }), maps: [...maps.values()], rules: hook.rules } };
  } catch (error) {
    if (!(error instanceof AssemblyError && error.code === 'program-size')) throw error;
    const cost = dearest === undefined ? '' : `; this rule is the dearest, with ${dearest.cost}`;
    return {
      refusals: [
        refusalOf(hook, dearest?.rule, {
          construct: 'so much code',
          message: `${error.message}${cost}`,
          span: dearest?.rule.expression.span,
        }),
      ],
    };
  }
}

/** From so many rules on tables are faster than code. */
const LEAST_CLASSIFIED = 32;

/** Tables for a long list of rules, where they tell its rules apart. @throws TooLarge */
function chooseClassifier(
  { rules }: HookRules,
  {
    known,
    mayGoto,
    classifier: options,
  }: {
    readonly known: Known | undefined;
    readonly mayGoto: boolean;
    readonly classifier: CompileEbpfOptions['classifier'];
  },
): Classifier | undefined {
  if (options === false || !mayGoto) return undefined;
  if (rules.length < (options?.from ?? LEAST_CLASSIFIED)) return undefined;
  return buildClassifier(rules, { ...options, known });
}

function attempt(hook: HookRules, rule: Rule, emit: () => void, refuse: (refusal: Refusal) => void): void {
  try {
    emit();
  } catch (error) {
    if (!(error instanceof Unsayable)) throw error;
    refuse(refusalOf(hook, rule, error));
  }
}

function refusalOf(
  { hook }: HookRules,
  rule: Rule | undefined,
  { construct, message, span }: { readonly construct: string; readonly message: string; readonly span?: IrSpan | undefined },
): Refusal {
  return { hook, rule: rule?.ref, construct, message, span, provenance: rule?.provenance };
}

interface Parts {
  readonly context: JudgeContext;
  readonly prologue: boolean;
  readonly tellRule: boolean;
  readonly classifier: Classifier | undefined;
}

function emitProgram(asm: RuleAssembler, hook: HookRules, { context, prologue, tellRule, classifier }: Parts): void {
  const { place, facts } = context;
  const impossible = asm.label('no packet');
  if (prologue) {
    asm.mov(CONTEXT, 'r1');
    if (isConnectPlace(place)) emitFindDestination(asm, place);
    else emitFindHeaders(asm, place, impossible, facts.mayGoto);
    facts.emit(asm, place);
    // What is only asked for has no octets to count.
    if (isConnectPlace(place)) asm.store('u64', 'r10', STACK.length, 0);
    for (const [slot, register] of [
      [STACK.networkAt, NETWORK_AT],
      [STACK.protocol, PROTOCOL],
      [STACK.transportAt, TRANSPORT_AT],
    ] as const)
      asm.store('u64', 'r10', slot, register);
  }
  const verdicts: Verdicts = { allow: asm.label('allow'), deny: asm.label('deny') };
  if (classifier) {
    const symbols = needClassifier(hook, classifier, context.need);
    emitClassified(asm, hook, classifier, { symbols, verdicts, context });
  } else emitInOrder(asm, hook, verdicts, context);
  const rules = hook.rules.length;
  emitVerdict(asm, 'allow', verdicts.allow, { place, tellRule, rules });
  emitVerdict(asm, 'deny', verdicts.deny, { place, tellRule, rules });
  asm.place(impossible).mov('r0', VERDICTS[place].deny).exit();
}

/** Counts for the rule that decided, where there is one, and ends the program. */
function emitVerdict(
  asm: RuleAssembler,
  verdict: 'allow' | 'deny',
  label: Label,
  { place, tellRule, rules }: { readonly place: Place; readonly tellRule: boolean; readonly rules: number },
): void {
  const done = asm.label('counted');
  asm.place(label).jump(RULE, '==', 0, done);
  asm.mov('r1', RULE).alu('r1', '-=', 1).store('u64', 'r10', STACK.scratch, 'r1');
  emitCount(asm, rules, done);
  asm.place(done);
  if (tellRule)
    asm
      .mov('r0', RULE)
      .alu('r0', '<<=', 8)
      .alu('r0', '|=', verdict === 'allow' ? 1 : 0)
      .exit();
  else asm.mov('r0', VERDICTS[place][verdict]).exit();
}
