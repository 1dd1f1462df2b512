import { getEventListeners } from 'node:events';
import type { Entrypoints } from './cli/entrypoints.ts';
import { processIo } from './cli/io.ts';
import { runProgram } from './cli/program.ts';
import type { RunParts } from './daemon/run.ts';

const interrupted = new AbortController();
const io = processIo(interrupted.signal);

const interrupt = (): void => {
  // What puts things in order at its end listens; everything else, and the second interrupt, ends the process at once.
  if (interrupted.signal.aborted || getEventListeners(interrupted.signal, 'abort').length === 0) process.exit(130);
  interrupted.abort();
};
process.on('SIGINT', interrupt);

/** What a daemon is made of, in this process. */
async function parts(): Promise<RunParts> {
  const [{ startTimer }, { holdImages, openKernelPort, takeHeldSocket, withAclFiles }] = await Promise.all([
    import('./daemon/start-timer.ts'),
    import('./reconcile/index.ts'),
  ]);
  const heldSocket = takeHeldSocket(process.env, process.pid);
  return {
    ...withAclFiles(({ netns, stateDirectory }, events) => openKernelPort({ netns, stateDirectory, heldSocket, events })),
    startTimer,
    holdImage: holdImages,
  };
}

/** What needs the whole program is loaded when it is asked for: the other commands start fast. */
const entrypoints: Entrypoints = {
  run: async (options, i) => (await import('./daemon/run.ts')).runDaemon(options, i, await parts()),
  exabgp: async (options, i) => (await import('./daemon/run-exabgp.ts')).runExabgp(options, i, parts),
  restore: async (options, i) => (await import('./daemon/restore.ts')).runRestore(options, i),
  clear: async (options, i) => (await import('./daemon/clear.ts')).runClear(options, i),
  expire: async (options, i) => (await import('./daemon/expire.ts')).runExpire(options, i),
  demo: async (options, i) => (await import('./cli/demo/index.ts')).runDemo(options, i),
};

try {
  process.exitCode = await runProgram(process.argv.slice(2), io, entrypoints);
} catch (error) {
  io.err(`weir: ${error instanceof Error ? (io.env['WEIR_DEBUG'] ? error.stack : error.message) : String(error)}\n`);
  process.exitCode = 1;
}
