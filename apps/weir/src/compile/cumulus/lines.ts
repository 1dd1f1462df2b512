import { type Box, type IrSpan, presence, type Test, testOperand } from '@weir/filter/ir';
import { type Hook, PACKET_SCHEME } from '@weir/filter/scheme';
import type { Family } from '@weir/wire/inet';
import type { CumulusOptions } from '../../model/cumulus.ts';
import { interfaceFlag, namesOf } from '../iptables/literal.ts';
import { ALWAYS, type Match, option } from '../iptables/match.ts';
import { fieldLines } from './field-lines.ts';
import { icmpLines } from './icmp-lines.ts';
import { type Interfaces, keepPatterns, type Pattern, removePatterns } from './interfaces.ts';
import { joinLines } from './join.ts';
import { tcpFlagLines } from './tcp-flag-lines.ts';
import { unsayable } from './unsayable.ts';

export interface LineContext {
  readonly family: Family;
  readonly hook: Hook;
  readonly options: CumulusOptions;
}

export type Literals = Box['literals'];

/** What is known of the packets of a box beside the one literal that is written. */
export interface BoxContext extends LineContext {
  readonly box: Box;
  /** Whether the transport header of the protocol is in the packets, as another literal asks for something in it. */
  hasHeader(protocol: number): boolean;
}

/**
 * The packets of a box as lines of which each matches some, and none matches what another does: there is nothing that leads from one line of an ACL to another. Throws
 * Unsayable.
 */
export function linesOfBox(box: Box, context: LineContext): readonly Match[] {
  const { literals } = box;
  const headers = new Set(
    literals.flatMap(({ test, negated }) => (negated ? [] : (presence(testOperand(test), PACKET_SCHEME).protocol ?? []))),
  );
  const about: BoxContext = { ...context, box, hasHeader: (protocol) => headers.has(protocol) };
  const { groups, rest } = interfaceGroups(literals, context);
  const flags = tcpFlagLines(rest, about);
  const icmp = icmpLines(flags.rest, about);
  groups.push(...flags.groups, ...icmp.groups);
  for (const { test, negated, span } of icmp.rest) groups.push(fieldLines(test, negated, about, span));
  return product(groups, context.options.maxRules, literals.find(({ span }) => span)?.span);
}

function product(groups: readonly (readonly Match[])[], most: number, span: IrSpan | undefined): readonly Match[] {
  if (groups.some((group) => group.length === 0)) return [];
  let out: readonly Match[] = [ALWAYS];
  for (const group of groups) {
    if (out.length * group.length > most) throw unsayable(`more than ${most} lines of one rule`, span);
    out = out.flatMap((line) => group.flatMap((other) => joinLines(line, other, span) ?? []));
  }
  return out;
}

/** The interfaces of the configuration that a rule is about too, as the first options of its lines; what is not about interfaces is returned. */
function interfaceGroups(
  literals: Literals,
  { hook, options }: LineContext,
): { readonly groups: (readonly Match[])[]; readonly rest: Literals } {
  const all = (names: readonly Pattern[]): Interfaces => ({ names, without: undefined });
  // Undefined: a packet has none there.
  let incoming = hook === 'output' ? undefined : keepPatterns(all(options.inInterfaces), ['+']);
  let outgoing = hook === 'output' ? keepPatterns(all(options.outInterfaces), ['+']) : hook === 'forward' ? all(['+']) : undefined;
  const rest = literals.filter((literal) => {
    const flag = flagOf(literal.test);
    if (!flag) return true;
    const names = namesOf(literal.test);
    if (!names) throw unsayable('a name of an interface in this form', literal.span);
    const ask = (now: Interfaces | undefined): Interfaces | undefined => {
      if (!now) return literal.negated ? undefined : all([]);
      return literal.negated ? removePatterns(now, names, literal.span) : keepPatterns(now, names);
    };
    if (flag === '-i') incoming = ask(incoming);
    else outgoing = ask(outgoing);
    return false;
  });
  const groups = [interfaceLines('--in-interface', incoming), interfaceLines('--out-interface', outgoing)];
  return { groups, rest };
}

function flagOf(test: Test): '-i' | '-o' | undefined {
  return test.kind === 'quantified' ? undefined : interfaceFlag(test.operand);
}

function interfaceLines(flag: string, of: Interfaces | undefined): readonly Match[] {
  if (!of) return [ALWAYS];
  return of.names.map((name) => {
    if (of.without !== undefined) return option(undefined, `! ${flag} ${of.without}`);
    return name === '+' ? ALWAYS : option(undefined, `${flag} ${name}`);
  });
}
