import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { renderTable } from '../render/table.ts';

/** Configurations that were in force, newest first. */
export async function history(options: ViewOptions, io: Io): Promise<ExitCode> {
  const answer = await withDaemon(options, (client) => client.call('history', {}));
  if (options.output === 'json') {
    await io.out(`${JSON.stringify(answer)}\n`);
    return EXIT.ok;
  }
  const { palette } = options;
  const state = (number: number, reverted: boolean): string =>
    answer.pending?.generation === number ? 'to be confirmed' : number === answer.in_force ? 'in force' : reverted ? 'taken back' : '';
  const rows = [...answer.generations]
    .reverse()
    .map((one) => [String(one.number), one.at, one.cause, one.by, state(one.number, one.reverted), one.changes.join(', ')]);
  await io.out(renderTable(['NUMBER', 'AT', 'CAUSE', 'BY', 'STATE', 'CHANGES'], rows, 'r', palette.bold));
  if (answer.pending)
    await io.out(
      `generation ${answer.pending.generation} has to be confirmed before ${answer.pending.confirm_before}, else ${answer.pending.previous} comes back\n`,
    );
  return EXIT.ok;
}
