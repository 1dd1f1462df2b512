import { evaluate, genericSubject } from '@weir/filter/eval';
import { type Expr, lower, operandLeaves, testOperand } from '@weir/filter/ir';
import type { Scheme } from '@weir/filter/scheme';
import { parse, printProblem } from '@weir/filter/syntax';
import { CliError, EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { readExpression, readScheme } from './filter-input.ts';

export interface FilterEvalOptions {
  /** JSON object of the fields' values. */
  readonly fields: string;
  /** JSON file of field names to types; undefined is the scheme of packets. */
  readonly scheme: string | undefined;
}

/** Prints whether an expression is true of the fields. What is wrong with the expression or the fields goes to stderr, with exit code 2; so do warnings, without. */
export async function filterEval(argument: string, options: FilterEvalOptions, io: Io): Promise<ExitCode> {
  const scheme = await readScheme(options.scheme);
  const text = await readExpression(argument, io);
  const parsed = parse(text, scheme);
  if ('problem' in parsed) {
    io.err(`${printProblem(text, parsed.problem)}\n`);
    return EXIT.finding;
  }
  // Given values are given: no table is needed for a country.
  const { expr, problems, warnings } = lower(parsed.tree, scheme, { tables: { asnum: true, country: true } });
  for (const problem of problems) io.err(`${printProblem(text, problem)}\n`);
  if (!expr) return EXIT.finding;
  const made = genericSubject(readFields(options.fields), scheme);
  if ('problems' in made) throw new CliError(EXIT.finding, 'the fields do not fit the scheme', made.problems);
  const absent = [...alwaysThere(expr, scheme)].filter((name) => made.subject.field(name) === undefined);
  if (absent.length > 0) {
    throw new CliError(
      EXIT.finding,
      'the fields do not fit the scheme',
      absent.map((name) => `every packet has ${name}: give it a value`),
    );
  }
  for (const { message } of warnings) io.err(`warning: ${message}\n`);
  await io.out(`${evaluate(expr, made.subject)}\n`);
  return EXIT.ok;
}

function readFields(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CliError(EXIT.finding, `--fields is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Fields of an expression that are never missing. */
function alwaysThere(expr: Expr, scheme: Scheme): ReadonlySet<string> {
  const names = new Set<string>();
  const look = (at: Expr): void => {
    if (at.kind === 'literal') {
      for (const leaf of operandLeaves(testOperand(at.test))) {
        if (leaf.kind === 'field' && scheme.fields.get(leaf.name)?.optional === false) names.add(leaf.name);
      }
    } else if (at.kind !== 'constant') for (const item of at.items) look(item);
  };
  look(expr);
  return names;
}
