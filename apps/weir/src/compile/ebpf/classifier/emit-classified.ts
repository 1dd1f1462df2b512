import type { HookRules } from '../../../model/rule.ts';
import { ANSWER, checkAction, emitCallAct } from '../act.ts';
import { emitCount } from '../counters.ts';
import { NETWORK_AT, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from '../layout.ts';
import { type JudgeContext, RULE, type Verdicts } from '../program-context.ts';
import { type Classifier, MOST_RESIDUALS } from './build.ts';
import { emitResiduals } from './emit-residuals.ts';
import { RECORD } from './entry-table.ts';
import { finderFor } from './finders.ts';
import type { ClassifierSymbols } from './needs.ts';
import { findsKind, hasKind, KIND, ruleKinds } from './rule-kinds.ts';
import type { Finder, Search } from './search.ts';
import { overwrite } from './search-loop.ts';

interface EmitOptions {
  readonly symbols: ClassifierSymbols;
  readonly verdicts: Verdicts;
  readonly context: JudgeContext;
}

/**
 * Judges by a classifier: finds the first position whose rule the tables say the packet passes, and does what its rule says; where that does not end it, goes on with what
 * comes after. Where code is left to ask, the search goes on only to gather which code that could be, up to the first rule that decides without any; then this code is asked, and the search goes
 * back and judges by the answers. It ends at one of the verdicts, with the number of the rule from 1, or 0, in r9.
 */
export function emitClassified(asm: RuleAssembler, hook: HookRules, classifier: Classifier, options: EmitOptions): void {
  const { symbols, verdicts, context } = options;
  const { residuals } = classifier.plan;
  const kinds = ruleKinds(hook.rules);
  for (const special of kinds.special) {
    const rule = hook.rules[special];
    if (rule) context.attempt(asm, rule, () => checkAction(rule, context.place));
  }
  const [impossible, none] = [asm.label('no such place'), asm.label('no rule')];
  const finder = finderFor(asm, hook, classifier, { symbols, context, impossible });
  const { slots } = finder;
  const decision: Decision = { asm, hook, classifier, finder, verdicts, context };

  if (hasKind(kinds, 'act')) emitForget(asm, context);
  finder.values();
  const search = finder.search('search');
  const code = asm.label('code is left to ask');
  search.first();
  search.next();
  if (residuals.length > 0) asm.load('r2', 'u16', 'r0', RECORD.residual).jump('r2', '!=', 0, code);
  const seeks = emitDecision(decision, search);
  search.around({ seek: seeks, seekTo: false });
  asm.place(search.end).goto(none);

  if (residuals.length > 0) {
    asm.place(code);
    emitGather(asm, finder);
    emitResiduals(asm, hook, residuals, { slots, context });
    const again = finder.search('again');
    asm.load('r5', 'u64', 'r10', slots.resume);
    again.gotoPosition();
    const [decide, held] = [asm.label('found'), asm.label('what held')];
    again.next();
    asm.load('r2', 'u16', 'r0', RECORD.residual).jump('r2', '!=', 0, held).place(decide);
    emitDecision(decision, again);
    asm.place(held).alu('r2', '-=', 1).alu('r2', '&=', 63).load('r1', 'u64', 'r10', slots.held);
    asm.alu('r1', '>>=', 'r2').alu('r1', '&=', 1).jump('r1', '!=', 0, decide).goto(again.step);
    again.around({ seek: seeks, seekTo: true });
    asm.place(again.end).goto(none);
  }
  asm.place(none).mov(RULE, 0).goto(verdicts.allow);
  asm.place(impossible).mov(RULE, 0).goto(verdicts.deny);
}

/**
 * The verifier goes round a loop for each different thing that it knows when it comes there: so that it knows nothing of what the packet is, all of it goes together with a 0 that it does not
 * know.
 */
function emitForget(asm: RuleAssembler, { facts }: JudgeContext): void {
  asm.load('r2', 'u64', 'r10', STACK.network).mov('r3', 'r2').alu('r3', '^=', -1).alu('r2', '&=', 'r3');
  for (const register of [NETWORK_AT, PROTOCOL, TRANSPORT_AT] as const) asm.alu(register, '^=', 'r2');
  const kept = [STACK.length, STACK.ip4, STACK.ip6, STACK.transportLength, STACK.networkAt, STACK.protocol, STACK.transportAt];
  for (const { slot, size } of [...kept.map((one) => ({ slot: one, size: 'u64' }) as const), ...facts.list()])
    asm.load('r1', size, 'r10', slot).alu('r1', '^=', 'r2').store(size, 'r10', slot, 'r1');
  asm.mov('r1', 'r2');
  overwrite(asm, facts.usesBuffer);
}

/** The bit of what is wanted that says that a rule on the way skips others. */
const SKIPS: number = MOST_RESIDUALS;

/** From a position that leaves code to ask, in r2 from 1: gathers the code of that and of what comes after, up to a rule that allows or denies anyhow. Runs on. */
function emitGather(asm: RuleAssembler, finder: Finder): void {
  const { slots } = finder;
  const loop = finder.search('gather');
  const [want, gathered] = [asm.label('wanted'), asm.label('gathered')];
  asm.load('r1', 'u64', 'r10', slots.found).store('u64', 'r10', slots.resume, 'r1');
  // 0, in a way that the verifier does not know.
  asm
    .mov('r3', 'r1')
    .alu('r3', '^=', -1)
    .alu('r3', '&=', 'r1')
    .store('u64', 'r10', slots.wanted, 'r3')
    .store('u64', 'r10', slots.held, 'r3');
  asm.place(want).alu('r2', '-=', 1).alu('r2', '&=', 63).mov('r3', 1).alu('r3', '<<=', 'r2');
  const set = asm.label('set a bit');
  asm.load('r1', 'u8', 'r0', RECORD.skips).jump('r1', '==', 0, set).mov('r1', 1).alu('r1', '<<=', SKIPS).alu('r3', '|=', 'r1');
  asm.place(set).load('r1', 'u64', 'r10', slots.wanted).alu('r1', '|=', 'r3').store('u64', 'r10', slots.wanted, 'r1').goto(loop.step);
  loop.next();
  asm.load('r2', 'u16', 'r0', RECORD.residual).jump('r2', '!=', 0, want);
  const [skips, ends] = [asm.label('it skips'), asm.label('it decides')];
  asm.load('r1', 'u8', 'r0', RECORD.skips).jump('r1', '!=', 0, skips);
  asm.load('r1', 'u8', 'r0', RECORD.kind).jump('r1', '<=', KIND.deny, ends).goto(loop.step);
  asm.place(skips).mov('r3', 1).alu('r3', '<<=', SKIPS).goto(set);
  // What decides may have been skipped.
  asm.place(ends).load('r1', 'u64', 'r10', slots.wanted).jump('r1', 's<', 0, loop.step).goto(gathered);
  loop.around({ seek: false, seekTo: false });
  asm.place(loop.end).place(gathered);
}

interface Decision {
  readonly asm: RuleAssembler;
  readonly hook: HookRules;
  readonly classifier: Classifier;
  readonly finder: Finder;
  readonly verdicts: Verdicts;
  readonly context: JudgeContext;
}

/** Does what the rule of the record at r0 says; whether it may go on at `seek`. */
function emitDecision({ asm, hook, classifier, finder, verdicts, context }: Decision, loop: Search): boolean {
  const all = ruleKinds(hook.rules);
  const { starts } = classifier.plan;
  const [acts, skips] = [findsKind(all, starts, 'act'), findsKind(all, starts, 'skip')];
  const [act, skip] = [asm.label('more than a verdict'), asm.label('skip')];
  asm.load('r1', 'u8', 'r0', RECORD.kind);
  if (acts) asm.jump('r1', '==', KIND.act, act);
  if (skips) asm.jump('r1', '==', KIND.skip, skip);
  asm.load(RULE, 'u32', 'r0', RECORD.rule).jump('r1', '==', KIND.allow, verdicts.allow).goto(verdicts.deny);
  if (acts) {
    asm.place(act).load('r3', 'u32', 'r0', RECORD.rule).alu('r3', '-=', 1);
    emitCallAct(asm, context.act());
    asm.jump('r0', '==', ANSWER.goOn, loop.seek).mov('r5', 'r0').load('r3', 'u64', 'r10', finder.slots.found);
    finder.record();
    // Nothing follows that reads the transport header: r9 may be the number of the rule.
    asm.load(RULE, 'u32', 'r0', RECORD.rule).jump('r5', '==', ANSWER.allow, verdicts.allow).goto(verdicts.deny);
  }
  if (skips) {
    const missing = asm.label('no counter');
    asm.place(skip).load('r1', 'u32', 'r0', RECORD.rule).alu('r1', '-=', 1).store('u64', 'r10', STACK.scratch, 'r1');
    emitCount(asm, hook.rules.length, missing);
    asm.place(missing).goto(loop.seek);
  }
  return acts || skips;
}
