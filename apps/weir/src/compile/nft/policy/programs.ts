import { type Expr, type IrSpan, operandLeaves, type Test, testOperand } from '@weir/filter/ir';
import type { MatchProgram, UserProgram } from '../../../model/match-program.ts';
import { programOfField } from '../../../model/user-program.ts';
import { compileMatch, MOST_RANGES, selfContained } from '../../ebpf/index.ts';
import { Unsayable } from '../../refusal.ts';
import type { Match } from '../image.ts';
import type { LiteralForm } from './alternative.ts';
import type { ChainBook } from './chains.ts';
import { expressionName, isKnown, remember } from './known-programs.ts';
import { type ListNames, literalForm } from './literal.ts';
import { Inexpressible } from './problem.ts';
import { programImage } from './program-image.ts';

/** Which tests are asked by eBPF programs inside the rules: those that nf_tables cannot say (`needed`), none, or those that it is true of as well. */
export type ProgramUse = 'needed' | 'never' | ((test: Test) => boolean);

export interface ProgramsOptions {
  /** The sets of the table, and all that there are. */
  readonly owned: ReadonlySet<string>;
  readonly all: ReadonlySet<string>;
  readonly use: ProgramUse;
  /** Addresses of more ranges than this are looked up by programs. */
  readonly mostRanges?: number | undefined;
  /** Whether there are problems is all that is asked; programs are not kept. */
  readonly onlyCheck?: boolean | undefined;
}

type Literal = Extract<Expr, { kind: 'literal' }>;

/** What is in the IP header: of fragments it is there as it is of whole packets. */
const NETWORK = /^(ip|ip6|meta)\./;

/** Literals as tests of nf_tables, and what that cannot say as programs. */
export class Programs {
  readonly #book: ChainBook;
  readonly #hasList: ListNames;
  readonly #hasSet: ListNames;
  readonly #use: ProgramUse;
  readonly #onlyCheck: boolean;
  readonly #mostRanges: number;
  /** The user's programs that rules ask, by name. */
  readonly #known = new Map<string, MatchProgram>();

  constructor(book: ChainBook, { owned, all, use, mostRanges = MOST_RANGES, onlyCheck = false }: ProgramsOptions) {
    this.#book = book;
    this.#hasList = (name) => owned.has(name);
    this.#hasSet = (name) => all.has(name);
    this.#mostRanges = mostRanges;
    this.#use = use;
    this.#onlyCheck = onlyCheck;
  }

