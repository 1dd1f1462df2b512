import { NO_LISTS, type Subject, trace } from '@weir/filter/eval';
import { type ConnectionState, Packet } from '@weir/filter/packet';
import { judge } from '../../compile/interpreter/index.ts';
import type { HookRules, Rule } from '../../model/rule.ts';
import { describeStep } from '../explain/explain-packet.ts';
import type { Judged } from './outcome.ts';

export interface Interpreted extends Judged {
  /** What the deciding rule's expression saw; nothing for a rule that takes every packet. */
  readonly why: readonly string[];
}

/** The interpreter's judgement of a packet. Sets that BGP fills are empty, and limits of rates are not reached. */
export function interpret(hook: HookRules, packet: Packet): Interpreted {
  let subject: Subject = packet;
  const visit = (_: Rule, __: boolean, marked: Subject): void => {
    subject = marked;
  };
  const { verdict, rule } = judge(hook, packet, { lists: NO_LISTS, visit });
  return { kind: 'judged', verdict, rule, state: packet.context.state, why: reasons(rule, subject) };
}

/** What a rule's expression sees of a packet. */
export function reasons(rule: Rule | undefined, subject: Subject): readonly string[] {
  if (!rule || rule.expression.kind === 'constant') return [];
  return trace(rule.expression, subject, NO_LISTS).because.map(describeStep);
}

/** The packet with another state of its connection. */
export function withState(packet: Packet, state: ConnectionState | undefined): Packet {
  const { bytes, context, headers } = packet;
  if (context.state === state) return packet;
  return Packet.fromNetwork(bytes.subarray(headers.network), { ...context, state });
}
