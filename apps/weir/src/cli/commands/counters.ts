import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { sumRules } from '../render/sum-rules.ts';
import { renderTable } from '../render/table.ts';

/** Packets and bytes of every rule in the kernel, in the order of judgement. */
export async function counters(options: ViewOptions, io: Io): Promise<ExitCode> {
  const { kernel } = await withDaemon(options, (client) => client.call('status', {}));
  const rules = sumRules(kernel.rules);
  if (options.output === 'json') await io.out(`${JSON.stringify({ format_version: 1, rules })}\n`);
  else {
    const rows = rules.map(({ rule, packets, bytes }) => [String(packets), String(bytes), rule]);
    await io.out(renderTable(['PACKETS', 'BYTES', 'RULE'], rows, 'rrl', options.palette.bold));
  }
  return EXIT.ok;
}
