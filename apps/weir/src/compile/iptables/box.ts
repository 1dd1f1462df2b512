import type { Box, IrSpan, Test } from '@weir/filter/ir';
import { IP_PROTOCOLS } from '@weir/filter/scheme';
import { TCP_FLAGS } from '../tcp-flags.ts';
import { lineOfNot, linesOf, type MatchContext, stateWord, TCP, unsayable } from './literal.ts';
import { ALWAYS, both, clash, type Match, option } from './match.ts';

/** A conjunction in the form of lines. */
export interface BoxLines {
  /** What every packet of it has. */
  readonly all: Match;
  /** Of each group it passes one line at least. */
  readonly groups: readonly (readonly Match[])[];
  /** It passes none of these. */
  readonly none: readonly Match[];
  /** What is asked for does not go into one line: each group needs a chain. */
  readonly apart: boolean;
}

type Literals = Box['literals'];

/** In the order of their bits; iptables has no word for ECE and CWR. */
const FLAG_WORDS = ['FIN', 'SYN', 'RST', 'PSH', 'ACK', 'URG'] as const;
/** More types and codes than these are not written out. */
const MOST_TYPES = 64;

/** The conjunction as lines of iptables; undefined when no packet of the family is in it. Throws Unsayable. */
export function boxLines(box: Box, context: MatchContext): BoxLines | undefined {
  const collector = new Collector();
  const rest = icmpLines(tcpFlagLines(box.literals, collector), context, collector);
  const states = rest.filter((one) => !one.negated && stateWord(one.test) !== undefined);
  for (const literal of rest) {
    const { test, negated, span } = literal;
    if (states.length > 1 && states.includes(literal)) return undefined;
    addLiteral(test, negated, context, span, collector);
  }
  return collector.lines();
}

class Collector {
  readonly #groups: (readonly Match[])[] = [];
  readonly #none: Match[] = [];

  /** One of them. */
  one(lines: readonly Match[]): void {
    this.#groups.push(lines);
  }

  none(lines: readonly Match[]): void {
    this.#none.push(...lines);
  }

  lines(): BoxLines | undefined {
    let all: Match = ALWAYS;
    const groups: (readonly Match[])[] = [];
    for (const lines of this.#groups) {
      const [only] = lines;
      if (!only) return undefined;
      const together: Match | undefined = lines.length > 1 ? undefined : both(all, only);
      if (lines.length > 1 || clash(all, only)) groups.push(lines);
      else if (!together) return undefined;
      else all = together;
    }
    const { protocol } = all;
    const fitting = groups.map((group) => group.filter((line) => both(all, line) !== undefined));
    if (fitting.some((group) => group.length === 0)) return undefined;
    const none = this.#none.filter((line) => protocol === undefined || line.protocol === undefined || line.protocol === protocol);
    if (none.some((line) => line.protocol === undefined && line.options.length === 0)) return undefined;
    const apart = fitting.length > 1 || none.length > 0 || fitting.some((group) => group.some((line) => clash(all, line)));
    return { all, groups: fitting, none, apart };
  }
}

function addLiteral(test: Test, negated: boolean, context: MatchContext, span: IrSpan | undefined, collector: Collector): void {
  if (!negated) {
    collector.one(linesOf(test, context, span));
    return;
  }
  const not = lineOfNot(test, context);
  if (not) collector.one([not]);
  else collector.none(linesOf(test, context, span));
}

/** Of flags of TCP all that are asked for are one option; what is not about them is returned. */
function tcpFlagLines(literals: Literals, collector: Collector): Literals {
  let on = 0;
  let off = 0;
  const some: number[][] = [];
  const flags = literals.flatMap((literal) => {
    const mask = flagMask(literal.test);
    return mask === undefined ? [] : [{ literal, bits: bitsOf(mask, literal.span) }];
  });
  for (const { literal, bits } of flags) {
    const [only] = bits;
    if (literal.negated) for (const bit of bits) off |= bit;
    else if (bits.length === 1 && only !== undefined) on |= only;
    else some.push(bits);
  }
  const rest = literals.filter((one) => !flags.some(({ literal }) => literal === one));
  if (flags.length === 0) return rest;
  if ((on & off) !== 0) collector.one([]);
  if (on === 0 && some.length === 0) collector.none(bitsOf(off, undefined).map((bit) => flagOption(bit, bit)));
  else if (some.length === 0) collector.one([flagOption(on | off, on)]);
  else for (const bits of some) collector.one(bits.filter((bit) => (bit & off) === 0).map((bit) => flagOption(on | off | bit, on | bit)));
  return rest;
}

/** The bits of `tcp.flags` of which a test asks for one at least. */
export function flagMask(test: Test): number | undefined {
  if (!('operand' in test) || test.operand.kind !== 'field') return undefined;
  if (test.kind === 'flag') return TCP_FLAGS[test.operand.name];
  return test.kind === 'bits' && test.operand.name === 'tcp.flags' ? Number(BigInt(test.mask) & 0xffn) : undefined;
}

export function bitsOf(mask: number, span: IrSpan | undefined): number[] {
  if (mask > 63) throw unsayable('the flags ECE and CWR', span);
  return FLAG_WORDS.map((_, i) => 1 << i).filter((bit) => (mask & bit) !== 0);
}

export function flagOption(mask: number, on: number): Match {
  const words = (bits: number): string => FLAG_WORDS.filter((_, i) => (bits & (1 << i)) !== 0).join(',') || 'NONE';
  return option('tcp', `--tcp-flags ${words(mask)} ${words(on)}`, TCP);
}

/** Type and code of ICMP are one option; what is not about them is returned. */
function icmpLines(literals: Literals, { family }: MatchContext, collector: Collector): Literals {
  const name = family === 4 ? 'icmp' : 'icmpv6';
  const about = (field: string) => literals.find((one) => isField(one.test, field));
  const type = about(`${name}.type`);
  const code = about(`${name}.code`);
  const types = type && values(type.test, type.span);
  const codes = code && values(code.test, code.span);
  if (family === 4 && types?.includes(255)) throw unsayable('ICMP type 255', type?.span);
  const line = (t: number, c?: number): Match => {
    const text = c === undefined ? `${t}` : `${t}/${c}`;
    return family === 4
      ? option('icmp', `--icmp-type ${text}`, IP_PROTOCOLS['icmp'])
      : option('icmp6', `--icmpv6-type ${text}`, IP_PROTOCOLS['icmpv6']);
  };
  if (types && type) {
    const plain = types.map((one) => line(one));
    const exact = types.flatMap((t) => (codes ?? []).map((c) => line(t, c)));
    if (exact.length > MOST_TYPES) throw unsayable(`more than ${MOST_TYPES} types and codes`, code?.span);
    if (type.negated) collector.none(plain);
    else collector.one(code && !code.negated ? exact : plain);
    if (code?.negated && !type.negated) collector.none(exact);
  }
  if (code && (!type || type.negated)) throw unsayable(`${name}.code without ${name}.type`, code.span);
  return literals.filter((one) => one !== type && one !== code);
}

export function isField(test: Test, name: string): boolean {
  return test.kind !== 'quantified' && test.operand.kind === 'field' && test.operand.name === name;
}

function values(test: Test, span: IrSpan | undefined): number[] {
  if (test.kind !== 'int') throw unsayable('& on types of ICMP', span);
  const out: number[] = [];
  for (const { first, last } of test.set) {
    if (out.length + Number(last) - Number(first) >= MOST_TYPES) throw unsayable(`more than ${MOST_TYPES} types and codes`, span);
    for (let value = Number(first); value <= Number(last); value++) out.push(value);
  }
  return out;
}
