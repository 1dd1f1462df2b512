import { parse, printJson, printProblem, treeToJson } from '@weir/filter/syntax';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import { readExpression, readScheme } from './filter-input.ts';

export interface FilterParseOptions {
  /** JSON file of field names to types; undefined is the scheme of packets. */
  readonly scheme: string | undefined;
}

/** Prints the tree of an expression as JSON on one line, or what is wrong with it on stderr with exit code 2. */
export async function filterParse(argument: string, options: FilterParseOptions, io: Io): Promise<ExitCode> {
  const scheme = await readScheme(options.scheme);
  const text = await readExpression(argument, io);
  const result = parse(text, scheme);
  if ('problem' in result) {
    io.err(`${printProblem(text, result.problem)}\n`);
    return EXIT.finding;
  }
  await io.out(`${printJson(treeToJson(result.tree))}\n`);
  return EXIT.ok;
}
