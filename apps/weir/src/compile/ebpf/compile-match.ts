import { type AssembledProgram, Assembler } from '@weir/ebpf/asm';
import type { Expr } from '@weir/filter/ir';
import type { MapNeed } from '../../model/ebpf-program.ts';
import type { Rule } from '../../model/rule.ts';
import { slotMaskSymbol } from '../../model/set-layout.ts';
import { Unsayable } from '../refusal.ts';
import { emitExpression } from './expression.ts';
import { Facts } from './facts.ts';
import { emitFindHeaders } from './find-headers.ts';
import { CONTEXT, NETWORK_AT, PROTOCOL, type RuleAssembler, STACK, TRANSPORT_AT } from './layout.ts';

/** What says of one packet whether an expression holds: 1 or 0. */
export interface CompiledMatch {
  readonly program: AssembledProgram<Rule>;
  /** By symbol, each once. */
  readonly maps: readonly MapNeed[];
}

const PLACE = 'network';
/** A map takes at least 512 KiB: fewer ranges are compared. */
export const MOST_RANGES = 256;

/**
 * One expression as a program for a rule of nf_tables (xt_bpf), of type socket filter: it sees the packet from its IP header on. Addresses of more than `mostRanges` ranges are in a map.
 * @throws Unsayable for what programs cannot ask
 */
export function compileMatch(expression: Expr, mostRanges: number = MOST_RANGES): CompiledMatch {
  const facts = new Facts();
  const maps = new Map<string, MapNeed>();
  const need = (one: MapNeed): string => {
    maps.set(one.symbol, one);
    return one.symbol;
  };
  const write = (asm: RuleAssembler, prologue: boolean): void => {
    const branch = { yes: asm.label('yes'), no: asm.label('no') };
    if (prologue) emitPrologue(asm, facts, branch.no);
    emitExpression({ asm, place: PLACE, facts, depth: 0, known: undefined, need, mostRanges }, expression, branch);
    asm.place(branch.yes).mov('r0', 1).exit();
    asm.place(branch.no).mov('r0', 0).exit();
    facts.functions(asm).emit(PLACE, need);
  };
  // The facts are known once the expression has been written.
  write(new Assembler<Rule>('facts'), false);
  const asm = new Assembler<Rule>('match');
  write(asm, true);
  return { program: asm.assemble({ unreachable: 'remove' }), maps: [...maps.values()] };
}

function emitPrologue(asm: RuleAssembler, facts: Facts, impossible: ReturnType<RuleAssembler['label']>): void {
  asm.mov(CONTEXT, 'r1');
  emitFindHeaders(asm, PLACE, impossible, facts.mayGoto);
  facts.emit(asm, PLACE);
  asm.store('u64', 'r10', STACK.networkAt, NETWORK_AT);
  asm.store('u64', 'r10', STACK.protocol, PROTOCOL);
  asm.store('u64', 'r10', STACK.transportAt, TRANSPORT_AT);
}

/**
 * A program that asks for nothing but tables that the compiler made and members of sets: nothing that is told while it runs, and no function of a kernel.
 * @throws Unsayable
 */
export function selfContained(match: CompiledMatch, span: Expr['span']): CompiledMatch {
  const target = 'an eBPF program inside nf_tables';
  const map = match.maps.find(({ kind }) => kind !== 'table' && kind !== 'list');
  if (map) throw new Unsayable(target, map.kind, span);
  const masks = new Set(match.maps.map(({ symbol }) => slotMaskSymbol(symbol)));
  const symbol = match.program.symbols.find(({ kind, name }) => kind !== 'map' && !(kind === 'constant' && masks.has(name)));
  if (symbol) throw new Unsayable(target, symbol.name, span);
  return match;
}
