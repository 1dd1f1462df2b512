import type { Label } from '@weir/ebpf/asm';
import type { MapNeed } from '../../model/ebpf-program.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { Unsayable } from '../refusal.ts';
import { emitCodepoint } from './codepoint.ts';
import { isConnectPlace } from './connect/index.ts';
import { emitCount } from './counters.ts';
import { eventMaps, givesEvents } from './event-maps.ts';
import { emitEvent } from './events.ts';
import type { Facts } from './facts.ts';
import { CONTEXT, type Place, type RuleAssembler, STACK } from './layout.ts';
import { admission, limitNeeds } from './limits.ts';
import { emitLimit } from './limits-act.ts';
import { ACTION_CODE, ENTRY, ENTRY_FLAG, RULES } from './rule-table.ts';

/** What `act` answers. */
export const ANSWER = { goOn: 0, allow: 1, deny: 2 } as const;

/** struct __sk_buff, mark. */
const SKB_MARK = 8;

/**
 * The plan of registers of `act`: r6 is the context, r7 the frame of the program (its r10, to which layout.ts gives offsets), r8 the rule's entry in the table, r9 the
 * answer. It has no stack of its own.
 */
export const FRAME = 'r7';
const ENTRY_AT = 'r8';
const ANSWER_IN = 'r9';

/** Whether a rule does more than its verdict, so that `act` is called for it. */
export function needsAct({ action, log, audit }: Rule): boolean {
  return log || audit || (action.kind !== 'allow' && action.kind !== 'deny' && action.kind !== 'reject' && action.kind !== 'skip');
}

/** @throws Unsayable for what programs at this place cannot do */
export function checkAction({ action }: Rule, place: Place): void {
  const refused = (construct: string): Unsayable => new Unsayable(`an eBPF program at ${place}`, construct);
  if (action.kind === 'reject') throw refused(action.kind);
  if (action.kind === 'rate-limit') {
    const { per } = action.limit;
    const byCaller = per === 'process' || per === 'cgroup';
    // Where a connection is asked for there is no source yet, and elsewhere nobody asks.
    if (isConnectPlace(place) ? per === 'source' : byCaller) throw refused(`a rate limit per ${per}`);
  }
  if (action.kind === 'mark' && place !== 'tc') throw refused('mark');
  if (action.kind === 'dscp' && place !== 'tc' && place !== 'xdp') throw refused('a codepoint');
}

/** Calls `act` for the rule whose number is in r3 or given; ANSWER is in r0 after it. r1 to r5 are lost. */
export function emitCallAct(asm: RuleAssembler, act: Label, index?: number): void {
  if (index !== undefined) asm.mov('r3', index);
  asm.mov('r1', CONTEXT).mov('r2', 'r10').callLocal(act);
}

export interface ActContext {
  readonly place: Place;
  readonly hook: HookRules;
  readonly facts: Facts;
  /** Adds a map that the program needs. */
  readonly need: (need: MapNeed) => void;
}

/**
 * The function that does what rules do besides their verdicts: act(context, frame of the program, number of the rule) gives ANSWER. Everything it goes by is in the rule's entry of
 * the table, so it is the same however the rule was found. What goes on is counted here, what ends where the program ends.
 */
export function emitAct(asm: RuleAssembler, act: Label, { place, hook, facts, need }: ActContext): void {
  const none = asm.label('no such rule');
  asm.function(act, 'act');
  asm.mov('r6', 'r1').mov(FRAME, 'r2').store('u64', FRAME, STACK.scratch, 'r3');
  asm.mov('r2', FRAME).alu('r2', '+=', STACK.scratch).map('r1', RULES).call('map_lookup_elem').jump('r0', '==', 0, none);
  asm.mov(ENTRY_AT, 'r0');
  emitAnswer(asm);
  emitLimited(asm, { hook, place, need });
  if (place === 'tc') emitMark(asm);
  if (hook.rules.some(({ action }) => action.kind === 'dscp')) emitCodepoint(asm, { place, facts, frame: FRAME, entry: ENTRY_AT });
  if (hook.rules.some(givesEvents)) {
    for (const map of eventMaps(hook)) need(map);
    emitEvent(asm, { place, hook: hook.hook, frame: FRAME, entry: ENTRY_AT });
  }
  emitAudit(asm);
  const end = asm.label('answered');
  asm.jump(ANSWER_IN, '!=', ANSWER.goOn, end);
  asm.load('r1', 'u32', ENTRY_AT, ENTRY.index).store('u64', FRAME, STACK.scratch, 'r1');
  emitCount(asm, hook.rules.length, end, FRAME);
  asm.place(end).mov('r0', ANSWER_IN).exit();
  asm.place(none).mov('r0', ANSWER.goOn).exit();
}

/** By the action alone. */
function emitAnswer(asm: RuleAssembler): void {
  const known = asm.label('answer known');
  asm.load('r1', 'u8', ENTRY_AT, ENTRY.action);
  asm.mov(ANSWER_IN, ANSWER.allow).jump('r1', '==', ACTION_CODE.allow, known);
  asm.mov(ANSWER_IN, ANSWER.deny).jump('r1', '==', ACTION_CODE.deny, known);
  asm.mov(ANSWER_IN, ANSWER.goOn).place(known);
}

/** A packet is denied over the rate; under it a limit allows it, and a police goes on. */
function emitLimited(asm: RuleAssembler, { place, hook, need }: Omit<ActContext, 'facts'>): void {
  const maps = limitNeeds(hook);
  if (maps.length === 0) return;
  for (const map of maps) need(map);
  const [under, over, known] = [asm.label('under the rate'), asm.label('over the rate'), asm.label('no limit')];
  const limited = asm.label('a limit');
  asm.load('r1', 'u8', ENTRY_AT, ENTRY.action).jump('r1', '==', ACTION_CODE['rate-limit'], limited);
  asm.jump('r1', '!=', ACTION_CODE.police, known).place(limited);
  emitLimit(asm, {
    frame: FRAME,
    entry: ENTRY_AT,
    entryAt: ENTRY.limit,
    bucket: ANSWER_IN,
    admission: admission(hook),
    atConnect: isConnectPlace(place),
    under,
    over,
  });
  asm.place(under).load('r1', 'u8', ENTRY_AT, ENTRY.action);
  asm.mov(ANSWER_IN, ANSWER.goOn).jump('r1', '==', ACTION_CODE.police, known).mov(ANSWER_IN, ANSWER.allow).goto(known);
  asm.place(over).mov(ANSWER_IN, ANSWER.deny).place(known);
}

function emitMark(asm: RuleAssembler): void {
  const unmarked = asm.label('no mark');
  asm.load('r1', 'u8', ENTRY_AT, ENTRY.action).jump('r1', '!=', ACTION_CODE.mark, unmarked);
  asm.load('r1', 'u32', ENTRY_AT, ENTRY.mark).store('u32', CONTEXT, SKB_MARK, 'r1').place(unmarked);
}

/** A denial that is only audited goes on. */
function emitAudit(asm: RuleAssembler): void {
  const kept = asm.label('answer kept');
  asm.jump(ANSWER_IN, '!=', ANSWER.deny, kept);
  asm.load('r1', 'u8', ENTRY_AT, ENTRY.flags).alu('r1', '&=', ENTRY_FLAG.audit).jump('r1', '==', 0, kept);
  asm.mov(ANSWER_IN, ANSWER.goOn).place(kept);
}