  /** The form that nf_tables has for a literal; undefined for what is asked by a program. Throws Inexpressible where there are none. */
  nativeForm({ test, span }: Literal): LiteralForm | undefined {
    const users = userProgram(test);
    if (users !== undefined) return this.#userForm(users, span);
    if (this.#use === 'never') return literalForm(test, this.#hasList, span);
    const chosen = this.#isLarge(test) || (typeof this.#use === 'function' && this.#use(test));
    if (chosen && this.#tryMatch({ kind: 'literal', test, negated: false, span })) return undefined;
    try {
      return literalForm(test, this.#hasList, span);
    } catch (error) {
      if (error instanceof Inexpressible && error.code === 'nft-unsupported') return undefined;
      throw error;
    }
  }

  #isLarge(test: Test): boolean {
    return test.kind === 'ip' && test.set.v4.length + test.set.v6.length > this.#mostRanges;
  }

  /** A rule's own program, before the rule is compiled. */
  know(program: UserProgram | undefined): void {
    if (program?.kind === 'object') this.#known.set(program.name, program);
  }

  /** What the user's program says cannot be turned round: its negation leads away. */
  #userForm(name: string, span: IrSpan | undefined): LiteralForm {
    if (this.#use === 'never')
      throw new Inexpressible('nft-unsupported', 'bpf', 'a script of nft cannot have a program of its own (bpf)', span);
    const program = this.#known.get(name);
    if (program) this.#book.program(program);
    const match: Match = { kind: 'program', program: name, transport: true };
    return { yes: [{ family: undefined, protocol: undefined, matches: [match] }], disjoint: true, no: undefined, turned: undefined };
  }

  /** Whether a literal somewhere in the expression is asked by a program. */
  needs(expression: Expr): boolean {
    switch (expression.kind) {
      case 'constant':
        return false;
      case 'literal':
        return this.nativeForm(expression) === undefined;
      default:
        return expression.items.some((item) => this.needs(item));
    }
  }

  /** Whether it asks for members of a set where nf_tables can: what it has in the kernel anyway needs no map beside it. */
  asksSets(expression: Expr): boolean {
    if (expression.kind === 'literal') return expression.test.kind === 'list' && this.nativeForm(expression) !== undefined;
    return 'items' in expression && expression.items.some((item) => this.asksSets(item));
  }

  /** The condition that the whole expression holds; undefined where programs cannot ask all of it. */
  tryMatch(expression: Expr): Match | undefined {
    return this.#use === 'never' ? undefined : this.#tryMatch(expression);
  }

  #tryMatch(expression: Expr): Match | undefined {
    try {
      return this.#compile(expression);
    } catch (error) {
      if (error instanceof Unsayable) return undefined;
      throw error;
    }
  }

  match(expression: Expr): Match {
    try {
      return this.#compile(expression);
    } catch (error) {
      if (!(error instanceof Unsayable)) throw error;
      const { construct, span } = this.#nativeProblem(expression) ?? error;
      throw new Inexpressible(
        'nft-unsupported',
        construct,
        `nf_tables cannot express ${construct}, and neither can an eBPF program inside it`,
        span,
      );
    }
  }

  #nativeProblem(expression: Expr): Inexpressible | undefined {
    if (expression.kind !== 'literal') return undefined;
    try {
      literalForm(expression.test, this.#hasList, expression.span);
    } catch (error) {
      if (error instanceof Inexpressible) return error;
      throw error;
    }
    return undefined;
  }

  #compile(expression: Expr): Match {
    const strange = strangeList(expression, this.#hasSet);
    if (strange) throw new Unsayable('an eBPF program inside nf_tables', `$${strange.list}`, strange.span);
    const program = this.#onlyCheck ? check(expression, this.#mostRanges) : this.#keep(expression);
    return { kind: 'program', program, ...(isOfNetwork(expression) ? {} : { transport: true }) };
  }

  #keep(expression: Expr): string {
    const image = programImage(selfContained(compileMatch(expression, this.#mostRanges), expression.span));
    this.#book.program(image);
    return image.name;
  }
}

/** A name for the program that it would be. Throws Unsayable. */
function check(expression: Expr, mostRanges: number): string {
  const name = expressionName(expression);
  if (!isKnown(name)) {
    selfContained(compileMatch(expression, mostRanges), expression.span);
    remember(name);
  }
  return name;
}

/** The name or the path of the user's program that a test asks. */
function userProgram(test: Test): string | undefined {
  return test.kind === 'flag' && test.operand.kind === 'field' ? programOfField(test.operand.name) : undefined;
}

/** A list that is not there. */
function strangeList(expression: Expr, has: ListNames): { readonly list: string; readonly span: IrSpan | undefined } | undefined {
  if (expression.kind === 'literal') {
    const { test, span } = expression;
    return test.kind === 'list' && !has(test.list) ? { list: test.list, span } : undefined;
  }
  if (!('items' in expression)) return undefined;
  for (const item of expression.items) {
    const found = strangeList(item, has);
    if (found) return found;
  }
  return undefined;
}

/** Whether it asks for nothing behind the IP header. */
function isOfNetwork(expression: Expr): boolean {
  switch (expression.kind) {
    case 'constant':
      return true;
    case 'literal':
      return operandLeaves(testOperand(expression.test)).every((leaf) =>
        leaf.kind === 'field' ? NETWORK.test(leaf.name) : leaf.kind === 'slice' && (leaf.protocol === 'ip' || leaf.protocol === 'ip6'),
      );
    default:
      return expression.items.every(isOfNetwork);
  }
}
