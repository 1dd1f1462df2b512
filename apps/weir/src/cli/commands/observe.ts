import type { Params } from '../../api/index.ts';
import { withDaemon } from '../daemon-client.ts';
import { EXIT, type ExitCode } from '../exit.ts';
import type { Io } from '../io.ts';
import type { ViewOptions } from '../options.ts';
import { renderFlow } from '../render/flow-line.ts';

export interface ObserveOptions extends ViewOptions {
  readonly request: Params<'observe'>;
}

/** Verdicts, a line (or a JSON object) each: those that were, or as they come until interrupted. */
export async function observe(options: ObserveOptions, io: Io): Promise<ExitCode> {
  return withDaemon(options, async (client) => {
    const stop = (): void => client.close();
    io.signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const { format_version, verdicts, lost } of client.observe(options.request)) {
        if (lost > 0) io.err(`${lost} events were lost: this reader is too slow\n`);
        for (const verdict of verdicts)
          await io.out(
            options.output === 'json' ? `${JSON.stringify({ format_version, ...verdict })}\n` : `${renderFlow(verdict, options.palette)}\n`,
          );
      }
    } catch (error) {
      if (!io.signal.aborted) throw error;
    } finally {
      io.signal.removeEventListener('abort', stop);
    }
    return io.signal.aborted ? EXIT.interrupted : EXIT.ok;
  });
}
