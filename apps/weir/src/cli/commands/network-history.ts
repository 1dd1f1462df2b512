import type { NetworkHistoryEntry } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { escapeControl } from '../render/escape.ts';

/** Prefixes of a change that are shown. */
const SHOWN = 5;

export interface NetworkHistoryOptions extends ViewOptions {
  readonly table: string | undefined;
  readonly prefix: string | undefined;
  readonly limit: number | undefined;
}

/** Who changed what when, the latest first. */
export function networkHistory(options: NetworkHistoryOptions, io: Io): Promise<ExitCode> {
  const { table, prefix, limit, output } = options;
  return withDaemon(options, async (client) => {
    const { history } = await client.call('network-history', {
      ...(table === undefined ? {} : { table }),
      ...(prefix === undefined ? {} : { prefix }),
      ...(limit === undefined ? {} : { limit }),
    });
    for (const entry of history) await io.out(output === 'json' ? `${JSON.stringify(entry)}\n` : renderEntry(entry));
    return EXIT.ok;
  });
}

/** A change as a person reads it: a line, and one for each table of it. */
export function renderEntry({ number, at, by, added, updated, removed, changes }: NetworkHistoryEntry): string {
  const lines = [`${number}  ${at}  ${by ?? ''}${by === undefined ? '' : ': '}${added} added, ${updated} updated, ${removed} removed`];
  for (const { kind, table, source, until, comment, count, prefixes } of changes) {
    const more = count > SHOWN ? ` and ${count - Math.min(SHOWN, prefixes.length)} more` : '';
    const end = until === undefined ? '' : `, until ${until}`;
    const what = `${kind === 'set' ? 'into' : 'out of'} ${table} (${source}${end}): ${prefixes.slice(0, SHOWN).join(' ')}${more}`;
    lines.push(`    ${what}${comment === undefined ? '' : `  # ${comment}`}`);
  }
  return lines.map((line) => `${escapeControl(line)}\n`).join('');
}
