import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { ExitCode } from './exit.ts';
import type { Io } from './io.ts';
import { DEFAULT_CONFIG } from './paths.ts';
import type { ColorChoice, Palette } from './render/paint.ts';

/** Parsed options of a command, by name. */
export type Values = { readonly [name: string]: unknown };

/** What the commands of a group are made with. */
export interface GroupContext {
  readonly io: Io;
  /** Gets an action's exit code. */
  readonly done: (code: ExitCode) => void;
  readonly color: () => ColorChoice;
  readonly outPalette: () => Palette;
  readonly errPalette: () => Palette;
}

/** Options that every command which asks the daemon has. */
export interface ViewOptions {
  readonly output: 'text' | 'json';
  readonly palette: Palette;
  readonly socket: string | undefined;
  readonly config: string | undefined;
}

export function viewOptions(context: GroupContext, o: Values): ViewOptions {
  return {
    output: word(o, 'output', ['text', 'json']),
    palette: context.outPalette(),
    socket: text(o, 'socket'),
    config: text(o, 'config'),
  };
}

/** A command that asks the daemon. */
export function daemonCommand(program: Command, name: string): Command {
  return program
    .command(name)
    .addOption(outputOption())
    .addOption(new Option('--socket <path>', 'control socket of the daemon').env('WEIR_SOCKET'))
    .addOption(new Option('-c, --config <file>', 'configuration that names the socket').env('WEIR_CONFIG'));
}

export function configOption(): Option {
  return new Option('-c, --config <file>', 'configuration file').env('WEIR_CONFIG').default(DEFAULT_CONFIG);
}

export function outputOption(...more: readonly string[]): Option {
  return new Option('-o, --output <format>', 'form of the output').choices(['text', 'json', ...more]).default('text');
}

export function tenantOption(): Option {
  return new Option('--tenant <name>', 'only this tenant');
}

export function flowsOption(): Option {
  return new Option(
    '--flows <file>',
    'flow rules as if a peer announced them, each as flow4 { ... } ACTION, ACTION (docs/flowspec-enforcement.md); may be given again',
  ).argParser(append);
}

/** Collects the values of an option that may be given several times. */
export function append(value: string, before: unknown): readonly string[] {
  return [...(Array.isArray(before) ? before.map(String) : []), value];
}

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A point in time, or how long from now: milliseconds since the epoch. */
export function timeOrSpan(value: string): number {
  const span = /^(\d{1,6})([smhd])$/.exec(value);
  const at = span ? Date.now() + Number(span[1]) * (UNITS[span[2] ?? ''] ?? Number.NaN) : Date.parse(value);
  if (Number.isNaN(at)) throw new InvalidArgumentError('a time such as 2026-12-01T00:00:00Z, or how long, such as 15m, is needed');
  return at;
}

export function count(value: string): number {
  if (!/^[1-9]\d{0,8}$/.test(value)) throw new InvalidArgumentError('a number from 1 to 999999999 is needed');
  return Number(value);
}

export function text(values: Values, name: string): string | undefined {
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

/** The value of an option with choices: commander has checked it, this gives it its type. */
export function word<W extends string>(values: Values, name: string, words: readonly [W, ...W[]]): W {
  return words.find((w) => w === values[name]) ?? words[0];
}

/** What a process that manages the kernel takes besides its configuration and its socket. */
export function withDaemonOptions(command: Command): Command {
  return command
    .addOption(new Option('--state-directory <directory>', 'where the ledger and saved sets are kept').env('WEIR_STATE_DIRECTORY'))
    .addOption(new Option('--netns <name>', 'network namespace whose nf_tables is managed').env('WEIR_NETNS'))
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info')
        .env('WEIR_LOG_LEVEL'),
    )
    .addOption(
      new Option('--log-format <format>', 'auto is text on a terminal')
        .choices(['auto', 'json', 'text'])
        .default('auto')
        .env('WEIR_LOG_FORMAT'),
    );
}
