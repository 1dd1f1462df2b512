import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';

/** Asks the daemon to read its configuration again. A file with mistakes changes nothing: exit code 2 and the mistakes on stderr. */
export async function reload(options: ViewOptions, io: Io): Promise<ExitCode> {
  const answer = await withDaemon(options, (client) => client.call('reload', {}));
  for (const warning of answer.warnings) io.err(`${warning}\n`);
  if (options.output === 'json') await io.out(`${JSON.stringify(answer)}\n`);
  else if (answer.changed.length === 0) await io.out('reloaded: nothing changed\n');
  else await io.out(`reloaded\n${answer.changed.map((c) => `  ${escapeControl(c)}\n`).join('')}`);
  return EXIT.ok;
}
