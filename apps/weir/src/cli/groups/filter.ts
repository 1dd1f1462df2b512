import type { Command } from 'commander';
import { type GroupContext, text, type Values } from '../options.ts';

/** `weir filter ...`: expressions by themselves. */
export function addFilterCommands(program: Command, { io, done }: GroupContext): void {
  const filter = program
    .command('filter')
    .summary('parse and evaluate filter expressions')
    .description('Works on expressions of the filter language by themselves.')
    .helpCommand(false);

  expressionCommand(filter, 'parse')
    .summary('print the tree of an expression as JSON')
    .description(
      "Prints the tree on one line, in the shape of the original engine's JSON. An expression that is wrong is shown on standard error with what is wrong with it; exit code 2.",
    )
    .action(async (expression: string, o: Values) => {
      const { filterParse } = await import('../commands/filter-parse.ts');
      done(await filterParse(expression, { scheme: text(o, 'scheme') }, io));
    });

  expressionCommand(filter, 'eval')
    .summary('tell whether an expression is true of given fields')
    .description(
      'Prints true or false. An expression that is wrong, or fields that do not fit the scheme, are told of on standard error; exit code 2.',
    )
    .requiredOption('--fields <json>', 'JSON object of field names to values; what is not there is missing')
    .action(async (expression: string, o: Values) => {
      const { filterEval } = await import('../commands/filter-eval.ts');
      done(await filterEval(expression, { fields: text(o, 'fields') ?? '{}', scheme: text(o, 'scheme') }, io));
    });
}

/** A command about one expression. */
function expressionCommand(filter: Command, name: string): Command {
  return filter
    .command(name)
    .argument('<expression>', 'the expression; - is standard input')
    .option(
      '--scheme <file>',
      'JSON object of field names to types (Bool, Int, Ip, Bytes, Array(T), Map(T)) instead of the fields of packets',
    );
}
