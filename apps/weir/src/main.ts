import { processIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';

const interrupted = new AbortController();
const io = processIo(interrupted.signal);

let interrupts = 0;
const interrupt = (): void => {
  // The first ends what runs in good order; the second ends the process.
  if (++interrupts > 1) process.exit(130);
  interrupted.abort();
};
process.on('SIGINT', interrupt);

process.exitCode = await runProgram(process.argv.slice(2), io, {
  demo: async (options, i) => (await import('./cli/demo/index.ts')).runDemo(options, i),
});
