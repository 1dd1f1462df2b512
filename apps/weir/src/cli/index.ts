/** The command line: its tree, its commands, what it prints. */
export { type CommandNode, commandTree, flatten } from './completion/tree.ts';
export { type DaemonOptions, withDaemon } from './daemon-client.ts';
export type { DemoOptions, Entrypoints, ExpireOptions, RestoreOptions, RunOptions } from './entrypoints.ts';
export { CliError, EXIT, type ExitCode } from './exit.ts';
export { type Io, processIo } from './io.ts';
export { DEFAULT_CONFIG, DEFAULT_SOCKET } from './paths.ts';
export { buildProgram, runProgram } from './program.ts';
