/** The command line: its tree, its commands, what it prints. */

export { handOver } from './commands/exabgp.ts';
export { type CommandNode, commandTree, flatten } from './completion/tree.ts';
export type { DaemonOptions } from './daemon-client.ts';
export type { ClearOptions, DemoOptions, Entrypoints, ExabgpOptions, ExpireOptions, RestoreOptions, RunOptions } from './entrypoints.ts';
export { EXIT, type ExitCode } from './exit.ts';
export type { Io } from './io.ts';
export { buildProgram } from './program.ts';
